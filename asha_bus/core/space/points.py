"""The points of a space: which member a number is of, and from numbers to values and back."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.messages import Point
from asha_bus.core.space.inverse import match
from asha_bus.core.space.layout import (
    Numbers,
    Slot,
    Values,
    filled,
    flatten,
    longest,
    read,
    walk,
)
from asha_bus.core.space.member import Dimension, Member
from asha_bus.core.space.parameter import Parameter

#: The name of what a positional space holds, see `Points.is_positional`.
POSITIONAL = "args"


class Points:
    """The points of some members, of which each is in one. That of a union begins with its number.

    Members follow each other in the level-1 configurations, too.
    """

    def __init__(self, parts: Sequence[Member], *, is_positional: bool = False) -> None:
        self._parts = tuple(parts)
        #: Whether an objective gets one argument by position, since this is no dict.
        self.is_positional = is_positional
        #: The number of the first level-1 configuration of each member, and of all.
        self._begins = list(accumulate((part.branches for part in parts), initial=0))

    @property
    def parts(self) -> tuple[Member, ...]:
        """The members as the algebra works on them."""
        return self._parts

    @property
    def branches(self) -> int:
        """The number of level-1 configurations; 1 where there is no grid."""
        return self._begins[-1]

    @property
    def most_numbers(self) -> int:
        """How many numbers a point has at most."""
        return max(longest(part.slots) for part in self._parts) + (len(self._parts) > 1)

    def draw_point(self, random: Random, branch: int) -> Point:
        """A point of level-1 configuration ``branch``, the rest drawn from ``random``."""
        at, part, its = self._place(branch)
        numbers: Numbers = {}
        part.fill(its, random, numbers)
        return self._point(at, numbers)

    def _place(self, branch: int) -> tuple[int, Member, int]:
        """The member of a level-1 configuration, and its number there."""
        if not 0 <= branch < self.branches:
            raise InvalidArgument(
                f"branch must be a whole number from 0 to {self.branches - 1}, got {branch!r}"
            )
        at = bisect_right(self._begins, branch) - 1
        return at, self._parts[at], branch - self._begins[at]

    def _point(self, at: int, numbers: Numbers) -> Point:
        """The numbers as a point; of a union it begins with the number of the member."""
        values = numbers.values()
        return (at, *values) if len(self._parts) > 1 else tuple(values)

    def _read(self, point: Point) -> tuple[int, Numbers]:
        """The member and the numbers of a point; InvalidArgument if it is of another space."""
        remaining = iter(point)
        at = next(remaining, None) if len(self._parts) > 1 else 0
        if at is None or at not in range(len(self._parts)):
            raise InvalidArgument(
                f"a point of this space begins with the number of one of {len(self._parts)} "
                f"members, got {point!r}"
            )
        numbers: Numbers = {}
        part = self._parts[int(at)]
        try:
            read(part.slots, remaining, numbers)
            expected = str(len(point) - len(list(remaining)))
        except StopIteration:
            fewest = longest(part.slots) + (len(self._parts) > 1)
            expected = str(fewest) if not _varies(part.slots) else f"more than {len(point)}"
        if expected != str(len(point)):
            raise InvalidArgument(
                f"a point of this space has {expected} numbers, got {len(point)}: {point!r}"
            )
        return int(at), numbers

    def resolve(self, point: Point) -> dict[str, Any]:
        """The parameters of ``point`` as they were written, a new structure each time.

        Raises `InvalidArgument` where it is no point of this space, and whatever a
        function of `func` raises.
        """
        at, numbers = self._read(point)
        found: dict[str, Any] = Values(numbers).of(self._parts[at].tree)
        return found

    def shown(self, point: Point) -> dict[str, Any]:
        """What `resolve` gives, but of a `func` that raises a text that says so."""
        at, numbers = self._read(point)
        found: dict[str, Any] = Values(numbers, shown=True).of(self._parts[at].tree)
        return found

    def values(self, point: Point) -> dict[str, Any]:
        """The value at each path that is there in ``point``; of a sub-space ``option <i>``."""
        at, numbers = self._read(point)
        found: dict[str, Any] = {}
        Values(numbers, shown=True).by_path("", self._parts[at].tree, found)
        return found

    def member_of(self, point: Point) -> int:
        """The number of the member of a union that ``point`` is of; 0 if it is none."""
        return self._read(point)[0]

    def branch_of(self, point: Point) -> int:
        """The level-1 configuration that ``point`` is of."""
        at, numbers = self._read(point)
        return self._begins[at] + self._parts[at].branch_of(numbers)

    def point_of(self, params: Any, branch: int | None = None) -> Point:
        """The point whose parameters are ``params``: what `resolve` gives, turned round.

        Constants and values of `func` need not be given. With ``branch``, what that level-1
        configuration tells need not be either. A parameter that only a func sees is given
        by its path (see `level2`). Raises `InvalidArgument` naming the parameter that is
        missing, unknown or outside.
        """
        if self.is_positional and not (isinstance(params, Mapping) and set(params) == {POSITIONAL}):
            params = {POSITIONAL: params}
        if not isinstance(params, Mapping):
            raise InvalidArgument(f"params must be a dict of parameters, got {params!r}")
        if branch is not None:
            at, part, its = self._place(branch)
            return self._point(at, match(part, params, its))
        problems: list[InvalidArgument] = []
        for is_exact in (True, False):  # several members may have what was given
            problems.clear()
            for at, part in enumerate(self._parts):
                try:
                    return self._point(at, match(part, params, None, is_exact))
                except InvalidArgument as error:
                    problems.append(error)
        if len(problems) == 1:
            raise problems[0]
        told = "; ".join(f"member {at}: {error}" for at, error in enumerate(problems))
        raise InvalidArgument(f"{params!r} fits no member of the space: {told}")

    def checked(self, point: Point, branch: int) -> Point:
        """``point``, if it is one of level-1 configuration ``branch``; InvalidArgument if not."""
        at, numbers = self._read(point)
        paths = _paths(self._parts[at].slots)
        for parameter, number in numbers.items():
            try:
                if type(number) not in (int, float):  # others would not travel
                    raise InvalidArgument(f"{number!r} is no built-in int or float")
                parameter.check(number)
            except InvalidArgument as error:
                raise InvalidArgument(f"{paths[parameter]}: {error}") from error
        if (its := self._begins[at] + self._parts[at].branch_of(numbers)) != branch:
            raise InvalidArgument(
                f"the point {point!r} is of level-1 configuration {its}, and not of {branch}"
            )
        return point

    def numbers(self, point: Point) -> dict[str, float]:
        """The number of each parameter in ``point``, by the path that `level2` tells."""
        at, numbers = self._read(point)
        paths = _paths(self._parts[at].slots)
        return {paths[parameter]: number for parameter, number in numbers.items()}

    def point_at(self, numbers: Mapping[str, float], branch: int) -> Point:
        """The point of level-1 configuration ``branch`` with ``numbers`` by the paths of `level2`.

        Those that are not there with the options chosen are left out. Raises
        `InvalidArgument` naming one that is missing, and `Refused` where a condition does
        not hold.
        """
        at, part, its = self._place(branch)
        known = part.fixed(its)
        for path, parameter, _ in part.left(its):
            if path in numbers:
                known[parameter] = numbers[path]
        found: Numbers = {}
        flatten(part.slots, known, found)
        part.branch_of(found)
        return self._point(at, found)

    def level1(self, branch: int) -> dict[str, Any]:
        """What level-1 configuration ``branch`` tells, by name: constants, and values of grids.

        Of a name of which it tells a part the rest is there as it was written.
        """
        _, part, its = self._place(branch)
        known = part.fixed(its)
        values = Values(known, shown=True)
        found: dict[str, Any] = {}
        for name, node in part.tree.items():
            told = values.of(node) if name in part.fixed_names else filled(node, known)
            if told is not node or name in part.fixed_names:
                found[name] = told
        return found

    def level2(self, branch: int) -> list[Dimension]:
        """The parameters that are left to a searcher in ``branch``, in a point's order."""
        _, part, its = self._place(branch)
        return part.left(its)


def _paths(slots: Iterable[Slot]) -> dict[Parameter, str]:
    return {slot.parameter: slot.path for slot in walk(slots)}


def _varies(slots: Iterable[Slot]) -> bool:
    """Whether points are of different lengths."""
    return any(slot.inner is not None for slot in slots)
