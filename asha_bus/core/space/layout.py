"""How a point is laid out, and what becomes of its numbers: all that a worker needs.

A tree of dicts, lists and tuples is walked depth first. Each parameter gets one
number, where it is met first; of a sub-space only the numbers of the chosen option
follow, right after the option's index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from random import Random
from types import FunctionType
from typing import Any, NamedTuple

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space.options import (
    Func,
    Grid,
    Options,
    children,
    choice,
    func,
    grid,
    holds_parameter,
    ordinal,
)
from asha_bus.core.space.parameter import Leaf, Parameter, SubSpace
from asha_bus.core.space.ranges import lognormal, loguniform, normal, randint, uniform

_BUILDERS: tuple[Any, ...] = (
    *(uniform, loguniform, randint, normal, lognormal, choice, ordinal, grid, func),
)

#: The number of each parameter that is drawn in a point, in the point's order.
Numbers = dict[Parameter, float]


class Place(NamedTuple):
    """Where a parameter or a func stands, such as ``net.units[0]`` or ``model:1.depth``."""

    path: str
    leaf: Leaf


class Slot(NamedTuple):
    """A number of a point. ``inner``: what follows it for each option, if anything does."""

    parameter: Parameter
    path: str
    inner: tuple[tuple[Slot, ...], ...] | None


class Layout:
    """The order of the numbers in a point of ``tree``, and the values that they stand for.

    InvalidArgument where the tree holds what is not drawn there.
    """

    def __init__(self, tree: dict[str, Any]) -> None:
        self.tree = tree
        #: Every place that the objective sees, those of all options, too.
        self.places = tuple(_places("", tree))
        self.slots = slots_of(tree, self.places)
        grids: set[Parameter] = {
            slot.parameter for slot in self.slots if isinstance(slot.parameter, Grid)
        }
        _check_grids(self.slots, grids)


def slots_of(node: Any, places: Iterable[Place] = ()) -> tuple[Slot, ...]:
    """The numbers of a point of ``node``, with the paths of ``places`` where they stand there."""
    names: dict[Parameter, str] = {}
    taken = set()
    for path, leaf in places:
        taken.add(path)
        if isinstance(leaf, Parameter):
            names.setdefault(leaf, path)
    return tuple(_slots("", node, names, taken, set()))


def draw(
    slots: Iterable[Slot], random: Random, fixed: Mapping[Parameter, float], numbers: Numbers
) -> None:
    """Draw what is not ``fixed`` from ``random`` and add it to ``numbers``."""
    for parameter, _, inner in slots:
        if parameter in numbers:  # it stood in an earlier place, too
            continue
        number = fixed[parameter] if parameter in fixed else parameter.draw(random)
        numbers[parameter] = number
        if inner is not None:
            draw(inner[int(number)], random, fixed, numbers)


def read(slots: Iterable[Slot], point: Iterator[float], numbers: Numbers) -> None:
    """Take the numbers of ``slots`` from ``point``; StopIteration where it is too short."""
    for parameter, path, inner in slots:
        if parameter in numbers:
            continue
        number = numbers[parameter] = next(point)
        if inner is not None:
            if number not in range(len(inner)):
                raise InvalidArgument(f"{path}: there is no option {number!r} of {len(inner)}")
            read(inner[int(number)], point, numbers)


def flatten(slots: Iterable[Slot], known: Mapping[Parameter, float], numbers: Numbers) -> None:
    """Put what is ``known`` in the order of ``slots``; InvalidArgument names what is not."""
    for parameter, path, inner in slots:
        if parameter in numbers:
            continue
        if parameter not in known:
            raise InvalidArgument(f"{path} is missing: give it a value of {parameter!r}")
        number = numbers[parameter] = known[parameter]
        if inner is not None:
            flatten(inner[int(number)], known, numbers)


def walk(slots: Iterable[Slot]) -> Iterator[Slot]:
    """All slots, those within options, too; a parameter may stand in several."""
    for slot in slots:
        yield slot
        for option in slot.inner or ():
            yield from walk(option)


def longest(slots: Iterable[Slot]) -> int:
    """How many numbers there are at most."""
    return sum(1 + max(map(longest, slot.inner or ((),))) for slot in slots)


def filled(node: Any, known: Numbers) -> Any:
    """``node`` with values for those parameters that are ``known``; itself if none of it is."""
    if isinstance(node, Parameter):
        return filled(node.resolve(known[node]), known) if node in known else node
    if type(node) is dict:
        found = {key: filled(child, known) for key, child in node.items()}
        return found if any(found[key] is not node[key] for key in node) else node
    if type(node) in (list, tuple):
        parts = [filled(child, known) for child in node]
        is_changed = any(part is not child for part, child in zip(parts, node, strict=True))
        return type(node)(parts) if is_changed else node
    return node


class Values:
    """What the parameters of a point became. ``shown``: a func that fails is told by a text."""

    def __init__(self, numbers: Numbers, shown: bool = False) -> None:
        self._numbers = numbers
        self._computed: dict[Func, Any] = {}
        self._shown = shown

    def of(self, node: Any) -> Any:
        """``node`` with values for parameters, in a new structure."""
        if isinstance(node, Parameter):
            number = self._numbers[node]
            option = node.resolve(number)
            is_nested = isinstance(node, Options) and int(number) in node.nested
            return self.of(option) if is_nested else option
        if isinstance(node, Func):
            if node not in self._computed:
                self._computed[node] = self._compute(node)
            return self._computed[node]
        if type(node) is dict:
            return {key: self.of(child) for key, child in node.items()}
        if type(node) is list:
            return [self.of(child) for child in node]
        if type(node) is tuple:
            return tuple(self.of(child) for child in node)
        return node

    def by_path(self, path: str, node: Any, found: dict[str, Any]) -> None:
        """The value at each place of ``node`` that is there; of a sub-space its option."""
        if isinstance(node, Leaf):
            found[path] = self.of(node)
            if isinstance(node, Options):
                index = int(self._numbers[node])
                if index in node.nested:
                    found[path] = f"option {index}"
                    self.by_path(f"{path}:{index}", node.options[index], found)
            return
        for part, child in children(node) or ():
            self.by_path((path + part).lstrip("."), child, found)

    def _compute(self, node: Func) -> Any:
        args = [self.of(arg) for arg in node.args]
        try:
            return node.function(*args)
        except Exception as error:  # user code, which may raise anything
            if self._shown:
                return f"<{node!r} raised {type(error).__name__}: {error}>"
            raise


def _places(path: str, node: Any) -> Iterator[Place]:
    if isinstance(node, Leaf):
        yield Place(path, node)
        if isinstance(node, Options):
            for i in sorted(node.nested):
                yield from _places(f"{path}:{i}", node.options[i])
        return
    for part, child in children(node) or ():
        yield from _places((path + part).lstrip("."), child)


def _check_node(path: str, node: Any) -> None:
    """InvalidArgument where ``node`` is, or holds, what is not drawn there."""
    if isinstance(node, SubSpace):
        raise InvalidArgument(f"{path}: a Space within a Space; use a plain dict there")
    if type(node).__module__.startswith("hyperopt.pyll"):
        raise InvalidArgument(
            f"{path}: an expression of hyperopt; give the whole space to asha_bus.from_hyperopt()"
        )
    if isinstance(node, FunctionType) and node in _BUILDERS:
        name = node.__name__
        raise InvalidArgument(f"{path}: {name} was not called; write {name}(...)")
    if children(node) is None and holds_parameter(node):
        raise InvalidArgument(
            f"{path}: a {type(node).__name__} holds a parameter, which is not drawn "
            f"there; use a plain dict, list or tuple"
        )


def _slots(
    path: str, node: Any, names: dict[Parameter, str], taken: set[str], seen: set[Parameter]
) -> Iterator[Slot]:
    if isinstance(node, Parameter):
        if node in seen:
            return
        seen.add(node)
        if node not in names:  # only funcs see it
            names[node] = path if node.label is None or node.label in taken else node.label
            taken.add(names[node])
        name = names[node]
        inner = None
        if isinstance(node, Options) and node.nested:
            inner = tuple(
                tuple(_slots(f"{name}:{i}", option, names, taken, set(seen)))
                if i in node.nested
                else ()
                for i, option in enumerate(node.options)
            )
        yield Slot(node, name, inner)
    elif isinstance(node, Func):
        for i, arg in enumerate(node.args):
            yield from _slots(f"{path}.args[{i}]", arg, names, taken, seen)
    else:
        _check_node(path, node)
        for part, child in children(node) or ():
            yield from _slots((path + part).lstrip("."), child, names, taken, seen)


def _check_grids(slots: Iterable[Slot], grids: set[Parameter]) -> None:
    for slot in slots:
        for i, option in enumerate(slot.inner or ()):
            for inner in walk(option):
                if isinstance(inner.parameter, Grid) and inner.parameter not in grids:
                    kind = slot.parameter.kind
                    raise InvalidArgument(
                        f"{inner.path}: a grid() within option {i} of {kind}(); all of a grid is "
                        f"run, so write a union such as Space(...) + Space(...) with a member for "
                        f"each option, or put the grid() at the top of the space"
                    )
