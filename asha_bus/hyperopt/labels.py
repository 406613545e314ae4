"""Converts points to raw values by hyperopt's labels, and back.

The raw value of a choice is the index of its option.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.messages import Point
from asha_bus.core.space import Number, Options, Parameter, RandInt, Space, as_space
from asha_bus.core.space.layout import Numbers, flatten, read, walk
from asha_bus.hyperopt.space import if_hyperopt


def labels_of(space: Space) -> dict[str, Parameter]:
    """The parameters of ``space`` by label, or by path if they have none.

    Raises `InvalidArgument` for a union, whose members may have the same labels.
    """
    if len(space.parts) > 1:
        raise InvalidArgument(
            "the space is a union, whose members may share labels; use launch(), or write the "
            "members as the options of one choice()"
        )
    found: dict[str, Parameter] = {}
    for slot in walk(space.parts[0].slots):
        found.setdefault(slot.parameter.label or slot.path, slot.parameter)
    return found


def raw_values(space: Space, point: Point) -> dict[str, Any]:
    """The raw value of each parameter that is active in ``point``, by label."""
    numbers: Numbers = {}
    read(space.parts[0].slots, iter(point), numbers)
    return {
        label: _raw(parameter, numbers[parameter])
        for label, parameter in labels_of(space).items()
        if parameter in numbers
    }


def point_of_raw(space: Space, values: Mapping[str, Any], *, is_bounded: bool = True) -> Point:
    """The point with the raw values ``values``: the inverse of `raw_values`.

    ``is_bounded``: False takes any numbers, as hyperopt does with points that it is given.
    Raises `InvalidArgument` for a label that is missing or unknown, or has an invalid value.
    """
    if not isinstance(values, Mapping):
        raise InvalidArgument(f"values must be a dict with labels as keys, got {values!r}")
    labels = labels_of(space)
    known: dict[Parameter, float] = {}
    for label, value in values.items():
        if label not in labels:
            raise InvalidArgument(
                f"the space has no label {label!r}; its labels are {', '.join(labels)}"
            )
        known[labels[label]] = _number(label, labels[label], value, is_bounded)
    numbers: Numbers = {}
    flatten(space.parts[0].slots, known, numbers)
    space.parts[0].branch_of(numbers)  # raises if a condition excludes it
    return tuple(numbers.values())


def space_eval(space: object, hp_assignment: Mapping[str, object]) -> Any:
    """Turn raw values by label, such as those that `fmin` returns, into a configuration.

    Args:
        space: What `fmin` takes: a space of hyperopt, or a `Space`.
        hp_assignment: The raw values by label; for a choice, its index.

    Returns:
        What the objective gets.

    Raises:
        InvalidArgument: A label is missing or unknown, or its value is not a number, or not
            the index of an option; the message names the label.

    Example:
        ::

            best = ab.fmin(fn, space, max_evals=50)  # {"act": 1, "lr": 0.02}
            ab.space_eval(space, best)  # {"act": "tanh", "lr": 0.02}
    """
    known = as_space(space, [if_hyperopt])
    return known.resolve(point_of_raw(known, hp_assignment, is_bounded=False))


def _raw(parameter: Parameter, number: float) -> Any:
    """hyperopt's value for a number: an int for indices and randint, otherwise a float."""
    if isinstance(parameter, (Options, RandInt)) or parameter.kind == "sample":
        return int(number)
    return float(number)


def _number(label: str, parameter: Parameter, value: Any, is_bounded: bool) -> float:
    """The number of a raw value; raises InvalidArgument, which names the label."""
    try:
        if not isinstance(parameter, Options):
            if is_bounded or not isinstance(parameter, Number):
                return parameter.number_of(value)
            return parameter.unbounded(value)
        if int(value) == value and int(value) in range(len(parameter.options)):
            return int(value)
    except (InvalidArgument, TypeError, ValueError) as error:
        raise InvalidArgument(f"{label}: {error}") from error
    raise InvalidArgument(
        f"{label} must be the index of one of {len(parameter.options)} options, got {value!r}"
    )
