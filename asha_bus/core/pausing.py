"""Trials that pause: the scheduler's verdicts on them are carried out."""

from __future__ import annotations

from collections.abc import Callable

from asha_bus.core import messages as m
from asha_bus.core.assignments import Assignments
from asha_bus.core.conversation import Conversation
from asha_bus.core.roster import WorkerRecord
from asha_bus.core.schedulers import Move, SchedulerState
from asha_bus.core.suggestions import SuggestionQueue
from asha_bus.core.trial import TrialState


class Pausing:
    """Carries out what a scheduler that pauses trials decides about them.

    ``answer``: finds a new answer for a worker that was told to wait.
    """

    def __init__(
        self,
        scheduler: SchedulerState,
        assignments: Assignments,
        suggestions: SuggestionQueue,
        talk: Conversation,
        answer: Callable[[WorkerRecord, float], None],
    ) -> None:
        self._scheduler = scheduler
        self._assignments = assignments
        self._suggestions = suggestions
        self._talk = talk
        self._answer = answer

    def carry_out(self, now: float) -> None:
        """Carry out the verdicts on paused trials, and tell the workers that wait."""
        told: dict[str, WorkerRecord] = {}
        while moves := self._scheduler.take_moves():
            for move in moves:
                holder = self._carry_out(move, now)
                if holder is not None and holder.waiting:
                    told[holder.name] = holder
        for worker in told.values():
            if worker.going_on:
                worker.waiting = False
                self._answer(worker, now)
            else:  # its final answer will say so again, in case that this one is lost
                self._talk.send(worker.name, m.Wait(worker.seq, tuple(worker.drops)))

    def _carry_out(self, move: Move, now: float) -> WorkerRecord | None:
        table, residents = self._assignments.table, self._assignments.residents
        trial = table[move.trial]
        last = trial.rungs[-1]
        record = last._replace(
            n=move.n, keep=move.keep, cutoff=move.cutoff, verdict=move.verdict, paused_n=last.n
        )
        if move.mean is not None:
            record = record._replace(mean=move.mean)
        table.judge(trial, record)
        if move.verdict == "continue":
            return residents.go_on(trial, now)
        holder = residents.stop(trial)
        self._assignments.close(trial, TrialState.STOPPED, now)
        return holder

    def close_if_idle(self, now: float) -> None:
        """Decide on all paused trials if nothing can happen any more that would."""
        self.carry_out(now)
        states = self._assignments.table.states
        if (
            states[TrialState.PAUSED]
            and not states[TrialState.RUNNING]
            and not states[TrialState.PENDING]
            and not self._assignments.residents.waiting
            and self._is_last_begun()
        ):
            self._scheduler.close()
            self.carry_out(now)

    def _is_last_begun(self) -> bool:
        limit = self._suggestions.limit
        begun = len(self._assignments.table)
        return (limit is not None and begun >= limit) or not self._scheduler.may_begin()

    def cancel(self, now: float) -> None:
        """The run ends: no paused trial goes on."""
        for trial in self._assignments.table.trials:
            if trial.state is TrialState.PAUSED:
                holder = self._assignments.residents.stop(trial)
                if holder is not None:
                    holder.going_on.discard(trial.id)
                self._assignments.close(trial, TrialState.CANCELLED, now)
        self._assignments.residents.nobody_waits()
