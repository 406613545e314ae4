"""Samplers of Optuna, asked and told by its own study."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.messages import Point
from asha_bus.core.space import Choice, LogUniform, Options, RandInt, Uniform
from asha_bus.core.trial import FINAL, TrialState
from asha_bus.results.records import TrialRecord
from asha_bus.searchers.axes import Axis, axes_of, drawn, point_at
from asha_bus.searchers.base import Branch, Searcher

if TYPE_CHECKING:
    import optuna

#: Steps are whole numbers in Optuna, but resources need not be.
_STEPS_PER_UNIT = 1_000

#: Where a condition of the space refuses what was suggested, it is asked so often.
_TRIES = 10


class OptunaSearcher(Searcher):
    """Any sampler of Optuna, with a study in memory for each level-1 configuration.

    ``sampler``: such as ``optuna.samplers.GPSampler(seed=1)``, of which each study has a
    copy; None (default) takes `TPESampler` with ``constant_liar=True``, whose suggestions
    depend on the run's seed and on what it was told, and on nothing else.

    Its parameters are named by their paths in the space. A `choice` has the index of the
    option for a value, all equally likely; normal distributions, and logarithmic ones with
    a ``q``, have the share of draws that lie below the number. Metrics at rungs are
    intermediate values. A trial that was stopped is pruned there, and one that failed, was
    lost, or ended with what is no finite number has failed, which samplers leave out.

    Needs ``pip install 'asha-bus[optuna]'``; raises `ImportError` without it, and
    `InvalidArgument` where ``sampler`` is none.
    """

    def __init__(self, sampler: optuna.samplers.BaseSampler | None = None) -> None:
        if find_spec("optuna") is None:
            raise ImportError("OptunaSearcher needs Optuna: pip install 'asha-bus[optuna]'")
        if sampler is not None:
            from optuna.samplers import BaseSampler

            if not isinstance(sampler, BaseSampler):
                raise InvalidArgument(
                    f"OptunaSearcher: sampler must be a sampler of Optuna such as "
                    f"optuna.samplers.TPESampler(), or None, got {sampler!r}"
                )
        self.sampler = sampler
        self._studies: dict[int, _Study] = {}

    def __repr__(self) -> str:
        name = "" if self.sampler is None else f"{type(self.sampler).__name__}(...)"
        return f"OptunaSearcher({name})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_studies": {}}

    def suggest(self, branch: Branch, history: Sequence[TrialRecord]) -> Point | None:
        study = self._studies.get(branch.number)
        if study is None:
            study = self._studies[branch.number] = _Study(branch, copy.deepcopy(self.sampler))
        for trial in history:
            study.tell(branch, trial)
        return None if study.is_over else study.ask(branch)


class _Study:
    """The study of a branch, which knows what it was told of each trial."""

    def __init__(self, branch: Branch, sampler: optuna.samplers.BaseSampler | None) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it tells of every trial
        self._study = optuna.create_study(
            sampler=sampler, direction="minimize" if branch.mode == "min" else "maximize"
        )
        self._study.stop = self._stop  # type: ignore[method-assign]
        #: The sampler has told the study to stop, as one does that goes through a list.
        self.is_over = False
        self._is_default = sampler is None
        self._axes = axes_of(branch)
        #: By our numbers: Optuna's trial, its point, and the last that it was told.
        self._trials: dict[int, optuna.Trial] = {}
        self._points: dict[int, Point] = {}
        self._told: dict[int, TrialRecord] = {}

    def _stop(self) -> None:
        self.is_over = True

    def tell(self, branch: Branch, trial: TrialRecord) -> None:
        """Tell of ``trial`` what is new; the sampler may never have heard of it."""
        if self._told.get(trial.id) is trial:
            return  # as nearly all are
        told = self._told.get(trial.id)
        self._told[trial.id] = trial
        if told is not None and told.state in FINAL:
            return
        if self._points.get(trial.id) != trial.point:  # it was drawn at random, or before us
            self._on_grace_expired(trial.id)
            self._enqueue(branch, trial.point)
            self._trials[trial.id] = self._study.ask()
            self._numbers(self._trials[trial.id])
            self._points[trial.id] = trial.point
        asked = self._trials[trial.id]
        for record in trial.rungs[len(told.rungs) if told is not None else 0 :]:
            if math.isfinite(record.metric):
                asked.report(record.metric, round(record.resource * _STEPS_PER_UNIT))
        if trial.state in FINAL:
            self._tell_end(asked, trial)

    def _tell_end(self, asked: optuna.Trial, trial: TrialRecord) -> None:
        from optuna.trial import TrialState as OptunaState

        values = [record.metric for record in trial.rungs]
        if trial.metric is not None:
            values.append(trial.metric)
        is_bad = trial.state in (TrialState.FAILED, TrialState.LOST)
        if is_bad or not values or not all(map(math.isfinite, values)):
            self._study.tell(asked, state=OptunaState.FAIL)
        elif trial.state is TrialState.COMPLETED:
            self._study.tell(asked, trial.metric)
        elif trial.rungs:
            self._study.tell(asked, state=OptunaState.PRUNED)
        else:
            self._study.tell(asked, state=OptunaState.FAIL)

    def ask(self, branch: Branch) -> Point:
        """The point of trial ``branch.trial``."""
        if self._is_default:
            self._study.sampler = _default_sampler(branch.seed)
        for _ in range(_TRIES):
            asked = self._trials[branch.trial] = self._study.ask()
            point = point_at(branch, self._numbers(asked))
            if point is not None:
                break
            self._on_grace_expired(branch.trial)
        else:
            point = drawn(branch, branch.seed)
            self._enqueue(branch, point)
            self._trials[branch.trial] = self._study.ask()
            self._numbers(self._trials[branch.trial])
        self._points[branch.trial] = point
        return point

    def _on_grace_expired(self, number: int) -> None:
        """What was asked for trial ``number``, if anything, is not run."""
        from optuna.trial import TrialState as OptunaState

        if (asked := self._trials.pop(number, None)) is not None:
            self._study.tell(asked, state=OptunaState.FAIL)

    def _enqueue(self, branch: Branch, point: Point) -> None:
        """Have the next trial that is asked for be at ``point``."""
        numbers = branch.space.numbers(point)
        self._study.enqueue_trial(
            {a.path: _value(a, numbers[a.path]) for a in self._axes if a.path in numbers}
        )

    def _numbers(self, asked: optuna.Trial) -> dict[str, float]:
        """The numbers that Optuna suggests, by path; a choice before what depends on it."""
        found: dict[str, float] = {}
        for axis in self._axes:
            if axis.is_there(found):
                found[axis.path] = _suggest(asked, axis)
        return found


def _default_sampler(seed: int) -> optuna.samplers.BaseSampler:
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _suggest(asked: optuna.Trial, axis: Axis) -> float:
    """The number of ``axis`` by that of Optuna's distributions which fits it."""
    path, parameter = axis.path, axis.parameter
    if isinstance(parameter, Choice):
        return asked.suggest_categorical(path, range(len(parameter.options)))
    if isinstance(parameter, Options):
        return asked.suggest_int(path, 0, len(parameter.options) - 1)
    if not _has_its_own(axis):
        return axis.number(asked.suggest_float(path, 0.0, 1.0))
    if isinstance(parameter, RandInt):
        last, step = parameter.low + parameter.step * parameter.steps, parameter.step
        return asked.suggest_int(path, parameter.low, last, step=step, log=parameter.log)
    assert isinstance(parameter, (Uniform, LogUniform))
    if parameter.q is not None:
        end = float(parameter.at(1.0))
        place = asked.suggest_float(path, parameter.low, end, step=float(parameter.q))
        return parameter.number_of(place)
    is_log = isinstance(parameter, LogUniform)
    return asked.suggest_float(path, parameter.low, parameter.high, log=is_log)


def _value(axis: Axis, number: float) -> float:
    """What Optuna would have suggested for ``number``."""
    return number if _has_its_own(axis) else axis.place(number)


def _has_its_own(axis: Axis) -> bool:
    """Whether Optuna has the parameter's own distribution; otherwise it gets the place."""
    parameter = axis.parameter
    if isinstance(parameter, RandInt):
        return not parameter.log or parameter.step == 1
    if isinstance(parameter, (Uniform, LogUniform)):
        is_even = isinstance(parameter, Uniform) and not parameter.rounds
        return (parameter.q is None or is_even) and math.isfinite(parameter.high - parameter.low)
    return isinstance(parameter, Options)
