"""Explains the rung decisions of a trial in words."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence

from asha_bus.core.schedulers import Hyperband, MedianStopping, Scheduler, SuccessiveHalving
from asha_bus.core.trial import FINAL, RungRecord, TrialState
from asha_bus.core.trials import is_better
from asha_bus.results.records import TrialRecord
from asha_bus.results.tables import visible

#: By trial and rung: the rank when it was decided; equal metrics share the better rank.
_Ranks = dict[tuple[int, int], int]


def explainer(
    trials: Sequence[TrialRecord], mode: str, scheduler: Scheduler | None = None
) -> Callable[[TrialRecord], str]:
    """What explains any of ``trials``, which must be all trials of a run.

    It gives a line for each rung decision of a trial, and one for its state.
    """
    words = _Words(trials, mode, scheduler)
    return lambda trial: visible("\n".join([*words.decisions(trial), _standing(trial)]))


class _Words:
    def __init__(
        self, trials: Sequence[TrialRecord], mode: str, scheduler: Scheduler | None
    ) -> None:
        self._mode = mode
        self._scheduler = scheduler
        self._pauses = scheduler is not None and scheduler.pauses
        self._has_brackets = len({trial.bracket for trial in trials}) > 1
        self._ranks = _ranks(trials, mode, by_configuration=self._pauses)

    def decisions(self, trial: TrialRecord) -> list[str]:
        """A line for each rung that ``trial`` entered."""
        return [self._decision(trial, number) for number in range(len(trial.rungs))]

    def _decision(self, trial: TrialRecord, number: int) -> str:
        record = trial.rungs[number]
        if record.reason is not None:
            return f"{self._head(trial, record)}, {record.reason}: {_verdict(record)}"
        if isinstance(self._scheduler, MedianStopping):
            return self._median(trial, number, self._scheduler)
        if isinstance(self._scheduler, (SuccessiveHalving, Hyperband)):
            return self._planned(trial, record)
        return self._compared(trial, record)

    def _head(self, trial: TrialRecord, record: RungRecord, bracket: str = "bracket") -> str:
        where = f"rung {record.rung} at resource {record.resource:g}"
        if self._has_brackets:
            where = f"{bracket} {trial.bracket}, {where}"
        head = f"{where}: metric {record.metric:g}"
        if record.mean not in (None, record.metric):
            head += f", mean of its repeats {record.mean:g}"
        return head if math.isfinite(record.judged) else f"{head} is not finite and ranks worst"

    def _compared(self, trial: TrialRecord, record: RungRecord) -> str:
        """A share of a rung's entries goes on."""
        text = self._head(trial, record)
        if not math.isfinite(record.judged):
            return f"{text}: {_verdict(record)}"
        if record.n == 1:
            return f"{text}, the first here: {_verdict(record)}"
        rank = self._ranks[trial.id, record.rung]
        text += f", rank {rank} of {record.n} here, {_best(record.keep)}"
        if record.keep:
            text += _cutoff(record)
        if record.verdict == "continue" and is_better(record.cutoff, record.judged, self._mode):
            text += ", but the rung is within its quorum"
        elif record.judged == record.cutoff and record.verdict == "stop":
            text += " (equal metrics are ordered by lot)"
        return f"{text}: {_verdict(record)}"

    def _planned(self, trial: TrialRecord, record: RungRecord) -> str:
        """A plan says how many of a rung go on."""
        text = self._head(trial, record, "plan")
        rank = self._ranks[trial.id, record.rung]
        is_finite = math.isfinite(record.judged)
        if record.verdict == "complete":
            text += f": {_here(rank, record)} in the last rung, where all complete"
            if not record.keep:
                return text
            if not is_finite or rank > record.keep:
                return f"{text}; not one of the best {record.keep}, which the plan keeps"
            return f"{text}; one of the best {record.keep} so far, which the plan keeps"
        if not is_finite:
            return f"{text}: {_verdict(record)}"
        text += f", {_here(rank, record)}, {_best(record.keep)}"
        if record.n >= record.keep:
            text += _cutoff(record)
        if record.verdict == "stop":
            if rank > record.keep:
                better = (
                    "1 better one was" if record.keep == 1 else f"{record.keep} better ones were"
                )
                text += f", and {better} there"
            elif record.judged == record.cutoff:
                text += " (equal metrics are ordered by lot)"
            else:
                text += ", but it came when the rung no longer waited for it"
        elif record.verdict == "continue":
            text += ", and it is one of them whatever else comes"
        return f"{text}: {_verdict(record)}"

    def _median(self, trial: TrialRecord, number: int, rule: MedianStopping) -> str:
        record = trial.rungs[number]
        text = self._head(trial, record)
        others = record.n - 1
        if not math.isfinite(record.metric):
            return f"{text}: {_verdict(record)}"
        if others < rule.min_samples:
            return (
                f"{text}, {others} others came so far, fewer than {rule.min_samples}: "
                f"{_verdict(record)}"
            )
        seen = [one.metric for one in trial.rungs[: number + 1] if math.isfinite(one.metric)]
        best = min(seen) if self._mode == "min" else max(seen)
        middle = "none" if record.cutoff is None else f"{record.cutoff:g}"
        return (
            f"{text}, its best one so far {best:g}, the median of the means of {others} others "
            f"{middle}: {_verdict(record)}"
        )


def _ranks(trials: Sequence[TrialRecord], mode: str, *, by_configuration: bool) -> _Ranks:
    """The ranks of all rung entries, among those that had entered when it was decided.

    ``by_configuration``: repeats share one place.
    """
    sign = 1 if mode == "min" else -1
    rungs: dict[tuple[int, int], list[tuple[TrialRecord, RungRecord]]] = {}
    for trial in trials:
        for record in trial.rungs:
            rungs.setdefault((trial.bracket, record.rung), []).append((trial, record))
    found: _Ranks = {}
    for (_, rung), entries in rungs.items():
        # in order of time: those that enter at a number of entries, then those decided at it
        steps: list[tuple[int, bool, float, int]] = []
        placed: set[int] = set()
        for trial, record in entries:
            key = sign * record.judged if math.isfinite(record.judged) else math.inf
            place = trial.configuration if by_configuration else trial.id
            if place not in placed:
                placed.add(place)
                steps.append((record.paused_n or record.n, False, key, trial.id))
            steps.append((record.n, True, key, trial.id))
        before: list[float] = []
        for _, is_decided, key, number in sorted(steps):
            if is_decided:
                found[number, rung] = 1 + bisect_left(before, key)
            else:
                insort(before, key)
    return found


def _here(rank: int, record: RungRecord) -> str:
    return "the first here" if record.n == 1 else f"rank {rank} of {record.n} here"


def _best(keep: int) -> str:
    if keep == 1:
        return "the best one goes on"
    return f"the best {keep} go on" if keep else "none goes on yet"


def _cutoff(record: RungRecord) -> str:
    if record.cutoff is None:
        return ""
    return f", the {_ordinal(record.keep)} has {record.cutoff:g}"


def _verdict(record: RungRecord) -> str:
    """The verdict; for one that came later, when the trial paused and what was waited for."""
    if record.verdict == "pause":
        return "paused"
    text = "goes on" if record.verdict == "continue" else "stopped"
    if record.verdict == "complete":
        text = "completed"
    if record.paused_n is None:
        return text
    came = f"when {record.n} had come"
    if record.paused_n == record.n:
        came = "when no better ones could come any more"
        if record.verdict == "stop":
            came = "when none could come any more"
    text = text.replace("goes on", "went on")
    return f"paused as number {record.paused_n}, {text} {came}"


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
    is_undecided = bool(trial.rungs) and trial.rungs[-1].verdict == "pause"
    if trial.state is TrialState.PAUSED:
        waits = "the verdict of its rung" if is_undecided else "its worker, to go on"
        text += f": it waits for {waits}"
    elif trial.state is TrialState.CANCELLED and is_undecided:
        text += ": the run ended before the verdict of its rung"
    elif trial.state is TrialState.STOPPED and not any(r.verdict == "stop" for r in trial.rungs):
        text += ": a hook stopped it"
    if trial.error:
        text += f": {trial.error.strip().splitlines()[-1]}"
    return text


def _ordinal(number: int) -> str:
    suffix = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{suffix}"
