"""Fills a study of Optuna with the trials of a run, as they end."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import optuna
from optuna import distributions as d
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from asha_bus.core.checks import shown_params
from asha_bus.core.errors import ObjectiveError
from asha_bus.core.trial import TrialState
from asha_bus.driver.process import start_thread
from asha_bus.launching.run import Run, stop_because
from asha_bus.monitors.base import Monitor
from asha_bus.objective.raised import raised_as
from asha_bus.optuna.attributes import CAUGHT, STOPS, attributes_of
from asha_bus.optuna.outcomes import outcome_of, steps_of, why_infeasible
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import Result

if TYPE_CHECKING:
    from asha_bus.optuna._study import Study

_logger = optuna.logging.get_logger("optuna.study")

#: A distribution by its text, which most trials have in common.
_distribution = lru_cache(d.json_to_distribution)

#: How often a run that is to end looks whether its last trials have ended.
_LOOK_S = 0.05


class Filling:
    """Tells a study of each trial that ends, calls back, and ends the run where Optuna would.

    ``waiting``: the ids of the enqueued trials in the study's storage, which come first.
    ``before``: the trials that had ended when the run was resumed. ``is_gated``: workers wait
    until `after` has seen the trials that ended.
    """

    def __init__(
        self,
        study: Study,
        waiting: Sequence[int],
        callbacks: Sequence[Callable[..., Any]],
        before: Collection[int] = (),
        *,
        is_gated: bool = True,
    ) -> None:
        self._before, self._is_gated = frozenset(before), is_gated
        self._study, self._waiting, self._callbacks = study, tuple(waiting), callbacks
        #: In memory, so that what has ended can still be completed.
        self._storage = cast(InMemoryStorage, study._storage)
        #: The ids in the storage, by our numbers; and our numbers of those that have ended.
        self._ids: list[int] = []
        self._ended: set[int] = set()
        #: Our numbers of the trials that `after` got.
        self._over: set[int] = set()
        #: What a callback raised, or the first exception of the objective that nobody caught.
        self.error: BaseException | None = None
        self._lock = threading.Lock()
        #: Why there is to be no other trial; empty: the run goes on.
        self._why = ""
        self._run: Run | None = None
        self._closing = threading.Event()

    def after(self, trial: TrialRecord) -> bool:
        """See a trial that has ended; whether there is to be no other."""
        with self._lock:
            self._over.add(trial.id)
            if not self._why:
                self._why = self._why_it_ends(trial)
                if self._why and self._run is not None:
                    self._end(self._run)
            return bool(self._why)

    def attach(self, run: Run) -> None:
        """The run has begun; it may have to end already."""
        with self._lock:
            self._run = run
            if self._why:
                self._end(run)

    def finish(self, result: Result) -> None:
        """Fill in the trials that the end of the run cut off, and all intermediate values."""
        self._closing.set()
        with self._lock:
            self._why = self._why or "the run has ended"
            for trial in sorted(result.trials, key=lambda one: (one.end_time or 0.0, one.id)):
                if trial.end_time is not None:
                    self._tell(trial)
                    self._note_error(trial)
            for trial in result.trials:
                if trial.id in self._ended:
                    # there is no way to add to a trial that has ended, but this storage is ours
                    kept = self._storage._get_trial(self._ids[trial.id])
                    kept.intermediate_values.update(steps_of(trial))
        self._study._forget()

    def _why_it_ends(self, trial: TrialRecord) -> str:
        frozen = self._tell(trial)
        if frozen is None or trial.id in self._before:
            return ""
        self._note_error(trial)
        if self.error is not None:
            return f"the objective failed in trial {frozen.number}"
        self._study._thread_local.in_optimize_loop = True  # here, callbacks may call stop()
        try:
            for callback in self._callbacks:
                callback(self._study, copy.deepcopy(frozen))
        except BaseException as error:  # user code, which may raise anything; optimize raises it
            self.error = error
            return f"a callback raised {type(error).__name__} after trial {frozen.number}"
        finally:
            self._study._thread_local.in_optimize_loop = False
        if self._study._stop_flag:
            return f"study.stop() of a callback, after trial {frozen.number}"
        stopped = trial.extras.get(STOPS)
        return f"study.stop() of trial {frozen.number}" if stopped else ""

    def _end(self, run: Run) -> None:
        """End the run: at once after an exception, else when the trials that run have ended."""
        if self.error is not None:
            stop_because(run, self._why)
        else:
            start_thread(
                self._wait_for_last, "asha-bus-study", lambda _: stop_because(run, self._why), run
            )

    def _wait_for_last(self, run: Run) -> None:
        status = run.status()
        begun = status["trials"]
        while status["states"]["RUNNING"] and not (self._is_over(begun) or self._closing.is_set()):
            self._closing.wait(_LOOK_S)
            status = run.status()
        stop_because(run, self._why)

    def _is_over(self, begun: int) -> bool:
        """Whether the first ``begun`` trials have ended, where others began in the meantime."""
        if self._is_gated:
            return False
        with self._lock:
            return self._before.union(self._over).issuperset(range(begun))

    def _note_error(self, trial: TrialRecord) -> None:
        is_bad = trial.state in (TrialState.FAILED, TrialState.LOST)
        is_error = is_bad and outcome_of(trial)[0] is OptunaState.FAIL
        is_new = trial.id not in self._before
        if self.error is None and is_error and is_new and not trial.extras.get(CAUGHT):
            told = ObjectiveError(
                f"the objective raised in trial {self._ids[trial.id]} with "
                f"{shown_params(trial.params)}; pass catch=(...) to continue after such:\n"
                f"{trial.error}"
            )
            self.error = raised_as(trial.extras, told)

    def _tell(self, trial: TrialRecord) -> FrozenTrial | None:
        """Fill in a trial that has ended; None: it is there."""
        if trial.id in self._ended:
            return None
        self._ended.add(trial.id)
        storage, at = self._storage, self._id_of(trial.id)
        number_of = storage.get_trial_number_from_id
        state, value = outcome_of(trial)
        # each public setter of the storage copies the whole trial, which takes most of the time
        kept = storage._get_trial(at)
        for name, text, number in trial.named:
            try:
                self._set_param(kept, name, number, _distribution(text))
            except ValueError as error:  # another trial has had another distribution of that name
                self.error = ValueError(
                    f"{name!r} of trial {number_of(at)}: {error} Use another name"
                )
                state, value = OptunaState.FAIL, None
        kept.user_attrs.update(attributes_of(trial.extras))
        steps = steps_of(trial)
        kept.intermediate_values.update(steps)
        if state is OptunaState.PRUNED and steps:
            value = steps[max(steps)]
        storage.set_trial_state_values(at, state, None if value is None else [value])
        self._study._forget()
        self._set_times(at, trial)
        frozen = storage.get_trial(at)
        _log(self._study, frozen, trial)
        return frozen

    def _set_param(
        self, kept: FrozenTrial, name: str, number: float, kind: d.BaseDistribution
    ) -> None:
        """Set a parameter of a trial; ValueError if another one has another kind of that name."""
        known = self._storage._studies[self._study._study_id].param_distribution
        if name in known:
            d.check_distribution_compatibility(known[name], kind)
        known[name] = kind
        kept.params[name] = kind.to_external_repr(number)
        kept.distributions[name] = kind

    def _set_times(self, at: int, trial: TrialRecord) -> None:
        """Have the times of the trial itself, not those at which the study was told."""
        kept = self._storage._get_trial(at)
        if trial.start_time is not None:
            kept.datetime_start = datetime.fromtimestamp(trial.start_time)
        if trial.end_time is not None:
            kept.datetime_complete = datetime.fromtimestamp(trial.end_time)

    def _id_of(self, number: int) -> int:
        """The id of our trial in the storage, which numbers trials in the order of their making."""
        while len(self._ids) <= number:
            place = len(self._ids)
            if place < len(self._waiting):
                at = self._waiting[place]
                self._storage.set_trial_state_values(at, OptunaState.RUNNING)
            else:
                at = self._storage.create_new_trial(self._study._study_id)
            self._ids.append(at)
        return self._ids[number]


class FillsAsTrialsEnd(Monitor):
    """Fills the study of a run whose workers wait for nobody, soon after its trials have ended."""

    def __init__(self, filling: Filling) -> None:
        self._filling = filling

    def on_end(self, trial: TrialRecord) -> None:
        self._filling.after(trial)


def _log(study: Study, frozen: FrozenTrial, trial: TrialRecord) -> None:
    """Say how a trial ended, as Optuna does."""
    if frozen.state is OptunaState.COMPLETE:
        study._log_completed_trial(frozen.values, frozen.number, frozen.params)
    elif frozen.state is OptunaState.PRUNED:
        _logger.info("Trial %d pruned.", frozen.number)
    else:
        last = (trial.error or why_infeasible(trial) or "it was cut off").strip().splitlines()[-1]
        _logger.warning(
            "Trial %d failed with parameters: %s: %s", frozen.number, frozen.params, last
        )
