"""What a value of a space holds: children with paths, parameters, several values."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, MappingView, Sequence, Set
from enum import EnumMeta
from itertools import islice
from types import CodeType, CoroutineType, FrameType, FunctionType, GeneratorType, ModuleType
from typing import Any

from asha_bus.core.space.parameter import Leaf, SubSpace

#: How many objects behind a value are looked at for parameters that nobody would draw.
_MAX_SEARCHED = 1_000

#: The key of a parameter of Ray Tune, which is a dict.
GRID_SEARCH = "grid_search"
#: What refers to no other object.
ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes))

#: What leads to the whole program, or has parameters of its own.
_OPAQUE = (
    *(type, ModuleType, FunctionType, CodeType, FrameType, GeneratorType, CoroutineType),
    SubSpace,
)


def children(node: Any) -> list[tuple[str, Any]] | None:
    """The children of a dict, list or tuple with their path parts; None for other objects."""
    if type(node) is dict:
        return [(f".{key}", child) for key, child in node.items()]
    if type(node) in (list, tuple):
        return [(f"[{i}]", child) for i, child in enumerate(node)]
    return None


def joined(path: str, part: str) -> str:
    """The path of the child with the path part ``part``; ``path`` is empty at the root."""
    return path + part if path else part.removeprefix(".")


def holds_parameter(node: Any, searched: set[int] | None = None) -> bool:
    """Whether ``node`` is or holds a parameter.

    Built-in containers are searched in full. Of other objects, the first thousand that each
    refers to are looked at, without running any code of theirs, and one to which several refer
    only once. ``searched``: the ids of those that were looked at already, and will have been.
    """
    found = [node]
    seen: set[int] = set()
    searched = set() if searched is None else searched
    for one in found:  # which grows meanwhile
        kind = type(one)
        if kind in ATOMS or id(one) in seen:
            continue
        if issubclass(kind, Leaf):
            return True
        seen.add(id(one))  # a container may hold itself
        parts = _parts(one)
        if parts is not None:
            found.extend(parts)
        elif _refers_to_parameter(one, searched):
            return True
    return False


def is_plain(node: Any) -> bool:
    """Whether ``node`` consists of dicts, lists and tuples of `ATOMS`, so that nothing is drawn.

    A dict that may be a parameter of Ray Tune is not plain.
    """
    found = [node]
    seen = set()
    for one in found:  # which grows meanwhile
        kind = type(one)
        if kind in ATOMS:
            continue
        if kind not in (dict, list, tuple) or (kind is dict and GRID_SEARCH in one):
            return False
        if id(one) not in seen:
            seen.add(id(one))
            found.extend(one.values() if kind is dict else one)
    return True


def _parts(node: Any) -> Iterable[Any] | None:
    """The values in a built-in container or a subclass of one; None for other objects."""
    kind = type(node)
    if issubclass(kind, dict):
        return dict.values(node)
    for container in (list, tuple, set, frozenset):
        if issubclass(kind, container):
            values: Iterable[Any] = container.__iter__(node)
            return values
    return None


def _refers_to_parameter(node: Any, searched: set[int]) -> bool:
    """Whether ``node`` refers to a parameter, other than by objects in ``searched``."""
    found = [node]
    for one in found:  # which grows meanwhile
        if issubclass(type(one), Leaf):
            return True
        for other in islice(_referents(one), _MAX_SEARCHED - len(found)):
            if not _is_closed(type(other)) and id(other) not in searched:
                searched.add(id(other))
                found.append(other)
    return False


def _is_closed(kind: type) -> bool:
    """Whether the search does not look into objects of this class."""
    return kind in ATOMS or issubclass(kind, _OPAQUE)


def _referents(node: Any) -> Iterable[Any]:
    """What ``node`` refers to, as the garbage collector sees it: no code of users runs."""
    kind = type(node)
    if _is_closed(kind):
        return ()
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        cells: Iterable[Any] = node.flat if node.dtype.hasobject else ()
        return cells
    parts = _parts(node)
    return gc.get_referents(node) if parts is None else parts


def lists_values(value: object) -> bool:
    """Whether ``value`` is a collection of values: a list or range, an array, an Enum class.

    A text or a dict is one value.
    """
    if isinstance(value, (str, bytes, bytearray, memoryview)):
        return False
    if isinstance(value, (Sequence, Set, MappingView, Iterator, EnumMeta)):
        return True
    kind = type(value)
    if not hasattr(kind, "__array__") or not hasattr(kind, "__len__"):
        return False
    try:
        return len(value) >= 0  # type: ignore[arg-type]
    except TypeError:  # an array without dimensions
        return False
