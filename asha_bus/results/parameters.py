"""The parameters of trials as columns and numbers, for charts and models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, TypeGuard

from asha_bus.core.checks import shortened
from asha_bus.core.space import POSITIONAL, Leaf, Space, holds_parameter, is_same
from asha_bus.results.records import TrialRecord

#: Numbers beyond this, and infinite ones, are shown like options.
_MOST = 1e300

#: Marks a value that a trial does not have.
_ABSENT = object()


@dataclass(frozen=True)
class Axis:
    """The values of one parameter over some trials."""

    #: Its path in the space, such as ``lr`` or ``net.units``.
    name: str
    #: A number per trial: the value, or the index of its label; NaN: the trial has none.
    numbers: tuple[float, ...]
    #: The options in the order of their index; None if the values are numbers.
    labels: tuple[str, ...] | None
    #: Whether a logarithmic scale fits.
    is_log: bool


@dataclass(frozen=True)
class Column:
    """A path in the space at which trials may differ."""

    name: str
    #: The different nodes at this path in the members of the space: a parameter, a func, or a
    #: constant that other members of a union do not have.
    nodes: tuple[Any, ...]

    @property
    def leaf(self) -> Leaf | None:
        """The parameter or func at this path; None if members of a union differ."""
        only = self.nodes[0] if len(self.nodes) == 1 else None
        return only if isinstance(only, Leaf) else None


@lru_cache(maxsize=16)  # called for every trial
def columns(space: Space) -> tuple[Column, ...]:
    """The parameters and funcs of ``space``, and constants that differ between its members."""
    common = constants(space)
    found: dict[str, list[Any]] = {}
    for member in space.members:
        of_names: dict[str, list[tuple[str, Any]]] = {name: [] for name in member.tree}
        for path, leaf in member.parts[0].places:
            of_names[_top(path, member.tree)].append((path, leaf))
        for name, places in of_names.items():
            if not places and name in common:
                continue
            for path, node in places or [(name, member.tree[name])]:
                known = found.setdefault(path, [])
                if not any(_is_alike(node, other) for other in known):
                    known.append(node)
    return tuple(Column(path, tuple(nodes)) for path, nodes in found.items())


def _top(path: str, names: Iterable[str]) -> str:
    """The top-level name that ``path`` begins with."""
    return max((name for name in names if _begins(path, name)), key=len)


def _begins(path: str, name: str) -> bool:
    return path.startswith(name) and path[len(name) : len(name) + 1] in ("", ".", "[", ":")


def _is_alike(a: Any, b: Any) -> bool:
    """Whether two nodes look the same to a reader."""
    if isinstance(a, Leaf) or isinstance(b, Leaf):
        return a is b or (type(a) is type(b) and shortened(a) == shortened(b))
    return is_same(a, b)


def column_values(space: Space, trial: TrialRecord) -> tuple[Any, ...]:
    """The values of ``trial`` in the order of `columns`; None for a missing value."""
    return tuple(None if value is _ABSENT else value for value in _row(space, trial))


def _row(space: Space, trial: TrialRecord) -> list[Any]:
    values = space.values(trial.point)
    params = {POSITIONAL: trial.params} if space.is_positional else trial.params
    return [
        # a constant is found by its name only
        values.get(column.name, params.get(column.name, _ABSENT))
        for column in columns(space)
    ]


def constants(space: Space) -> dict[str, Any]:
    """The top-level values of ``space`` that are the same in every member and hold no parameter."""
    first, *others = (member.tree for member in space.members)
    return {
        name: node
        for name, node in first.items()
        if not holds_parameter(node)
        and all(name in tree and is_same(tree[name], node) for tree in others)
    }


def as_number(value: object) -> int | float | None:
    """``value`` as a built-in number; None if it is not a number, as bools and enums are not."""
    if isinstance(value, (bool, Enum)):
        return None
    if isinstance(value, Integral):  # numpy's scalars are registered as such
        return int(value)
    try:
        return float(value) if isinstance(value, Real) else None
    except OverflowError:  # a large fraction
        return None


def axes(space: Space, trials: Sequence[TrialRecord]) -> list[Axis]:
    """One axis per column of ``space``, with the values of ``trials``; none without trials.

    A column of numbers has the numbers themselves. Any other column has the index of each
    option, in the order of first appearance.
    """
    if not trials:
        return []
    rows = zip(*(_row(space, trial) for trial in trials), strict=True)
    return [_axis(column, values) for column, values in zip(columns(space), rows, strict=True)]


def _axis(column: Column, values: tuple[Any, ...]) -> Axis:
    there = [value for value in values if value is not _ABSENT]
    numbers = [number for number in map(as_number, there) if _is_usable(number)]
    if len(numbers) == len(there):
        kind = "" if column.leaf is None else column.leaf.kind
        is_log = kind in ("loguniform", "lognormal") or (
            kind not in ("uniform", "normal") and _spans_decades(numbers)
        )
        placed = [math.nan if v is _ABSENT else _number(v) for v in values]
        return Axis(column.name, tuple(placed), None, is_log)
    indexes: dict[str, int] = {}
    codes = [
        math.nan if v is _ABSENT else indexes.setdefault(shortened(v), len(indexes)) for v in values
    ]
    labels = tuple(label.strip("'") for label in indexes)
    return Axis(column.name, tuple(map(float, codes)), labels, False)


def _number(value: object) -> float:
    number = as_number(value)
    assert number is not None
    return number


def _is_usable(number: float | None) -> TypeGuard[float]:
    return number is not None and -_MOST < number < _MOST


def _spans_decades(numbers: Sequence[float]) -> bool:
    return len(numbers) > 0 and min(numbers) > 0 and max(numbers) / min(numbers) >= 1_000
