"""Which worker runs which trial: trials are assigned, requeued and ended."""

from __future__ import annotations

from asha_bus.core.budget import AT_EACH_REPORT, Budget
from asha_bus.core.events import Counters, RunSettings
from asha_bus.core.messages import Assignment, Log, of_fields
from asha_bus.core.pace import Pace
from asha_bus.core.residents import Residents
from asha_bus.core.roster import Roster, WorkerRecord, WorkerTime
from asha_bus.core.schedulers import SchedulerState
from asha_bus.core.suggestions import SuggestionQueue
from asha_bus.core.trial import (
    CANCELLED,
    COMPLETED,
    FAILED,
    FINAL,
    LOST,
    RUNNING,
    Trial,
    TrialState,
)
from asha_bus.core.trials import TrialTable

#: What to do about a worker of whose end nothing is known.
_UNKNOWN_END = (
    "if the objective ends the process (memory, a crash in native code) or blocks it "
    "(native code that keeps the interpreter's lock), see the worker's output"
)


class Assignments:
    """Joins the table of trials and the roster of workers.

    A running trial has one worker, and that worker has no other trial. Times are
    seconds on the run's clock.
    """

    def __init__(
        self,
        settings: RunSettings,
        table: TrialTable,
        roster: Roster,
        scheduler: SchedulerState,
        suggestions: SuggestionQueue,
        counters: Counters,
    ) -> None:
        self.settings = settings
        self.table = table
        self._roster = roster
        self._scheduler = scheduler
        self._suggestions = suggestions
        self.counters = counters
        most, saves = settings.scheduler.max_resident, bool(settings.saves)
        self.residents = Residents(table, roster, counters, most, saves=saves)
        self._pauses = settings.scheduler.pauses
        self.budget = Budget(settings.max_total_resource)
        #: How fast trials train, where that decides on anything.
        self.pace = Pace() if settings.scheduler.rebalance else None
        #: Idle and wall seconds of the workers up to the assignment of the last trial.
        self.busy_window: WorkerTime | None = None

    def resume(self, settings: RunSettings, roster: Roster) -> None:
        """Continue under other settings, with other workers."""
        if settings.saves != self.settings.saves:
            for trial in self.table.trials:
                trial.saved = None  # nobody finds it in another folder
        self.settings, self._roster = settings, roster
        self.residents.resume(roster, saves=bool(settings.saves))
        if self.budget.limit is None and settings.max_total_resource is not None:
            self.budget.granted = sum(map(_known_resource, self.table.trials))
        self.budget.limit = settings.max_total_resource
        self.busy_window = None

    def validate(self) -> None:
        """Check that both sides agree; AssertionError if they do not."""
        workers = self._roster.workers.values()
        holders = {worker.trial: worker.name for worker in workers if worker.trial is not None}
        running = [t for t in self.table.trials if t.state is RUNNING]
        assert holders == {trial.id: trial.worker for trial in running}
        self.residents.validate()

    @property
    def has_next(self) -> bool:
        """Whether there is a trial that any worker may get now."""
        trial = self._peek()
        if trial is None or self.budget.limit is None:
            return trial is not None
        return self.budget.fits(trial.begins_at, self._scheduler.next_resource(trial))

    def _peek(self) -> Trial | None:
        """The trial that any worker may get next; None: there is none now."""
        if self.table.queue:
            return self.table[self.table.queue[0]]
        if self._pauses and not self._scheduler.may_begin():
            return None
        return self._suggestions.peek()

    def assign(self, worker: WorkerRecord, now: float) -> Assignment | None:
        """Give ``worker`` the next trial; None if there is none now, or it has one.

        Its own residents that are to go on come first, from the highest rung.
        """
        table = self.table
        if worker.trial is not None:
            return None
        if worker.going_on:
            own = self.residents.first(worker, self.may_resume)
            if own is not None:
                self.budget.grant(own.id, own.resource, self._scheduler.next_resource(own))
                self.residents.take(worker, own, now, self.settings.epoch + now)
                return self.assignment(own, now)
        is_queued = bool(table.queue)
        trial = self._peek() if is_queued or self._pauses else self._suggestions.peek()
        if trial is None or (self.budget.limit is not None and not self._is_granted(trial)):
            return None
        at = self.settings.epoch + now
        if is_queued:
            table.queue.popleft()
            self.counters.requeued += trial.is_suspended
            self.counters.retrained += trial.resource - trial.begins_at
            self.counters.loaded += trial.saved is not None
        else:
            self._suggestions.take()
            table.add(trial, at)
        table.run(trial, worker.name, at)
        worker.trial = trial.id
        self.counters.assigned += 1
        if worker.first_assigned is None:
            worker.first_assigned = now
            worker.idle_before_s = worker.idle_s
        if len(table.trials) == self._suggestions.limit and self.busy_window is None:
            self.busy_window = self._roster.busy(now)
        return self.assignment(trial, now)

    def _is_granted(self, trial: Trial) -> bool:
        """Whether the budget lets ``trial`` begin; that is reserved then."""
        return self.budget.grant(trial.id, trial.begins_at, self._scheduler.next_resource(trial))

    def next_resource(self, trial: Trial) -> float | None:
        """The resource of the next decision on ``trial``; None: there is none."""
        return self._scheduler.next_resource(trial)

    def assignment(self, trial: Trial, now: float) -> Assignment:
        """The message for the worker of ``trial``, which begins or continues now."""
        if self.pace is not None:
            self.pace.begin(trial, now)
        next_resource = self._scheduler.next_resource(trial)
        if self.budget.limit is not None:
            next_resource = self.budget.ask_at(next_resource)
        if trial.is_hooked:  # an attempt before was lost until it would have been stopped
            next_resource = AT_EACH_REPORT
        saved = 0 if trial.saved is None else trial.saved.attempt
        until = (next_resource, saved, trial.drawn)
        fields = (trial.id, trial.attempt, trial.point, trial.seed, *until)
        return of_fields(Assignment, fields)

    @property
    def is_short(self) -> bool:
        """Whether nothing runs, and the budget has too little left for all that would run."""
        if self.table.states[RUNNING]:
            return False
        new = self._peek()
        paused = [self.table[number] for number in self.residents.waiting]
        if new is None and not paused:
            return False
        return not self.has_next and not any(map(self.may_resume, paused))

    def may_resume(self, trial: Trial) -> bool:
        """Whether the budget would let ``trial``, which has paused, go on now."""
        return self.budget.fits(trial.resource, self._scheduler.next_resource(trial))

    def held(self, worker: WorkerRecord, number: int, attempt: int) -> Trial | None:
        """Trial ``number``, if ``worker`` holds this attempt at it."""
        if worker.trial != number:
            return None
        trial = self.table.trials[number]
        return trial if trial.attempt == attempt else None

    def run_by(self, worker: WorkerRecord, number: int, attempt: int) -> Trial | None:
        """Trial ``number``, if its latest attempt is this one, and is or was the worker's."""
        if number >= len(self.table):
            return None
        trial = self.table.trials[number]
        return trial if trial.attempt == attempt and trial.worker == worker.name else None

    def finish(self, trial: Trial, state: TrialState, now: float) -> None:
        """Move ``trial`` into a final state without a decision, and free its worker."""
        self._release(trial)
        if state is not CANCELLED:
            self._scheduler.leave(trial)
        self.close(trial, state, now)

    def close(self, trial: Trial, state: TrialState, now: float) -> None:
        """Move a trial whose worker is already free into a final state."""
        self.table.finish(trial, state, self.settings.epoch + now)

    def fail(self, trial: Trial, error: str | None, now: float, *, is_over: bool) -> None:
        """Requeue ``trial`` after a failed attempt while retries are left; else it failed."""
        if is_over or trial.failures >= self.settings.retries:
            trial.error = error
            self.finish(trial, FAILED, now)
        else:
            trial.failures += 1
            trial.forgiven += 1
            trial.saved = None  # it may be what made the attempt fail
            text = f"attempt {trial.attempt} failed, and the trial is restarted:\n{error}"
            self.table.log(Log(trial.id, trial.attempt, "warning", text))
            self._requeue(trial)
            self.counters.failed_attempts += 1

    def cancel_running(self, now: float) -> None:
        """Cancel the trials that workers run."""
        for worker in self._roster.workers.values():
            if worker.trial is not None:
                self.finish(self.table[worker.trial], CANCELLED, now)

    def cancel_queue(self, now: float) -> None:
        """Cancel the trials that wait for a worker."""
        self.table.cancel_queue(self.settings.epoch + now)

    def suspend(self, worker: WorkerRecord) -> None:
        """Let another worker take the trial of ``worker``, which fell silent but may return.

        After the last attempt there is none for another worker: this one keeps the trial.
        """
        assert worker.trial is not None
        trial = self.table[worker.trial]
        if not self._is_last(trial):
            worker.suspended = (trial.id, trial.attempt)
            worker.trial = None
            self.budget.forfeit(trial.id)
            self.table.suspend(trial)

    def take_back(self, worker: WorkerRecord) -> None:
        """``worker`` has returned: it continues its attempt, unless another one has begun.

        It was not dead, so the attempt that was interrupted does not count.
        """
        suspended, worker.suspended = worker.suspended, None
        if suspended is None:
            return
        number, attempt = suspended
        trial = self.table[number]
        if trial.state in FINAL:
            return
        if trial.attempt > attempt:
            self.forgive(trial)
        elif trial.is_suspended:
            self.table.take_back(trial)
            worker.trial = number

    def forgive(self, trial: Trial) -> None:
        """Do not count an attempt whose worker did not die; at most ``max_attempts`` a trial."""
        if trial.pauses < self.settings.max_attempts:
            trial.pauses += 1
            trial.forgiven += 1

    def _is_last(self, trial: Trial) -> bool:
        return trial.attempt - trial.forgiven >= self.settings.max_attempts

    def lose(self, trial: Trial, now: float, how: str = "", *, is_over: bool) -> None:
        """Requeue ``trial`` after a lost attempt while attempts are left; else it is lost.

        ``how``: what is known of the end of its worker.
        """
        if is_over:
            self.finish(trial, CANCELLED, now)
        elif self._is_last(trial):
            end = f", which {how}" if how else f"; {_UNKNOWN_END}"
            times = trial.attempt - trial.forgiven
            trial.error = (
                f"lost with its worker {times} time{'s' * (times != 1)}, the last one being "
                f"{trial.worker}{end}"
            )
            self.finish(trial, LOST, now)
        else:
            self._requeue(trial)
            self.counters.requeued += 1

    def drop(self, trial: Trial) -> None:
        """The worker has ``trial`` in memory no longer, or could not load its saved state.

        Another attempt begins.
        """
        if trial.saved is not None and trial.saved.attempt < trial.attempt:
            trial.saved = None
        trial.forgiven += 1
        self._requeue(trial)

    def _requeue(self, trial: Trial) -> None:
        """The attempt is over: another one waits for a worker."""
        self._release(trial)
        self.budget.forfeit(trial.id)
        self.table.requeue(trial)

    def _release(self, trial: Trial) -> None:
        if trial.worker is not None:
            self._roster.workers[trial.worker].trial = None


def _known_resource(trial: Trial) -> float:
    """What a trial got according to the journal: up to its end, or to its last rung."""
    if trial.state is COMPLETED:
        return trial.resource
    return trial.rungs[-1].resource if trial.rungs else 0
