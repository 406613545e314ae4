"""The arguments of a launch, checked: what is to be run."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asha_bus
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.events import RunSettings
from asha_bus.core.messages import Point
from asha_bus.core.schedulers import NoStopping, Scheduler
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import MAX_GRID_POINTS, Space, as_space
from asha_bus.formats.journal import Header
from asha_bus.formats.space_form import describe, parts_of, shortened
from asha_bus.formats.wire import MAX_POINT
from asha_bus.hyperopt.space import if_hyperopt
from asha_bus.launching.options import BusOptions, is_seconds
from asha_bus.monitors.base import Monitor, RunInfo
from asha_bus.monitors.choice import MonitorChoice, as_monitors
from asha_bus.objective.kinds import Shape, check_takes, name_of, shape_of, to_metric
from asha_bus.results.records import TrialRecord
from asha_bus.searchers.past import past_trials
from asha_bus.searchers.suggestions import Search

logger = logging.getLogger("asha_bus")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class RawPoint(tuple[float, ...]):
    """A point among ``initial``, where a configuration could be read in two ways."""


@dataclass(frozen=True)
class Plan:
    """Everything about a run that does not depend on where it runs."""

    name: str
    objective: Callable[..., Any]
    space: Space
    #: A `RandomSearch`, or anything with `suggest`.
    searcher: Any
    settings: RunSettings
    #: What the user gave; None leaves it to the engine's configuration.
    options: BusOptions | None
    engine: str
    workers: int | None
    #: Checked, but still by name where a name was given; none: silence.
    monitors: tuple[str | Monitor, ...]
    #: Where the journal is to be; None: in a temporary place.
    journal: Path | None
    resume: bool
    retry_failed: bool
    seed_given: bool

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
            "objective": name_of(self.objective),
            "seed": self.settings.seed,
        }
        if self.initial:
            identity["initial"] = _form(self.initial)
        if self.unique:
            identity["unique"] = "True"
        if self.settings.repeats > 1:
            identity["repeats"] = self.settings.repeats
        return Header(self.name, self.settings, space, identity, asha_bus.__version__)

    @property
    def info(self) -> RunInfo:
        """What monitors are told at the start."""
        return RunInfo.of(self.name, self.settings, self.space)

    def resumed(self, header: Header) -> Plan:
        """This plan for the run of ``header``: its name, its seed, its identity."""
        old = header.settings
        settings = replace(self.settings, run=old.run, seed=old.seed)
        return replace(self, name=header.name, settings=settings)

    capture_output: bool
    #: What the objective gets besides its parameters, by name.
    data: Mapping[str, Any]
    #: Trials of earlier runs, for the searcher.
    history: tuple[TrialRecord, ...]
    #: The points of the first trials; whether no point is given out twice.
    initial: tuple[Point, ...]
    unique: bool
    #: None: metrics are served nowhere; 0: at any free port.
    metrics_port: int | None
    #: The port of the live page, 0 for any; None: there is none.
    page: int | None

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
            self.unique,
            self.history,
            settings.repeats,
        )

    def with_options(self, options: BusOptions) -> Plan:
        """This plan under these options of the bus."""
        settings = replace(
            self.settings,
            lease_s=options.lease_s,
            heartbeat_s=options.heartbeat_s,
            max_attempts=options.max_attempts,
            curves=options.curves,
            suggest_timeout_s=options.suggest_timeout_s,
        )
        return replace(self, settings=settings)


def make_plan(
    objective: Callable[..., Any],
    space: Any,
    *,
    mode: str,
    scheduler: Scheduler | None,
    searcher: Any,
    max_trials: int | None,
    max_time: float | None,
    stop_at: float | None,
    engine: str,
    workers: int | None,
    seed: int | None,
    name: str | None,
    monitor: MonitorChoice,
    bus: BusOptions | None,
    journal: str | os.PathLike[str] | None,
    resume: bool,
    retry_failed: bool,
    trial_timeout: float | None,
    max_failures: int | None,
    fail_fast: bool,
    capture_output: bool,
    data: Mapping[str, Any] | None,
    history: Any,
    initial: Sequence[Mapping[str, Any]] | None,
    unique: bool,
    repeats: int,
    retries: int,
    metrics_port: int | None,
    page: bool | int,
) -> Plan:
    """Check the arguments of `asha_bus.launch`; InvalidArgument names the first wrong one."""
    shape = shape_of(objective)
    checked_space = as_space(space, [if_hyperopt])
    if history is not None and (searcher is None or isinstance(searcher, RandomSearch)):
        raise InvalidArgument(
            "history is for a searcher that learns: give searcher=TPE(), for instance, or leave "
            "history out"
        )
    if data is not None and not (
        isinstance(data, Mapping) and all(isinstance(name, str) for name in data)
    ):
        raise InvalidArgument(
            f"data must be a dict of objects by the names that the objective takes them by, got "
            f"{data!r}"
        )
    check_takes(objective, checked_space, tuple(data or ()))
    _check_size(checked_space)
    if mode not in ("min", "max"):
        raise InvalidArgument(f"mode must be 'min' or 'max', got {mode!r}")
    if scheduler is not None and not isinstance(scheduler, Scheduler):
        raise InvalidArgument(
            f"scheduler must be a scheduler such as ASHA(max_resource=81), or None for no early "
            f"stopping, got {scheduler!r}"
        )
    if shape is Shape.FUNCTION and not isinstance(scheduler, NoStopping | None):
        logger.warning(
            "objective %s returns once, as far as can be seen, so there is nothing that %s could "
            "stop: yield a metric for each unit of resource, or leave the scheduler out",
            name_of(objective),
            type(scheduler).__name__,
        )
    if isinstance(searcher, type):
        raise InvalidArgument(
            f"searcher must be an object, got the class {searcher.__name__}: give "
            f"{searcher.__name__}(...)"
        )
    if not (
        searcher is None
        or isinstance(searcher, RandomSearch)
        or callable(getattr(searcher, "suggest", None))
    ):
        raise InvalidArgument(
            f"searcher must be RandomSearch(), an object with a method suggest(branch, history), "
            f"or None, got {searcher!r}"
        )
    _whole("max_trials", max_trials, 1)
    _whole("workers", workers, 1)
    _whole("seed", seed, 0)
    if max_time is not None and not is_seconds(max_time):
        raise InvalidArgument(
            f"max_time must be a number of seconds above 0 and at most 1e9, got {max_time!r}"
        )
    if trial_timeout is not None and not is_seconds(trial_timeout):
        raise InvalidArgument(
            f"trial_timeout must be a number of seconds above 0 and at most 1e9, or None for no "
            f"limit, got {trial_timeout!r}"
        )
    _whole("max_failures", max_failures, 0)
    _switch("fail_fast", fail_fast)
    _switch("capture_output", capture_output)
    _switch("unique", unique)
    _count("repeats", repeats, 1)
    _count("retries", retries, 0)
    if metrics_port is not None and not (
        isinstance(metrics_port, int) and metrics_port is not True and 0 <= metrics_port <= 65_535
    ):
        raise InvalidArgument(
            f"metrics_port must be a whole number from 0 (any free port) to 65535, or None, got "
            f"{metrics_port!r}"
        )
    if stop_at is not None:
        stop_at = _target(stop_at)
    if engine not in ("spark", "local"):
        raise InvalidArgument(f"engine must be 'spark' or 'local', got {engine!r}")
    if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise InvalidArgument(
            f"name must be letters, digits, '_', '.' and '-', 64 at most, got {name!r}"
        )
    monitors = as_monitors(monitor)
    if bus is not None and not isinstance(bus, BusOptions):
        raise InvalidArgument(f"bus must be BusOptions(...), got {bus!r}")
    if bus is not None and bus.sd_file is not None and metrics_port is None:
        raise InvalidArgument(
            "BusOptions: sd_file names the endpoint of metrics_port: give metrics_port, too"
        )
    if journal is not None and not isinstance(journal, (str, os.PathLike)):
        raise InvalidArgument(f"journal must be the path of a file, or None, got {journal!r}")
    _switch("resume", resume)
    _switch("retry_failed", retry_failed)
    if resume and journal is None:
        raise InvalidArgument("resume=True needs the journal to go on with: give journal=PATH")
    if retry_failed and not resume:
        raise InvalidArgument("retry_failed=True is for a run that is resumed: give resume=True")
    limit, limit_reason = _limit(checked_space, max_trials, max_time, repeats)
    run = secrets.token_hex(8)
    settings = RunSettings(
        run=run,
        scheduler=scheduler or NoStopping(),
        seed=secrets.randbits(31) if seed is None else seed,
        mode=mode,
        max_trials=limit,
        limit_reason=limit_reason,
        max_time_s=max_time,
        stop_at=stop_at,
        epoch=time.time(),
        trial_timeout_s=trial_timeout,
        max_failures=max_failures,
        fail_fast=fail_fast,
        learns=searcher is not None and not isinstance(searcher, RandomSearch),
        repeats=repeats,
        retries=retries,
    )
    return Plan(
        name=name or f"run-{run[:6]}",
        objective=objective,
        space=checked_space,
        searcher=searcher or RandomSearch(),
        settings=settings,
        options=bus,
        engine=engine,
        workers=workers,
        monitors=monitors,
        journal=None if journal is None else Path(journal),
        resume=resume,
        retry_failed=retry_failed,
        seed_given=seed is not None,
        capture_output=capture_output,
        data=dict(data or {}),
        history=() if history is None else past_trials(history, checked_space),
        initial=_initial(checked_space, initial, unique),
        unique=unique,
        metrics_port=metrics_port,
        page=_page_port(page),
    )


def _initial(
    space: Space, given: Sequence[Mapping[str, Any]] | None, unique: bool
) -> tuple[Point, ...]:
    """The points of the configurations that were given; InvalidArgument names the wrong one.

    Where each is tried once, so is one that was given twice.
    """
    if given is None:
        return ()
    if not isinstance(given, (list, tuple)):
        raise InvalidArgument(f"initial must be a list of configurations, got {given!r}")
    points = []
    for number, params in enumerate(given):
        try:
            is_point = isinstance(params, RawPoint)
            points.append(tuple(params) if is_point else space.point_of(params))
        except InvalidArgument as error:
            raise InvalidArgument(f"initial[{number}]: {error}") from error
    return tuple(dict.fromkeys(points) if unique or space.is_finite else points)


def _page_port(page: object) -> int | None:
    """Where the live page is to be: a port, 0 for any, or None for no page."""
    if isinstance(page, bool):
        return 0 if page else None
    if isinstance(page, int) and 0 < page <= 65_535:
        return page
    raise InvalidArgument(f"page must be True, False or a port from 1 to 65535, got {page!r}")


def _form(plain: Any) -> str:
    """Plain values as a text that is the same for the same values, to be compared and shown."""
    return json.dumps(plain, sort_keys=True, default=repr)


def _limit(
    space: Space, max_trials: int | None, max_time: float | None, repeats: int
) -> tuple[int | None, str]:
    """How many trials there are at most, and the reason to give when they are done."""
    if space.is_finite:
        if max_trials is None and max_time is None and space.branches > MAX_GRID_POINTS:
            raise InvalidArgument(
                f"the space has {space.branches} configurations, so the run needs another end: "
                f"give max_trials or max_time (seconds)"
            )
        every = space.branches * repeats
        if max_trials is None or max_trials >= every:
            return min(every, 2**63 - 1), "exhausted"
    elif max_trials is None and max_time is None:
        raise InvalidArgument(
            "the space has no end, so the run needs one: give max_trials or max_time (seconds)"
        )
    return max_trials, "max_trials"


def _check_size(space: Space) -> None:
    """That a point fits into a message; what stands in a list twice is said."""
    if space.most_numbers > MAX_POINT:
        raise InvalidArgument(
            f"the space has up to {space.most_numbers} parameters in a configuration, more than "
            f"{MAX_POINT}; make func() or the objective compute some of them"
        )
    for path, value in space.repetitions.items():
        logger.warning("%s lists %s twice; both are kept", path, shortened(value))


def _whole(argument: str, value: object, least: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise InvalidArgument(
            f"{argument} must be a whole number of at least {least}, got {value!r}"
        )


def _count(argument: str, value: object, least: int) -> None:
    if value is None:
        raise InvalidArgument(f"{argument} must be a whole number of at least {least}, got None")
    _whole(argument, value, least)


def _switch(argument: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidArgument(f"{argument} must be True or False, got {value!r}")


def _target(value: object) -> float:
    try:
        target = to_metric(value)
    except Exception as error:
        raise InvalidArgument(f"stop_at must be a number, got {value!r}") from error
    if not math.isfinite(target):
        raise InvalidArgument(f"stop_at must be finite, got {value!r}")
    return target
