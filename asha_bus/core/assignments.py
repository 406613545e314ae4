"""Who runs what: trials are given to workers, taken back, given to others, and ended."""

from __future__ import annotations

from collections.abc import Iterator

from asha_bus.core.events import Counters, RequestSuggestions, RunSettings
from asha_bus.core.messages import Assignment, Log
from asha_bus.core.roster import Roster, WorkerRecord, WorkerTime
from asha_bus.core.schedulers import SchedulerState
from asha_bus.core.supply import Supply
from asha_bus.core.trial import Trial, TrialState
from asha_bus.core.trials import TrialTable
from asha_bus.core.upcoming import Upcoming


class Assignments:
    """The tie between the table of trials and the roster of workers.

    A trial that runs has one worker, and that worker no other trial. Times are
    seconds on the run's clock.
    """

    def __init__(
        self,
        settings: RunSettings,
        table: TrialTable,
        roster: Roster,
        scheduler: SchedulerState,
        counters: Counters,
    ) -> None:
        self.settings = settings
        self.table = table
        self._roster = roster
        self._scheduler = scheduler
        self.counters = counters
        self._upcoming = Upcoming(settings, scheduler)
        #: Idle and wall seconds of the workers up to the assignment of the last trial.
        self.busy_window: WorkerTime | None = None

    def resume(self, settings: RunSettings, roster: Roster) -> None:
        """Go on under other settings, with other workers."""
        self.settings, self._roster = settings, roster
        self._upcoming.resume(settings)
        self.busy_window = None

    def validate(self) -> None:
        """Check that both sides agree; AssertionError where they do not."""
        workers = self._roster.workers.values()
        holders = {worker.trial: worker.name for worker in workers if worker.trial is not None}
        running = [t for t in self.table.trials if t.state is TrialState.RUNNING]
        assert holders == {trial.id: trial.worker for trial in running}

    # --- what comes ----------------------------------------------------------

    @property
    def is_prepared(self) -> bool:
        """Whether the next new trial is made already."""
        return self._upcoming.ready is not None

    def prepare(self) -> Iterator[RequestSuggestions]:
        """Have the next new trial ready; what to draw for those after it."""
        self._upcoming.prepare(len(self.table))
        return self._upcoming.wanted(self._roster.active, len(self.table))

    @property
    def supply(self) -> Supply:
        """The points of configurations to come."""
        return self._upcoming.supply

    @property
    def limit(self) -> int | None:
        """How many trials there are at most; None: no end."""
        return self._upcoming.limit

    @property
    def depths(self) -> tuple[int, int]:
        """How many points there are for trials to come, and how many were asked for."""
        return self._upcoming.depths

    def outstanding(self) -> Iterator[RequestSuggestions]:
        """The points that were asked for and have not come."""
        return self._upcoming.outstanding()

    @property
    def has_next(self) -> bool:
        """Whether there is a trial to be given out now."""
        return bool(self.table.queue) or self._upcoming.prepare(len(self.table)) is not None

    # --- who runs what -------------------------------------------------------

    def assign(self, worker: WorkerRecord, now: float) -> Assignment | None:
        """Give ``worker`` the next trial; None where there is none now, or it has one."""
        table = self.table
        if worker.trial is not None:
            return None
        if table.queue:
            trial = table[table.queue.popleft()]
        else:
            new = self._upcoming.take(len(table))
            if new is None:
                return None
            trial = new
            table.add(trial, self.settings.epoch + now)
        table.run(trial, worker.name)
        worker.trial = trial.id
        self.counters.assigned += 1
        if worker.first_assigned is None:
            worker.first_assigned = now
            worker.idle_before_s = worker.idle_s
        if len(table) == self.limit and self.busy_window is None:
            self.busy_window = self._roster.busy(now)
        next_resource = self._scheduler.next_resource(trial)
        return Assignment(trial.id, trial.attempt, trial.point, trial.seed, next_resource)

    def held(self, worker: WorkerRecord, number: int, attempt: int) -> Trial | None:
        """The trial that ``worker`` speaks of, if it is this attempt that it holds."""
        if worker.trial != number:
            return None
        trial = self.table.trials[number]
        return trial if trial.attempt == attempt else None

    def run_by(self, worker: WorkerRecord, number: int, attempt: int) -> Trial | None:
        """The same, if the attempt is or was the worker's and no other followed it."""
        if number >= len(self.table):
            return None
        trial = self.table.trials[number]
        return trial if trial.attempt == attempt and trial.worker == worker.name else None

    def finish(self, trial: Trial, state: TrialState, now: float) -> None:
        """Bring ``trial`` into a final state; its worker is free."""
        self._release(trial)
        self.close(trial, state, now)

    def close(self, trial: Trial, state: TrialState, now: float) -> None:
        """The same of a trial whose worker was freed before."""
        self.table.finish(trial, state, self.settings.epoch + now)

    def fail(self, trial: Trial, error: str | None, now: float, *, is_over: bool) -> None:
        """The attempt at ``trial`` failed: queue it again while there are retries."""
        if is_over or trial.failures >= self.settings.retries:
            trial.error = error
            self.finish(trial, TrialState.FAILED, now)
        else:
            trial.failures += 1
            trial.forgiven += 1
            text = f"attempt {trial.attempt} failed, and the trial is begun again:\n{error}"
            self.table.log(Log(trial.id, trial.attempt, "warning", text))
            self._release(trial)
            self.table.requeue(trial)
            self.counters.failed_attempts += 1

    def cancel_queue(self, now: float) -> None:
        """Nothing will be run again: the waiting trials end."""
        self.table.cancel_queue(self.settings.epoch + now)

    def lose(self, trial: Trial, now: float, *, is_over: bool) -> None:
        """The attempt at ``trial`` is lost: queue it again, or give it up."""
        if is_over:
            self.finish(trial, TrialState.CANCELLED, now)
        elif trial.attempt - trial.forgiven >= self.settings.max_attempts:
            trial.error = (
                f"lost with its worker {trial.attempt} times, the last one being {trial.worker}; "
                f"if the objective ends the process (memory, a crash in native code), see the "
                f"worker's output"
            )
            self.finish(trial, TrialState.LOST, now)
        else:
            self._release(trial)
            self.table.requeue(trial)
            self.counters.requeued += 1

    def _release(self, trial: Trial) -> None:
        if trial.worker is not None:
            self._roster.workers[trial.worker].trial = None
