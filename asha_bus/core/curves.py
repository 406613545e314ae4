"""Learning curves: the reports between rungs, for those who look on and for those who keep them."""

from __future__ import annotations

from collections import deque

from asha_bus.core.trial import Trial

#: So many reports are held until they are looked at; the oldest are left out then.
MAX_POINTS = 10_000
#: A curve that is longer loses every second of its points.
MAX_CURVE = 1_000

#: A trial's number, the number of its attempt, a resource and the metric there.
Point = tuple[int, int, float, float]


class Curves:
    """Takes the reports between rungs; they play no part in any decision.

    ``kept``: each trial keeps its own.
    """

    def __init__(self, kept: bool) -> None:
        self.kept = kept
        #: Reports that nobody has looked at so far; None: nobody ever does.
        self._fresh: deque[Point] | None = None
        #: How many were left out since nobody looked in time.
        self.dropped = 0

    def add(self, trial: Trial, reports: tuple[tuple[float, float], ...]) -> None:
        """Take reports of ``trial``, pairs of resource and metric, upwards."""
        if self._fresh is not None:
            self.dropped += max(len(self._fresh) + len(reports) - MAX_POINTS, 0)
            self._fresh.extend((trial.id, trial.attempt, *report) for report in reports)
        if self.kept:
            trial.curve.extend(reports)
            if len(trial.curve) > MAX_CURVE:
                del trial.curve[1::2]

    def take(self, most: int) -> list[Point]:
        """The oldest reports not looked at before, ``most`` of them."""
        if self._fresh is None:
            self._fresh = deque(maxlen=MAX_POINTS)
        return [self._fresh.popleft() for _ in range(min(most, len(self._fresh)))]
