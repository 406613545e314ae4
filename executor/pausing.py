"""Runs the objective on trials that pause: each stays in memory, and is resumed in place.

A generator is left suspended. An objective that takes a `Trial` has a thread of its own,
which is parked inside ``report``. Both have context variables of their own.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any, NoReturn

from asha_bus.core import messages as m
from asha_bus.core.attempt import Attempt
from asha_bus.core.ending import AT_MAX_TIME
from asha_bus.core.space import Space
from asha_bus.executor.client import Client
from asha_bus.executor.interrupt import Interrupter, TrialInterrupted
from asha_bus.executor.keeping import Keeper
from asha_bus.executor.limit import TimeLimit
from asha_bus.executor.output import Recorder
from asha_bus.executor.own_thread import OwnThread
from asha_bus.executor.runner import Runner, traceback_of
from asha_bus.executor.running_trial import RunningTrial
from asha_bus.executor.states import Hook, LoadFailed, States
from asha_bus.objective.behind import Shape
from asha_bus.objective.values import close_iterator

_NO_FOLDER = (
    "trial.checkpoint() saves nothing in this run, so trials that a worker has to drop are trained "
    "again: pass launch(artifacts=FOLDER), a folder that all workers see, and no address"
)


class ResidentTrial(RunningTrial):
    """A trial that can be suspended at a report, and resumed later."""

    def __init__(
        self,
        attempt: Attempt,
        client: Client,
        interrupter: Interrupter,
        states: States | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        super().__init__(attempt, client, interrupter, keeper)
        #: Where its state is saved if it cannot be kept; None: nowhere.
        self._states = states
        self.context = copy_context()
        #: Where the objective runs; None: in the worker's thread.
        self.thread: OwnThread | None = None
        #: What the objective yields; None: it has not begun, or does not yield.
        self.values: Iterator[Any] | None = None
        #: Whether its objective is in the middle of a report that is not yet answered to it.
        self.is_suspended = False
        self.is_out_of_memory = False
        self.limit: TimeLimit | None = None
        self.suspended_at = 0.0
        #: Whether its state is to be saved once its report has returned, and whether it was.
        self.must_save = False
        self.is_saved = False
        #: Why its saved state could not be loaded.
        self.load_failure: str | None = None
        #: Whether its saved state is not needed any more.
        self._is_beyond = False

    def checkpoint(self, save: Hook, load: Hook) -> float:
        super().checkpoint(save, load)
        if self._attempt.must_load:
            self._load(load)
        return self.resource

    def _load(self, load: Hook) -> None:
        assert self._states is not None, "the bus lets nothing be loaded where nothing is saved"
        try:
            self._states.load(self._attempt, load)
        except (TrialInterrupted, LoadFailed):
            raise
        except BaseException as error:  # the user's code may raise anything, SystemExit included
            if is_out_of_memory(error):
                raise
            self._fail_to_load(traceback_of(error))

    def _fail_to_load(self, why: str) -> NoReturn:
        self.load_failure = self.load_failure or why
        raise LoadFailed(why)

    @property
    def has_hooks(self) -> bool:
        """Whether `checkpoint` was called."""
        return self._hooks is not None

    def end_loading(self) -> None:
        """Remove the state that was to be loaded: the bus knows that it is of no more use."""
        if self._states is not None and self._attempt.assignment.saved and not self._is_beyond:
            self._is_beyond = True
            self._states.remove(self.id, self._attempt.assignment.saved)

    def _report(
        self, metric: float, resource: float | None, extras: m.Extras, *, is_end: bool = False
    ) -> bool:
        if self._attempt.must_load:
            self._fail_to_load("the objective reported before it called trial.checkpoint()")
        is_on = super()._report(metric, resource, extras, is_end=is_end)
        if self.must_save:  # here, where the hook may use the trial: the lock is free
            self.must_save = False
            self._save()
        return is_on

    def _save(self) -> None:
        if self._states is None or self._hooks is None:
            return
        try:
            self._states.save(self._attempt, self._hooks[0])
        except TrialInterrupted:
            raise
        except BaseException as error:  # the user's code may raise anything, SystemExit included
            why = traceback_of(error)
            self.warn(f"its state could not be saved, so it would be trained again:\n{why}")
        else:
            self.is_saved = True

    @property
    def must_wait(self) -> bool:
        """Whether the worker's thread has something else to do first."""
        return self._attempt.is_paused or bool(self._worker.drops)

    def end(self) -> None:
        has_thread_ended = self.thread is not None and self.thread.has_ended
        if self.is_suspended and not has_thread_ended:
            # a parked thread holds the lock, so that no other one reports
            self._interrupter.armed = False
            self.suspended_at = self._interrupter.now()
            return
        self._is_over = True
        if self.thread is not None:
            self.thread.free()  # another thread of the objective may wait in a report
        super().end()
        self.is_suspended = False

    def _settle(self) -> None:
        super()._settle()
        self._wait_if_parked()
        self.must_save = False  # the objective has trained on since the report that paused

    def _ask(self, request: m.Request) -> None:
        super()._ask(request)
        self.end_loading()
        self._wait_if_parked()

    def _wait_if_parked(self) -> None:
        if self.thread is not None and self.must_wait and not self._is_over:
            self.is_suspended = True
            self.thread.park()


class PausingRunner(Runner):
    """A `Runner` for a run whose scheduler pauses trials."""

    def __init__(
        self,
        client: Client,
        interrupter: Interrupter,
        objective: Callable[..., Any],
        space: Space,
        recorder: Recorder | None = None,
        keeper: Keeper | None = None,
        *,
        states: States | None = None,
    ) -> None:
        super().__init__(client, interrupter, objective, space, recorder, keeper)
        self._states = states
        #: Whether it was said that nothing can be saved.
        self._is_warned = False
        self._suspended: dict[Attempt, ResidentTrial] = {}
        #: Attempts that this worker has dropped by itself, by trial and number.
        self._given_up: set[tuple[int, int]] = set()
        client.on_drops = self._end_drops

    def run(self) -> str:
        try:
            reason = super().run()
        finally:
            if self._suspended and self._client.is_own_process:
                self._interrupter.order(AT_MAX_TIME, self._interrupter.now())
                self._worker.drop(list(self._worker.residents))
                self._end_drops()
        self._client.send_lines()
        return reason

    def _run_trial(self, attempt: Attempt) -> None:
        self._end_drops()
        trial, number, *_ = attempt.assignment
        if (trial, number) in self._given_up:
            self._end_dropped()
        else:
            self._run_until_paused(attempt)
        self._end_drops()

    def _run_until_paused(self, attempt: Attempt) -> None:
        trial = self._suspended.pop(attempt, None) or self._make_trial(attempt)
        attempt.is_paused = False
        outcome, error = self._call(trial)
        while trial.is_suspended and not attempt.is_paused:
            self._end_drops()
            outcome, error = self._call(trial)
        self._conclude(trial, error)
        if self._states is None and trial.has_hooks and not self._is_warned:
            self._is_warned = True
            trial.warn(_NO_FOLDER)
        if attempt.must_load and outcome == "completed":
            trial.load_failure = "the objective ended before it called trial.checkpoint()"
        if attempt.is_paused:
            self._park(trial, error)
        elif trial.load_failure is not None and outcome != "interrupted":
            trial.warn(
                f"its saved state could not be loaded, so it is trained from the start:\n"
                f"{trial.load_failure}"
            )
            self._end_dropped()
            trial.end_loading()
        elif trial.is_out_of_memory and attempt.stopped is None and self._make_room(trial):
            if attempt.resource == 0:
                self._run_until_paused(attempt)
            else:
                self._end_dropped()
                trial.end_loading()
        else:
            self._finish(trial, outcome, error)
            if outcome != "interrupted":
                trial.end_loading()

    def _end_dropped(self) -> None:
        self._client.ask(self._worker.end("dropped", None, time.monotonic()))

    def _park(self, trial: ResidentTrial, error: str | None) -> None:
        attempt = trial._attempt
        self._worker.park()
        if trial.is_suspended:
            self._suspended[attempt] = trial
            return
        # it ended before it knew: an exception, as of a user's alarm, cut the report short
        if error is not None:
            trial.warn(f"error while the trial was pausing:\n{error}")
        self._give_up([attempt])

    def _give_up(self, attempts: list[Attempt]) -> None:
        """Drop residents without an order to do so, saved if they can be, and tell the bus."""
        numbers = [(each.assignment.trial, each.assignment.attempt) for each in attempts]
        self._given_up.update(numbers)
        dropped = self._worker.drop(number for number, _ in numbers)
        if self._states is not None:
            self._worker.saves += dropped.trials
        self._end_drops()
        self._client.tell(dropped)

    def _make_room(self, trial: ResidentTrial) -> bool:
        """Drop all residents, since memory ran out in ``trial``; False if there are none."""
        residents = list(self._worker.residents.values())
        if residents:
            trial.warn(
                f"out of memory: its worker dropped its {len(residents)} paused trials, and the "
                f"trial is restarted; a smaller max_resident of the scheduler avoids this"
            )
            self._give_up(residents)
            gc.collect()
        return bool(residents)

    def _end_drops(self) -> None:
        """End the paused trials that need not be kept, so that their clean-up runs.

        Those that the bus may need later are saved, as far as the user's code can do that.
        """
        worker, saved = self._worker, {}
        while worker.unneeded:
            number = worker.unneeded.pop()
            if self._states is not None:
                self._states.forget(number)
        while worker.drops:
            attempt = worker.drops.pop(0)
            trial = self._suspended.pop(attempt, None)
            if trial is not None:
                trial.must_save = trial.id in worker.saves
                attempt.stopped = "dropped"
                self._client.ending = attempt
                _, error = self._call(trial)
                self._client.ending = None
                if error is not None:
                    trial.warn(f"error while the paused trial was ending:\n{error}")
                if trial.is_saved:
                    saved[trial.id] = trial.attempt
        while worker.saves:
            number = worker.saves[0]
            self._client.ask(worker.saved(number, saved.get(number, 0)))
            worker.saves.remove(number)

    # --- one stretch of an objective, from its begin or a pause to the next pause or its end

    def _make_trial(self, attempt: Attempt) -> ResidentTrial:
        about = (attempt, self._client, self._interrupter)
        return ResidentTrial(*about, self._states, self._keeper)

    def _begin_limit(self, trial: RunningTrial) -> TimeLimit | None:
        assert isinstance(trial, ResidentTrial)
        if trial.limit is None:
            trial.limit = super()._begin_limit(trial)
        else:
            trial.limit.postpone(self._interrupter.now() - trial.suspended_at)
            trial.limit.start_watchdog()
            self._interrupter.limit = trial.limit
        return trial.limit

    def _run_shape(self, trial: RunningTrial) -> None:
        assert isinstance(trial, ResidentTrial)
        trial.is_suspended = False
        try:
            if self._shape is Shape.TRIAL:
                self._run_in_thread(trial)
            elif trial.values is None:
                trial.context.run(super()._run_shape, trial)
            else:
                trial.context.run(self._consume, trial.values, trial)
        except BaseException as error:
            trial.is_out_of_memory = is_out_of_memory(error)
            raise

    def _run_in_thread(self, trial: ResidentTrial) -> None:
        if trial.thread is None:
            run = partial(trial.context.run, super()._run_shape, trial)
            trial.thread = OwnThread(run, f"asha-bus-trial-{trial.id}")
        self._interrupter.thread = trial.thread.ident
        try:
            trial.thread.step()
        finally:
            self._interrupter.armed = False
            self._interrupter.thread = threading.get_ident()

    def _consume(self, values: Iterator[Any], trial: RunningTrial) -> None:
        assert isinstance(trial, ResidentTrial)
        trial.values = values
        try:
            while not trial.should_stop:
                try:
                    value = next(values)
                except StopIteration:
                    return
                if trial.report_value(value) and trial.thread is None and trial.must_wait:
                    trial.is_suspended = True
                    return
        finally:
            if not trial.is_suspended:
                close_iterator(values)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says so, that of torch included."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
