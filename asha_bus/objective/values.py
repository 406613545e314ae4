"""What objectives give: metrics, resources and extras, checked and made plain."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import ObjectiveError
from asha_bus.formats.wire import MAX_EXTRA_CHARS, MAX_EXTRAS, MAX_NAME_CHARS, is_extras

#: Whole numbers below this are exact in a float.
_MAX_WHOLE = 2.0**53


def to_metric(value: Any) -> float:
    """``value`` as a built-in float; raises `ObjectiveError` if it is not a single number.

    Accepts int, float, numpy scalars, arrays and tensors with one element, Decimal and
    Fraction. NaN and infinities are accepted.
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    try:
        if kind is int:
            return float(value)
        if not isinstance(value, (bool, str, bytes, bytearray, complex)) and value is not None:
            item = getattr(value, "item", None)
            single = item() if callable(item) else value
            if not isinstance(single, (bool, str, bytes, complex)) and hasattr(single, "__float__"):
                return float(single)
    except (TypeError, ValueError, OverflowError, RuntimeError, ArithmeticError) as error:
        raise ObjectiveError(f"{shown_with_type(value)} is not a number: {error}") from None
    raise ObjectiveError(
        f"{shown_with_type(value)} is not a number; return one number (int, float, a numpy scalar, "
        f"a one-element array or tensor)"
    )


def to_resource(value: Any) -> float | None:
    """A given resource as an int if it is whole, else as a float; None stays None."""
    if value is None or (type(value) is int and abs(value) < _MAX_WHOLE):
        return value
    try:
        number = to_metric(value)
    except ObjectiveError as error:
        raise ObjectiveError(
            f"report(resource={shown_with_type(value)}): a resource is a number"
        ) from error
    is_whole = abs(number) < _MAX_WHOLE and number == int(number)
    return int(number) if is_whole else number


def to_extras(extras: dict[str, Any]) -> dict[str, Any]:
    """``extras`` as plain values, numpy's scalars included; `ObjectiveError` if impossible."""
    if not extras or is_extras(extras):
        return dict(extras)  # the objective may change its own
    if len(extras) > MAX_EXTRAS:
        raise ObjectiveError(f"{len(extras)} extras are more than {MAX_EXTRAS}; report fewer")
    plain: dict[str, Any] = {}
    for name, value in extras.items():
        key = str.__str__(name) if isinstance(name, str) else name
        if not is_extras({key: None}):
            raise ObjectiveError(
                f"{shown_with_type(name)} is not a name of an extra; "
                f"use a string of 1 to {MAX_NAME_CHARS} characters"
            )
        try:
            plain[key] = _to_extra(value)
        except ObjectiveError as error:
            raise ObjectiveError(
                f"extra {name!r} is {shown_with_type(value)}; use a number, a string of at most "
                f"{MAX_EXTRA_CHARS} characters, a boolean or None"
            ) from error
    return plain


def _to_extra(value: Any) -> Any:
    """``value`` as a plain text, bool, int or None, or else as a float."""
    single = value
    if callable(item := getattr(value, "item", None)):
        try:
            single = item()
        except (TypeError, ValueError, RuntimeError):  # an array or tensor of several
            return to_metric(value)
    if isinstance(single, str):
        single = str.__str__(single)
    elif isinstance(single, int) and type(single) is not bool:
        single = int.__index__(single)
    return single if is_extras({"extra": single}) else to_metric(single)


def to_metric_and_extras(value: Any) -> tuple[float, dict[str, Any]]:
    """Split a returned or yielded value: a number, or a number and a dict of extras."""
    if type(value) is tuple and len(value) == 2 and isinstance(value[1], dict):
        return to_metric(value[0]), to_extras(value[1])
    if isinstance(value, (dict, tuple)):
        pair = "(metric, {extras}), such as (0.5, {'accuracy': 0.9})"
        raise ObjectiveError(
            f"{shown_with_type(value)} is not a number; return one, or a pair {pair}"
        )
    return to_metric(value), {}


def shown_with_type(value: Any) -> str:
    """``value`` and its type, for an error."""
    return f"{shortened(value)} of type {type(value).__name__}"


def is_iterator(value: object) -> bool:
    """Whether an objective that returned ``value`` reports what it yields.

    Raises `ObjectiveError` if it can only be iterated, or awaited, by an event loop.
    """
    if inspect.isawaitable(value) or hasattr(type(value), "__anext__"):
        if inspect.iscoroutine(value):
            value.close()  # else Python warns that it was never awaited
        raise ObjectiveError(
            f"the objective returned {shown_with_type(value)}, which needs an event loop; write "
            f"a plain function, which may run asyncio.run() inside"
        )
    return hasattr(type(value), "__next__")


def close_iterator(values: Iterator[Any]) -> None:
    """Have the ``finally`` blocks of a generator run; other iterators may have no close()."""
    close = getattr(values, "close", None)
    if callable(close):
        close()
