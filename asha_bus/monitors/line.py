"""Monitors that show a run as one line of text."""

from __future__ import annotations

import time
from collections.abc import Callable

from asha_bus.core.trial import TrialState
from asha_bus.monitors.base import Monitor, RunInfo, Snapshot
from asha_bus.monitors.screen import print_text
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import Result
from asha_bus.results.tables import visible


class Line(Monitor):
    """Shows a line every ``every_s`` seconds and at the end; a subclass defines `show`."""

    follows_trials = False
    every_s = 1.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock()

    def on_start(self, run: RunInfo) -> None:
        """Keep the run's settings."""
        self._run = run

    def on_refresh(self, snapshot: Snapshot) -> None:
        """Show the state of the run, if ``every_s`` have passed."""
        now = self._clock()
        if now >= self._next:
            self._next = now + self.every_s
            self.show(running_line(self._run, snapshot))

    def on_finish(self, result: Result | None) -> None:
        """Show the result."""
        if result is not None:
            self.show(last_line(result))

    def show(self, line: str) -> None:
        """Show ``line``."""
        raise NotImplementedError


class PlainLines(Line):
    """A line on stdout at the start, every 30 s, and at the end."""

    every_s = 30.0

    def show(self, line: str) -> None:
        """Print it."""
        print_text(f"{line}\n")


def running_line(run: RunInfo, snapshot: Snapshot) -> str:
    """The state of a run: trials done and running, elapsed time, rate, best so far."""
    total = f" of {run.max_trials}" if run.max_trials is not None else ""
    rate = f", {snapshot.finished / snapshot.elapsed_s:.3g}/s" if snapshot.elapsed_s > 0 else ""
    return visible(
        f"{run.name}: {snapshot.finished}{total} trials done, "
        f"{snapshot.states[TrialState.RUNNING]} running, {clock(snapshot.elapsed_s)}{rate}, "
        f"best: {best_text(snapshot.best)}"
    )


def last_line(result: Result) -> str:
    """The result of a run."""
    return visible(
        f"{result.name}: {len(result.trials)} trials, {clock(result.elapsed_s)}, "
        f"ended by {result.reason}, best: {best_text(result.best)}"
    )


def best_text(best: TrialRecord | None) -> str:
    """The best trial in one line."""
    if best is None or best.metric is None:
        return "none yet"
    return (
        f"trial {best.id}, metric {best.metric:g} at resource {best.resource:g}, "
        f"{params_text(best)}"
    )


def params_text(trial: TrialRecord) -> str:
    """The parameters of a trial in one line, with four digits of each float."""
    return ", ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={_one_line(value)}"
        for name, value in trial.params.items()
    )


def _one_line(value: object) -> str:
    return " ".join(repr(value).split())


def clock(seconds: float) -> str:
    """A duration as ``4:05`` or ``1:04:05``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
