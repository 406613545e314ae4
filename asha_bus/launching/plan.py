"""What is to be run: made of the arguments of a launch."""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any

from asha_bus._version import __version__
from asha_bus.core.checks import described, name_of, shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.events import RunSettings
from asha_bus.core.messages import Point
from asha_bus.core.schedulers import NoStopping, Scheduler
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import MAX_GRID_POINTS, Space, as_space
from asha_bus.core.trial import Trial
from asha_bus.formats.journal import Header
from asha_bus.formats.space_form import describe, parts_of
from asha_bus.formats.wire import MAX_POINT
from asha_bus.hyperopt.space import if_hyperopt
from asha_bus.launching.arguments import LaunchArguments
from asha_bus.launching.artifacts import folders_for
from asha_bus.launching.cohorts import (
    check_cohort,
    check_reports,
    check_same_cohort,
    size_of_cohort,
    warn_of_size,
)
from asha_bus.launching.options import BusOptions
from asha_bus.monitors.base import Monitor, RunInfo
from asha_bus.monitors.choice import as_monitors
from asha_bus.objective.behind import Shape
from asha_bus.objective.kinds import check_takes, shape_of
from asha_bus.objective.values import to_metric
from asha_bus.results.records import TrialRecord
from asha_bus.results.tables import visible
from asha_bus.results.warnings import NO_PARAMETER
from asha_bus.searchers.adapter import Search
from asha_bus.searchers.base import Suggests
from asha_bus.searchers.hooks import Hooks
from asha_bus.searchers.past import past_trials

logger = logging.getLogger("asha_bus")


#: What ends any run.
_ENDS = "max_trials, max_time (seconds) or max_total_resource"


class RawPoint(tuple[float, ...]):
    """A point among ``initial``, where a configuration could be read in two ways."""


@dataclass(frozen=True)
class Plan:
    """Everything about a run that does not depend on where it runs."""

    #: What the user gave, checked.
    given: LaunchArguments
    name: str
    space: Space
    settings: RunSettings
    #: Still by name where a name was given; none: silence.
    monitors: tuple[str | Monitor, ...]
    #: Trials of earlier runs, for the searcher.
    history: tuple[TrialRecord, ...]
    #: The points of the first trials.
    initial: tuple[Point, ...]
    #: How many workers are started; None: not known yet.
    workers: int | None = None
    #: How many trials earlier launches have finished; None: this is the first launch.
    done: int | None = None

    @property
    def searcher(self) -> RandomSearch | Suggests:
        """What suggests configurations."""
        return RandomSearch() if self.given.searcher is None else self.given.searcher

    @property
    def journal(self) -> Path | None:
        """Where the journal is to be; None: in a temporary place."""
        given = self.given.journal
        return None if given is None else Path(os.path.expanduser(given))

    @property
    def header(self) -> Header:
        """What a journal of this run begins with."""
        space = describe(self.space)
        parts = {name: _form(part) for name, part in parts_of(space).items()}
        identity = {
            **parts,
            "scheduler": _form(self.settings.scheduler.to_plain()),
            "searcher": type(self.searcher).__name__,
            "mode": self.settings.mode,
            "objective": name_of(self.given.objective),
            "seed": self.settings.seed,
        }
        if self.initial:
            identity["initial"] = _form(self.initial)
        if self.given.unique:
            identity["unique"] = "True"
        if self.settings.repeats > 1:
            identity["repeats"] = self.settings.repeats
        return Header(self.name, self.settings, space, identity, __version__)

    @property
    def info(self) -> RunInfo:
        """What monitors receive at the start."""
        info = RunInfo.of(self.name, self.settings, self.space, self.journal)
        return replace(info, workers=self.workers, resumed=self.done)

    def resumed(self, header: Header) -> Plan:
        """This plan for the run of ``header``: its name, its seed, its identity.

        Raises `InvalidArgument` if the run cannot be resumed with this number of trials.
        """
        old = header.settings
        check_same_cohort(old.scheduler, old.max_trials, self.settings.max_trials)
        scheduler, shape = self.settings.scheduler, shape_of(self.given.objective)
        saves, keeps = folders_for(self.given, scheduler, shape, old.run)
        settings = replace(self.settings, run=old.run, seed=old.seed, saves=saves, keeps=keeps)
        return replace(self, name=header.name, settings=settings)

    @property
    def search(self) -> Search:
        """What configurations are drawn by."""
        settings = self.settings
        return Search(
            self.searcher,
            self.space,
            settings.seed,
            settings.mode,
            self.initial,
            self.given.unique,
            self.history,
            settings.repeats,
        )

    @property
    def hooks(self) -> Hooks:
        """What may stop a trial or the run besides the scheduler."""
        return Hooks(self.space, self.given.stop_trial, self.given.stop_run)

    def with_options(self, options: BusOptions, workers: int | None = None) -> Plan:
        """This plan under these options of the bus, with that many workers."""
        settings = replace(self.settings, **_settings_of(options), workers=workers)
        return replace(self, settings=settings, workers=workers)


def make_plan(given: LaunchArguments) -> Plan:
    """The run that was asked for; InvalidArgument where objective and space do not fit."""
    shape = shape_of(given.objective)
    scheduler = given.scheduler or NoStopping()
    space = as_space(given.space, [if_hyperopt])
    check_takes(given.objective, space, tuple(given.data or ()))
    _check_size(space)
    if not space.parameters and space.branches == 1:
        logger.warning(
            "%s: %s; a parameter is uniform(0, 1), for instance, and (0, 1) a constant",
            NO_PARAMETER,
            shortened(given.space),
        )
    check_reports(given, shape)
    if shape is Shape.FUNCTION and not isinstance(given.scheduler, NoStopping | None):
        logger.warning(
            "objective %s returns once, as far as can be seen, so there is nothing that %s could "
            "stop: yield a metric for each unit of resource, or leave the scheduler out; a wrapper "
            "of a generator is declared by @ab.objective_kind('generator')",
            name_of(given.objective),
            type(given.scheduler).__name__,
        )
    if given.max_total_resource is not None:
        _check_budget(scheduler, given.max_total_resource)
    monitors = as_monitors(given.monitor)
    run = secrets.token_hex(8)
    saves, keeps = folders_for(given, scheduler, shape, run)
    max_trials, limit_reason = _limit(space, given)
    check_cohort(given, max_trials)
    warn_of_size(given, max_trials)
    settings = RunSettings(
        **{
            **_settings_of(given),
            "run": run,
            "scheduler": scheduler,
            "seed": secrets.randbits(31) if given.seed is None else given.seed,
            "max_trials": max_trials,
            "limit_reason": limit_reason,
            "max_time_s": given.max_time,
            "stop_at": None if given.stop_at is None else to_metric(given.stop_at),
            "epoch": time.time(),
            "trial_timeout_s": given.trial_timeout,
            "saves": saves,
            "keeps": keeps,
            "searcher": described(RandomSearch() if given.searcher is None else given.searcher),
        }
    )
    return Plan(
        given=given,
        name=given.name or f"run-{run[:6]}",
        space=space,
        settings=settings,
        monitors=monitors,
        history=() if given.history is None else past_trials(given.history, space),
        initial=_initial(space, given.initial or (), given.unique),
    )


def _settings_of(given: LaunchArguments | BusOptions) -> dict[str, Any]:
    """What the bus has to know of ``given``: whatever `RunSettings` has by the same name."""
    names = (field.name for field in fields(RunSettings))
    return {name: getattr(given, name) for name in names if hasattr(given, name)}


def _initial(space: Space, given: Sequence[Any], unique: bool) -> tuple[Point, ...]:
    """The points of the configurations that were given; InvalidArgument names the wrong one.

    Where each is tried once, so is one that was given twice.
    """
    points = []
    for number, params in enumerate(given):
        try:
            is_point = isinstance(params, RawPoint)
            points.append(tuple(params) if is_point else space.point_of(params))
        except InvalidArgument as error:
            raise InvalidArgument(f"initial[{number}]: {error}") from error
    return tuple(dict.fromkeys(points) if unique or space.is_finite else points)


def _form(plain: Any) -> str:
    """Plain values as a text that is the same for the same values, to be compared and shown."""
    return json.dumps(plain, sort_keys=True, default=repr)


def _limit(space: Space, given: LaunchArguments) -> tuple[int | None, str]:
    """How many trials there are at most, and the reason to give when they are done."""
    ends = (given.max_trials, given.max_time, given.max_total_resource)
    has_end = any(end is not None for end in ends)
    if space.is_finite:
        if not has_end and space.branches > MAX_GRID_POINTS:
            raise InvalidArgument(
                f"the space has {space.branches} configurations, so the run needs another end: "
                f"give {_ENDS}"
            )
        every = space.branches * given.repeats
        if given.max_trials is None or given.max_trials >= every:
            return min(every, 2**63 - 1), "exhausted"
        return given.max_trials, "max_trials"
    max_trials = size_of_cohort(given)
    if max_trials is None and not has_end:
        raise InvalidArgument(f"the space is infinite, so the run needs an end: give {_ENDS}")
    return max_trials, "max_trials"


def _check_budget(scheduler: Scheduler, most: float) -> None:
    """Check that one trial reaches its first rung with the resource of the whole run."""
    state, trial = scheduler.new_state(mode="min", seed=0), Trial(0, (), 0)
    state.expect(1, 1)
    state.assign(trial, Random(0))
    trial.bracket = 0  # the one with the lowest rung
    first = state.next_resource(trial)
    if first is not None and most < first:
        raise InvalidArgument(
            f"max_total_resource must be at least {first:g}, at which {type(scheduler).__name__} "
            f"decides on a trial for the first time, got {most:g}"
        )


def _check_size(space: Space) -> None:
    """Check that a point fits into a message; report values that a list has twice."""
    if space.most_numbers > MAX_POINT:
        raise InvalidArgument(
            f"the space has up to {space.most_numbers} parameters in a configuration, more than "
            f"{MAX_POINT}; make func() or the objective compute some of them"
        )
    for path, value in space.repetitions.items():
        logger.warning("%s lists %s twice; both are kept", visible(path), shortened(value))
