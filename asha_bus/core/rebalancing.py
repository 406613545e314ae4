"""Idle workers train promoted trials from the start where that ends earlier."""

from __future__ import annotations

from asha_bus.core.assignments import Assignments
from asha_bus.core.pace import Pace
from asha_bus.core.trial import Trial


class Rebalancing:
    """Finds the trial that an idle worker would bring to its next rung before its holder does."""

    def __init__(self, assignments: Assignments, pace: Pace) -> None:
        self._assignments = assignments
        self._pace = pace

    def candidate(self, now: float) -> Trial | None:
        """The one that gains most, or None. ``now``: seconds on the run's clock."""
        table, residents = self._assignments.table, self._assignments.residents
        waiting = [table[number] for number in residents.waiting]
        best = max(waiting, key=lambda trial: (self._gain_s(trial, now), -trial.id), default=None)
        return best if best is not None and self._gain_s(best, now) > 0 else None

    def _gain_s(self, trial: Trial, now: float) -> float:
        """How much earlier an idle worker would be there, in seconds."""
        table = self._assignments.table
        holder = self._assignments.residents.holder(trial)
        if holder is None or holder.trial is None:
            return 0.0
        backlog_s = self._pace.left_s(*self._goal(table[holder.trial]), now)
        for number in holder.going_on:
            other = table[number]
            if (-len(other.rungs), other.id) <= (-len(trial.rungs), trial.id):
                _, until = self._goal(other)
                backlog_s += self._pace.seconds(other, until - other.resource)
        return backlog_s - self._pace.seconds(*self._goal(trial))

    def _goal(self, trial: Trial) -> tuple[Trial, float]:
        """``trial`` and the resource of its next decision."""
        until = self._assignments.next_resource(trial)
        return trial, trial.resource if until is None else until
