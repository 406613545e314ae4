"""The members of a space: each has a layout and numbered level-1 configurations.

`Plain` is a dict as it was written, `Product` combines several members, and `Sampled`
replaces random parameters by a fixed number of draws. `asha_bus.core.space.where` has
the member that `Space.where` makes. A union is a list of members, see
`asha_bus.core.space.space`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from random import Random
from typing import Any, NamedTuple

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.pseudorandom import mix
from asha_bus.core.space.layout import Layout, Numbers, Place, Slot, draw, flatten, slots_of, walk
from asha_bus.core.space.options import MAX_GRID_POINTS, Grid
from asha_bus.core.space.parameter import Parameter

#: The most level-1 configurations of a sampled member: whole floats are exact up to this.
_MAX_SAMPLES = 2**53


#: Returns whether the numbers of a tree agree with the parameters that were given.
Fits = Callable[[dict[str, Any], Numbers], bool]


class Dimension(NamedTuple):
    """A parameter that is left to the searcher.

    ``when``: the alternatives under which the parameter is in use. Each alternative is a
    tuple of pairs (path of a choice, number of its option), which must all hold. ``((),)``
    means always.
    """

    path: str
    parameter: Parameter
    when: tuple[tuple[tuple[str, int], ...], ...]


class Member(ABC):
    """A part of a `Space`. ``branches``: the number of its level-1 configurations."""

    tree: dict[str, Any]
    slots: tuple[Slot, ...]
    places: tuple[Place, ...]
    branches: int
    #: The top-level names whose values the level-1 configuration fixes.
    fixed_names: frozenset[str]

    @property
    def is_finite(self) -> bool:
        """Whether the level-1 configuration fixes every value."""
        return len(self.fixed_names) == len(self.tree)

    @abstractmethod
    def fill(self, branch: int, random: Random, numbers: Numbers) -> None:
        """Add a point of level-1 configuration ``branch`` to ``numbers``, in the point's order."""

    @abstractmethod
    def branch_of(self, numbers: Numbers) -> int:
        """The level-1 configuration that a point belongs to."""

    @abstractmethod
    def fixed(self, branch: int) -> Numbers:
        """The numbers that level-1 configuration ``branch`` fixes, in any order."""

    def complete(self, known: Numbers, fits: Fits) -> None:  # noqa: B027 - most need not
        """Find the first sample that ``fits`` and add its numbers to ``known``.

        Raises `InvalidArgument` if no sample fits or one of its parameters is not known.
        """

    @abstractmethod
    def left(self, branch: int) -> list[Dimension]:
        """The parameters left to the searcher in level-1 configuration ``branch``."""


class Plain(Member):
    """A dict of parameters as it was written."""

    def __init__(self, tree: dict[str, Any]) -> None:
        layout = Layout(tree)
        self.tree, self.slots, self.places = tree, layout.slots, layout.places
        #: Every grid and its path, at any depth; the last grid varies fastest.
        self.grids = {
            slot.parameter: slot.path for slot in self.slots if isinstance(slot.parameter, Grid)
        }
        self.branches = math.prod(len(grid.options) for grid in self.grids)
        self.fixed_names = frozenset(
            name
            for name, node in tree.items()
            if name in layout.constants or _is_fixed(slots_of(node))
        )

    def fixed(self, branch: int) -> Numbers:
        found: Numbers = {}
        for grid in reversed(self.grids):
            branch, found[grid] = divmod(branch, len(grid.options))
        return found

    def fill(self, branch: int, random: Random, numbers: Numbers) -> None:
        draw(self.slots, random, self.fixed(branch), numbers)

    def branch_of(self, numbers: Numbers) -> int:
        branch = 0
        for grid, path in self.grids.items():
            if grid not in numbers:
                raise InvalidArgument(f"{path} is missing; give it a value of {shortened(grid)}")
            branch = branch * len(grid.options) + int(numbers[grid])
        return branch

    def left(self, branch: int) -> list[Dimension]:
        found: dict[Parameter, Dimension] = {}
        _collect(self.slots, (), self.fixed(branch), found)
        return list(found.values())


class Product(Member):
    """All combinations of the factors' level-1 configurations; the last factor varies fastest.

    Raises `InvalidArgument` if two factors share a parameter.
    """

    def __init__(self, factors: Sequence[Member]) -> None:
        self.factors = tuple(factors)
        self.tree = {name: node for factor in factors for name, node in factor.tree.items()}
        self.slots = tuple(slot for factor in factors for slot in factor.slots)
        self.places = tuple(place for factor in factors for place in factor.places)
        self.branches = math.prod(factor.branches for factor in factors)
        self.fixed_names = frozenset[str]().union(*(factor.fixed_names for factor in factors))
        seen: set[Parameter] = set()
        for factor in factors:
            theirs = {slot.parameter: slot.path for slot in walk(factor.slots)}
            for parameter in seen & theirs.keys():
                raise InvalidArgument(
                    f"{theirs[parameter]}: the same parameter is on both sides of *, and one side "
                    f"was sampled or filtered; multiply first, then use .sample() or .where()"
                )
            seen |= theirs.keys()

    def _split(self, branch: int) -> list[int]:
        found = []
        for factor in reversed(self.factors):
            branch, its = divmod(branch, factor.branches)
            found.append(its)
        return found[::-1]

    def fill(self, branch: int, random: Random, numbers: Numbers) -> None:
        for factor, its in zip(self.factors, self._split(branch), strict=True):
            factor.fill(its, random, numbers)

    def branch_of(self, numbers: Numbers) -> int:
        branch = 0
        for factor in self.factors:
            branch = branch * factor.branches + factor.branch_of(numbers)
        return branch

    def fixed(self, branch: int) -> Numbers:
        found: Numbers = {}
        for factor, its in zip(self.factors, self._split(branch), strict=True):
            found.update(factor.fixed(its))
        return found

    def complete(self, known: Numbers, fits: Fits) -> None:
        for factor in self.factors:
            factor.complete(known, fits)

    def left(self, branch: int) -> list[Dimension]:
        pairs = zip(self.factors, self._split(branch), strict=True)
        return [dimension for factor, its in pairs for dimension in factor.left(its)]


class SampleNumber(Parameter):
    """The number of the sample in a point, which the objective does not see."""

    kind = "sample"

    def __init__(self, n: int) -> None:
        self.n = n

    def __repr__(self) -> str:
        return f"the number of one of {self.n} samples"

    def draw(self, random: Random) -> float:
        raise NotImplementedError("a sample number is fixed by level 1, not drawn")

    def resolve(self, number: float) -> Any:
        return int(number)

    def number_of(self, value: Any) -> float:
        return int(value)


class Sampled(Member):
    """``n`` draws of ``inner`` per level-1 configuration; each draw becomes level 1.

    Sample i is drawn on demand from (seed, i).
    """

    def __init__(self, inner: Member, n: int, seed: int) -> None:
        if inner.branches * n > _MAX_SAMPLES:
            raise InvalidArgument(f"sample(): {inner.branches} * {n} samples are too many")
        self.inner, self.n, self.seed = inner, n, seed
        self.number = SampleNumber(n)
        self.tree, self.places = inner.tree, inner.places
        self.slots = (Slot(self.number, "sample number", None), *inner.slots)
        self.branches = inner.branches * n
        self.fixed_names = frozenset(self.tree)

    def fill(self, branch: int, random: Random, numbers: Numbers) -> None:
        its, number = divmod(branch, self.n)
        numbers[self.number] = number
        self.inner.fill(its, Random(mix(self.seed, number)), numbers)

    def branch_of(self, numbers: Numbers) -> int:
        return self.inner.branch_of(numbers) * self.n + int(numbers[self.number])

    def fixed(self, branch: int) -> Numbers:
        found: Numbers = {}
        self.fill(branch, Random(0), found)
        return found

    def complete(self, known: Numbers, fits: Fits) -> None:
        self.inner.complete(known, fits)
        seen = {place.leaf for place in self.places}
        unseen = (s.parameter for s in walk(self.inner.slots) if s.parameter not in seen)
        # raises if a parameter is missing
        flatten(self.inner.slots, {**dict.fromkeys(unseen, 0), **known}, {})
        likely = self.inner.branch_of(known) * self.n  # sub-spaces of a grid may be equal
        found = range(likely, likely + self.n), range(likely), range(likely + self.n, self.branches)
        for branch in islice(chain(*found), MAX_GRID_POINTS):
            drawn: Numbers = {}
            self.fill(branch, Random(0), drawn)
            if fits(self.tree, drawn):
                known.update(drawn)
                return
        raise InvalidArgument(f"the values match none of the {self.n} samples")

    def left(self, branch: int) -> list[Dimension]:
        return []


def _is_fixed(slots: Iterable[Slot]) -> bool:
    return all(isinstance(slot.parameter, Grid) for slot in walk(slots))


def _collect(
    slots: Iterable[Slot],
    condition: tuple[tuple[str, int], ...],
    fixed: Numbers,
    found: dict[Parameter, Dimension],
) -> None:
    """Add the parameters of ``slots`` that are not fixed, and their conditions, to ``found``."""
    for parameter, path, inner in slots:
        if parameter in fixed:
            if inner is not None:
                _collect(inner[int(fixed[parameter])], condition, fixed, found)
            continue
        known = found.get(parameter)
        if known is None:
            found[parameter] = Dimension(path, parameter, (condition,))
        elif known.when != ((),):
            when = ((),) if condition == () else (*known.when, condition)
            found[parameter] = known._replace(when=when)
        for i, option in enumerate(inner or ()):
            _collect(option, (*condition, (path, i)), fixed, found)
