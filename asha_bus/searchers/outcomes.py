"""The outcomes of a branch's trials at one level, for the model of a searcher."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from asha_bus.core.trial import RungRecord, TrialState, mean_of
from asha_bus.results.records import TrialRecord, repeats_of

#: The level of completed trials, above all rungs.
_TO_THE_END = math.inf


class Outcomes(NamedTuple):
    """The trials for a model, each list by number."""

    #: Trials with a metric at the model's level, and that metric; smaller is better.
    losses: list[tuple[TrialRecord, float]]
    #: Trials that were stopped below it, failed, were lost, or reported a number that is not
    #: finite.
    bad: list[TrialRecord]
    #: Trials that have no metric at the level yet.
    still_open: list[TrialRecord]


def outcomes_of(history: Iterable[TrialRecord], mode: str, least: int) -> Outcomes:
    """The outcomes at the highest level where at least ``least`` trials have a metric.

    The levels are the resources of rungs and, above them, the end. If no level has enough
    trials, the lowest one is used. Trials that were stopped below the level count as bad, like
    failed ones: only good trials reach the level, and without the stopped ones a model would
    take the worst of the good ones for bad and avoid them. Trials that were cancelled below
    the level are left out.
    """
    metrics: dict[int, dict[float, float]] = {}
    bad, going = [], []
    entries: dict[float, int] = {}
    for trial in history:
        found = {record.resource: record.metric for record in trial.rungs}
        if trial.state is TrialState.COMPLETED and trial.metric is not None:
            found[_TO_THE_END] = trial.metric
        is_bad = trial.state in (TrialState.FAILED, TrialState.LOST)
        if is_bad or not all(map(math.isfinite, found.values())):
            bad.append(trial)
            continue
        for level in found:
            entries[level] = entries.get(level, 0) + 1
        metrics[trial.id] = found
        going.append(trial)
    enough = [level for level, count in entries.items() if count >= least]
    level = max(enough) if enough else min(entries, default=_TO_THE_END)
    sign = 1.0 if mode == "min" else -1.0
    losses, still_open = [], []
    for trial in going:
        if level in metrics[trial.id]:
            losses.append((trial, sign * metrics[trial.id][level]))
        elif trial.state is TrialState.STOPPED:
            bad.append(trial)
        elif trial.state in (TrialState.PENDING, TrialState.RUNNING, TrialState.PAUSED):
            still_open.append(trial)
    return Outcomes(losses, bad, still_open)


def averaged(history: Sequence[TrialRecord]) -> Sequence[TrialRecord]:
    """``history`` with one trial for each configuration: the first of its repeats.

    Its metrics are the means of the repeats that reached each rung, and of those that
    completed. If one repeat failed or reported a number that is not finite, so did this trial.
    """
    if not any(trial.repeat for trial in history):
        return history
    return [_average(repeats) for repeats in repeats_of(history)]


#: The state of a group of repeats is the first of these that any of them has.
_STATES = (
    *(TrialState.FAILED, TrialState.LOST, TrialState.COMPLETED, TrialState.RUNNING),
    *(TrialState.PAUSED, TrialState.PENDING, TrialState.STOPPED, TrialState.CANCELLED),
)


def _average(repeats: Sequence[TrialRecord]) -> TrialRecord:
    if len(repeats) == 1:
        return repeats[0]
    states = {trial.state for trial in repeats}
    ends = [t.metric for t in repeats if t.state is TrialState.COMPLETED and t.metric is not None]
    met: dict[int, list[RungRecord]] = {}
    for trial in repeats:
        for record in trial.rungs:
            met.setdefault(record.rung, []).append(record)
    rungs = tuple(
        records[-1]._replace(metric=mean_of([record.metric for record in records]))
        for _, records in sorted(met.items())
    )
    return replace(
        repeats[0],
        state=next(state for state in _STATES if state in states),
        metric=mean_of(ends) if ends else repeats[0].metric,
        rungs=rungs,
    )
