"""Checks of a launch whose scheduler pauses trials."""

from __future__ import annotations

import logging

from asha_bus.core.checks import name_of
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.events import RunSettings
from asha_bus.core.schedulers import Hyperband, Scheduler, SuccessiveHalving
from asha_bus.launching.arguments import LaunchArguments
from asha_bus.objective.behind import Shape
from asha_bus.results.warnings import many_residents

logger = logging.getLogger("asha_bus")


def check_reports(given: LaunchArguments, shape: Shape) -> None:
    """Refuse an objective that cannot be paused."""
    scheduler = given.scheduler
    if scheduler is not None and scheduler.pauses and shape is Shape.FUNCTION:
        raise InvalidArgument(
            f"{type(scheduler).__name__} pauses trials at its rungs, but objective "
            f"{name_of(given.objective)} returns once, as far as can be seen: make it a generator "
            f"function that yields a metric for each unit of resource, have it take a trial and "
            f"report, or use another scheduler"
        )


def size_of_cohort(given: LaunchArguments) -> int | None:
    """The number of trials of a run in an infinite space; None: any number."""
    scheduler = given.scheduler
    if given.max_trials is not None or scheduler is None:
        return given.max_trials
    if scheduler.configurations is not None:
        return scheduler.configurations * given.repeats
    if scheduler.fixed_cohort:
        raise InvalidArgument(
            f"{type(scheduler).__name__} compares the trials of a cohort, and the space is "
            f"infinite, so the run needs its size: give max_trials"
        )
    return None


def check_cohort(given: LaunchArguments, max_trials: int | None) -> None:
    """Refuse a number of trials with which the plans of the scheduler are not possible."""
    if given.scheduler is not None and max_trials is not None:
        given.scheduler.check_cohort(-(-max_trials // given.repeats))


def warn_of_size(given: LaunchArguments, max_trials: int | None) -> None:
    """Warn if the plans of the scheduler are made for another number of configurations."""
    scheduler = given.scheduler
    if max_trials is None or not isinstance(scheduler, SuccessiveHalving | Hyperband):
        return
    has, planned = -(-max_trials // given.repeats), scheduler.configurations
    if planned is None or planned == has:
        return
    logger.warning(
        "%s is planned for %d configurations, but the run has %d: %s begin in place of %s, and "
        "each rung still keeps as many as planned; give max_trials=%d to run it as planned, or "
        "write a plan for %d",
        type(scheduler).__name__,
        planned,
        has,
        " + ".join(map(str, scheduler.deal(has))),
        " + ".join(str(n) for n, _ in scheduler.sized_plans),
        planned * given.repeats,
        has,
    )


def check_same_cohort(scheduler: Scheduler, before: int | None, now: int | None) -> None:
    """Refuse to resume a run with another number of trials, if its scheduler cannot do that."""
    if scheduler.fixed_cohort and before != now:
        raise InvalidArgument(
            f"the cohort of a run is fixed with {type(scheduler).__name__}: the run was started "
            f"with max_trials={before}, and cannot be resumed with max_trials={now}; give "
            f"max_trials={before}, or another journal"
        )


def warn_of_residents(settings: RunSettings) -> None:
    """Warn if workers may have to keep many paused trials in memory."""
    for text in many_residents(settings):
        logger.warning("%s", text)
