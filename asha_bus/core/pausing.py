"""Trials that pause: the scheduler's verdicts on them are carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from asha_bus.core import messages as m
from asha_bus.core.assignments import Assignments
from asha_bus.core.conversation import Conversation
from asha_bus.core.events import Rebalanced, RungTimedOut, StopRun, StopTrial
from asha_bus.core.rebalancing import Rebalancing
from asha_bus.core.roster import WorkerRecord
from asha_bus.core.schedulers import Decision, Move, SchedulerState
from asha_bus.core.stragglers import RungKey, Stragglers
from asha_bus.core.suggestions import SuggestionQueue
from asha_bus.core.trial import FINAL, Trial, TrialState
from asha_bus.core.waiting import Waiting

_STUCK = (
    "the scheduler lets no trial begin or continue, though none runs: may_begin() must become "
    "True by what running or paused trials do, and close() must decide on all paused trials"
)


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
        stragglers: Stragglers,
        waiting: Waiting,
        *,
        answer: Callable[[WorkerRecord, float], None],
    ) -> None:
        self._scheduler = scheduler
        self._assignments = assignments
        self._suggestions = suggestions
        self._talk = talk
        self._stragglers = stragglers
        self._waiting = waiting
        self._answer = answer
        pace = assignments.pace
        self._rebalancing = None if pace is None else Rebalancing(assignments, pace)
        #: Since when `due` should look for a trial that an idle worker would bring on earlier.
        self._unbalanced: float | None = None
        #: Whether the run ends: verdicts that come then wait for a launch that resumes it.
        self.is_over = False

    def carry_out(self, now: float) -> None:
        """Carry out the verdicts on paused trials, and tell the workers that wait."""
        if self.is_over:
            return
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
            else:
                self._tell(worker)

    def _tell(self, worker: WorkerRecord) -> None:
        """Tell a worker that waits what to drop; its final answer will say so again."""
        self._talk.send(worker.name, m.Wait(worker.seq, worker.drops_now))

    def _carry_out(self, move: Move, now: float) -> WorkerRecord | None:
        table, residents = self._assignments.table, self._assignments.residents
        trial = table[move.trial]
        if trial.state is not TrialState.PAUSED:  # a hook has stopped it meanwhile
            self._scheduler.leave(trial)
            return None
        last = trial.rungs[-1]
        record = last._replace(
            n=move.n,
            keep=move.keep,
            cutoff=move.cutoff,
            verdict=move.verdict,
            paused_n=last.n,
            reason=move.reason,
        )
        if move.mean is not None:
            record = record._replace(mean=move.mean)
        table.judge(trial, record)
        if move.verdict == "continue":
            return residents.go_on(trial, now)
        holder = residents.stop(trial)
        self._assignments.close(trial, TrialState.STOPPED, now)
        return holder

    def after_report(
        self, worker: WorkerRecord, trial: Trial, decision: Decision, now: float, *, is_ending: bool
    ) -> None:
        """``trial`` has reported: it may have to pause, and others may have been decided on."""
        pace = self._assignments.pace
        if pace is not None:
            pace.end(trial, now)
            if decision.verdict == "continue":
                pace.begin(trial, now)
        if decision.verdict == "pause" and not is_ending:
            at = self._assignments.settings.epoch + now
            self._assignments.residents.park(worker, trial, at)
        self.carry_out(now)

    def after(self, now: float) -> None:
        """An event was handled: carry out what follows, and see which rungs wait."""
        self.carry_out(now)
        if self._assignments.budget.limit is not None:
            self._wake(now)
        if self._stragglers.timeout_s is not None:
            self._stragglers.update(self._waiting_rungs(), now)
        if self._rebalancing is not None:
            is_idle = bool(self._waiting) and not self._assignments.has_next
            self._unbalanced = now if is_idle and self._assignments.residents.waiting else None

    def due(self, now: float) -> Iterator[RungTimedOut | Rebalanced]:
        """The events that must happen now."""
        for key in self._stragglers.expired(now):
            yield RungTimedOut(*key)
        if self._unbalanced is not None and self._rebalancing is not None:
            self._unbalanced = None
            trial = self._rebalancing.candidate(now)
            if trial is not None:
                yield Rebalanced(trial.id)

    @property
    def next_deadline(self) -> float | None:
        """When `due` must be asked at the latest; None: never."""
        return self._stragglers.due if self._unbalanced is None else self._unbalanced

    def on_rebalanced(self, event: Rebalanced, now: float) -> None:
        """An idle worker trains a promoted trial from the start."""
        self._talk.record(event, now)
        self._assignments.residents.hand_over(self._assignments.table[event.trial])

    def _wake(self, now: float) -> None:
        """Answer workers that wait although a resident is to go on: the budget was short."""
        for worker in self._talk.roster.workers.values():
            may_resume = self._assignments.may_resume
            if worker.waiting and self._assignments.residents.first(worker, may_resume):
                worker.waiting = False
                self._answer(worker, now)

    def _waiting_rungs(self) -> Iterator[RungKey]:
        """The rungs whose last trials run, every one of them."""
        table = self._assignments.table
        without_worker = {*table.queue, *self._assignments.residents.waiting}
        kept = {(table[n].bracket, len(table[n].rungs)) for n in without_worker}
        return (key for key in self._scheduler.stragglers(len(table)) if key not in kept)

    def on_stop_trial(self, event: StopTrial, now: float) -> None:
        """A hook stops a trial: at its next report, or now if no worker runs it."""
        table, residents = self._assignments.table, self._assignments.residents
        if event.trial >= len(table) or (trial := table[event.trial]).state in FINAL:
            return
        self._talk.record(event, now)
        trial.is_hooked = True
        if trial.state is TrialState.RUNNING:
            self.ask(trial.id)
            return
        holder = residents.stop(trial)
        if trial.state is TrialState.PENDING:
            table.queue.remove(trial.id)
        self._assignments.close(trial, TrialState.STOPPED, now)
        self._scheduler.leave(trial)
        if holder is not None and holder.waiting:
            self._tell(holder)

    def on_timed_out(self, event: RungTimedOut, now: float) -> None:
        """A rung has waited long enough: its last trials must ask, and will be stopped."""
        self._talk.record(event, now)
        for number in self._scheduler.time_out(event.bracket, event.rung):
            self.ask(number)

    def ask(self, number: int) -> None:
        """Have a running trial ask at its next report."""
        if number < len(self._assignments.table):
            trial = self._assignments.table[number]
            worker = self._talk.roster.get(trial.worker or "")
            if worker is not None and worker.trial == number:
                self._talk.beside(worker, m.Ask(number, trial.attempt))

    def close_if_idle(self, now: float) -> StopRun | None:
        """Decide on all paused trials if nothing can happen any more that would.

        Returns why the run ends if that leaves nothing to wait for, else None: trials that the
        budget has cut off are missing in their rungs, or the scheduler is wrong.
        """
        self.carry_out(now)
        if not self._is_idle():
            return None
        if self._assignments.table.states[TrialState.PAUSED]:
            self._scheduler.close()
            self.carry_out(now)
            if not self._is_idle():
                return None
        is_cut_off = self._assignments.table.states[TrialState.CANCELLED] > 0
        return StopRun("max_total_resource") if is_cut_off else StopRun("failed", _STUCK)

    def _is_idle(self) -> bool:
        """Whether no trial runs or is to run, and none may begin."""
        states = self._assignments.table.states
        return not (
            states[TrialState.RUNNING]
            or states[TrialState.PENDING]
            or self._assignments.residents.waiting
            or not self._is_last_begun()
        )

    def _is_last_begun(self) -> bool:
        limit = self._suggestions.limit
        begun = len(self._assignments.table)
        return (limit is not None and begun >= limit) or not self._scheduler.may_begin()

    def cancel(self, now: float) -> None:
        """The run ends: no paused trial goes on."""
        self.is_over = True
        for trial in self._assignments.table.trials:
            if trial.state is TrialState.PAUSED:
                self._assignments.residents.stop(trial)
                self._assignments.close(trial, TrialState.CANCELLED, now)
