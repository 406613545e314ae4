"""Runs an objective written for Optuna on the trials of asha-bus."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna import TrialPruned
from optuna.study import StudyDirection

from asha_bus.core.checks import name_of, shortened
from asha_bus.executor.running_trial import RunningTrial
from asha_bus.objective.kinds import TrialFailed
from asha_bus.objective.raised import failed_by
from asha_bus.optuna.attributes import CAUGHT, PRUNED
from asha_bus.optuna.bus_trial import BusTrial, PrunerError
from asha_bus.optuna.worker_study import WorkerStudy


class DefineByRun:
    """Calls ``function`` with a trial of Optuna's kind.

    ``catch``: exceptions that fail their trial only. ``fixed``: the values of the first trials.
    ``numbers``: the numbers of these in the study; the others follow from ``first`` on.
    ``is_random``: workers draw values themselves. ``asks``: a pruner in the searcher's process
    decides what is pruned.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        study_name: str,
        direction: StudyDirection,
        catch: tuple[type[Exception], ...],
        fixed: Sequence[Mapping[str, Any]],
        numbers: Sequence[int],
        first: int,
        is_random: bool,
        asks: bool,
    ) -> None:
        self._function, self._catch = function, catch
        self._study_name, self._direction = study_name, direction
        self._fixed, self._numbers, self._first = fixed, numbers, first
        self._is_random, self._asks = is_random, asks
        #: The distributions of all names so far, in this worker.
        self._known: dict[str, Any] = {}
        self.__qualname__ = name_of(function)

    def number_of(self, trial: int) -> int:
        """The number in the study of the run's trial of that number."""
        count = len(self._numbers)
        return self._numbers[trial] if trial < count else self._first + trial - count

    def __call__(self, trial: RunningTrial, **data: Any) -> None:
        """Run the objective, and report what it returns."""
        fixed = self._fixed[trial.id] if trial.id < len(self._fixed) else {}
        number = self.number_of(trial.id)
        asked = BusTrial(
            trial,
            number,
            fixed,
            study=WorkerStudy(self._study_name, self._direction),
            is_random=self._is_random,
            asks=self._asks,
            known=self._known,
        )
        try:
            value = self._function(asked, **data)
        except TrialPruned as error:
            asked.flush()
            if trial.stopped is None:
                _prune(trial, asked, error)
        except Exception as error:
            if trial.stopped is None or trial.stopped == "completed":
                failure = failed_by(error)
                raised = error.extras if isinstance(error, PrunerError) else failure.extras
                caught = {CAUGHT: True} if isinstance(error, self._catch) else {}
                raise TrialFailed(str(failure), {**asked.extras, **raised, **caught}) from error
            raise  # the trial is over, and this becomes a warning
        else:
            asked.flush()
            if trial.stopped is None:
                final, why = _feasible(value)
                trial.conclude(final, {**asked.extras, CAUGHT: why} if why else asked.extras)


def _prune(trial: RunningTrial, asked: BusTrial, error: TrialPruned) -> None:
    """End a trial that prunes itself, which nobody has told it to."""
    extras = {**asked.extras, PRUNED: True}
    if trial.metric is None:
        raise TrialFailed("the objective raised TrialPruned before a report", extras) from error
    trial.conclude(trial.metric, extras)


def _feasible(value: Any) -> tuple[float, str]:
    """What the objective returned as a float; NaN, and why, where Optuna lets the trial fail."""
    why = f"the value {shortened(value)} could not be cast to float"
    try:
        if isinstance(value, Sequence) and not isinstance(value, str):
            why = f"the objective returned {len(value)} values, and the study has one direction"
            (value,) = value
        number = float(value)
    except (TypeError, ValueError):
        return math.nan, why
    return number, "the value nan is not acceptable" if math.isnan(number) else ""
