"""Explains the rung decisions of a trial in words."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence

from asha_bus.core.trial import FINAL, RungRecord, TrialState
from asha_bus.core.trials import is_better
from asha_bus.results.records import TrialRecord
from asha_bus.results.tables import visible

#: By trial and rung: the rank when it was decided; equal metrics share the better rank.
Ranks = Mapping[tuple[int, int], int]


def ranks(trials: Sequence[TrialRecord], mode: str) -> Ranks:
    """The ranks of all rung entries; ``trials`` must be all trials of a run."""
    sign = 1 if mode == "min" else -1
    entries: dict[tuple[int, int], list[tuple[int, float, int]]] = {}
    for trial in trials:
        for record in trial.rungs:
            key = sign * record.judged if math.isfinite(record.judged) else math.inf
            entries.setdefault((trial.bracket, record.rung), []).append((record.n, key, trial.id))
    found = {}
    for (_, rung), entered in entries.items():
        before: list[float] = []
        for _, key, number in sorted(entered):
            found[number, rung] = 1 + bisect_left(before, key)
            insort(before, key)
    return found


def has_brackets(trials: Sequence[TrialRecord]) -> bool:
    """Whether ``trials`` are in more than one bracket, so that explanations must name it."""
    return len({trial.bracket for trial in trials}) > 1


def explain(trial: TrialRecord, ranks: Ranks, *, mode: str, brackets: bool) -> str:
    """A line for each rung decision of ``trial``, and one for its state."""
    lines = [
        _decision(trial, record, ranks[trial.id, record.rung], mode, brackets)
        for record in trial.rungs
    ]
    return visible("\n".join([*lines, _standing(trial)]))


def _standing(trial: TrialRecord) -> str:
    """The state of ``trial``, with its last report and its error."""
    text = f"trial {trial.id} {'ended' if trial.state in FINAL else 'is'} {trial.state}"
    if trial.state is TrialState.PENDING:
        text += ": it waits for a worker"
        return f"{text}, to be restarted" if trial.attempts else text
    if trial.state is TrialState.STOPPED and (not trial.rungs or trial.rungs[-1].verdict != "stop"):
        text += " by stop_trial"
    text += f" at resource {trial.resource:g}"
    if trial.metric is not None:
        text += f" with metric {trial.metric:g}"
    if trial.attempts > 1:
        text += f", in attempt {trial.attempts}"
    if trial.error:
        text += f": {trial.error.strip().splitlines()[-1]}"
    return text


def _decision(trial: TrialRecord, record: RungRecord, rank: int, mode: str, brackets: bool) -> str:
    where = f"rung {record.rung} at resource {record.resource:g}"
    if brackets:
        where = f"bracket {trial.bracket}, {where}"
    decision = "goes on" if record.verdict == "continue" else "stopped"
    head = f"{where}: metric {record.metric:g}"
    if record.mean not in (None, record.metric):
        head += f", mean of its repeats {record.mean:g}"
    if not math.isfinite(record.judged):
        return f"{head} is not finite and ranks worst: {decision}"
    if record.n == 1:
        return f"{head}, the first here: {decision}"
    text = f"{head}, rank {rank} of {record.n} here, the best {record.keep} go on"
    if record.cutoff is not None:
        text += f", the {_ordinal(record.keep)} has {record.cutoff:g}"
    if record.verdict == "continue" and is_better(record.cutoff, record.judged, mode):
        text += ", but the rung is within its quorum"
    elif record.judged == record.cutoff and record.verdict == "stop":
        text += " (equal metrics are ordered by lot)"
    return f"{text}: {decision}"


def _ordinal(number: int) -> str:
    suffix = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{suffix}"
