"""Monitors that show a run as one line of text."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from asha_bus.core.checks import shortened
from asha_bus.core.space import by_name
from asha_bus.core.trial import TrialState
from asha_bus.monitors.base import Monitor, RunInfo, Snapshot
from asha_bus.monitors.screen import cut, print_text
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import Result
from asha_bus.results.summary import why_ended
from asha_bus.results.tables import visible

#: Longer lines are cut.
_MOST_COLUMNS = 1_000


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
    """A line at the start, every 30 s, and at the end, where there is no terminal.

    ``write``: prints to stdout, or to stderr.
    """

    every_s = 30.0

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], None] = print_text,
    ) -> None:
        super().__init__(clock)
        self._write = write

    def on_start(self, run: RunInfo) -> None:
        """Show what was started."""
        super().on_start(run)
        self._next = self._clock() + self.every_s
        self.show(first_line(run))

    def on_finish(self, result: Result | None) -> None:
        """Show the result, or that there is none."""
        super().on_finish(result)
        if result is None:
            self.show(f"{self._run.name}: ended with an error")

    def show(self, line: str) -> None:
        """Print it."""
        self._write(f"{cut(line, _MOST_COLUMNS)}\n")


def first_line(run: RunInfo) -> str:
    """What a run is: its limits, its workers, its journal."""
    if run.resumed is None:
        most = "" if run.max_trials is None else f"at most {run.max_trials} trials, "
        begun = f"started with {most}"
    else:
        most = "" if run.max_trials is None else f" of {run.max_trials}"
        begun = f"resumed: {run.resumed}{most} trials done, "
    workers = "" if run.workers is None else f"{_counted(run.workers, 'worker')}, "
    journal = "no journal" if run.journal is None else f"journal {run.journal}"
    return (
        f"{run.name}: {begun}{workers}{journal}, {run.scheduler}, {run.searcher}, seed {run.seed}"
    )


def failed_text(states: Mapping[TrialState, int]) -> str:
    """How many trials have paused, failed and were lost, such as ``, 3 failed, 1 lost``."""
    shown = (TrialState.PAUSED, TrialState.FAILED, TrialState.LOST)
    return "".join(f", {states[s]} {s.value.lower()}" for s in shown if states.get(s))


def running_text(snapshot: Snapshot) -> str:
    """How many trials run, or were told to stop by the end of the run and are not done yet."""
    running = snapshot.states[TrialState.RUNNING]
    return f"{running} {'stopping' if running and snapshot.is_ending else 'running'}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def running_line(run: RunInfo, snapshot: Snapshot) -> str:
    """The state of a run: trials done, failed and running, time, rate, workers, best so far."""
    total = f" of {run.max_trials}" if run.max_trials is not None else ""
    rate = f", {snapshot.finished / snapshot.elapsed_s:.3g}/s" if snapshot.elapsed_s > 0 else ""
    return visible(
        f"{run.name}: {snapshot.finished}{total} trials done, "
        f"{running_text(snapshot)}{failed_text(snapshot.states)}, "
        f"{clock(snapshot.elapsed_s)}{rate}, {_counted(snapshot.workers, 'worker')}"
        f"{f' (waits for {snapshot.awaited} more)' if snapshot.awaited else ''}, "
        f"best: {best_text(snapshot.best)}"
    )


def last_line(result: Result) -> str:
    """The result of a run."""
    return visible(
        f"{result.name}: {len(result.trials)} trials{failed_text(result.counts)}, "
        f"{clock(result.elapsed_s)}, ended by {_ending(result)}, best: "
        f"{best_text(result.best) if result.best else f'none, since {result.best_reason}'}"
    )


def _ending(result: Result) -> str:
    # why a run failed is logged as an error
    return why_ended(result) if result.reason == "stopped" else result.reason


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
        for name, value in by_name(trial.params).items()
    )


def _one_line(value: object) -> str:
    return " ".join(shortened(value).split())


def clock(seconds: float) -> str:
    """A duration as ``4:05`` or ``1:04:05``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
