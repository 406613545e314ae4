"""Makes a study of Optuna of a result."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import optuna
from optuna import distributions as d
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from asha_bus.core.checks import shortened
from asha_bus.core.space import LogUniform, Number, Options
from asha_bus.core.trial import FINAL
from asha_bus.formats.named import is_by_name
from asha_bus.optuna.attributes import attributes_of
from asha_bus.optuna.outcomes import outcome_of, steps_of
from asha_bus.results.records import TrialRecord

if TYPE_CHECKING:
    from asha_bus.results.result import Result

_PLAIN = (type(None), bool, int, float, str)


def study_of(result: Result) -> optuna.Study:
    """The study in memory that has the trials of ``result`` that have ended."""
    is_min = result.mode == "min"
    study = optuna.create_study(direction="minimize" if is_min else "maximize")
    known = {} if is_by_name(result.space) else _distributions(result)
    for trial in result.trials:
        if trial.state in FINAL:
            study.add_trial(_frozen(result, trial, known))
    return study


def _frozen(result: Result, trial: TrialRecord, known: dict[str, Any]) -> FrozenTrial:
    if is_by_name(result.space):
        kinds = {name: d.json_to_distribution(text) for name, text, _ in trial.named}
        numbers = {name: number for name, _, number in trial.named}
    else:
        numbers = result.space.numbers(trial.point)
        kinds = {path: known[path] for path in numbers}
    state, value = outcome_of(trial)
    steps = steps_of(trial) or {round(at): metric for at, metric in trial.curve[:-1]}
    if value is not None and math.isnan(value):
        state, value = OptunaState.FAIL, None
    if state is OptunaState.PRUNED:
        value = trial.metric
    frozen = create_trial(
        state=state,
        value=None if value is None or math.isnan(value) else value,
        params={name: kind.to_external_repr(numbers[name]) for name, kind in kinds.items()},
        distributions=kinds,
        user_attrs=attributes_of(trial.extras),
        intermediate_values=steps,
    )
    if trial.start_time is not None and trial.end_time is not None:
        frozen.datetime_start = datetime.fromtimestamp(trial.start_time)
        frozen.datetime_complete = datetime.fromtimestamp(trial.end_time)
    return frozen


def _distributions(result: Result) -> dict[str, d.BaseDistribution]:
    """A distribution for each parameter of the space that holds all values in the trials."""
    values: dict[str, list[float]] = {}
    for trial in result.trials:
        for path, number in result.space.numbers(trial.point).items():
            values.setdefault(path, []).append(number)
    parameters = result.space.parameters
    return {path: _distribution(parameters[path], found) for path, found in values.items()}


def _distribution(parameter: Any, values: list[float]) -> d.BaseDistribution:
    if isinstance(parameter, Options):
        return d.CategoricalDistribution(_choices(parameter.options))
    ends = (getattr(parameter, "low", math.nan), getattr(parameter, "high", math.nan))
    bounds = [end for end in ends if math.isfinite(end)]  # a point may be outside of them
    low, high = min([*values, *bounds]), max([*values, *bounds])
    is_log = low > 0 and (isinstance(parameter, LogUniform) or getattr(parameter, "log", False))
    if isinstance(parameter, Number) and parameter.is_whole:
        return d.IntDistribution(int(low), int(high), log=is_log)
    return d.FloatDistribution(low, high, log=is_log)


def _choices(options: Any) -> list[Any]:
    """The options as Optuna's choices: plain ones as they are, others by their text."""
    found: list[Any] = []
    for number, option in enumerate(options):
        choice = option if isinstance(option, _PLAIN) else shortened(option)
        found.append(f"{number}: {choice}" if choice in found else choice)
    return found
