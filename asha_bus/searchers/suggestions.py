"""From a searcher to points: one for each trial, by the number of the trial."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asha_bus.core.errors import InvalidArgument, SearcherError
from asha_bus.core.messages import Point
from asha_bus.core.rung import mix
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import Space
from asha_bus.core.trial import TrialState
from asha_bus.records import TrialRecord
from asha_bus.searchers.base import Branch

#: (seed, trial) gives the seed of a suggestion through `mix` with this salt.
_SEED_SALT = 2
_SEED_MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Search:
    """What configurations are drawn by."""

    searcher: Any
    space: Space
    seed: int
    mode: str

    @property
    def learns(self) -> bool:
        """Whether the searcher looks at what came of its configurations."""
        return not isinstance(self.searcher, RandomSearch)


class Suggestions:
    """The points of a run's trials. The same number always gets the same point.

    Raises `SearcherError` where the searcher raises, or suggests what is not in the
    space.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._random = RandomSearch()
        self._points: dict[int, Point] = {}
        self._trials: dict[int, TrialRecord] = {}
        #: The number of the trial for which the searcher had none any more.
        self._end: int | None = None

    def observe(self, row: Sequence[Any]) -> None:
        """A trial entered a rung or ended, as the bus tells it."""
        trial = TrialRecord.from_row(row, self._search.space)
        known = self._trials.get(trial.id)
        if known is not None and known == trial:
            return  # told again after a death of the bus
        self._points.setdefault(trial.id, tuple(row[1]))
        self._trials[trial.id] = trial
        observe = getattr(self._search.searcher, "observe", None)
        if observe is not None:
            _call("observe()", observe, trial)

    def give(self, number: int, point: Point) -> None:
        """Trial ``number`` has its point: it was suggested before."""
        self._points[number] = point
        self._trials.setdefault(number, _pending(number, point, self._search.space))

    def points(self, first: int, count: int) -> tuple[list[Point], bool]:
        """The points of ``count`` trials from ``first`` on, and whether there are no more."""
        found: list[Point] = []
        for number in range(first, first + count):
            point = self._point(number)
            if point is None:
                return found, True
            found.append(point)
        return found, False

    def spare(self, number: int) -> Point:
        """A random draw for trial ``number``."""
        return self._random.draw(self._search.space, number, self._search.seed)

    def _point(self, number: int) -> Point | None:
        search = self._search
        if not search.learns:
            drawn: Point = search.searcher.draw(search.space, number, search.seed)
            return drawn
        if number not in self._points:
            if self._end is not None and number >= self._end:
                return None
            suggested = self._suggest(number)
            if suggested is None:
                self._end = number
                return None
            self._points[number] = suggested
        return self._points[number]

    def _suggest(self, number: int) -> Point | None:
        search = self._search
        space = search.space
        branch = Branch(
            number=number % space.branches,
            space=space,
            mode=search.mode,
            trial=number,
            seed=mix(search.seed, _SEED_SALT, number) & _SEED_MASK,
        )
        params = _call("suggest()", search.searcher.suggest, branch, self._history(branch.number))
        if params is None:
            return None
        if not isinstance(params, (Mapping, tuple)):
            raise SearcherError(
                f"suggest() of {_name(search.searcher)} must return a dict of parameters, or None "
                f"for no more, got {params!r}"
            )
        try:
            if isinstance(params, tuple):
                point = space.checked(params, branch.number)
            else:
                point = space.point_of(params, branch.number)
        except InvalidArgument as error:
            raise SearcherError(
                f"suggest() of {_name(search.searcher)} returned what is not in the space: {error}"
            ) from error
        self._trials[number] = _pending(number, point, space)
        return point

    def _history(self, branch: int) -> list[TrialRecord]:
        branches = self._search.space.branches
        return [
            self._trials[number] for number in sorted(self._trials) if number % branches == branch
        ]


def _call(what: str, function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        raise SearcherError(
            f"{what} of the searcher raised {type(error).__name__}: {error}\n"
            f"{traceback.format_exc()}"
        ) from error


def _name(searcher: object) -> str:
    return type(searcher).__name__


def _pending(number: int, point: Point, space: Space) -> TrialRecord:
    """A trial that is to be, or whose worker has not been heard of since."""
    return TrialRecord(
        id=number,
        params=space.shown(point),
        state=TrialState.PENDING,
        metric=None,
        best_metric=None,
        resource=0,
        attempts=0,
        worker=None,
        start_time=None,
        end_time=None,
        error=None,
        extras={},
        bracket=0,
        seed=0,
        rungs=(),
        point=point,
    )
