"""Copies the plain data of a space, so that what one trial changes no other trial sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asha_bus.core.space.contents import ATOMS


def fresh(
    value: Any, copies: dict[int, Any], other: Callable[[Any], Any] = lambda value: value
) -> Any:
    """``value`` with its lists, dicts, sets, bytearrays and tuples copied, at any depth.

    Other objects are shared: they may be large, or have no copy. ``copies``: those that were
    made, by the id of the original, so that an object in two places remains one object.
    ``other``: what stands in place of an object that is not plain data.
    """
    kind = type(value)
    if kind in ATOMS:
        return value
    if kind not in _COPIED:
        return other(value)
    if id(value) in copies:
        return copies[id(value)]
    if kind is tuple:
        parts = tuple([fresh(part, copies, other) for part in value])
        if id(value) in copies:  # it holds itself, by way of a list or a dict
            return copies[id(value)]
        is_changed = any(part is not old for part, old in zip(parts, value, strict=True))
        found: Any = parts if is_changed else value
        copies[id(value)] = found
        return found
    found = copies[id(value)] = kind() if kind in (list, dict) else kind(value)
    if kind is list:
        found.extend([fresh(part, copies, other) for part in value])
    elif kind is dict:
        for key, part in value.items():
            found[key] = fresh(part, copies, other)
    return found


_COPIED = frozenset({list, dict, set, bytearray, tuple})
