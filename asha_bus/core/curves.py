"""Learning curves: the reports between rungs, for monitors and for the result."""

from __future__ import annotations

from collections import deque

from asha_bus.core.trial import Trial

#: The most reports that wait for a monitor; beyond that the oldest are dropped.
MAX_POINTS = 10_000
#: A longer curve loses every second point.
MAX_CURVE = 1_000

#: The number of a trial, the number of its attempt, a resource and the metric there.
Point = tuple[int, int, float, float]


class Curves:
    """Collects the reports between rungs, which do not affect any decision.

    ``kept``: whether each trial also keeps its own reports.
    """

    def __init__(self, kept: bool) -> None:
        self.kept = kept
        #: Reports that no monitor has taken yet; None: `take` was never called.
        self._fresh: deque[Point] | None = None
        #: How many reports were dropped because they were not taken in time.
        self.dropped = 0

    def add(self, trial: Trial, reports: tuple[tuple[float, float], ...]) -> None:
        """Add reports of ``trial``: pairs (resource, metric) with growing resource."""
        if self._fresh is not None:
            self.dropped += max(len(self._fresh) + len(reports) - MAX_POINTS, 0)
            self._fresh.extend((trial.id, trial.attempt, *report) for report in reports)
        if self.kept:
            trial.curve.extend(reports)
            if len(trial.curve) > MAX_CURVE:
                del trial.curve[1::2]

    def take(self, most: int) -> list[Point]:
        """Remove and return the oldest reports, at most ``most``."""
        if self._fresh is None:
            self._fresh = deque(maxlen=MAX_POINTS)
        return [self._fresh.popleft() for _ in range(min(most, len(self._fresh)))]
