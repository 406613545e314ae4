"""The layout of a point: the order of its numbers, and the values that they stand for.

A tree of dicts, lists and tuples is walked depth first. Each parameter gets one number,
at its first place in the walk. In a sub-space, the index of the chosen option comes
first, followed by the numbers of that option only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from random import Random
from types import FunctionType
from typing import Any, NamedTuple

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space.contents import GRID_SEARCH, children, holds_parameter, is_plain, joined
from asha_bus.core.space.fresh import fresh
from asha_bus.core.space.normals import lognormal, normal
from asha_bus.core.space.options import (
    Func,
    Grid,
    Option,
    Options,
    choice,
    func,
    grid,
    option,
    ordinal,
)
from asha_bus.core.space.parameter import Leaf, Parameter, SubSpace
from asha_bus.core.space.ranges import loguniform, randint, uniform

_BUILDERS: tuple[Any, ...] = (
    *(uniform, loguniform, randint, normal, lognormal, choice, ordinal, grid, func, option),
)

#: What parameters of other tuners are, by the modules of their classes.
_ELSEWHERE = {
    "optuna.distributions.": "a distribution of Optuna",
    "ray.tune.search.": "a parameter of Ray Tune",
}

#: The number of each parameter in a point, in the point's order.
Numbers = dict[Parameter, float]


class Place(NamedTuple):
    """A parameter or a func and its path, such as ``net.units[0]`` or ``model:1.depth``."""

    path: str
    leaf: Leaf


class Slot(NamedTuple):
    """One number of a point. ``inner``: the slots that follow for each option, or None."""

    parameter: Parameter
    path: str
    inner: tuple[tuple[Slot, ...], ...] | None


class Layout:
    """The places and the slots of ``tree``.

    Raises `InvalidArgument` if the tree holds something that cannot be drawn.
    """

    def __init__(self, tree: dict[str, Any]) -> None:
        self.tree = tree
        #: Every place that the objective sees, including those inside options.
        by_name = {name: tuple(places_of(str(name), node)) for name, node in tree.items()}
        self.places = tuple(chain.from_iterable(by_name.values()))
        #: The names whose values hold nothing that is drawn or computed.
        self.constants = frozenset(name for name, its in by_name.items() if not its)
        self.slots = slots_of(tree, self.places)
        grids: set[Parameter] = {
            slot.parameter for slot in self.slots if isinstance(slot.parameter, Grid)
        }
        _check_grids(self.slots, grids)


def slots_of(node: Any, places: Iterable[Place] = ()) -> tuple[Slot, ...]:
    """The slots of ``node``; a parameter in ``places`` keeps the path that it has there."""
    names: dict[Parameter, str] = {}
    taken = set()
    for path, leaf in places:
        taken.add(path)
        if isinstance(leaf, Parameter):
            names.setdefault(leaf, path)
    return tuple(_slots("", node, names, taken, set(), set()))


def draw(
    slots: Iterable[Slot], random: Random, fixed: Mapping[Parameter, float], numbers: Numbers
) -> None:
    """Add all numbers of ``slots`` to ``numbers``: the ``fixed`` ones, the others drawn."""
    for parameter, _, inner in slots:
        if parameter in numbers:  # already drawn at an earlier place
            continue
        number = fixed[parameter] if parameter in fixed else parameter.draw(random)
        numbers[parameter] = number
        if inner is not None:
            draw(inner[int(number)], random, fixed, numbers)


def read(slots: Iterable[Slot], point: Iterator[float], numbers: Numbers) -> None:
    """Read the numbers of ``slots`` from ``point``; raise StopIteration if it is too short."""
    for parameter, path, inner in slots:
        if parameter in numbers:
            continue
        number = numbers[parameter] = next(point)
        if inner is not None:
            if number not in range(len(inner)):
                raise InvalidArgument(f"{path}: {number!r} is not one of {len(inner)} options")
            read(inner[int(number)], point, numbers)


def flatten(slots: Iterable[Slot], known: Mapping[Parameter, float], numbers: Numbers) -> None:
    """Add ``known`` to ``numbers`` in the order of ``slots``; raise if a number is missing."""
    for parameter, path, inner in slots:
        if parameter in numbers:
            continue
        if parameter not in known:
            raise InvalidArgument(f"{path} is missing; give it a value of {shortened(parameter)}")
        number = numbers[parameter] = known[parameter]
        if inner is not None:
            flatten(inner[int(number)], known, numbers)


def walk(slots: Iterable[Slot]) -> Iterator[Slot]:
    """All slots, including those inside options; a parameter may be in several."""
    for slot in slots:
        yield slot
        for inner in slot.inner or ():
            yield from walk(inner)


def longest(slots: Iterable[Slot]) -> int:
    """The largest number of numbers that a point of ``slots`` can have."""
    return sum(1 + max(map(longest, slot.inner or ((),))) for slot in slots)


def filled(node: Any, known: Numbers) -> Any:
    """``node`` with values for the ``known`` parameters; ``node`` itself if it has none."""
    if isinstance(node, Parameter):
        if node not in known:
            return node
        option = filled(node.resolve(known[node]), known)
        return option if holds_parameter(option) else fresh(option, {})
    if is_plain(node):
        return node
    if type(node) is dict:
        found = {key: filled(child, known) for key, child in node.items()}
        return found if any(found[key] is not node[key] for key in node) else node
    if type(node) in (list, tuple):
        parts = [filled(child, known) for child in node]
        is_changed = any(part is not child for part, child in zip(parts, node, strict=True))
        return type(node)(parts) if is_changed else node
    return node


def check_paths(tree: dict[str, Any], places: Iterable[Place], slots: Iterable[Slot]) -> None:
    """Raise `InvalidArgument` if two parameters of a member, or its constants, have one path."""
    constants = [(name, node) for name, node in tree.items() if not holds_parameter(node)]
    kinds = [(s.path, s.parameter, s.parameter.kind) for s in walk(slots)]
    drawn = [(path, kind if kind == "sample" else one) for path, one, kind in kinds]
    known: dict[str, Any] = {}
    for path, node in [*constants, *places, *drawn]:
        if known.setdefault(path, node) is not node:
            raise InvalidArgument(
                f"{path}: two values of the space have this path, by which searchers and results "
                f"know them; rename one of the keys that it is made of"
            )


class Values:
    """The values of a point. ``shown``: a func that raises becomes a text, for display.

    Plain data is copied, see `fresh`.
    """

    def __init__(self, numbers: Numbers, shown: bool = False) -> None:
        self._numbers = numbers
        self._computed: dict[Func, Any] = {}
        self._copies: dict[int, Any] = {}
        self._shown = shown

    def of(self, node: Any) -> Any:
        """A copy of ``node`` with values in place of parameters."""
        return fresh(node, self._copies, self._value)

    def _value(self, node: Any) -> Any:
        """The value of a parameter or a func; any other object is its own."""
        if isinstance(node, Parameter):
            return self.of(node.resolve(self._numbers[node]))
        if isinstance(node, Func):
            if node not in self._computed:
                self._computed[node] = self._compute(node)
            return self._computed[node]
        return node

    def by_path(self, path: str, node: Any, found: dict[str, Any]) -> None:
        """Add the value at each path in use to ``found``; for a sub-space, ``option <i>``."""
        if isinstance(node, Leaf):
            found[path] = self.of(node)
            if isinstance(node, Options):
                index = int(self._numbers[node])
                if index in node.nested:
                    found[path] = f"option {index}"
                    self.by_path(f"{path}:{index}", node.options[index], found)
            return
        for part, child in children(node) or ():
            self.by_path(joined(path, part), child, found)

    def _compute(self, node: Func) -> Any:
        args = [self.of(arg) for arg in node.args]
        try:
            return node.function(*args)
        except Exception as error:  # user code, which may raise anything
            if self._shown:
                return f"<{shortened(node)} raised {type(error).__name__}: {error}>"
            raise


def places_of(path: str, node: Any) -> Iterator[Place]:
    """Every place in ``node`` that the objective sees; ``path`` is the path of ``node``."""
    if isinstance(node, Leaf):
        yield Place(path, node)
        if isinstance(node, Options):
            for i in sorted(node.nested):
                yield from places_of(f"{path}:{i}", node.options[i])
        return
    if is_plain(node):
        return
    for part, child in children(node) or ():
        yield from places_of(joined(path, part), child)


def _check_node(path: str, node: Any, searched: set[int]) -> None:
    """Raise `InvalidArgument` if ``node`` is or holds something that cannot be drawn."""
    if isinstance(node, SubSpace):
        raise InvalidArgument(f"{path}: a Space cannot be inside a Space; use a plain dict")
    if type(node).__module__.startswith("hyperopt.pyll"):
        raise InvalidArgument(
            f"{path} is a hyperopt expression; pass the whole space to asha_bus.from_hyperopt()"
        )
    if owner := _tuner_of(node):
        raise InvalidArgument(
            f"{path} is {owner}, got {shortened(node)}; write grid(...) for a grid, and uniform(), "
            f"loguniform(), randint() or choice() for what is drawn"
        )
    if isinstance(node, Option):
        raise InvalidArgument(
            f"{path}: option() is an argument of choice(), ordinal() and grid() alone, got {node!r}"
        )
    if isinstance(node, FunctionType) and node in _BUILDERS:
        name = node.__name__
        raise InvalidArgument(f"{path}: {name} was not called; write {name}(...)")
    if children(node) is None and holds_parameter(node, searched):
        raise InvalidArgument(
            f"{path}: parameters inside a {type(node).__name__} are not drawn; use a plain dict, "
            f"list or tuple, or make the object from parameters by func()"
        )


def _tuner_of(node: Any) -> str | None:
    """Which other tuner ``node`` is a parameter of: here it would be a constant."""
    if type(node) is dict and list(node) == [GRID_SEARCH] and type(node[GRID_SEARCH]) is list:
        return "grid_search of Ray Tune"
    module = f"{type(node).__module__}."
    found = (words for start, words in _ELSEWHERE.items() if module.startswith(start))
    return next(found, None)


def _slots(
    path: str,
    node: Any,
    names: dict[Parameter, str],
    taken: set[str],
    seen: set[Parameter],
    searched: set[int],
) -> Iterator[Slot]:
    if isinstance(node, Parameter):
        if node in seen:
            return
        seen.add(node)
        if node not in names:  # only funcs use it
            names[node] = path if node.label is None or node.label in taken else node.label
            taken.add(names[node])
        name = names[node]
        inner = None
        if isinstance(node, Options) and node.nested:
            inner = tuple(
                tuple(_slots(f"{name}:{i}", one, names, taken, set(seen), searched))
                if i in node.nested
                else ()
                for i, one in enumerate(node.options)
            )
        yield Slot(node, name, inner)
    elif isinstance(node, Func):
        for i, arg in enumerate(node.args):
            yield from _slots(f"{path}.args[{i}]", arg, names, taken, seen, searched)
    elif not is_plain(node):
        _check_node(path, node, searched)
        for part, child in children(node) or ():
            yield from _slots(joined(path, part), child, names, taken, seen, searched)


def _check_grids(slots: Iterable[Slot], grids: set[Parameter]) -> None:
    for slot in slots:
        for i, nested in enumerate(slot.inner or ()):
            for inner in walk(nested):
                if isinstance(inner.parameter, Grid) and inner.parameter not in grids:
                    kind = slot.parameter.kind
                    raise InvalidArgument(
                        f"{inner.path}: a grid() within option {i} of {kind}(); every value of a "
                        f"grid is run, so write a union such as Space(...) + Space(...) with one "
                        f"member per option, or put the grid() at the top level of the space"
                    )
