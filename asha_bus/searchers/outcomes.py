"""What became of the trials of a branch, as one list of losses for a searcher's model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from asha_bus.core.trial import RungRecord, TrialState, mean_of
from asha_bus.results.records import TrialRecord, repeats_of

#: The level of what ran to its end: above all rungs.
_TO_THE_END = math.inf


class Outcomes(NamedTuple):
    """Trials as a model takes them, each list by number."""

    #: Those that have a metric at the model's level, with it; smaller is better.
    losses: list[tuple[TrialRecord, float]]
    #: Those that were stopped below it, failed, were lost, or reported no finite number.
    bad: list[TrialRecord]
    #: Those that have no metric there yet.
    still_open: list[TrialRecord]


def outcomes_of(history: Iterable[TrialRecord], mode: str, least: int) -> Outcomes:
    """The outcomes at the highest level where ``least`` trials or more have a metric.

    Levels are the resources of rungs, and above them the end. Where there are too few at
    each, it is the lowest one. What was stopped below the level is as bad as what failed:
    only good ones get there, and without the others a model would take the worst of these
    for bad, and go away from them. What was cancelled below it is left out.
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
        elif trial.state in (TrialState.PENDING, TrialState.RUNNING):
            still_open.append(trial)
    return Outcomes(losses, bad, still_open)


def averaged(history: Sequence[TrialRecord]) -> Sequence[TrialRecord]:
    """``history`` with one trial for each configuration, the first of its repeats.

    It has the mean of the repeats that reached a rung, and of those that completed. One
    that failed, or reported no finite number, makes all of it so.
    """
    if not any(trial.repeat for trial in history):
        return history
    return [_average(repeats) for repeats in repeats_of(history)]


#: The state of several trials is the first of these that one of them has.
_STATES = (
    *(TrialState.FAILED, TrialState.LOST, TrialState.COMPLETED, TrialState.RUNNING),
    *(TrialState.PENDING, TrialState.STOPPED, TrialState.CANCELLED),
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
