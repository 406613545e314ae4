"""The parameters of trials as columns and numbers, for charts and models."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from numbers import Integral, Real
from typing import Any, TypeGuard

from asha_bus.core.checks import cut, shortened
from asha_bus.core.space import POSITIONAL, Leaf, Options, Space, holds_parameter, is_same
from asha_bus.core.space.layout import places_of
from asha_bus.formats.named import is_by_name
from asha_bus.results.named_columns import NamedParameters
from asha_bus.results.records import TrialRecord

#: Numbers beyond this, and infinite ones, are shown like options.
_MOST = 1e300

#: Longer labels of options are cut.
_LABEL_CHARS = 200

#: Marks a value that a trial does not have.
ABSENT = object()


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

    @cached_property
    def is_ambiguous(self) -> bool:
        """Whether two of its options look alike unless they are shown exactly: 1 and '1'."""
        options = [
            option
            for node in self.nodes
            for i, option in enumerate(node.options if isinstance(node, Options) else (node,))
            if not (isinstance(option, Leaf) or (isinstance(node, Options) and i in node.nested))
        ]
        return len(set(map(_look, options))) < len(set(map(_exact, options)))


def columns(space: Space, trials: Sequence[TrialRecord] = ()) -> tuple[Column, ...]:
    """The parameters and funcs of ``space``, and constants that differ between its members.

    Where objectives name their parameters themselves: the names in ``trials``.
    """
    if not is_by_name(space):
        return _columns(space)
    asked = NamedParameters()
    asked.add(trials)
    return named_columns(asked)


def named_columns(asked: NamedParameters) -> tuple[Column, ...]:
    """The names that trials have asked for so far."""
    return tuple(Column(name, leaves) for name, leaves in asked.leaves().items())


@lru_cache(maxsize=16)  # called for every trial
def _columns(space: Space) -> tuple[Column, ...]:
    common = constants(space)
    found: dict[str, list[Any]] = {}
    for member in space.members:
        for name, node in member.tree.items():
            if name in common:
                continue
            places: list[tuple[str, Any]] = [*places_of(name, node)]
            for path, inner in places or [(name, node)]:
                known = found.setdefault(path, [])
                if not any(_is_alike(inner, other) for other in known):
                    known.append(inner)
    return tuple(Column(path, tuple(nodes)) for path, nodes in found.items())


def _is_alike(a: Any, b: Any) -> bool:
    """Whether two nodes look the same to a reader."""
    if isinstance(a, Leaf) or isinstance(b, Leaf):
        return a is b or (type(a) is type(b) and shortened(a) == shortened(b))
    return is_same(a, b)


def column_values(
    space: Space, trial: TrialRecord, *, found: Sequence[Column] | None = None
) -> tuple[Any, ...]:
    """The values of ``trial`` in the order of `columns`; `ABSENT` for a missing value.

    ``found``: other columns, in whose order to give them.
    """
    return tuple(_row(space, trial, columns(space) if found is None else found))


def _row(space: Space, trial: TrialRecord, found: Sequence[Column]) -> list[Any]:
    values = space.values(trial.point)
    params = {POSITIONAL: trial.params} if space.is_positional else trial.params
    return [
        # a constant is found by its name only
        values.get(column.name, params.get(column.name, ABSENT))
        for column in found
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
    found = columns(space, trials)
    rows = zip(*(_row(space, trial, found) for trial in trials), strict=True)
    return [_axis(column, values) for column, values in zip(found, rows, strict=True)]


def _axis(column: Column, values: tuple[Any, ...]) -> Axis:
    there = [value for value in values if value is not ABSENT]
    numbers = [number for number in map(as_number, there) if _is_usable(number)]
    if len(numbers) == len(there) and not column.is_ambiguous:
        kind = "" if column.leaf is None else column.leaf.kind
        is_log = kind in ("loguniform", "lognormal") or (
            kind not in ("uniform", "normal") and _spans_decades(numbers)
        )
        placed = [math.nan if v is ABSENT else _number(v) for v in values]
        return Axis(column.name, tuple(placed), None, is_log)
    indexes: dict[str, int] = {}
    codes = [
        math.nan if v is ABSENT else indexes.setdefault(_exact(v), len(indexes)) for v in values
    ]
    return Axis(column.name, tuple(map(float, codes)), _labels(list(indexes)), False)


def _exact(value: Any) -> str:
    """A text that different options have in common only if their reprs are alike."""
    return repr(value) if type(value) is str else shortened(value)


def _look(value: Any) -> str | float:
    """What a value looks like to a reader who sees no quotes and no types."""
    if type(value) is not str:
        found = as_number(value)
        return _exact(value).lower() if found is None else found
    try:
        return float(value)
    except ValueError:
        return value if value.lower() not in ("true", "false", "none") else value.lower()


def _labels(exact: list[str]) -> tuple[str, ...]:
    """A label for each of these texts: without quotes and cut, unless two would be alike."""
    bare = [text[1:-1] if text[0] in "'\"" and text[0] == text[-1] else text for text in exact]
    shown = Counter(map(_cut, bare))
    labels: dict[str, None] = {}
    for text, plain in zip(exact, map(_cut, bare), strict=True):
        label = plain if shown[plain] == 1 else _cut(text)
        number = 2
        while label in labels:  # long texts that begin alike
            label, number = f"{_cut(text)} ({number})", number + 1
        labels[label] = None
    return tuple(labels)


def _cut(text: str) -> str:
    return cut(text, _LABEL_CHARS)


def _number(value: object) -> float:
    number = as_number(value)
    assert number is not None
    return number


def _is_usable(number: float | None) -> TypeGuard[float]:
    return number is not None and -_MOST < number < _MOST


def _spans_decades(numbers: Sequence[float]) -> bool:
    return len(numbers) > 0 and min(numbers) > 0 and max(numbers) / min(numbers) >= 1_000
