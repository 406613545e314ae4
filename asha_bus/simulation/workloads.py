"""What simulated trials do: how long they take to the next decision, and what they report."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from inspect import isgeneratorfunction, signature
from itertools import repeat
from random import Random
from typing import Any, NamedTuple, SupportsFloat

from asha_bus.core import messages as m
from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument, ObjectiveError
from asha_bus.core.schedulers.base import reached
from asha_bus.core.space import Space
from asha_bus.objective.values import to_metric

#: A number, or a function that draws one with a generator of random numbers.
Drawn = float | Callable[[Random], float]


class Stretch(NamedTuple):
    """The work of a trial from one decision to the next one."""

    seconds: float
    #: What it reports then; None: nothing, for lack of a report.
    resource: float
    metric: float | None
    #: ``report``, or the outcome of an attempt that ends by itself: ``completed``, ``failed``.
    ends: str = "report"
    error: str | None = None


class SimulatedTrial(NamedTuple):
    """What a curve gets to know of its trial, where its first parameter is named ``trial``."""

    id: int
    params: Any
    point: m.Point
    seed: int


class Workload(ABC):
    """The objective of simulated workers."""

    @abstractmethod
    def open(self, assignment: m.Assignment) -> Any:
        """Begin an attempt; returns what `stretch` needs to know of the trial."""

    @abstractmethod
    def stretch(self, work: Any, done: float, to: float | None) -> Stretch:
        """The work from resource ``done`` until a report at ``to`` or later; None: to the end."""


class Curves(Workload):
    """A function of the parameters and the resource.

    Args:
        curve: Called with a resource, and before it with the parameters as a dict, the point
            (if its first parameter is named ``point``) or a `SimulatedTrial` (``trial``).
        space: The space of the run.
        step_s: Seconds for each unit of resource; a function draws it once for each stretch.
        end: Where trials end by themselves; None: nowhere.
        random: What ``step_s`` draws with.
    """

    def __init__(
        self,
        curve: Callable[[Any, float], float],
        space: Space,
        step_s: Drawn,
        end: float | None,
        random: Random,
    ) -> None:
        self._curve, self._space, self._end = curve, space, end
        self._draw = drawing(step_s, random, "step_s")
        _check_curve(curve)
        first = next(iter(signature(curve).parameters), "")
        self._of = first if first in ("point", "trial") else "params"

    def open(self, assignment: m.Assignment) -> Any:
        point = assignment.point
        if self._of == "point":
            return point
        params = self._space.resolve(point)
        if self._of == "params":
            return params
        return SimulatedTrial(assignment.trial, params, point, assignment.seed)

    def stretch(self, work: Any, done: float, to: float | None) -> Stretch:
        ends, end = "report", self._end
        if to is None or (end is not None and to > end):
            if end is None:
                raise InvalidArgument(
                    "the scheduler has no max_resource, so the simulated trials need an end: pass "
                    "end=RESOURCE, where the objective ends by itself"
                )
            to, ends = end, "completed"
        metric = self._curve(work, to)
        if type(metric) is not float:
            metric = self._to_metric(metric, to)
        return m.of_fields(Stretch, ((to - done) * self._draw(), to, metric, ends, None))

    def _to_metric(self, given: object, resource: float) -> float:
        try:
            return to_metric(given)
        except ObjectiveError as error:
            raise InvalidArgument(f"curves at resource {resource:g}: {error}") from None


def _check_curve(curve: Callable[..., object]) -> None:
    """Refuse an objective that was given in place of a curve."""
    instead = "to simulate an objective, launch it with journal=PATH and pass that path"
    name, form = getattr(curve, "__name__", shortened(curve)), signature(curve)
    try:
        form.bind({}, 1.0)
    except TypeError as error:
        raise InvalidArgument(
            f"curves must take two arguments, the parameters and a resource, and {name}{form} "
            f"does not; {instead}"
        ) from error
    if isgeneratorfunction(curve):
        raise InvalidArgument(
            f"curves must return a metric, and {name} is a generator function; {instead}"
        )


class Row:
    """One curve of known points: the resources of its reports, the metrics, and the times."""

    __slots__ = ("ends", "error", "metrics", "number", "resources", "times")

    def __init__(
        self,
        number: int,
        points: Mapping[float, float],
        *,
        ends: str | None = "completed",
        error: str | None = None,
        times: Sequence[tuple[float, float]] = (),
    ) -> None:
        self.number = number
        self.resources = sorted(points)
        self.metrics = [points[resource] for resource in self.resources]
        #: How it ends after its last report; None: what comes then is not known.
        self.ends, self.error = ends, error
        #: Pairs of a resource and the seconds of work until then; empty: not known.
        self.times = times

    def at(self, resource: float) -> float | None:
        """The seconds of work until ``resource``; None: not known."""
        before_r = before_s = 0.0
        for reached_r, reached_s in self.times:
            if resource <= reached_r and reached_r > before_r:
                share = (resource - before_r) / (reached_r - before_r)
                return before_s + share * (reached_s - before_s)
            before_r, before_s = reached_r, reached_s
        return before_s * resource / before_r if before_r else None


class Rows(Workload):
    """Known curves, one for each trial in its order.

    ``is_whole``: whether reports between two points that a row has may be missing.
    ``most``: the most resource that the simulated run may ask for; None: any.
    ``is_target``: whether a metric ends the run, which also a report between rungs does.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        step_s: Drawn,
        random: Random,
        *,
        is_whole: bool = True,
        most: float | None = None,
        is_target: Callable[[float], bool] | None = None,
    ) -> None:
        self._rows, self._is_whole, self._most = rows, is_whole, most
        self._is_target = is_target
        self._draw = drawing(step_s, random, "step_s")

    def open(self, assignment: m.Assignment) -> Row:
        return self._rows[assignment.trial]

    def stretch(self, work: Row, done: float, to: float | None) -> Stretch:
        resources = work.resources
        place = len(resources) if to is None else bisect_left(resources, to)
        if place and to is not None and reached(resources[place - 1], to):
            place -= 1
        if self._is_target is not None:
            later = range(bisect_right(resources, done), place)
            place = next((one for one in later if self._is_target(work.metrics[one])), place)
            to = resources[place] if place < len(resources) else to
        if place == len(resources):
            if work.ends is None:
                raise InvalidArgument(self._too_short(work, to))
            resource = max(resources[-1], done) if resources else done
            metric = work.metrics[-1] if resources else None
            return Stretch(self._seconds(work, done, None), resource, metric, work.ends, work.error)
        resource = resources[place]
        if not self._is_whole and to is not None and not reached(to, resource):
            raise InvalidArgument(self._too_short(work, to))
        return Stretch(self._seconds(work, done, resource), resource, work.metrics[place])

    def _seconds(self, work: Row, done: float, to: float | None) -> float:
        begun_s = work.at(done)
        if to is None:  # to its end, which may come after the last report
            ended_s = work.times[-1][1] if work.times else None
            to = work.resources[-1] if work.resources else 1.0
        else:
            ended_s = work.at(to)
        if begun_s is None or ended_s is None:
            return max(to - done, 0.0) * self._draw()
        return max(ended_s - begun_s, 0.0)

    def _too_short(self, work: Row, to: float | None) -> str:
        known = f"to resource {work.resources[-1]:g}" if work.resources else "without a report"
        asked = "its end" if to is None else f"its metric at resource {to:g}"
        most = "" if self._most is None else f"max_resource={self._most:g}"
        return (
            f"trial {work.number} has a curve {known}{'' if self._is_whole else ', rungs only'}, "
            f"and the simulated run asks for {asked}; record a run with curves=True and "
            f"NoStopping({most}), or simulate with a lower max_resource"
        )


def drawing(given: Drawn, random: Random, name: str) -> Callable[[], float]:
    """A function without arguments that draws from ``given``, which is called ``name``."""
    if not callable(given):
        return repeat(float(given)).__next__  # in C: called three times for each decision

    def draw() -> float:
        seconds = given(random)
        is_number = type(seconds) is float or isinstance(seconds, SupportsFloat)
        if not (is_number and 0 <= float(seconds) < math.inf):
            raise InvalidArgument(
                f"{name} must draw a number of seconds of at least 0, got {shortened(seconds)}"
            )
        return float(seconds)

    return draw


def check_drawn(argument: str, given: object) -> None:
    """InvalidArgument if ``given`` is neither a number of at least 0 nor a function."""
    if callable(given):
        return
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if not (is_number and 0 <= float(given) < math.inf):  # type: ignore[arg-type]
        raise InvalidArgument(
            f"{argument} must be a number of seconds of at least 0, or a function that draws one "
            f"with the random.Random that it gets, got {given!r}"
        )
