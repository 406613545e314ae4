"""A searcher that uses the samplers of Optuna, by its ask-and-tell interface."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from asha_bus.core.checks import checked, shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.messages import Point
from asha_bus.core.space import Choice, LogUniform, Number, Options, RandInt, Uniform
from asha_bus.core.trial import FINAL, TrialState
from asha_bus.results.records import TrialRecord
from asha_bus.searchers.axes import Axis, axes_of, drawn, point_at
from asha_bus.searchers.base import Branch, Searcher

if TYPE_CHECKING:
    import optuna

#: Optuna's steps are whole numbers, but resources may be fractions.
_STEPS_PER_UNIT = 1_000

#: How often the sampler is asked before a random draw, if a condition excludes its suggestion.
_TRIES = 10


@checked()
class OptunaSearcher(Searcher):
    """A searcher that uses a sampler of Optuna.

    There is one study in memory for each level-1 configuration. Its parameters are named by
    their paths in the space. The value of a `choice` is the index of the option, and all
    options are equally likely. The value of a normal distribution, or of a logarithmic one
    with a ``q``, is the share of random draws below the number. Metrics at rungs are
    intermediate values. A stopped trial is pruned in Optuna. A trial that failed, was lost or
    reported a metric that is not finite has failed in Optuna, and samplers ignore it.

    Args:
        sampler: A sampler such as ``optuna.samplers.GPSampler(seed=1)``; each study uses a
            copy. None (default): `TPESampler` with ``constant_liar=True``, whose suggestions
            depend only on the run's seed and on the results so far.

    Raises:
        ImportError: Optuna is not installed: ``pip install 'asha-bus[optuna]'``.
        InvalidArgument: ``sampler`` is not a sampler of Optuna.

    Example:
        >>> result = ab.launch(
        ...     lambda x: x**2, {"x": ab.uniform(-1, 1)}, searcher=ab.OptunaSearcher(),
        ...     max_trials=10, engine="local", monitor=None,
        ... )
    """

    def __init__(self, sampler: optuna.samplers.BaseSampler | None = None) -> None:
        if find_spec("optuna") is None:
            raise ImportError("OptunaSearcher needs Optuna: pip install 'asha-bus[optuna]'")
        if sampler is not None:
            from optuna.samplers import BaseSampler

            if not isinstance(sampler, BaseSampler):
                raise InvalidArgument(
                    f"OptunaSearcher: sampler must be a sampler of Optuna such as "
                    f"optuna.samplers.TPESampler(), or None, got {shortened(sampler)}"
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
    """The study of a branch, and what it knows of each trial."""

    def __init__(self, branch: Branch, sampler: optuna.samplers.BaseSampler | None) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)  # by default it logs every trial
        self._study = optuna.create_study(
            sampler=sampler, direction="minimize" if branch.mode == "min" else "maximize"
        )
        self._study.stop = self._stop  # type: ignore[method-assign]
        #: The sampler has stopped the study, as one does at the end of its list.
        self.is_over = False
        self._is_default = sampler is None
        self._axes = axes_of(branch)
        #: By our trial numbers: Optuna's trial, its point, and the last record told to Optuna.
        self._trials: dict[int, optuna.Trial] = {}
        self._points: dict[int, Point] = {}
        self._told: dict[int, TrialRecord] = {}

    def _stop(self) -> None:
        self.is_over = True

    def tell(self, branch: Branch, trial: TrialRecord) -> None:
        """Tell Optuna what is new in ``trial``; Optuna may not know the trial yet."""
        if self._told.get(trial.id) is trial:
            return  # nothing is new, as in nearly all trials
        told = self._told.get(trial.id)
        self._told[trial.id] = trial
        if told is not None and told.state in FINAL:
            return
        if self._points.get(trial.id) != trial.point:  # it was not suggested here
            self._discard(trial.id)
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
            self._discard(branch.trial)
        else:
            point = drawn(branch, branch.seed)
            self._enqueue(branch, point)
            self._trials[branch.trial] = self._study.ask()
            self._numbers(self._trials[branch.trial])
        self._points[branch.trial] = point
        return point

    def _discard(self, number: int) -> None:
        """Fail Optuna's trial for ``number``, if there is one, since it is not run."""
        from optuna.trial import TrialState as OptunaState

        if (asked := self._trials.pop(number, None)) is not None:
            self._study.tell(asked, state=OptunaState.FAIL)

    def _enqueue(self, branch: Branch, point: Point) -> None:
        """Make ``point`` the next trial that Optuna suggests."""
        numbers = branch.space.numbers(point)
        self._study.enqueue_trial(
            {a.path: _value(a, numbers[a.path]) for a in self._axes if a.path in numbers}
        )

    def _numbers(self, asked: optuna.Trial) -> dict[str, float]:
        """The numbers that Optuna suggests, by path."""
        found: dict[str, float] = {}
        for axis in self._axes:
            if axis.is_active(found):
                found[axis.path] = _suggest(asked, axis)
        return found


def _default_sampler(seed: int) -> optuna.samplers.BaseSampler:
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _suggest(asked: optuna.Trial, axis: Axis) -> float:
    """The number that Optuna suggests for ``axis``, by its distribution that fits best."""
    path, parameter = axis.path, axis.parameter
    if isinstance(parameter, Choice):
        return asked.suggest_categorical(path, range(len(parameter.options)))
    if isinstance(parameter, Options):
        return asked.suggest_int(path, 0, len(parameter.options) - 1)
    if not _has_same_distribution(axis):
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
    """The value in Optuna that belongs to ``number``."""
    if not _has_same_distribution(axis):
        return axis.place(number)
    parameter = axis.parameter
    if isinstance(parameter, Number):
        try:
            parameter.check(number)
        except InvalidArgument:  # a point that was given from outside the bounds
            return parameter.at(parameter.share(number))
    return number


def _has_same_distribution(axis: Axis) -> bool:
    """Whether Optuna has the same distribution; otherwise it gets the place on the axis."""
    parameter = axis.parameter
    if isinstance(parameter, RandInt):
        return not parameter.log or parameter.step == 1
    if isinstance(parameter, (Uniform, LogUniform)):
        is_even = isinstance(parameter, Uniform) and not parameter.rounds
        return (parameter.q is None or is_even) and math.isfinite(parameter.high - parameter.low)
    return isinstance(parameter, Options)
