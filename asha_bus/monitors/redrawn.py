"""The base of monitors that redraw the whole run at intervals."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace

from asha_bus.monitors.base import Monitor, RunInfo, Snapshot
from asha_bus.results.result import Result


class Redrawn(Monitor):
    """Draws a run from its result so far; a subclass defines `draw`.

    It draws every ``every_s`` seconds and once more at the end. If drawing is slow, it draws
    less often, so that drawing takes at most a tenth of the time.
    """

    every_s = 1.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock()
        self._snapshot: Snapshot | None = None

    def on_start(self, run: RunInfo) -> None:
        """Keep the run's settings."""
        self._run = run

    def on_refresh(self, snapshot: Snapshot) -> None:
        """Draw, if the time for it has come."""
        self._snapshot = snapshot
        began = self._clock()
        if began >= self._next:
            self.draw(self._run, snapshot.result(), snapshot.workers, snapshot.awaited)
            self._next = began + max(self.every_s, 10 * (self._clock() - began))

    def on_finish(self, result: Result | None) -> None:
        """Draw the result; without one, the last drawing stays."""
        if result is not None:
            if self._snapshot is not None:
                result = _with_reports(result, self._snapshot.result())
            self.draw(self._run, result, None, 0)

    def draw(self, run: RunInfo, result: Result, workers: int | None, awaited: int) -> None:
        """Draw ``run`` from ``result``, with the number of live ``workers``; None after the end.

        ``awaited``: how many more are to come.
        """
        raise NotImplementedError


def _with_reports(result: Result, live: Result) -> Result:
    """``result`` with the reports between rungs that were seen during the run."""
    seen = {trial.id: trial.reports for trial in live.trials}
    whole = copy(result)
    whole.trials = tuple(
        trial if trial.reports else replace(trial, reports=seen.get(trial.id, ()))
        for trial in result.trials
    )
    return whole
