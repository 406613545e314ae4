"""The space of parameters: what may be tried, and how a point of it is written.

A `Space` is a nested structure of dicts, lists and tuples whose leaves are
parameters (`uniform`, `loguniform`, `randint`, `choice`, `grid`) or constants.
A *point* is a flat tuple with one plain number per parameter, in the order in
which they stand; `Space.resolve` turns it into the parameters that an objective
receives. Points are what travels: options of `choice` and `grid` may be any
Python object, since only their index leaves the process.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from random import Random
from typing import Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.messages import Point

#: More level-1 configurations than this are surely a mistake.
MAX_GRID_POINTS = 1_000_000


def _fail(message: str) -> InvalidArgument:
    return InvalidArgument(message)


def _number(value: object, kind: str, argument: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        # numpy scalars and other number types have __float__ and no __len__
        if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
            raise _fail(
                f"{kind}: {argument} must be a number, got {value!r} of type {type(value).__name__}"
            )
        try:
            value = float(value)
        except (TypeError, ValueError, OverflowError) as error:  # an array of several, say
            raise _fail(f"{kind}: {argument} must be a number, got {value!r}: {error}") from error
    if not -sys.float_info.max <= value <= sys.float_info.max:
        raise _fail(f"{kind}: {argument} must be finite, got {value!r}")
    return value


class Parameter(ABC):
    """One dimension of a space. It draws plain numbers and resolves them."""

    @abstractmethod
    def draw(self, random: Random) -> float:
        """A plain number: the value itself, or the index of an option."""

    @abstractmethod
    def resolve(self, number: float) -> Any:
        """The value that the objective receives for ``number``."""


class _Range(Parameter):
    """Shared by the parameters with two bounds."""

    kind = ""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __repr__(self) -> str:
        return f"{self.kind}({self.low!r}, {self.high!r})"

    def resolve(self, number: float) -> Any:
        return number


class Uniform(_Range):
    """Real numbers from ``low`` to ``high``, all equally likely."""

    kind = "uniform"

    def draw(self, random: Random) -> float:
        share = random.random()
        value = self.low * (1 - share) + self.high * share  # their difference may be infinite
        return min(max(value, self.low), self.high)


class LogUniform(_Range):
    """Real numbers whose logarithm is uniform: each order of magnitude equally likely."""

    kind = "loguniform"

    def draw(self, random: Random) -> float:
        low, high = math.log(self.low), math.log(self.high)
        value = math.exp(low + (high - low) * random.random())
        return min(max(value, self.low), self.high)


class RandInt(_Range):
    """Whole numbers from ``low`` to ``high``, both included."""

    kind = "randint"

    def draw(self, random: Random) -> float:
        return random.randint(int(self.low), int(self.high))

    def resolve(self, number: float) -> Any:
        return int(number)


class _Options(Parameter):
    """Shared by the parameters that list their values, which may be any objects."""

    kind = ""

    def __init__(self, options: tuple[Any, ...]) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(map(repr, self.options))})"

    def resolve(self, number: float) -> Any:
        return self.options[int(number)]

    def draw(self, random: Random) -> float:
        return random.randrange(len(self.options))


class Choice(_Options):
    """One of the options, all equally likely; drawn by the searcher."""

    kind = "choice"


class Grid(_Options):
    """Each of the options: level 1, every one is run."""

    kind = "grid"


def _bounds(kind: str, low: object, high: object) -> tuple[float, float]:
    first, last = _number(low, kind, "low"), _number(high, kind, "high")
    if first > last:
        raise _fail(f"{kind}({low!r}, {high!r}): low is greater than high; swap the two")
    return first, last


def uniform(low: float, high: float) -> Parameter:
    """Real numbers between ``low`` and ``high``, all equally likely.

    Raises `InvalidArgument` where a bound is no finite number or low > high.
    """
    first, last = _bounds("uniform", low, high)
    return Uniform(float(first), float(last))


def loguniform(low: float, high: float) -> Parameter:
    """Real numbers between ``low`` and ``high``, uniform in their logarithm.

    The bounds are the values themselves, not exponents. Raises `InvalidArgument`
    where a bound is no finite number above 0 or low > high.
    """
    first, last = _bounds("loguniform", low, high)
    if first <= 0:
        raise _fail(
            f"loguniform({low!r}, {high!r}): low must be above 0, since a logarithm is taken; "
            f"use a small number such as 1e-6, or uniform()"
        )
    return LogUniform(float(first), float(last))


def randint(low: int, high: int) -> Parameter:
    """Whole numbers from ``low`` to ``high``, both included, as built-in ints.

    Raises `InvalidArgument` where a bound is no whole number or low > high.
    """
    first, last = _bounds("randint", low, high)
    for argument, value in (("low", first), ("high", last)):
        if value != int(value):
            raise _fail(f"randint: {argument} must be a whole number, got {value!r}")
        if abs(value) > 2**62:
            raise _fail(f"randint: {argument} must lie within +-2**62, got {value!r}")
    return RandInt(int(first), int(last))


def choice(*options: Any) -> Parameter:
    """One of ``options``, all equally likely, drawn anew for each trial.

    The options may be any Python objects. Raises `InvalidArgument` if there is none.
    """
    if not options:
        raise _fail("choice(): no options given; write choice('a', 'b')")
    return Choice(options)


def grid(*values: Any) -> Parameter:
    """All of ``values``: each combination of the grids of a space is run.

    One grid in two places of a space is one axis: both get the same value.
    One generator, range or other iterator in place of the values is read once.
    Raises `InvalidArgument` if there is no value.
    """
    if len(values) == 1 and (isinstance(values[0], (range, Iterator))):
        values = tuple(islice(values[0], MAX_GRID_POINTS + 1))
    if not values:
        raise _fail("grid(): no values given; write grid(1, 2, 3)")
    return Grid(values)


class Space:
    """A set of configurations.

    ``Space(lr=loguniform(1e-4, 1e-1), layers=[randint(8, 32), randint(8, 32)])``,
    or one dict in place of the keywords. Values may be nested dicts, lists and
    tuples; whatever is no parameter is a constant and reaches the objective as it
    is. Raises `InvalidArgument` where there is nothing in it.
    """

    def __init__(self, definition: Mapping[str, Any] | None = None, /, **names: Any) -> None:
        if definition is not None and not isinstance(definition, Mapping):
            raise _fail(
                f"Space(): the definition must be a dict of parameters, got {definition!r} "
                f"of type {type(definition).__name__}"
            )
        tree = {**(definition or {}), **names}
        if not tree:
            raise _fail("the space is empty; give it a parameter, as in Space(lr=uniform(0, 1))")
        for name in tree:
            if not isinstance(name, str):
                raise _fail(
                    f"the space has a parameter named {name!r} of type {type(name).__name__}; "
                    f"names of parameters are strings"
                )
        self._tree = tree
        self._leaves: list[tuple[str, Parameter]] = []
        _walk("", tree, self._leaves)
        axes: dict[int, list[int]] = {}
        for i, (_, leaf) in enumerate(self._leaves):
            if isinstance(leaf, Grid):
                axes.setdefault(id(leaf), []).append(i)
        #: The leaves of each grid: several where one grid() stands in several places.
        self._axes = list(axes.values())
        self._level1 = math.prod(len(self._options(axis)) for axis in self._axes)
        if self._level1 > MAX_GRID_POINTS:
            raise _fail(
                f"the grids of the space span {self._level1} configurations, more than "
                f"{MAX_GRID_POINTS}; turn some grid() into choice()"
            )

    def _options(self, axis: list[int]) -> tuple[Any, ...]:
        parameter = self._leaves[axis[0]][1]
        assert isinstance(parameter, Grid)
        return parameter.options

    def __repr__(self) -> str:
        return f"Space({', '.join(f'{name}={value!r}' for name, value in self._tree.items())})"

    @property
    def tree(self) -> dict[str, Any]:
        """The space as it was written: nested dicts, lists and tuples of parameters."""
        return self._tree

    @property
    def names(self) -> tuple[str, ...]:
        """The top-level names: what an objective is called with."""
        return tuple(self._tree)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Each parameter by its path, as ``layers[0]`` or ``net.units``."""
        return dict(self._leaves)

    @property
    def branches(self) -> int:
        """The number of level-1 configurations; 1 where there is no grid."""
        return self._level1

    @property
    def is_finite(self) -> bool:
        """Whether level 1 is all there is: no parameter is left to a searcher."""
        return sum(map(len, self._axes)) == len(self._leaves)

    def branch_point(self, branch: int) -> dict[int, int]:
        """The option of each grid in a level-1 configuration; the last grid varies fastest."""
        found: dict[int, int] = {}
        for axis in reversed(self._axes):
            branch, index = divmod(branch, len(self._options(axis)))
            found.update(dict.fromkeys(axis, index))
        return found

    def draw(self, random: Random, branch: int) -> Point:
        """A point of level-1 configuration ``branch``, the rest drawn from ``random``."""
        fixed = self.branch_point(branch)
        return tuple(
            fixed[i] if i in fixed else leaf.draw(random)
            for i, (_, leaf) in enumerate(self._leaves)
        )

    def resolve(self, point: Point) -> dict[str, Any]:
        """The parameters of ``point`` as they were written, a new structure each time."""
        if len(point) != len(self._leaves):
            raise _fail(
                f"a point of this space has {len(self._leaves)} numbers, "
                f"got {len(point)}: {point!r}"
            )
        numbers = iter(point)
        resolved: dict[str, Any] = _resolve(self._tree, numbers)
        return resolved

    def level1(self) -> Iterator[dict[str, Any]]:
        """The level-1 configurations of a finite space, in order."""
        if not self.is_finite:
            raise _fail("the space has parameters without end; only grids can be listed")
        for branch in range(self._level1):
            fixed = self.branch_point(branch)
            yield self.resolve(tuple(fixed[i] for i in range(len(fixed))))


def as_space(space: Space | Mapping[str, Any]) -> Space:
    """``space`` itself, or the `Space` of a plain dict; InvalidArgument for anything else."""
    if isinstance(space, Space):
        return space
    if isinstance(space, Mapping):
        return Space(space)
    raise _fail(
        f"space must be a Space or a dict of parameters, got {space!r} of type "
        f"{type(space).__name__}"
    )


def _items(node: Any) -> Iterable[tuple[str, Any]] | None:
    """The children of a container with their path parts; None for a leaf."""
    if type(node) is dict:
        return [(f".{key}", child) for key, child in node.items()]
    if type(node) in (list, tuple):
        return [(f"[{i}]", child) for i, child in enumerate(node)]
    return None


def _walk(path: str, node: Any, found: list[tuple[str, Parameter]]) -> None:
    if isinstance(node, Parameter):
        found.append((path.lstrip("."), node))
        if isinstance(node, _Options):
            nested = [option for option in node.options if _holds_parameter(option)]
            if nested:
                raise _fail(
                    f"{path.lstrip('.')}: {nested[0]!r} is an option of {node.kind}() and holds a "
                    f"parameter, which is not drawn there; give it a name of its own in the space"
                )
        return
    if isinstance(node, Space):
        raise _fail(f"{path.lstrip('.')}: a Space within a Space; use a plain dict there")
    if isinstance(node, type(uniform)) and node in _BUILDERS:
        raise _fail(
            f"{path.lstrip('.')}: {node.__name__} was not called; write {node.__name__}(...)"
        )
    children = _items(node)
    if children is None and _holds_parameter(node):
        raise _fail(
            f"{path.lstrip('.')}: a {type(node).__name__} holds a parameter, which is not drawn "
            f"there; use a plain dict, list or tuple"
        )
    for part, child in children or ():
        _walk(path + part, child, found)


def _holds_parameter(node: Any, depth: int = 4) -> bool:
    """Whether there is a parameter in ``node``, some containers deep."""
    if isinstance(node, Parameter) or depth == 0:
        return isinstance(node, Parameter)
    children = node.values() if isinstance(node, dict) else node
    return isinstance(node, (dict, list, tuple, set, frozenset)) and any(
        _holds_parameter(child, depth - 1) for child in children
    )


def _resolve(node: Any, numbers: Iterator[float]) -> Any:
    if isinstance(node, Parameter):
        return node.resolve(next(numbers))
    if type(node) is dict:
        return {key: _resolve(child, numbers) for key, child in node.items()}
    if type(node) is list:
        return [_resolve(child, numbers) for child in node]
    if type(node) is tuple:
        return tuple(_resolve(child, numbers) for child in node)
    return node


_BUILDERS: tuple[Callable[..., Parameter], ...] = (uniform, loguniform, randint, choice, grid)
