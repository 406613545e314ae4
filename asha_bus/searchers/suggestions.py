"""From a searcher to points: one for each configuration, by its number."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from asha_bus.core.errors import InvalidArgument, SearcherError
from asha_bus.core.messages import Point
from asha_bus.core.pseudorandom import mix
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import Space
from asha_bus.core.trial import Trial, TrialRow
from asha_bus.results.records import TrialRecord
from asha_bus.searchers.base import Branch

#: (seed, trial) gives the seed of a suggestion through `mix` with this salt.
_SEED_SALT = 2
#: The same for draws in the place of a point that was given out before.
_UNIQUE_SALT = 3
#: A point that is new is looked for by so many random draws.
_MOST_DRAWS = 10_000
_SEED_MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Search:
    """What configurations are drawn by."""

    searcher: Any
    space: Space
    seed: int
    mode: str
    #: The points of the first trials.
    initial: tuple[Point, ...] = ()
    #: No point is given out twice.
    unique: bool = False
    #: Trials of earlier runs, numbered below 0.
    history: tuple[TrialRecord, ...] = ()
    #: Each configuration is tried by so many trials in a row.
    repeats: int = 1

    @property
    def learns(self) -> bool:
        """Whether the searcher looks at what came of its configurations."""
        return not isinstance(self.searcher, RandomSearch)


class Suggestions:
    """The points of a run's configurations. The same number always gets the same point.

    Where nothing is repeated a configuration has the number of its trial. Raises
    `SearcherError` where the searcher raises, or suggests what is not in the space, and
    where a condition of the space holds of no draw.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        #: What draws without a searcher, or in its place.
        self._random: RandomSearch = RandomSearch() if search.learns else search.searcher
        self._points: dict[int, Point] = {}
        self._trials: dict[int, TrialRecord] = {}
        self._branches: dict[int, int] = {}
        #: The points that were given out, where none may be so twice.
        self._seen: set[Point] = set()
        #: The number of the configuration for which there was none any more.
        self._end: int | None = None

    def observe(self, row: TrialRow) -> None:
        """A trial entered a rung or ended, as the bus tells it."""
        trial = TrialRecord.from_row(row, self._search.space)
        known = self._trials.get(trial.id)
        if known is not None and known == trial:
            return  # told again after a death of the bus
        self.keep_of(row)
        self._trials[trial.id] = trial
        observe = getattr(self._search.searcher, "observe", None)
        if observe is not None:
            searcher = self._search.searcher
            _call(
                f"observe() of {_name(searcher)}, told of trial {trial.id},",
                "mend it, or leave it out",
                *(observe, trial),
            )

    def keep_of(self, row: TrialRow) -> None:
        """The configuration of a trial, as the bus tells it, has the trial's point."""
        self.keep(row.id // self._search.repeats, row.point)

    def keep(self, number: int, point: Point) -> None:
        """Configuration ``number`` has ``point``, if it has none yet."""
        if number not in self._points:
            self._points[number] = point
            self._branches[number] = self._search.space.branch_of(point)
            if self._search.unique:
                self._seen.add(point)

    def give(self, number: int, point: Point) -> None:
        """Configuration ``number`` has ``point``, whatever was suggested for it here."""
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
        """What configuration ``number`` gets where the searcher's process says ``point``.

        A spare that was drawn before stands, and so does what is unique; None: there are no
        more.
        """
        if number not in self._points:
            found: Point | None = point
            if point in self._seen:
                found = self._drawn(self._another, number)
            if found is not None:
                self.keep(number, found)
        return self._points.get(number)

    def points(self, first: int, count: int) -> tuple[list[Point], bool]:
        """The points of ``count`` of them from ``first`` on, and whether there are no more."""
        found: list[Point] = []
        for number in range(first, first + count):
            point = self._drawn(self._point, number)
            if point is None:
                return found, True
            found.append(point)
        return found, False

    def spare(self, number: int) -> Point | None:
        """The point of configuration ``number`` without the searcher; None: there are no more.

        It is a random draw, where neither ``initial`` nor level 1 tells it.
        """
        if number not in self._points:
            point = self._drawn(partial(self._next, is_fallback=True), number)
            if point is not None:
                self.keep(number, point)
        return self._points.get(number)

    @property
    def given(self) -> Mapping[int, Point]:
        """The points that configurations have, by number."""
        return self._points

    def _drawn(self, draw: Callable[[int], Point | None], number: int) -> Point | None:
        """What ``draw`` finds for configuration ``number``; SearcherError where it is refused."""
        try:
            return draw(number)
        except InvalidArgument as error:
            first = number * self._search.repeats
            raise SearcherError(f"nothing can be drawn for trial {first}: {error}") from error

    def _point(self, number: int) -> Point | None:
        search = self._search
        if not (search.learns or search.unique or search.initial):
            return self._draw(number)
        if search.unique and not search.learns:  # it depends on all before it
            for earlier in range(len(self._points), number):
                self._fresh(earlier)
        return self._fresh(number)

    def _fresh(self, number: int) -> Point | None:
        """The point of configuration ``number``, kept for when it is asked for again."""
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
        """Whether level 1 leaves anything of configuration ``number`` to a searcher."""
        space = self._search.space
        return bool(space.level2(number % space.branches))

    def _draw(self, number: int) -> Point:
        return self._random.draw(self._search.space, number, self._search.seed)

    def _next_of_finite(self, number: int) -> Point:
        """Each level-1 configuration once: those given first, then the others in order."""
        space = self._search.space
        first = {space.branch_of(point) for point in self._search.initial}
        branch = number - len(self._search.initial)
        for taken in sorted(first):
            branch += taken <= branch
        return space.draw_point(Random(0), branch % space.branches)

    def _another(self, number: int) -> Point | None:
        """A random draw that was not given out before; None where so many draws gave none."""
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
            f"suggest() of {_name(search.searcher)}, asked for trial {branch.trial},",
            "it must return a dict of parameters, or None for no more",
            *(search.searcher.suggest, branch, self._history(branch.number)),
        )
        if params is None:
            return None
        if not isinstance(params, (Mapping, tuple)):
            raise SearcherError(
                f"suggest() of {_name(search.searcher)} must return a dict of parameters, or None "
                f"for no more, got {params!r}"
            )
        try:
            if isinstance(params, tuple):
                return space.checked(params, branch.number)
            return space.point_of(params, branch.number)
        except InvalidArgument as error:
            raise SearcherError(
                f"suggest() of {_name(search.searcher)} returned what is not in the space: {error}"
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
        """The first trial of a configuration: not begun, or its worker not heard of since."""
        trial = Trial(number * self._search.repeats, point, seed=0)
        return TrialRecord.from_row(trial.to_row(), self._search.space)


def _call(what: str, advice: str, function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (Exception, SystemExit) as error:
        raise SearcherError(
            f"{what} raised {type(error).__name__}: {error}; {advice}:\n{traceback.format_exc()}"
        ) from error


def _name(searcher: object) -> str:
    return type(searcher).__name__
