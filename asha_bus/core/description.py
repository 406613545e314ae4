"""A space in plain values, for a journal: to be compared, and to be read without the objects.

Plain data stands by value. Of other options only what names them is kept: a
callable's qualified name, or the type and the repr, of which a comparison takes
the type alone, since a repr may hold an address.
"""

from __future__ import annotations

from typing import Any

from asha_bus.core.space import (
    Grid,
    Parameter,
    Space,
    choice,
    grid,
    loguniform,
    randint,
    uniform,
)

_RANGES = {"uniform": uniform, "loguniform": loguniform, "randint": randint}
_MAX_REPR_CHARS = 200


class Described:
    """Stands for an object of which only the description is there."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Described) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


def describe(space: Space) -> Any:
    """``space`` as nested tuples of plain values: `(kind, what it holds)`."""
    axes: dict[int, int] = {}
    return _describe(space.tree, axes)


def comparable(description: Any) -> Any:
    """The part of a description that two equal spaces share."""
    kind, held = description
    if kind in ("dict", "list", "tuple", "choice", "grid"):
        return (kind, tuple(_comparable_child(kind, child) for child in held))
    return (kind, held[0]) if kind == "object" else description


def _comparable_child(kind: str, child: Any) -> Any:
    if kind == "dict":
        key, value = child
        return (key, comparable(value))
    return child if isinstance(child, int) else comparable(child)


def space_from(description: Any) -> Space:
    """The space of a description; what was no plain data is a `Described`."""
    found = _build(description, {})
    assert isinstance(found, dict)
    return Space(found)


def _describe(node: Any, axes: dict[int, int]) -> Any:
    if isinstance(node, Parameter):
        kind = str(getattr(node, "kind", ""))
        if kind in _RANGES:
            return (kind, (getattr(node, "low"), getattr(node, "high")))  # noqa: B009
        options = tuple(_describe(option, axes) for option in getattr(node, "options"))  # noqa: B009
        if isinstance(node, Grid):  # with the number of its axis: several may share one
            return (kind, (axes.setdefault(id(node), len(axes)), *options))
        return (kind, options)
    if type(node) is dict and all(type(key) in _PLAIN for key in node):
        return ("dict", tuple((key, _describe(child, axes)) for key, child in node.items()))
    if type(node) in (list, tuple):
        return (type(node).__name__, tuple(_describe(child, axes) for child in node))
    if type(node) in _PLAIN and not (type(node) is int and abs(node) >= 2**63):
        return ("value", node)
    name = getattr(node, "__qualname__", None)
    if callable(node) and isinstance(name, str):
        return ("callable", f"{getattr(node, '__module__', '?')}.{name}")
    cls = type(node)
    return ("object", (f"{cls.__module__}.{cls.__qualname__}", shortened(node)))


_PLAIN = (type(None), bool, int, float, str, bytes)


def shortened(node: Any) -> str:
    """The repr of ``node``, 200 characters at most; where it raises, that it does."""
    try:
        text = repr(node)
    except Exception as error:  # a repr is user code, which may raise anything
        text = f"<{type(node).__name__} whose repr raised {type(error).__name__}>"
    return text if len(text) <= _MAX_REPR_CHARS else text[:_MAX_REPR_CHARS] + "..."


def _build(description: Any, axes: dict[int, Parameter]) -> Any:
    kind, held = description
    if kind in _RANGES:
        return _RANGES[kind](*held)
    if kind == "choice":
        return choice(*(_build(option, axes) for option in held))
    if kind == "grid":
        axis, *options = held
        if axis not in axes:
            axes[axis] = grid(*(_build(option, axes) for option in options))
        return axes[axis]
    if kind == "dict":
        return {key: _build(child, axes) for key, child in held}
    if kind in ("list", "tuple"):
        children = [_build(child, axes) for child in held]
        return children if kind == "list" else tuple(children)
    return held if kind == "value" else Described(held if kind == "callable" else held[1])
