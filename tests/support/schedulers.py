"""A scheduler as a third party writes one, in a module of its own."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from asha_bus.core.schedulers import Decision, Scheduler, SchedulerState
from asha_bus.core.trial import Trial


@dataclass(frozen=True)
class Threshold(Scheduler):
    """Stop a trial whose metric is above ``limit`` at its first report; complete the others."""

    limit: float

    @property
    def full_resource(self) -> float:
        return 2

    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        return _State(self.limit)


class _State(SchedulerState):
    def __init__(self, limit: float) -> None:
        self._limit = limit

    def assign(self, trial: Trial, random: Random) -> None:
        """There are no brackets."""

    def next_resource(self, trial: Trial) -> float:
        return 1

    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        if resource >= 2:
            return Decision("complete", (), None)
        return Decision("stop" if metric > self._limit else "continue", (), 2)
