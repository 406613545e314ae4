"""Sees each trial of an `fmin` at its end, and ends the run where hyperopt would."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

from asha_bus.core.checks import shown_params
from asha_bus.core.errors import ObjectiveError, SearcherError
from asha_bus.core.space import Space
from asha_bus.core.trial import FINAL, TrialState
from asha_bus.hyperopt.documents import fail_result
from asha_bus.hyperopt.failure import also_hyperopts
from asha_bus.hyperopt.trials import Trials
from asha_bus.launching.run import Run, search_failure_of, stop_because, wait_for
from asha_bus.objective.raised import raised_as
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import AllTrialsFailed, Result


class Watcher:
    """Keeps the trials as they end, asks ``early_stop_fn``, and raises what fmin raises.

    ``raises``: whether an exception of ``fn`` ends the run. ``before``: the trials that had
    ended when the run was resumed.
    """

    def __init__(
        self,
        trials: Trials,
        space: Space,
        early_stop_fn: Callable[..., Any] | None,
        *,
        raises: bool,
        before: Collection[int] = (),
    ) -> None:
        self._trials, self._space = trials, space
        self._early_stop_fn, self._raises, self._before = early_stop_fn, raises, before
        self._state: Sequence[Any] = ()
        #: What ``early_stop_fn`` raised.
        self._error: BaseException | None = None
        #: Held while a trial is seen: the run's thread and that of `fmin` both do so.
        self._lock = threading.Lock()
        #: Why the run ends with a trial that was seen; empty: it goes on.
        self._why = ""
        self._run: Run | None = None

    @property
    def is_needed(self) -> bool:
        """Whether the end of a trial may end the run, so that others wait for that."""
        return self._raises or self._early_stop_fn is not None

    def after(self, trial: TrialRecord) -> bool:
        """See a trial that has ended; return whether the run is over with it."""
        with self._lock:
            if not self._why:
                self._why = self._why_it_ends(trial)
                if self._why and self._run is not None:
                    stop_because(self._run, self._why)
            return bool(self._why)

    def _why_it_ends(self, trial: TrialRecord) -> str:
        if trial.state not in FINAL:  # of a result that is partial
            return ""
        if not self._trials.add(trial, self._space):
            return ""
        if _has_raised(trial):
            is_new = trial.id not in self._before
            return f"fn raised in trial {trial.id}" if self._raises and is_new else ""
        if self._early_stop_fn is None or trial.state is TrialState.CANCELLED:
            return ""
        try:
            stop, self._state = self._early_stop_fn(self._trials, *self._state)
            return f"early_stop_fn of fmin, after trial {trial.id}" if stop else ""
        except BaseException as error:  # user code, which may raise anything; fmin raises it
            self._error = error
            return f"early_stop_fn of fmin raised {type(error).__name__} after trial {trial.id}"

    def attach(self, run: Run) -> None:
        """The run has begun; it may have to end already."""
        with self._lock:
            self._run = run
            if self._why:
                stop_because(run, self._why)

    def finish(self, run: Run, *, is_kept: bool) -> AllTrialsFailed | None:
        """Wait for the end and fill in the trials; raise what hyperopt would.

        ``is_kept``: whether the user has a journal. Returns what `fmin` raises where it needs
        a best trial.
        """
        failure: AllTrialsFailed | None = None
        result: Result
        try:
            result = wait_for(run, tells_how_to_resume=is_kept)
        except AllTrialsFailed as error:
            result = error.result
            failure = also_hyperopts(AllTrialsFailed)(str(error), result)
        if self.is_needed:
            for trial in sorted(result.trials, key=lambda trial: trial.end_time or 0):
                self.after(trial)  # those that the end of the run came before
        self._trials.fill(result)
        if self._error is not None:
            raise self._error
        raised = [one for one in result.trials if one.id not in self._before and _has_raised(one)]
        if raised and self._raises:
            _raise_again(min(raised, key=lambda trial: trial.end_time or 0))
        if failure is None and result.reason == "failed":
            search_failure = search_failure_of(run)
            if search_failure is not None:
                raise SearcherError(search_failure)
        return failure


def _raise_again(trial: TrialRecord) -> None:
    """Raise what ``fn`` raised in ``trial``, or an `ObjectiveError` that tells of it."""
    if "hyperopt" in sys.modules:
        import asha_bus.hyperopt.exceptions  # noqa: F401 - a worker may name its classes
    told = ObjectiveError(
        f"fn raised in trial {trial.id} with {shown_params(trial.params)}; "
        f"pass catch_eval_exceptions=True to continue after such:\n{trial.error}"
    )
    raise raised_as(trial.extras, told)


def _has_raised(trial: TrialRecord) -> bool:
    """Whether it failed in another way than by STATUS_FAIL."""
    is_failed = trial.state in (TrialState.FAILED, TrialState.LOST)
    return is_failed and fail_result(trial) is None
