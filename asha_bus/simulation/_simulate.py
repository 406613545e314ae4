"""Simulate a run: the arguments, and what the fleet is made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import starmap
from math import isfinite
from random import Random
from typing import Any, NamedTuple

from asha_bus.core.checks import MAX_SECONDS, Rule, check, checked, described, shortened, whole
from asha_bus.core.errors import InvalidArgument, ObjectiveError
from asha_bus.core.events import RunSettings
from asha_bus.core.messages import Point
from asha_bus.core.pseudorandom import mix
from asha_bus.core.schedulers import NoStopping, Scheduler
from asha_bus.core.schedulers.base import RESOURCE
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import Space, as_space, randint
from asha_bus.core.trial import TrialRow
from asha_bus.core.trials import is_target
from asha_bus.hyperopt.space import if_hyperopt
from asha_bus.objective.values import to_metric
from asha_bus.searchers.adapter import Search, SearcherAdapter
from asha_bus.searchers.base import Suggests
from asha_bus.simulation.fleet import Conditions, Fleet
from asha_bus.simulation.outcome import Simulated
from asha_bus.simulation.recorded import Recorded, read
from asha_bus.simulation.workloads import Curves, Drawn, Row, Rows, Workload, check_drawn
from asha_bus.testing.simulator.simulation import Searcher

#: What a decision costs the router, as the load test measured it: seconds of processor time.
SERVICE_S = 50e-6
#: Seconds that a message takes by default.
LATENCY_S = 1e-3
#: Leases that never end, so that no worker need send heartbeats.
_NEVER_S = 1e9
#: The salt of the seed of what is random in a simulation beside the run itself.
_SALT = 4

_SCHEDULER = Rule(
    "a scheduler such as ASHA(max_resource=81), or None",
    lambda value: isinstance(value, Scheduler),
)
_SECONDS = Rule(
    "a number of seconds from 0 to 1e9", lambda value: 0 <= value <= MAX_SECONDS, (int, float)
)
_TIMES = Rule("a list of times in seconds", types=(Sequence,))
_RATE = Rule("a number of at least 0", lambda value: 0 <= value <= MAX_SECONDS, (int, float))
_CURVE = Rule("a list of metrics, or a dict of metrics by resource", types=(Iterable,))
_TARGET = Rule("a finite number, or None", isfinite, (int, float))
_MODE = Rule("'min' or 'max'", lambda value: value in ("min", "max"), (str,))

#: What holds by default.
_PLAIN = RunSettings("simulated", NoStopping(), 0)

#: What `simulate` takes as curves.
CurvesGiven = Callable[[Any, float], float] | Sequence[Any] | str | os.PathLike[str] | Recorded


class _InOrder:
    """The points of known configurations, in their order."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._points = points

    def points(self, first: int, count: int) -> tuple[Sequence[Point], bool]:
        """Those there are."""
        found = self._points[first : first + count]
        return found, len(found) < count

    def fallback(self, number: int) -> Point | None:
        """The same one."""
        return self._points[number] if number < len(self._points) else None

    def observe(self, row: TrialRow) -> None:
        """It learns nothing."""


@checked()
def simulate(
    curves: CurvesGiven,
    space: Space | Mapping[str, object] | None = None,
    *,
    scheduler: Scheduler | None = None,
    searcher: RandomSearch | Suggests | None = None,
    mode: str | None = None,
    max_trials: int | None = None,
    max_time: float | None = None,
    stop_at: float | None = None,
    repeats: int = 1,
    retries: int = 0,
    seed: int | None = None,
    workers: int | None = None,
    joins: Sequence[float] = (),
    leaves: Sequence[float] = (),
    step_s: Drawn | None = None,
    latency_s: Drawn | None = None,
    service_s: float = SERVICE_S,
    failures: float = 0.0,
    losses: float = 0.0,
    replace_s: float = 0.0,
    end: float | None = None,
    schedulers: Sequence[type[Scheduler]] = (),
) -> Simulated:
    """Simulate a run on learning curves, in virtual time.

    Scheduler, searcher and decisions are those of a real run; only workers, network and
    objective are simulated. The same arguments give the same run. Workers send no
    heartbeats: a lost one is noticed at once. Only reports at rungs are simulated. A searcher
    answers at once.

    Args:
        curves: The learning curves. A function of the parameters, as a dict, and of a
            resource, which returns the metric there; if its first parameter is named
            ``point`` or ``trial``, it gets the point or a trial with ``id``, ``params``,
            ``point`` and ``seed``. Or a table: a list of curves, one for each trial, each a
            list of metrics at resource 1, 2, 3 and so on, or a dict of metrics by resource.
            Or the path of a journal: its trials, metrics and times.
        space: The space, for a function; otherwise it is known.
        scheduler: What stops trials early. Default None: that of the journal, or nothing.
        searcher: What suggests configurations, for a function. Default None: random search.
        mode: Which metric is better. Default None: that of the journal, or ``"min"``.
        max_trials: The run ends after this many trials; needed for a function, unless
            ``max_time`` is given, or the scheduler says how many it is made for. Default
            None: all that there are.
        max_time: The run ends after this many virtual seconds. Default None.
        stop_at: The run ends when a metric is as good as this; of a function only the metrics at
            rungs are known. Default None: that of the journal, unless ``mode`` is another one.
            To simulate a journal without its target, give one that no metric reaches.
        repeats: How many trials try each configuration. Default 1; a journal has its own.
        retries: How often a failed trial is restarted. Default 0.
        seed: The seed of the run. Default None: that of the journal, or 0.
        workers: How many workers join at the start. Default None: those of the journal, when
            they joined; otherwise one, or none if there are ``joins``.
        joins: When further workers join, in seconds.
        leaves: When a worker leaves, the one that joined last, in seconds.
        step_s: Seconds for one unit of resource: a number, or a function that draws one with
            the ``random.Random`` that it gets, once for each stretch from one decision to the
            next. Default None: the times of the journal, or 1.
        latency_s: Seconds that a message takes, one way, a number or such a function. Default
            None: 0 for a journal, whose times include it, or 0.001.
        service_s: Seconds for which a message keeps the router busy. Default 50 us, the
            processor time of a decision in the load test.
        failures: How often an objective raises, on average, for each second of work.
        losses: How often a worker dies, for each second of work.
        replace_s: Seconds until another worker takes the place of a lost one. Default 0.
        end: The resource where objectives end by themselves, for a function. Default None.
        schedulers: The class of the journal's scheduler, if it is not one of asha-bus.

    Returns:
        A `Simulated`, which has the `Result`.

    Raises:
        InvalidArgument: An argument is wrong, or a curve is shorter than what the scheduler
            asks for.
        JournalError: The file is not a journal.

    Example:
        >>> run = ab.simulate([[0.5, 0.25], [0.75, 0.5]], scheduler=ab.ASHA(2), workers=1)
        >>> [str(trial.state) for trial in run.result.trials]
        ['COMPLETED', 'STOPPED']
    """
    check_drawn("latency_s", 0.0 if latency_s is None else latency_s)
    check_drawn("step_s", 1.0 if step_s is None else step_s)
    for name, value, rule in (
        ("scheduler", scheduler, _SCHEDULER),
        ("mode", mode, _MODE),
        ("max_trials", max_trials, whole(1)),
        ("max_time", max_time, _SECONDS),
        ("repeats", repeats, whole(1)),
        ("retries", retries, whole(0)),
        ("seed", seed, whole(0)),
        ("workers", workers, whole(0)),
        ("service_s", service_s, _SECONDS),
        ("failures", failures, _RATE),
        ("losses", losses, _RATE),
        ("replace_s", replace_s, _SECONDS),
        ("end", end, RESOURCE),
        ("stop_at", stop_at, _TARGET),
    ):
        if value is not None:
            check(name, value, rule)
    for name, times in (("joins", joins), ("leaves", leaves)):
        check(name, times, _TIMES)
        for at in times:
            check(f"each of {name}", at, _SECONDS)
    random = Random()
    source: _Source
    if isinstance(curves, (str, os.PathLike)):
        curves = read(curves, schedulers)
    if isinstance(curves, Recorded):
        _check_known("a journal", space, searcher, end)
        most = (scheduler or curves.settings.scheduler).full_resource
        if stop_at is None and mode in (None, curves.settings.mode):
            stop_at = curves.settings.stop_at
        target = _target(stop_at, mode or curves.settings.mode)
        source = _of_journal(curves, curves.workload(step_s, random, most, target))
        repeats = source.settings.repeats
        if workers is None and not joins:
            joins = source.joins
    else:
        step_s = 1.0 if step_s is None else step_s
        if callable(curves):
            if space is None:
                raise InvalidArgument("curves as a function also need a space")
            found = as_space(space, [if_hyperopt])
            by = RandomSearch() if searcher is None else searcher
            search = Search(by, found, seed or 0, mode or "min", repeats=repeats)
            known = found.branches * repeats if found.is_finite else None
            workload = Curves(curves, found, step_s, end, random)
            source = _Source(_PLAIN, found, workload, SearcherAdapter(search), known)
        else:
            _check_known("a table", space, searcher, end)
            target = _target(stop_at, mode or "min")
            source = _of_table(curves, repeats, step_s, random, target)
        if workers is None and not joins:
            workers = 1
        latency_s = LATENCY_S if latency_s is None else latency_s
    old = source.settings
    scheduler = scheduler or old.scheduler
    if max_trials is None and source.known is None:
        max_trials = _size_of_cohort(scheduler, repeats)
    settings = RunSettings(
        "simulated",
        scheduler,
        old.seed if seed is None else seed,
        mode=mode or old.mode,
        max_trials=_least(max_trials, source.known),
        limit_reason="max_trials" if source.known is None else _reason(max_trials, source.known),
        max_time_s=max_time,
        stop_at=stop_at,
        lease_s=_NEVER_S,
        heartbeat_s=_NEVER_S,
        learns=not isinstance(searcher, RandomSearch | None),
        repeats=repeats,
        retries=retries,
        searcher="" if searcher is None else described(searcher),
    )
    if settings.max_trials is None and max_time is None:
        raise InvalidArgument("the space is infinite, so the run needs max_trials or max_time")
    if settings.max_trials is not None:
        settings.scheduler.check_cohort(-(-settings.max_trials // repeats))
    random.seed(mix(settings.seed, _SALT))
    given = Conditions(
        workers=workers or 0,
        joins=joins,
        leaves=leaves,
        latency_s=latency_s or 0.0,
        service_s=service_s,
        failures=failures,
        losses=losses,
        replace_s=replace_s,
    )
    fleet = Fleet(settings, source.workload, source.points, given, random)
    fleet.run()
    return Simulated(fleet, source.space)


def _size_of_cohort(scheduler: Scheduler, repeats: int) -> int | None:
    """How many trials a run in an infinite space has; None: any number."""
    if scheduler.configurations is not None:
        return scheduler.configurations * repeats
    if scheduler.fixed_cohort:
        raise InvalidArgument(
            f"{type(scheduler).__name__} compares the trials of a cohort, and the space is "
            f"infinite, so the run needs its size: give max_trials"
        )
    return None


def _least(max_trials: int | None, known: int | None) -> int | None:
    return min((most for most in (max_trials, known) if most is not None), default=None)


def _reason(max_trials: int | None, known: int) -> str:
    return "max_trials" if max_trials is not None and max_trials < known else "exhausted"


class _Source(NamedTuple):
    """Where the curves of a run come from."""

    #: What holds where the arguments do not say it.
    settings: RunSettings
    space: Space
    workload: Workload
    points: Searcher
    #: How many trials there can be; None: any number.
    known: int | None
    joins: Sequence[float] = ()


def _of_journal(journal: Recorded, workload: Workload) -> _Source:
    return _Source(
        journal.settings,
        journal.space,
        workload,
        _InOrder(journal.points),
        len(journal.rows),
        journal.joins,
    )


def _target(stop_at: float | None, mode: str) -> Callable[[float], bool] | None:
    return None if stop_at is None else partial(is_target, target=stop_at, mode=mode)


def _of_table(
    curves: Any,
    repeats: int,
    step_s: Drawn,
    random: Random,
    target: Callable[[float], bool] | None,
) -> _Source:
    if not isinstance(curves, Sequence) or isinstance(curves, bytes) or not curves:
        raise InvalidArgument(
            f"curves must be a function, the path of a journal, or a list with a curve for each "
            f"trial, got {shortened(curves)}"
        )
    rows = []
    for number, curve in enumerate(curves):
        check(f"curve {number} of the table", curve, _CURVE)
        pairs = curve.items() if isinstance(curve, Mapping) else enumerate(curve, 1)
        rows.append(Row(number, dict(starmap(partial(_point, number), pairs))))
    count = len(rows) // repeats
    if not count:
        raise InvalidArgument(f"the table has {len(rows)} curves, too few for repeats={repeats}")
    space = Space(curve=randint(0, max(count - 1, 1)))
    points = _InOrder([space.point_of({"curve": number}) for number in range(count)])
    workload = Rows(rows, step_s, random, is_target=target)
    return _Source(_PLAIN, space, workload, points, count * repeats)


def _point(number: int, at: object, metric: object) -> tuple[float, float]:
    """A point of curve ``number`` of a table."""
    check(f"a resource in curve {number} of the table", at, RESOURCE)
    try:
        return float(at), to_metric(metric)  # type: ignore[arg-type]
    except ObjectiveError as error:
        raise InvalidArgument(f"curve {number} of the table, resource {at}: {error}") from None


def _check_known(what: str, space: object, searcher: object, end: object) -> None:
    for name, value in (("space", space), ("searcher", searcher), ("end", end)):
        if value is not None:
            raise InvalidArgument(f"{name} is for curves as a function: {what} has its own trials")
