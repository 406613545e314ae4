"""How fast trials train: seconds for a unit of resource, from one decision to the next."""

from __future__ import annotations

from asha_bus.core.trial import Trial


class Pace:
    """Measures trials by the times of the events about them, in seconds on the run's clock."""

    def __init__(self) -> None:
        #: When each running trial began its stretch, and at which resource.
        self._begun: dict[int, tuple[float, float]] = {}
        #: Seconds and resource of all stretches, by trial and in total.
        self._spent: dict[int, tuple[float, float]] = {}
        self._total = (0.0, 0.0)

    def begin(self, trial: Trial, now: float) -> None:
        """A worker begins, resumes or continues ``trial``."""
        self._begun[trial.id] = (now, trial.resource)

    def end(self, trial: Trial, now: float) -> None:
        """``trial`` has reported."""
        begun = self._begun.pop(trial.id, None)
        if begun is not None:
            seconds, resource = now - begun[0], trial.resource - begun[1]
            known = self._spent.get(trial.id, (0.0, 0.0))
            self._spent[trial.id] = (known[0] + seconds, known[1] + resource)
            self._total = (self._total[0] + seconds, self._total[1] + resource)

    def seconds(self, trial: Trial, resource: float) -> float:
        """How long ``trial`` trains for ``resource``; like all others, if it has not reported."""
        seconds, measured = self._spent.get(trial.id, self._total)
        return resource * seconds / measured if measured > 0 else 0.0

    def left_s(self, trial: Trial, until: float, now: float) -> float:
        """How long a running trial still trains until ``until``."""
        began, start = self._begun.get(trial.id, (now, trial.resource))
        return max(self.seconds(trial, until - start) - (now - began), 0.0)
