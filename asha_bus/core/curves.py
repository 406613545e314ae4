"""Learning curves: the reports between rungs, for monitors and for the result."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from asha_bus.core.curve import MAX_POINTS as MOST_OF_A_TRIAL
from asha_bus.core.curve import Curve
from asha_bus.core.messages import Reports
from asha_bus.core.trial import Trial

#: The most reports that wait for a monitor; beyond that the oldest are dropped.
MAX_POINTS = 10_000
#: The most numbers that the curves of a run hold: metrics and extras.
MAX_KEPT = 1_000_000

#: The number of a trial, the number of its attempt, a resource and the metric there.
Point = tuple[int, int, float, float]


class Curves:
    """Collects the reports between rungs, which do not affect any decision.

    ``kept``: whether each trial also keeps a `Curve`. When all curves together exceed
    ``MAX_KEPT`` numbers, the most points of a trial are halved, and all curves are thinned.
    """

    def __init__(self, kept: bool) -> None:
        self.kept = kept
        #: The most points that a trial keeps now.
        self.most = MOST_OF_A_TRIAL
        #: Reports that no monitor has taken yet; None: `take` was never called.
        self._fresh: deque[Point] | None = None
        #: How many reports were dropped because they were not taken in time.
        self.dropped = 0
        self._numbers: dict[int, int] = {}
        self._total = 0

    def add(self, trial: Trial, message: Reports) -> None:
        """Show the reports of ``message``, whose resources grow, to monitors."""
        if self._fresh is not None:
            reports = message.reports
            self.dropped += max(len(self._fresh) + len(reports) - MAX_POINTS, 0)
            self._fresh.extend((trial.id, trial.attempt, *report) for report in reports)

    def choose(self, trial: Trial, message: Reports) -> Reports | None:
        """Keep a part of ``message`` in the curve of ``trial``; None: nothing of it.

        The total of the part covers all reports since the last part.
        """
        if not self.kept:
            return None
        curve = trial.kept = trial.kept or Curve()
        reports, extras = message.reports, message.extras
        chosen = curve.choose(len(reports), self.most)
        if not chosen:
            curve.skip(len(reports))
            curve.unwritten += message.total
            return None
        part = message
        if curve.unwritten or len(chosen) < len(reports):
            part = message._replace(
                total=message.total + curve.unwritten,
                reports=tuple(reports[number] for number in chosen),
                extras={name: _at(chosen, values) for name, values in extras.items()},
            )
            curve.unwritten = 0
        self.keep(trial, part)
        curve.skip(len(reports) - 1 - chosen[-1])
        return part

    def keep(self, trial: Trial, part: Reports) -> None:
        """Keep ``part`` in the curve of ``trial``; `choose` chose it."""
        curve = trial.kept = trial.kept or Curve()
        curve.keep(part.reports, part.extras, self.most)
        self._total += curve.numbers - self._numbers.get(trial.id, 0)
        self._numbers[trial.id] = curve.numbers

    def fit(self, trials: Iterable[Trial]) -> None:
        """Thin the curves of all ``trials`` while they hold too much together."""
        while self._total > MAX_KEPT:
            self.most //= 2
            self._numbers.clear()
            for trial in trials:
                if trial.kept is not None:
                    trial.kept.thin(self.most)
                    self._numbers[trial.id] = trial.kept.numbers
            self._total = sum(self._numbers.values())

    def take(self, most: int) -> list[Point]:
        """Remove and return the oldest reports, at most ``most``."""
        if self._fresh is None:
            self._fresh = deque(maxlen=MAX_POINTS)
        return [self._fresh.popleft() for _ in range(min(most, len(self._fresh)))]


def _at(places: Iterable[int], values: Sequence[float | None]) -> tuple[float | None, ...]:
    """The values at ``places``; None where there are too few."""
    return tuple(values[place] if place < len(values) else None for place in places)
