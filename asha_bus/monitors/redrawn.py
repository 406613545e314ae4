"""A monitor that draws the whole run, again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace

from asha_bus.monitors.base import Monitor, RunInfo, Snapshot
from asha_bus.results.result import Result


class Redrawn(Monitor):
    """Draws a run from its result so far: `draw` is what a subclass has to say.

    It is drawn every ``every_s`` seconds, or less often where that takes long, so that
    drawing takes a tenth of the time at most; and once more at the end.
    """

    every_s = 1.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock()
        self._snapshot: Snapshot | None = None

    def on_start(self, run: RunInfo) -> None:
        """Remember what is known of the run."""
        self._run = run

    def on_refresh(self, snapshot: Snapshot) -> None:
        """Draw, if it is time to."""
        self._snapshot = snapshot
        began = self._clock()
        if began >= self._next:
            self.draw(self._run, snapshot.result(), snapshot.workers)
            self._next = began + max(self.every_s, 10 * (self._clock() - began))

    def on_finish(self, result: Result | None) -> None:
        """Draw the end; what was drawn last stays where there is no result."""
        if result is not None:
            if self._snapshot is not None:
                result = _with_reports(result, self._snapshot.result())
            self.draw(self._run, result, None)

    def draw(self, run: RunInfo, result: Result, workers: int | None) -> None:
        """Draw ``run`` at ``result``, with ``workers`` there; None: it is over."""
        raise NotImplementedError


def _with_reports(result: Result, live: Result) -> Result:
    """``result`` with the reports between rungs that were seen while the run went on."""
    seen = {trial.id: trial.reports for trial in live.trials}
    whole = copy(result)
    whole.trials = tuple(
        trial if trial.reports else replace(trial, reports=seen.get(trial.id, ()))
        for trial in result.trials
    )
    return whole
