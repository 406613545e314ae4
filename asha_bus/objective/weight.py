"""Warns of an objective or a space that is slow to send, and names what makes it large."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space import Space
from asha_bus.objective.closure import nodes_of, parts_of_objective

#: What is larger than this takes noticeably long to every worker.
_LARGE_BYTES = 10 << 20
#: How many functions within each other are looked into.
_DEPTH = 4

Dumps = Callable[[Any], bytes]
Parts = Iterable[tuple[str, Any]]


def warnings_of_weight(
    objective: Callable[..., Any], space: Space, sizes: tuple[int, int], dumps: Dumps, most: int
) -> Iterator[str]:
    """A text for each of both that is large; ``sizes``: the bytes in which they travel.

    Raises `InvalidArgument` for one that has more than ``most`` bytes.
    """
    yield from _warning("the objective", sizes[0], parts_of_objective(objective), dumps, most)
    yield from _warning("the space", sizes[1], nodes_of(space).items(), dumps, most)


def _warning(what: str, size: int, parts: Parts, dumps: Dumps, most: int) -> Iterator[str]:
    if size <= min(_LARGE_BYTES, most):
        return
    heaviest = _heaviest(parts, size, dumps)
    text = f"{what} has {size / 1e6:,.1f} MB, which each worker has to be sent{heaviest}"
    todo = (
        "pass what is large as data=, which each executor gets once, or load them in the objective"
    )
    if size > most:
        raise InvalidArgument(
            f"{text}; the limit is {most:,} bytes: {todo}, or raise BusOptions(max_data_bytes=...)"
        )
    yield f"{text}: {todo}"


def _heaviest(parts: Parts, size: int, dumps: Dumps) -> str:
    """The part that has more than half of ``size`` bytes, in words; empty without one."""
    found = ""
    for _ in range(_DEPTH):
        sizes = [(_size(value, dumps), name, value) for name, value in parts]
        its, name, value = max(sizes, key=lambda one: one[0], default=(0, "", None))
        if its <= size / 2:
            break
        found = f", {its / 1e6:,.1f} MB of it for {name}"
        if not isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
            break
        parts = parts_of_objective(value)
    return found


def _size(value: Any, dumps: Dumps) -> int:
    try:
        return len(dumps(value))
    except Exception:  # pickling runs user code, which may raise anything
        return 0
