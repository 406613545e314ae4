"""A scheduler as a third party writes one, in a module of its own."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from asha_bus.core.schedulers import Decision, Scheduler, SchedulerState
from asha_bus.core.trial import RungRecord, Trial


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
        is_worse = metric > self._limit
        verdict, word = ("stop", "above") if is_worse else ("continue", "within")
        reason = f"{word} the limit {self._limit:g}"
        record = RungRecord(0, 1, metric, 1, 1, self._limit, verdict, reason=reason)
        return Decision(verdict, (record,), None if is_worse else 2)
