"""Gets the points of configurations from a searcher, one for each number."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument, SearcherError
from asha_bus.core.events import ValuesDrawn
from asha_bus.core.messages import Named, Point
from asha_bus.core.pseudorandom import mix
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import Space
from asha_bus.core.tracebacks import cut_internals
from asha_bus.core.trial import Trial, TrialRow
from asha_bus.results.records import TrialRecord
from asha_bus.searchers.base import Branch, NotDrawn

#: The salt with which `mix` makes the seed of a suggestion from the run's seed and its number.
_SEED_SALT = 2
#: The same for a draw that replaces a repeated point.
_UNIQUE_SALT = 3
#: The largest number of random draws in search of a new point.
_MOST_DRAWS = 10_000
_SEED_MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Search:
    """The settings from which configurations are drawn."""

    searcher: Any
    space: Space
    seed: int
    mode: str
    #: The points of the first trials.
    initial: tuple[Point, ...] = ()
    #: Whether no point may be used twice.
    unique: bool = False
    #: Trials of earlier runs, numbered below 0.
    history: tuple[TrialRecord, ...] = ()
    #: The number of trials of each configuration, which are consecutive.
    repeats: int = 1

    @property
    def learns(self) -> bool:
        """Whether the searcher learns from results."""
        return not isinstance(self.searcher, RandomSearch)


class SearcherAdapter:
    """The points of a run's configurations; the same number always gets the same point.

    Without repeats, a configuration has the number of its trial. Raises `SearcherError` if the
    searcher raises or suggests something outside the space, and if no draw meets a condition
    of the space.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        #: Draws if the searcher does not learn, and in its place.
        self._random: RandomSearch = RandomSearch() if search.learns else search.searcher
        self._points: dict[int, Point] = {}
        self._trials: dict[int, TrialRecord] = {}
        self._branches: dict[int, int] = {}
        #: The used points, if none may be used twice.
        self._seen: set[Point] = set()
        #: The first number for which there was no point; None until then.
        self._end: int | None = None

    def observe(self, row: TrialRow) -> None:
        """Handle the row of a trial that entered a rung or ended."""
        trial = TrialRecord.from_row(row, self._search.space)
        known = self._trials.get(trial.id)
        if known is not None and known == trial:
            return  # sent again after a restart of the bus
        self.keep_of(row)
        self._trials[trial.id] = trial
        observe = getattr(self._search.searcher, "observe", None)
        if observe is not None:
            searcher = self._search.searcher
            _call(
                f"observe() of {_name(searcher)} for trial {trial.id}",
                "fix it, or remove it",
                *(observe, trial),
            )

    def keep_of(self, row: TrialRow) -> None:
        """Keep the point in the row of a trial for its configuration."""
        self.keep(row.id // self._search.repeats, row.point)

    def keep(self, number: int, point: Point) -> None:
        """Keep ``point`` for configuration ``number``, if it has none yet."""
        if number not in self._points:
            self._points[number] = point
            self._branches[number] = self._search.space.branch_of(point)
            if self._search.unique:
                self._seen.add(point)

    def give(self, number: int, point: Point) -> None:
        """Set the point of configuration ``number``, whatever was suggested for it here."""
        other = self._points.get(number)
        if other is not None and other != point:
            del self._points[number]
            if other not in self._points.values():
                self._seen.discard(other)
        self.keep(number, point)
        pending = self._pending(number, point)
        known = self._trials.get(pending.id)
        if known is None or known.point != point:
            self._trials[pending.id] = pending

    def accept(self, number: int, point: Point) -> Point | None:
        """The point of configuration ``number`` after the searcher's process suggested ``point``.

        A fallback that was drawn before is kept, and a repeated point is replaced if points
        must be unique. None: there are no more points.
        """
        if number not in self._points:
            found: Point | None = point
            if point in self._seen:
                found = self._drawn(self._another, number)
            if found is not None:
                self.keep(number, found)
        return self._points.get(number)

    def points(self, first: int, count: int) -> tuple[list[Point], bool]:
        """The points of ``count`` configurations from ``first``, and whether there are no more."""
        search = self._search
        is_free = not (search.learns or search.unique or search.initial)
        point_of: Callable[[int], Point | None] = self._draw if is_free else self._point
        found: list[Point] = []
        for number in range(first, first + count):
            point = self._drawn(point_of, number)
            if point is None:
                return found, True
            found.append(point)
        return found, False

    def value(self, trial: int, name: str, distribution: str) -> ValuesDrawn:
        """The value of a parameter that the objective of ``trial`` asks for by name."""
        try:
            number = _call(
                f"draw() of {_name(self._search.searcher)} for {name!r} of trial {trial}",
                "it must return a number",
                *(self._search.searcher.draw, trial, name, distribution),
            )
        except NotDrawn as error:
            return ValuesDrawn(trial, ((name, distribution, 0.0),), str(error))
        return ValuesDrawn(trial, ((name, distribution, number),))

    def take_values(self) -> list[tuple[int, tuple[Named, ...]]]:
        """By trial, the values that were drawn by name together with the last points."""
        drawn = getattr(self._search.searcher, "take_drawn", None)
        return [] if drawn is None else drawn()

    def fallback(self, number: int) -> Point | None:
        """The fallback of configuration ``number``: its point without asking the searcher.

        It is a random draw, unless ``initial`` or level 1 determines it. None: there are no
        more points.
        """
        if number not in self._points:
            point = self._drawn(partial(self._next, is_fallback=True), number)
            if point is not None:
                self.keep(number, point)
        return self._points.get(number)

    @property
    def given(self) -> Mapping[int, Point]:
        """The points of configurations, by number."""
        return self._points

    def _drawn(self, draw: Callable[[int], Point | None], number: int) -> Point | None:
        """Call ``draw`` for configuration ``number``; raises SearcherError if it fails."""
        try:
            return draw(number)
        except InvalidArgument as error:
            first = number * self._search.repeats
            raise SearcherError(f"no draw is possible for trial {first}: {error}") from error

    def _point(self, number: int) -> Point | None:
        search = self._search
        if search.unique and not search.learns:  # a point depends on all earlier ones
            for earlier in range(len(self._points), number):
                self._fresh(earlier)
        return self._fresh(number)

    def _fresh(self, number: int) -> Point | None:
        """The point of configuration ``number``, which is kept for later calls."""
        if number in self._points:
            return self._points[number]
        if self._end is not None and number >= self._end:
            return None
        point = self._next(number)
        if point is None:
            self._end = number
            return None
        self.keep(number, point)
        if self._search.learns:
            pending = self._pending(number, point)
            self._trials[pending.id] = pending
        return point

    def _next(self, number: int, *, is_fallback: bool = False) -> Point | None:
        search = self._search
        point: Point | None
        if number < len(search.initial):
            point = search.initial[number]
        elif search.space.is_finite:
            point = self._next_of_finite(number)
        elif is_fallback or not search.learns or not self._is_left(number):
            point = self._draw(number)
        else:
            point = self._suggest(number)
        return self._another(number) if search.unique and point in self._seen else point

    def _is_left(self, number: int) -> bool:
        """Whether level 1 leaves a parameter of configuration ``number`` to the searcher."""
        space = self._search.space
        return bool(space.level2(number % space.branches))

    def _draw(self, number: int) -> Point:
        return self._random.draw(self._search.space, number, self._search.seed)

    def _next_of_finite(self, number: int) -> Point:
        """The point of a finite space: each level-1 configuration once, ``initial`` ones first."""
        space = self._search.space
        first = {space.branch_of(point) for point in self._search.initial}
        branch = number - len(self._search.initial)
        for taken in sorted(first):
            branch += taken <= branch
        return space.draw_point(Random(0), branch % space.branches)

    def _another(self, number: int) -> Point | None:
        """A random draw that was not used before; None if `_MOST_DRAWS` draws found none."""
        space = self._search.space
        for attempt in range(_MOST_DRAWS):
            generator = Random(mix(self._search.seed, _UNIQUE_SALT, number, attempt))
            point = space.draw_point(generator, (number + attempt) % space.branches)
            if point not in self._seen:
                return point
        return None

    def _suggest(self, number: int) -> Point | None:
        search = self._search
        space = search.space
        branch = Branch(
            number=number % space.branches,
            space=space,
            mode=search.mode,
            trial=number * search.repeats,
            seed=mix(search.seed, _SEED_SALT, number) & _SEED_MASK,
        )
        params = _call(
            f"suggest() of {_name(search.searcher)} for trial {branch.trial}",
            "it must return a dict of parameters, or None to end the run",
            *(search.searcher.suggest, branch, self._history(branch.number)),
        )
        if params is None:
            return None
        if not isinstance(params, (Mapping, tuple)):
            raise SearcherError(
                f"suggest() of {_name(search.searcher)} must return a dict of parameters, or None "
                f"to end the run, got {shortened(params)}"
            )
        try:
            if isinstance(params, tuple):
                return space.checked(params, branch.number)
            return space.point_of(params, branch.number)
        except InvalidArgument as error:
            raise SearcherError(
                f"suggest() of {_name(search.searcher)} returned a configuration "
                f"outside the space: {error}"
            ) from error

    def _history(self, branch: int) -> list[TrialRecord]:
        past = [
            trial
            for trial in self._search.history
            if self._search.space.branch_of(trial.point) == branch
        ]
        return past + [
            self._trials[number]
            for number in sorted(self._trials)
            if self._branches[number // self._search.repeats] == branch
        ]

    def _pending(self, number: int, point: Point) -> TrialRecord:
        """The record of a configuration's first trial while there is no news of it."""
        trial = Trial(number * self._search.repeats, point, seed=0)
        return TrialRecord.from_row(trial.to_row(), self._search.space)


def _call(what: str, advice: str, function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except NotDrawn:
        raise
    except (Exception, SystemExit) as error:
        cut_internals(error)
        trace = "".join(traceback.format_exception(error))
        raise SearcherError(
            f"{what} raised {type(error).__name__}: {error}; {advice}:\n{trace}"
        ) from error


def _name(searcher: object) -> str:
    return type(searcher).__name__
