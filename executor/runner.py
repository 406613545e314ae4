"""Runs the objective on one trial after the other, until the bus answers `Done`."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from asha_bus.core.attempt import Attempt
from asha_bus.core.errors import BusError, ObjectiveError
from asha_bus.core.space import Space
from asha_bus.core.tracebacks import cut_internals
from asha_bus.core.worker import Worker
from asha_bus.executor.client import Client
from asha_bus.executor.interrupt import Interrupter, TrialInterrupted
from asha_bus.executor.keeping import Keeper, Written
from asha_bus.executor.limit import TimeLimit
from asha_bus.executor.output import Recorder
from asha_bus.executor.running_trial import RunningTrial, settle
from asha_bus.objective.behind import Shape
from asha_bus.objective.kinds import INSIDE, TrialFailed, shape_of
from asha_bus.objective.values import close_iterator, is_iterator

logger = logging.getLogger("asha_bus.executor")

_clock = time.monotonic


class Runner:
    """Asks for trials and runs the objective on each of them."""

    def __init__(
        self,
        client: Client,
        interrupter: Interrupter,
        objective: Callable[..., Any],
        space: Space,
        recorder: Recorder | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self._keeper = keeper
        self._client = client
        self._recorder = recorder
        self._worker: Worker = client.worker
        self._interrupter = interrupter
        self._objective = objective
        self._shape = shape_of(objective)
        self._space = space

    def run(self) -> str:
        """Run trials until none are left and return the reason; `BusError` without a bus.

        A worker that ends by itself takes no other trial: `Leave` returns what it was given.
        """
        while self._worker.done is None:
            self._check_leaving()
            if self._worker.upcoming is None:
                self._client.ask(self._worker.next(_clock()))
            else:
                self._run_trial(self._worker.begin())
        return self._worker.done

    def _run_trial(self, attempt: Attempt) -> None:
        trial = RunningTrial(attempt, self._client, self._interrupter, self._keeper)
        outcome, error = self._call(trial)
        self._conclude(trial, error)
        self._finish(trial, outcome, error)

    def _conclude(self, trial: RunningTrial, error: str | None) -> None:
        """Send what the objective has left unsent."""
        self._client.check_process()
        if trial.bus_error is not None:
            raise trial.bus_error
        settle(self._client)
        if trial._attempt.stopped is not None and error is not None:  # the decision stands
            trial.warn(f"error while the stopped trial was ending:\n{error}")
        self._client.send_lines()
        if (telemetry := self._worker.last_telemetry(_clock())) is not None:
            self._client.tell(telemetry)

    def _finish(self, trial: RunningTrial, outcome: str, error: str | None) -> None:
        """Tell the bus how the attempt ended."""
        attempt = trial._attempt
        if attempt.stopped is not None:
            if attempt.stopped == "completed":
                self._keep(trial, self._write(trial))
            self._worker.abandon()
            return
        if outcome == "completed" and attempt.metric is None:
            outcome, error = "failed", self._without_metric()
        if outcome == "interrupted":
            self._check_leaving()
        written = self._write(trial) if outcome == "completed" else None
        try:
            self._client.ask(self._worker.end(outcome, error, _clock()))
        except BaseException:
            if written is not None:
                written.drop()
            raise
        self._keep(trial, written)

    def _write(self, trial: RunningTrial) -> Written | None:
        """Write what a completed trial has attached, if it is one of the best."""
        if self._keeper is None:
            return None
        files, trial.attached = trial.attached, {}
        metric, mode = trial._attempt.metric, self._worker.mode
        try:
            return self._keeper.write(trial.id, trial.attempt, metric, mode, files)
        except OSError as error:
            self._cannot_keep(trial, error)
            return None

    def _keep(self, trial: RunningTrial, written: Written | None) -> None:
        """Keep what was written: the bus knows that the trial has completed."""
        if written is not None:
            try:
                written.keep()
            except OSError as error:
                self._cannot_keep(trial, error)

    def _cannot_keep(self, trial: RunningTrial, error: OSError) -> None:
        trial.warn(f"what it attached could not be kept: {error}")
        self._client.send_lines()

    def _check_leaving(self) -> None:
        if self._worker.leaving is not None:
            raise BusError(self._worker.leaving)

    def _call(self, trial: RunningTrial) -> tuple[str, str | None]:
        """Run the user's code; return its outcome and the traceback if it failed."""
        self._interrupter.has_ended_attempt = False
        limit = self._begin_limit(trial)
        try:
            outcome, error = self._call_within(trial)
        finally:
            if limit is not None:
                self._interrupter.limit = None
                limit.stop_watchdog()
        # what has interrupted it counts, whatever the objective made of that
        if limit is not None and limit.is_over:
            return "failed", limit.failure(error)
        if self._interrupter.has_ended_attempt:
            return "interrupted", error
        return outcome, error

    def _begin_limit(self, trial: RunningTrial) -> TimeLimit | None:
        seconds = self._worker.trial_timeout_s
        if seconds is None:
            return None
        limit = TimeLimit(trial.id, trial.attempt, seconds, self._interrupter.now())
        limit.start_watchdog()
        self._interrupter.limit = limit
        return limit

    def _call_within(self, trial: RunningTrial) -> tuple[str, str | None]:
        INSIDE.set()
        self._worker.enter_objective(_clock())
        try:
            try:  # two levels, to catch an interrupt between the last two lines
                if self._recorder is not None:
                    self._recorder.begin(trial.id, trial.attempt)
                self._interrupter.armed = True
                self._run_shape(trial)
            finally:
                trial.end()
        except TrialInterrupted as error:
            limit = self._interrupter.limit
            by_limit = limit is not None and limit.is_over
            return "interrupted", traceback_of(error) if by_limit else None
        except TrialFailed as error:
            trial._attempt.extras = error.extras
            return "failed", traceback_of(error.__cause__ or error)
        except BaseException as error:  # even SystemExit fails the trial, not the worker
            return "failed", traceback_of(error)
        finally:
            self._worker.leave_objective(_clock())
            INSIDE.clear()
            self._interrupter.put_back(is_end=trial.is_over)
            if self._recorder is not None:
                self._recorder.end()
        return "completed", None

    def _run_shape(self, trial: RunningTrial) -> None:
        trial.params = self._space.resolve(trial._attempt.assignment.point)
        if self._shape is Shape.TRIAL:
            value = self._objective(trial)
        elif self._space.is_positional:
            value = self._objective(trial.params)
        else:
            value = self._objective(**trial.params)
        is_unreported = trial._attempt.metric is None
        if (is_unreported or self._shape is not Shape.TRIAL) and is_iterator(value):
            self._consume(value, trial)
        elif value is not None and not trial.should_stop and is_unreported:
            trial.report_value(value, is_end=True)
        elif value is None and self._shape is not Shape.TRIAL:
            raise ObjectiveError(
                "the objective returned None; return the metric, or yield one per epoch"
            )

    def _consume(self, values: Iterator[Any], trial: RunningTrial) -> None:
        """Report each of ``values``, a generator as a rule, then close it."""
        try:
            while not trial.should_stop:
                try:
                    value = next(values)
                except StopIteration:
                    return
                trial.report_value(value)
        finally:
            close_iterator(values)

    def _without_metric(self) -> str:
        if self._shape is Shape.TRIAL:
            return "ObjectiveError: the objective ended without a report; call trial.report(metric)"
        return "ObjectiveError: the generator ended without yielding a metric"


def traceback_of(error: BaseException) -> str:
    """The traceback of ``error`` without the frames of asha-bus."""
    try:
        cut_internals(error)
        return "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception as problem:  # formatting an exception may run user code
        name = type(problem).__name__
        return f"{type(error).__name__} (no traceback: formatting it raised {name})"
