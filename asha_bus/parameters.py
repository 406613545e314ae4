"""Parameters as numbers, for charts and for models of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from numbers import Integral, Real
from typing import Any, TypeGuard

from asha_bus.core.description import shortened
from asha_bus.core.space import Parameter, Space
from asha_bus.records import TrialRecord

#: Numbers beyond this, infinite ones too, are shown like options.
_MOST = 1e300


@dataclass(frozen=True)
class Axis:
    """One parameter of a space over some trials."""

    #: Its path in the space, such as ``lr`` or ``net.units``.
    name: str
    #: A number per trial: the value, or the index of its label.
    numbers: tuple[float, ...]
    #: The options in the order of their index; None where the values are numbers.
    labels: tuple[str, ...] | None
    #: Whether orders of magnitude are what counts.
    is_log: bool


def leaf_values(space: Space, params: dict[str, Any]) -> tuple[Any, ...]:
    """The values in ``params`` of the parameters of ``space``, in the order of its paths."""
    return tuple(_leaves(space.tree, params))


def _leaves(node: Any, value: Any) -> Iterator[Any]:
    if isinstance(node, Parameter):
        yield value
    elif type(node) is dict:
        for key, child in node.items():
            yield from _leaves(child, value[key])
    elif type(node) in (list, tuple):
        for child, part in zip(node, value, strict=True):
            yield from _leaves(child, part)


def constants(space: Space) -> dict[str, Any]:
    """What stands at the top of ``space`` and holds no parameter."""
    return {name: node for name, node in space.tree.items() if not _holds_parameter(node)}


def _holds_parameter(node: Any) -> bool:
    if type(node) is dict:
        return any(map(_holds_parameter, node.values()))
    if type(node) in (list, tuple):
        return any(map(_holds_parameter, node))
    return isinstance(node, Parameter)


def as_number(value: object) -> int | float | None:
    """``value`` as a built-in number; None where it is none, as switches and enums are."""
    if isinstance(value, (bool, Enum)):
        return None
    if isinstance(value, Integral):  # numpy's scalars register themselves as such
        return int(value)
    try:
        return float(value) if isinstance(value, Real) else None
    except OverflowError:  # a large fraction
        return None


def axes(space: Space, trials: Sequence[TrialRecord]) -> list[Axis]:
    """An axis per parameter of ``space``, with the values of ``trials``; none without trials.

    Values that are numbers stand for themselves, all others by the index of their
    option, in the order of first appearance.
    """
    if not trials:
        return []
    columns = zip(*(leaf_values(space, trial.params) for trial in trials), strict=True)
    return [
        _axis(name, str(getattr(parameter, "kind", "")), column)
        for (name, parameter), column in zip(space.parameters.items(), columns, strict=True)
    ]


def _axis(name: str, kind: str, column: tuple[Any, ...]) -> Axis:
    numbers = [number for number in map(as_number, column) if _is_usable(number)]
    if len(numbers) == len(column):
        is_log = kind == "loguniform" or (kind != "uniform" and _spans_decades(numbers))
        return Axis(name, tuple(numbers), None, is_log)
    indexes: dict[str, int] = {}
    codes = [indexes.setdefault(shortened(value), len(indexes)) for value in column]
    return Axis(name, tuple(map(float, codes)), tuple(label.strip("'") for label in indexes), False)


def _is_usable(number: float | None) -> TypeGuard[float]:
    return number is not None and -_MOST < number < _MOST


def _spans_decades(numbers: Sequence[float]) -> bool:
    return min(numbers) > 0 and max(numbers) / min(numbers) >= 1_000
