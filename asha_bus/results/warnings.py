"""What a run should warn of: the texts, for its log and for its result."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from asha_bus.core.events import RunSettings
from asha_bus.core.schedulers import Hyperband, NoStopping, Scheduler, SuccessiveHalving
from asha_bus.core.trial import FINAL, TrialState
from asha_bus.formats.named import is_by_name
from asha_bus.results.records import TrialRecord

if TYPE_CHECKING:
    from asha_bus.results.result import Result

NO_PARAMETER = "the space has no parameter, so every trial is the same"

#: A worker with more paused trials than this may need more memory than one expects.
MANY_RESIDENTS = 8

#: Why a run ends that nothing cut short.
_WHOLE = ("max_trials", "exhausted")

_FAILED = (TrialState.FAILED, TrialState.LOST)


def warnings_of(result: Result) -> tuple[str, ...]:
    """What a reader of ``result`` should know before trusting it."""
    found = []
    bus, settings = result.bus, result.settings
    if not result.space.parameters and result.space.branches == 1:
        found.append(NO_PARAMETER)
    if settings is not None:
        found += many_residents(settings)
    completed = [t for t in result.trials if t.state is TrialState.COMPLETED]
    if settings is not None and settings.scheduler.fixed_cohort and result.reason in _WHOLE:
        found += _unfinished_plan(settings.scheduler, completed)
    if settings is not None and not bus.decisions:
        # such an objective asks itself whether to be stopped, and need not
        entered = any(trial.rungs for trial in result.trials) or is_by_name(result.space)
        if is_unjudged(settings.scheduler, len(completed), bus.decisions, entered=entered):
            reached = max(trial.resource for trial in completed)
            found.append(judged_nothing(settings.scheduler, len(completed), reached))
    is_known = any(trial.state in FINAL for trial in result.trials)
    if is_known and not any(map(_is_usable, result.trials)):
        found.append(no_usable_metric(result.trials))
    elif settings is not None and settings.scheduler.fixed_cohort:
        found += plans_without_winner(result.trials)
    if bus.fallbacks:
        late = "since the searcher took too long (BusOptions(suggest_timeout_s=...))"
        if is_by_name(result.space):
            began = f"{bus.fallbacks} trial{'s' * (bus.fallbacks > 1)} began without values"
            found.append(f"{began}, and asked for each of them by its name, {late}")
        else:
            found.append(f"{counted(bus.fallbacks, 'configuration')} drawn at random, {late}")
    if bus.requeued:
        found.append(
            f"{counted(bus.requeued, 'attempt')} lost with a worker, so the trial was run again"
        )
    found += map(str, result.trial_warnings)
    return tuple(found)


def many_residents(settings: RunSettings) -> Iterator[str]:
    """That workers may have to keep many paused trials in memory."""
    scheduler, workers = settings.scheduler, settings.workers
    if scheduler.max_resident is not None or workers is None:
        return
    if isinstance(scheduler, SuccessiveHalving | Hyperband):
        kept = sum(scheduler.judged(pairs)[0][1] for _, pairs in scheduler.sized_plans)
        paused = kept * settings.repeats
        if paused / workers > MANY_RESIDENTS:
            yield (
                f"up to {paused} trials pause at a time, about {round(paused / workers)} in the "
                f"memory of each of {workers} workers; if that is too much, give "
                f"{type(scheduler).__name__} a max_resident, or the run more workers"
            )


def counted(number: int, what: str) -> str:
    """Such as ``1 attempt was`` and ``2 attempts were``."""
    return f"{number} {what} was" if number == 1 else f"{number} {what}s were"


def is_unjudged(scheduler: Scheduler, completed: int, decisions: int, *, entered: bool) -> bool:
    """Whether trials completed under a scheduler that stops trials and has decided nothing."""
    stops = not isinstance(scheduler, NoStopping)
    return stops and completed > 0 and not decisions and not entered


def judged_nothing(scheduler: Scheduler, completed: int, reached: float) -> str:
    """That ``scheduler`` had nothing to decide; ``reached``: the most resource of a trial."""
    trials = "1 trial completed and did not reach" if completed == 1 else (
        f"{completed} trials completed, and none reached"
    )  # fmt: skip
    sooner = "let its first rung come sooner"
    if hasattr(scheduler, "min_resource"):
        sooner = "give it a smaller min_resource"
    return (
        f"{scheduler} has judged nothing: {trials} its first rung (the best one ended at "
        f"resource {reached:g}); yield a metric for each unit of resource, or {sooner}"
    )


def _unfinished_plan(scheduler: Scheduler, completed: Sequence[TrialRecord]) -> Iterator[str]:
    """That no trial came to the last rung of a plan, since objectives ended before."""
    early = [trial for trial in completed if trial.rungs and trial.rungs[-1].verdict == "continue"]
    if early and not any(t.rungs and t.rungs[-1].verdict == "complete" for t in completed):
        trials = (
            "1 trial went on after its last rung and ended by itself"
            if len(early) == 1
            else f"{len(early)} trials went on after their last rung and ended by themselves"
        )
        most = max(trial.resource for trial in early)
        yield (
            f"no trial came to the last rung of {scheduler}: {trials}, at most at resource "
            f"{most:g}, and its plans go to resource {scheduler.full_resource:g}; give it shorter "
            f"plans, or let the objective go on"
        )


def no_usable_metric(trials: Sequence[TrialRecord]) -> str:
    """Why none of ``trials`` can be the best one: how many of them ended in which way."""
    ways = Counter(map(_way, trials))
    head = "no trial has a usable metric"
    if not ways:
        return f"{head}: none was begun"
    if len(ways) > 1:
        return f"{head}: of {len(trials)}, " + ", ".join(f"{n} {way}" for way, n in ways.items())
    ((way, count),) = ways.items()
    return f"{head}: {'the only one' if count == 1 else f'all {count}'} {way}"


def plans_without_winner(trials: Sequence[TrialRecord]) -> Iterator[str]:
    """The plans whose trials have all ended, none of them completed with a usable metric."""
    plans: dict[int, list[TrialRecord]] = {}
    for trial in trials:
        plans.setdefault(trial.bracket, []).append(trial)
    for number, its in sorted(plans.items()):
        if any(trial.state is TrialState.COMPLETED and _is_usable(trial) for trial in its):
            continue
        if all(trial.state in FINAL and trial.state is not TrialState.CANCELLED for trial in its):
            ways = Counter("stopped" if _is_usable(trial) else _way(trial) for trial in its)
            told = ", ".join(f"{n} {way}" for way, n in ways.items())
            yield f"plan {number} has no winner: of its {len(its)} trials, {told}"


def _is_usable(trial: TrialRecord) -> bool:
    metric = trial.metric
    return metric is not None and math.isfinite(metric) and trial.state not in _FAILED


def _way(trial: TrialRecord) -> str:
    if trial.state in _FAILED:
        return "failed" if trial.state is TrialState.FAILED else "got lost"
    if trial.metric is None:
        return "reported nothing"
    return f"ended with {trial.metric:g}"
