"""Converts the points of a space into parameters and back, across the members of a union."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import Any

from asha_bus.core.checks import shortened
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

#: The name of the one value of a positional space, see `Points.is_positional`.
POSITIONAL = "args"


def by_name(params: Any) -> Mapping[Any, Any]:
    """What the objective gets, by name; of a positional space that may be one value."""
    return params if isinstance(params, Mapping) else {POSITIONAL: params}


class Points:
    """The points of one or more members; a point of a union begins with its member's number.

    The level-1 configurations of the members are numbered one member after the other.
    """

    def __init__(self, parts: Sequence[Member], *, is_positional: bool = False) -> None:
        self._parts = tuple(parts)
        #: Whether the space is not a dict, so that an objective gets one positional argument.
        self.is_positional = is_positional
        #: The number of the first level-1 configuration of each member, and the total.
        self._begins = list(accumulate((part.branches for part in parts), initial=0))

    @property
    def parts(self) -> tuple[Member, ...]:
        """The members, as the algebra works on them."""
        return self._parts

    @property
    def branches(self) -> int:
        """The number of level-1 configurations; 1 for a space without grids."""
        return self._begins[-1]

    @property
    def most_numbers(self) -> int:
        """The largest number of numbers in a point."""
        return max(longest(part.slots) for part in self._parts) + (len(self._parts) > 1)

    def draw_point(self, random: Random, branch: int) -> Point:
        """Draw a point of one level-1 configuration.

        Args:
            random: The generator for everything that level 1 does not fix.
            branch: The number of the level-1 configuration, from 0.

        Returns:
            The point: a flat tuple of plain numbers.

        Raises:
            InvalidArgument: ``branch`` is out of range, or no draw satisfies a condition.

        Example:
            >>> from random import Random
            >>> point = Space(lr=uniform(0, 1)).draw_point(Random(0), branch=0)
        """
        at, part, its = self._place(branch)
        numbers: Numbers = {}
        part.fill(its, random, numbers)
        return self._point(at, numbers)

    def _place(self, branch: int) -> tuple[int, Member, int]:
        """The index and the member of a level-1 configuration, and its number in that member."""
        if not 0 <= branch < self.branches:
            raise InvalidArgument(
                f"branch must be a whole number from 0 to {self.branches - 1}, got {branch!r}"
            )
        at = bisect_right(self._begins, branch) - 1
        return at, self._parts[at], branch - self._begins[at]

    def _point(self, at: int, numbers: Numbers) -> Point:
        """The numbers as a point; in a union the member's number comes first."""
        values = numbers.values()
        return (at, *values) if len(self._parts) > 1 else tuple(values)

    def _read(self, point: Point) -> tuple[int, Numbers]:
        """The member and the numbers of a point; raises `InvalidArgument` for a foreign point."""
        remaining = iter(point)
        at = next(remaining, None) if len(self._parts) > 1 else 0
        if at is None or at not in range(len(self._parts)):
            raise InvalidArgument(
                f"a point of this space begins with the number of one of its {len(self._parts)} "
                f"members, got {shortened(point)}"
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
                f"a point of this space has {expected} numbers, got {len(point)}: "
                f"{shortened(point)}"
            )
        return int(at), numbers

    def resolve(self, point: Point) -> Any:
        """Convert a point into parameters, in the structure in which they were written.

        Args:
            point: A point of this space.

        Returns:
            What the objective gets: the parameters by name, or the one argument of a space of
            Hyperopt that is not a dict. It is a new structure at each call.

        Raises:
            InvalidArgument: ``point`` is not a point of this space.
            Exception: Whatever a function of `func` raises.

        Example:
            >>> Space(lr=uniform(0, 1), act=choice("relu", "tanh")).resolve((0.5, 1))
            {'lr': 0.5, 'act': 'tanh'}
        """
        return self._filled(point, shown=False)

    def shown(self, point: Point) -> Any:
        """Convert a point into parameters to be shown: `resolve` without its errors of functions.

        Args:
            point: A point of this space.

        Returns:
            What the objective gets; for a `func` that raises, a text with its error.

        Raises:
            InvalidArgument: ``point`` is not a point of this space.
        """
        return self._filled(point, shown=True)

    def _filled(self, point: Point, *, shown: bool) -> Any:
        at, numbers = self._read(point)
        found = Values(numbers, shown=shown).of(self._parts[at].tree)
        return found[POSITIONAL] if self.is_positional else found

    def values(self, point: Point) -> dict[str, Any]:
        """Return the values of a point by path, for tables and charts.

        Args:
            point: A point of this space.

        Returns:
            The value at each path in use; for a sub-space, the text ``option <i>``.

        Raises:
            InvalidArgument: ``point`` is not a point of this space.

        Example:
            >>> Space(net={"lr": uniform(0, 1)}).values((0.5,))
            {'net.lr': 0.5}
        """
        at, numbers = self._read(point)
        found: dict[str, Any] = {}
        Values(numbers, shown=True).by_path("", self._parts[at].tree, found)
        return found

    def member_of(self, point: Point) -> int:
        """Return the number of the member of a union that a point belongs to.

        Args:
            point: A point of this space.

        Returns:
            The number, from 0; 0 if the space is not a union.

        Raises:
            InvalidArgument: ``point`` is not a point of this space.
        """
        return self._read(point)[0]

    def branch_of(self, point: Point) -> int:
        """Return the number of the level-1 configuration that a point belongs to.

        Args:
            point: A point of this space.

        Returns:
            The number, from 0.

        Raises:
            InvalidArgument: ``point`` is not a point of this space.

        Example:
            >>> Space(lr=uniform(0, 1), depth=grid(2, 4)).branch_of((0.5, 1))
            1
        """
        at, numbers = self._read(point)
        return self._begins[at] + self._parts[at].branch_of(numbers)

    def point_of(self, params: Any, branch: int | None = None) -> Point:
        """Convert parameters into a point: the inverse of `resolve`.

        Args:
            params: The parameters by name. Constants and values of `func` may be omitted. A
                parameter that only a func uses is given by its path, see `level2`.
            branch: The number of a level-1 configuration, whose fixed values ``params``
                may then omit. None (default): find it from ``params``.

        Returns:
            The point.

        Raises:
            InvalidArgument: A parameter is missing, unknown or out of range; the message
                names it.

        Example:
            >>> Space(lr=uniform(0, 1), act=choice("relu", "tanh")).point_of(
            ...     {"lr": 0.5, "act": "tanh"}
            ... )
            (0.5, 1)
        """
        if self.is_positional and not (isinstance(params, Mapping) and set(params) == {POSITIONAL}):
            params = {POSITIONAL: params}
        if not isinstance(params, Mapping):
            raise InvalidArgument(f"params must be a dict of parameters, got {shortened(params)}")
        if branch is not None:
            at, part, its = self._place(branch)
            return self._point(at, match(part, params, its))
        problems: list[InvalidArgument] = []
        for is_exact in (True, False):  # several members may match
            problems.clear()
            for at, part in enumerate(self._parts):
                try:
                    return self._point(at, match(part, params, None, is_exact))
                except InvalidArgument as error:
                    problems.append(error)
        if len(problems) == 1:
            raise problems[0]
        details = "; ".join(f"member {at}: {error}" for at, error in enumerate(problems))
        raise InvalidArgument(f"{shortened(params)} matches no member of the space: {details}")

    def checked(self, point: Point, branch: int) -> Point:
        """Check a point.

        Args:
            point: What a searcher suggested, for instance.
            branch: The number of the level-1 configuration that it must belong to.

        Returns:
            ``point`` itself.

        Raises:
            InvalidArgument: ``point`` is not a point of ``branch``; the message says why.
        """
        at, numbers = self._read(point)
        paths = _paths(self._parts[at].slots)
        for parameter, number in numbers.items():
            try:
                if type(number) not in (int, float):  # the wire carries no other types
                    raise InvalidArgument(f"{number!r} is not a built-in int or float")
                parameter.check(number)
            except InvalidArgument as error:
                raise InvalidArgument(f"{paths[parameter]}: {error}") from error
        if (its := self._begins[at] + self._parts[at].branch_of(numbers)) != branch:
            raise InvalidArgument(
                f"the point {shortened(point)} belongs to level-1 configuration {its}, not to "
                f"{branch}"
            )
        return point

    def numbers(self, point: Point) -> dict[str, float]:
        """Return the numbers of a point by path: the inverse of `point_at`.

        Args:
            point: A point of this space.

        Returns:
            The number of each parameter, by its path as in `level2`.

        Raises:
            InvalidArgument: ``point`` is not a point of this space.

        Example:
            >>> Space(lr=uniform(0, 1), act=choice("relu", "tanh")).numbers((0.5, 1))
            {'lr': 0.5, 'act': 1}
        """
        at, numbers = self._read(point)
        paths = _paths(self._parts[at].slots)
        return {paths[parameter]: number for parameter, number in numbers.items()}

    def point_at(self, numbers: Mapping[str, float], branch: int) -> Point:
        """Build a point from the numbers that a searcher chose.

        Args:
            numbers: The number of each parameter by its path, see `level2`. Numbers of
                parameters that are not in use with the chosen options are ignored.
            branch: The number of the level-1 configuration, from 0.

        Returns:
            The point.

        Raises:
            InvalidArgument: A number is missing; the message names its path. A subclass,
                ``Refused``, is raised if a condition of `Space.where` is false.

        Example:
            >>> Space(lr=uniform(0, 1), depth=grid(2, 4)).point_at({"lr": 0.5}, branch=1)
            (0.5, 1)
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
        """The values that a level-1 configuration fixes: constants and values of grids.

        Args:
            branch: The number of the level-1 configuration, from 0.

        Returns:
            The values by top-level name. In a value that is fixed only in part, the other
            parameters remain as they were written.

        Raises:
            InvalidArgument: ``branch`` is out of range.

        Example:
            >>> Space(lr=uniform(0, 1), depth=grid(2, 4)).level1(1)
            {'depth': 4}
        """
        _, part, its = self._place(branch)
        known = part.fixed(its)
        values = Values(known, shown=True)
        found: dict[str, Any] = {}
        for name, node in part.tree.items():
            value = values.of(node) if name in part.fixed_names else filled(node, known)
            if value is not node or name in part.fixed_names:
                found[name] = value
        return found

    def level2(self, branch: int) -> list[Dimension]:
        """The parameters that the searcher chooses in a level-1 configuration.

        Args:
            branch: The number of the level-1 configuration, from 0.

        Returns:
            One ``Dimension`` per parameter, in the order of a point: its path, the
            parameter, and when it is in use.

        Raises:
            InvalidArgument: ``branch`` is out of range.

        Example:
            >>> [d.path for d in Space(lr=uniform(0, 1), depth=grid(2, 4)).level2(0)]
            ['lr']
        """
        _, part, its = self._place(branch)
        return part.left(its)


def _paths(slots: Iterable[Slot]) -> dict[Parameter, str]:
    return {slot.parameter: slot.path for slot in walk(slots)}


def _varies(slots: Iterable[Slot]) -> bool:
    """Whether points can have different lengths."""
    return any(slot.inner is not None for slot in slots)
