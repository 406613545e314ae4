"""The importance of parameters, estimated by a random forest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from asha_bus.core.space import Func
from asha_bus.core.trial import TrialState
from asha_bus.results.parameters import Axis, axes, columns
from asha_bus.results.records import TrialRecord
from asha_bus.results.tables import table, visible

if TYPE_CHECKING:
    from asha_bus.results.result import Result

NEEDS_SKLEARN = "importance needs scikit-learn: pip install 'asha-bus[report]'"

#: With fewer trials a forest is not meaningful.
MIN_TRIALS = 30

#: A higher rung is preferred if it has at least this many trials per parameter.
_PER_PARAMETER = 20

#: More trials make it slower without a better estimate.
_MOST_TRIALS = 2_000

_TREES = 30
_REPEATS = 5


class ParameterImportance(NamedTuple):
    """How much the metric depends on one parameter.

    Attributes:
        name: The parameter's path in the space.
        mean: The mean drop of the forest's R² when the values of the parameter are shuffled.
        deviation: The standard deviation of that drop over the shuffles.

    Example:
        >>> drops = {one.name: one.mean for one in result.importance()}
    """

    name: str
    mean: float
    deviation: float


class Importances(tuple[ParameterImportance, ...]):
    """The importance of parameters, the most important first; the repr is a table of them."""

    #: What they were computed from; of empty ones, why they were not computed.
    note: str

    def __new__(cls, found: Iterable[ParameterImportance], note: str) -> Importances:
        made = super().__new__(cls, found)
        made.note = note
        return made

    def __repr__(self) -> str:
        rows = [[one.name, f"{one.mean:.3f}", f"{one.deviation:.3f}"] for one in self]
        head = ["parameter", "importance", "deviation"]
        return visible(f"{table(rows, head=head)}\n{self.note}" if rows else self.note)


def importances_of(result: Result) -> Importances:
    """The importance of each parameter that varies; see `Result.importance`.

    The forest learns the rank of the metric on one half of the trials and is scored on the
    other half, and vice versa. Raises `ImportError` without scikit-learn.
    """
    trials, metrics, where = _comparable(result)
    if len(trials) < MIN_TRIALS:
        return _not_computed(
            f"Not computed: {len(trials)} trials have a metric {where}, but at least "
            f"{MIN_TRIALS} are needed."
        )
    computed = {c.name for c in columns(result.space) if isinstance(c.leaf, Func)}
    varied = [
        axis
        for axis in axes(result.space, trials)
        if len(set(axis.numbers)) > 1 and axis.name not in computed
    ]
    if not varied:
        return _not_computed("Not computed: no parameter has more than one value.")
    score, rows = _compute(varied, metrics)
    note = (
        f"Computed from the metric of {len(trials)} trials {where}: the drop of a random "
        f"forest's R\u00b2 on unseen trials (now {score:.2f}) when a parameter's values are "
        f"shuffled. The forest learns ranks, so outliers have no extra weight."
    )
    if score <= 0:
        note += " With this R\u00b2 the parameters do not predict the metric."
    return Importances(rows, note)


def _not_computed(why: str) -> Importances:
    return Importances((), why)


def _comparable(result: Result) -> tuple[list[TrialRecord], list[float], str]:
    """Trials, their metrics at one resource, and where that is.

    It is the highest rung that enough trials entered, or else the rung with most entries.
    Without rungs it is the end of the completed trials.
    """
    at_rung: dict[tuple[int, float], list[tuple[TrialRecord, float]]] = {}
    for trial in result.trials:
        for record in trial.rungs:
            if math.isfinite(record.metric):
                found = at_rung.setdefault((record.rung, record.resource), [])
                found.append((trial, record.metric))
    if at_rung:
        enough = max(MIN_TRIALS, _PER_PARAMETER * len(columns(result.space, result.trials)))
        rung = max(at_rung, key=lambda rung: (min(len(at_rung[rung]), enough), rung))
        where, found = f"at rung {rung[0]} (resource {rung[1]:g})", at_rung[rung]
    else:
        where = "at their end"
        found = [
            (trial, trial.metric)
            for trial in result.trials
            if trial.state is TrialState.COMPLETED
            and trial.metric is not None
            and math.isfinite(trial.metric)
        ]
    if len(found) > _MOST_TRIALS:  # at random: in a grid every n-th may be of one kind
        found = Random(0).sample(found, _MOST_TRIALS)
    return [trial for trial, _ in found], [metric for _, metric in found], where


def _ranks(numbers: Sequence[float]) -> list[int]:
    """The place of each number among those that differ; a missing one is below all others.

    Trees only compare, and those of scikit-learn with numbers of 32 bits, which end at 3e38.
    """
    there = sorted({number for number in numbers if not math.isnan(number)})
    places = {number: place for place, number in enumerate(there)}
    return [-1 if math.isnan(number) else places[number] for number in numbers]


def _compute(varied: list[Axis], metrics: list[float]) -> tuple[float, list[ParameterImportance]]:
    """R² on unseen trials, and the rows, most important first."""
    try:
        import numpy as np
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.inspection import permutation_importance
    except ImportError as error:
        raise ImportError(NEEDS_SKLEARN) from error

    inputs = np.array([_ranks(axis.numbers) for axis in varied]).T
    target = np.argsort(np.argsort(metrics, kind="stable"), kind="stable") / (len(metrics) - 1)
    order = np.random.default_rng(0).permutation(len(metrics))
    halves = order[::2], order[1::2]
    scores, falls = [], []
    for learned, unseen in (halves, halves[::-1]):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=0)
        forest.fit(inputs[learned], target[learned])
        scores.append(forest.score(inputs[unseen], target[unseen]))
        found = permutation_importance(
            forest, inputs[unseen], target[unseen], n_repeats=_REPEATS, random_state=0
        )
        falls.append(found.importances)
    by_parameter = np.hstack(falls)
    rows = [
        ParameterImportance(axis.name, round(float(fall.mean()), 4), round(float(fall.std()), 4))
        for axis, fall in zip(varied, by_parameter, strict=True)
    ]
    return float(np.mean(scores)), sorted(rows, key=lambda row: -row.mean)
