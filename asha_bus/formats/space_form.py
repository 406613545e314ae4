"""Describes a space in plain values, so that a journal can store and compare it.

Plain data is stored by value. Any other option is stored by name only: a callable as its
qualified name, other objects as their type and repr. A comparison uses the type alone,
because a repr may contain a memory address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asha_bus.core.checks import own_name, shortened
from asha_bus.core.space import (
    Choice,
    Filtered,
    Func,
    Grid,
    Leaf,
    LogNormal,
    LogUniform,
    Member,
    Normal,
    Ordinal,
    Plain,
    Product,
    RandInt,
    Sampled,
    Space,
    Uniform,
)

_CLASSES: dict[str, Callable[..., Leaf]] = {
    cls.kind: cls for cls in (Uniform, LogUniform, RandInt, Normal, LogNormal)
}

#: The kinds that hold descriptions, with the number of plain values in front of these.
_HOLDERS = {
    "dict": 0,
    "list": 0,
    "tuple": 0,
    "choice": 0,
    "ordinal": 0,
    "grid": 1,
    "pchoice": 1,
    "func": 0,
    "union": 0,
    "product": 0,
    "positional": 0,
    "sample": 2,
    "where": 0,
}


class Described:
    """Replaces an object of which only the description is known."""

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):  # a file may hold anything
            raise TypeError(f"{text!r} describes no object")
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Described) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __call__(self, *args: Any) -> Described:
        """The unknown result of a described function, named as a call."""
        return Described(f"{self._text}({', '.join(map(shortened, args))})")


def describe(space: Space) -> Any:
    """``space`` as nested tuples of plain values: ``(kind, contents)``."""
    members = tuple(_describe_member(member) for member in space.parts)
    found = ("union", members) if len(members) > 1 else members[0]
    return ("positional", (found,)) if space.is_positional else found


def comparable(description: Any) -> Any:
    """The part of a description by which two spaces are compared."""
    kind, held = description
    if kind == "object":
        return (kind, held[0])
    if kind not in _HOLDERS:
        return description
    plain = _HOLDERS[kind]
    if kind == "dict":
        return (kind, tuple((key, comparable(child)) for key, child in held))
    return (kind, (*held[:plain], *map(comparable, held[plain:])))


def parts_of(description: Any) -> dict[str, Any]:
    """The parts of a description to compare: one for each top-level name."""
    kind, held = comparable(description)
    if kind == "dict":
        return {f"space[{name!r}]": part for name, part in held}
    return {"space": (kind, held)}


def space_from(description: Any) -> Space:
    """Rebuild a space from its description, with `Described` for other than plain data.

    The result reads every point of the described space. Conditions are not stored, so a
    filtered space gets all its configurations back.
    """
    kind, held = description
    if kind == "positional":
        return Space.of_parts(space_from(held[0]).parts, is_positional=True)
    members = held if kind == "union" else (description,)
    return Space.of_parts([_build_member(member) for member in members])


def _describe_member(member: Member) -> Any:
    if isinstance(member, Product):
        return ("product", tuple(map(_describe_member, member.factors)))
    if isinstance(member, Sampled):
        return ("sample", (member.n, member.seed, _describe_member(member.inner)))
    if isinstance(member, Filtered):
        predicate = _describe(member.predicate.function, {}, {})
        return ("where", (predicate, _describe_member(member.inner)))
    return _describe(member.tree, {}, {})


def _build_member(description: Any) -> Member:
    kind, held = description
    if kind == "product":
        return Product(list(map(_build_member, held)))
    if kind == "sample":
        n, seed, inner = held
        return Sampled(_build_member(inner), n, seed)
    if kind == "where":
        return _build_member(held[1])
    return Plain(_build(description, []))


def _describe(node: Any, grids: dict[Grid, int], leaves: dict[Leaf, int]) -> Any:
    """Describe ``node``; ``leaves`` and ``grids`` number those described before."""
    if isinstance(node, Leaf):
        if node in leaves:
            return ("same", leaves[node])
        found = _describe_leaf(node, grids, leaves)
        leaves[node] = len(leaves)
        return found
    if type(node) is dict and all(type(key) in _PLAIN for key in node):
        return (
            "dict",
            tuple((key, _describe(child, grids, leaves)) for key, child in node.items()),
        )
    if type(node) in (list, tuple):
        return (type(node).__name__, tuple(_describe(child, grids, leaves) for child in node))
    if type(node) in _PLAIN and not (type(node) is int and abs(node) >= 2**63):
        return ("value", node)
    cls = type(node)
    if callable(node) and (name := own_name(node)) is not None:
        return ("callable", f"{getattr(node, '__module__', '?')}.{name}")
    return ("object", (f"{cls.__module__}.{cls.__qualname__}", shortened(node)))


def _describe_leaf(leaf: Leaf, grids: dict[Grid, int], leaves: dict[Leaf, int]) -> Any:
    if isinstance(leaf, (Uniform, LogUniform)):
        return (leaf.kind, (leaf.low, leaf.high, *_step(leaf)))
    if isinstance(leaf, Normal):
        return (leaf.kind, (leaf.mu, leaf.sigma, *_step(leaf)))
    if isinstance(leaf, RandInt):
        is_usual = leaf.q == 1 and not leaf.log
        return (leaf.kind, (leaf.low, leaf.high, *(() if is_usual else (leaf.q, leaf.log))))
    if isinstance(leaf, Func):
        parts = (leaf.function, *leaf.args)
        return (leaf.kind, tuple(_describe(part, grids, leaves) for part in parts))
    assert isinstance(leaf, (Choice, Ordinal, Grid))
    first: tuple[Any, ...] = ()
    kind = leaf.kind
    if isinstance(leaf, Grid):  # the number of the grid comes first
        first = (grids.setdefault(leaf, len(grids)),)
    elif isinstance(leaf, Choice) and leaf.weights is not None:
        kind, first = "pchoice", (leaf.weights,)
    return (kind, (*first, *(_describe(option, grids, leaves) for option in leaf.options)))


def _step(leaf: Uniform | LogUniform | Normal) -> tuple[Any, ...]:
    if leaf.q is None:
        return ()
    return (leaf.q, True, leaf.is_whole) if leaf.rounds else (leaf.q,)


_PLAIN = (type(None), bool, int, float, str, bytes)


def _build(description: Any, leaves: list[Leaf]) -> Any:
    kind, held = description
    if kind == "same":
        return leaves[held]
    if kind == "dict":
        return {key: _build(child, leaves) for key, child in held}
    if kind in ("list", "tuple"):
        children = [_build(child, leaves) for child in held]
        return children if kind == "list" else tuple(children)
    if kind in _CLASSES or kind in _HOLDERS:
        leaf = _build_leaf(kind, held, leaves)
        leaves.append(leaf)
        return leaf
    return held if kind == "value" else Described(held if kind == "callable" else held[1])


def _build_leaf(kind: str, held: Any, leaves: list[Leaf]) -> Leaf:
    if kind in _CLASSES:
        return _CLASSES[kind](*held)
    parts = tuple(_build(child, leaves) for child in held[_HOLDERS[kind] :])
    if kind == "func":
        return Func(parts[0], parts[1:])
    if kind == "pchoice":
        return Choice(parts, held[0])
    if kind == "choice":
        return Choice(parts)
    return Ordinal(parts) if kind == "ordinal" else Grid(parts)
