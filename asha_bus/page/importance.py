"""The importance of parameters, estimated by a random forest."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any

from asha_bus.core.space import Func
from asha_bus.core.trial import TrialState
from asha_bus.results.parameters import Axis, axes, columns
from asha_bus.results.records import TrialRecord

if TYPE_CHECKING:
    from asha_bus.results.result import Result

#: With fewer trials a forest is not meaningful.
MIN_TRIALS = 30

#: A higher rung is preferred if it has at least this many trials per parameter.
_PER_PARAMETER = 20

#: More trials make it slower without a better estimate.
_MOST_TRIALS = 2_000

_TREES = 30
_REPEATS = 5


def importance_document(result: Result) -> dict[str, Any]:
    """The importance of each parameter that varies: ``note`` and ``rows``.

    A row is a parameter's name and the drop of R² when its values are shuffled: the mean
    and the standard deviation over shuffles. The forest learns the rank of the metric on one
    half of the trials and is scored on the other half, and vice versa. If it cannot be
    computed, ``rows`` is empty and ``note`` says why.
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
    try:
        score, rows = _compute(varied, metrics)
    except ImportError:
        return _not_computed("Not computed: it needs scikit-learn: pip install 'asha-bus[report]'.")
    note = (
        f"Computed from the metric of {len(trials)} trials {where}: the drop of a random "
        f"forest's R\u00b2 on unseen trials (now {score:.2f}) when a parameter's values are "
        f"shuffled. The forest learns ranks, so outliers have no extra weight."
    )
    if score <= 0:
        note += " With this R\u00b2 the parameters do not predict the metric."
    return {"note": note, "rows": rows}


def _not_computed(why: str) -> dict[str, Any]:
    return {"note": why, "rows": []}


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
        enough = max(MIN_TRIALS, _PER_PARAMETER * len(columns(result.space)))
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


def _compute(varied: list[Axis], metrics: list[float]) -> tuple[float, list[list[Any]]]:
    """R² on unseen trials, and the rows, most important first."""
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    inputs = np.array([axis.numbers for axis in varied]).T
    # a missing value is set below all others, so that a tree can split it off
    lowest = np.nanmin(inputs, axis=0)
    inputs = np.where(np.isnan(inputs), lowest - 1 - np.abs(lowest), inputs)
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
        [axis.name, round(float(fall.mean()), 4), round(float(fall.std()), 4)]
        for axis, fall in zip(varied, by_parameter, strict=True)
    ]
    return float(np.mean(scores)), sorted(rows, key=lambda row: -row[1])
