"""What all parameters share: they draw plain numbers, and turn them into values and back."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from fractions import Fraction
from random import Random
from typing import Any

from asha_bus.core.errors import InvalidArgument

#: Whole numbers up to this are exact in a float.
MOST_EXACT = 2**53

#: A value may miss a multiple of q by this share of q.
_TOLERANCE = 1e-6


class Leaf:
    """What stands in a space for a value: a `Parameter`, or a `Func` of others."""

    #: The name of the function that makes it.
    kind = ""


class Parameter(Leaf, ABC):
    """One dimension of a space. It draws plain numbers and resolves them."""

    #: What it is called where it stands in no dict, as hyperopt's labels do.
    label: str | None = None

    @abstractmethod
    def draw(self, random: Random) -> float:
        """A plain number: the value itself, or the index of an option."""

    @abstractmethod
    def resolve(self, number: float) -> Any:
        """The value that the objective receives for ``number``."""

    @abstractmethod
    def number_of(self, value: Any) -> float:
        """The number that resolves to ``value``; InvalidArgument where there is none."""

    def check(self, number: float) -> None:
        """InvalidArgument where ``number`` stands for no value."""
        self.number_of(self.resolve(number))


class SubSpace(ABC):
    """A space that may stand for its own dict as an option of another one."""

    @abstractmethod
    def as_option(self) -> dict[str, Any]:
        """The dict of its parameters; InvalidArgument where it is more than one."""


def finite_number(value: object, kind: str, argument: str) -> float:
    """``value`` as a built-in number; InvalidArgument naming ``argument`` of ``kind`` if none."""
    number = as_number(value)
    if number is None:
        shown = f"{value!r} of type {type(value).__name__}"
        raise InvalidArgument(f"{kind}: {argument} must be a number, got {shown}")
    if not -sys.float_info.max <= number <= sys.float_info.max:
        raise InvalidArgument(f"{kind}: {argument} must be finite, got {value!r}")
    return number


def as_number(value: object) -> float | None:
    """``value`` as a built-in int or float; None where it is no single number."""
    if type(value) in (int, float):
        return value  # type: ignore[return-value]
    # numpy scalars and other number types have __float__ and no __len__
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        return None
    try:
        number = float(value)
        return number if not hasattr(value, "__index__") else int(value)
    except (TypeError, ValueError, OverflowError):  # an array of several, say
        return None


def ordered(kind: str, low: object, high: object) -> tuple[float, float]:
    """Two bounds as numbers; InvalidArgument where they are none, or in the wrong order."""
    first, last = finite_number(low, kind, "low"), finite_number(high, kind, "high")
    if first > last:
        raise InvalidArgument(f"{kind}({low!r}, {high!r}): low is greater than high; swap the two")
    return first, last


def step_of(kind: str, q: object) -> float | None:
    """``q`` as a number above 0, or None."""
    if q is None:
        return None
    step = finite_number(q, kind, "q")
    if step <= 0:
        raise InvalidArgument(f"{kind}: q must be above 0, or None for any number, got {q!r}")
    return step


class Lattice:
    """The numbers ``first``, ``first + q``, ``first + 2 q`` and so on, exact in decimals.

    Where ``first`` and ``q`` are whole numbers they are built-in ints.
    """

    def __init__(self, first: float, q: float) -> None:
        start, step = _decimal(first), _decimal(q)
        self.first, self.q = first, q
        self._divisor = math.lcm(start.denominator, step.denominator)
        self._start = int(start * self._divisor)
        self._step = int(step * self._divisor)
        self.is_whole = self._divisor == 1

    def steps_to(self, high: float) -> int:
        """How many steps lie between ``first`` and ``high``."""
        return (int(_decimal(high) * self._divisor) - self._start) // self._step

    def value(self, steps: int) -> float:
        """The number that is so many steps from ``first``; a float where an int is too long."""
        found = self._start + steps * self._step
        if self.is_whole:
            return found if abs(found) <= MOST_EXACT else float(found)
        return found / self._divisor  # correctly rounded

    def nearest(self, number: float) -> int:
        """How many steps the nearest number is from ``first``."""
        return round(_clamped((number - self.first) / self.q))

    def snapped(self, number: float) -> float:
        """The nearest number; InvalidArgument where ``number`` is farther than a rounding error."""
        found = self.value(self.nearest(number))
        if abs(found - number) > _TOLERANCE * self.q:
            raise InvalidArgument(
                f"{number!r} is no multiple of {self.q:g} from {self.first:g} on; the nearest is "
                f"{found!r}"
            )
        return found


def rounded(number: float, q: float) -> float:
    """The multiple of ``q`` from 0 that is nearest, as a float: what hyperopt makes of it."""
    return float(round(_clamped(number / q)) * q)


def check_rounded(number: float, q: float) -> float:
    """The nearest multiple of ``q``; InvalidArgument where it is farther than a rounding error."""
    found = rounded(number, q)
    if abs(found - number) > _TOLERANCE * q:
        raise InvalidArgument(f"{number!r} is no multiple of {q:g}; the nearest is {found!r}")
    return found


def check_bounds(number: float, low: float, high: float) -> float:
    """``number`` within the bounds, beyond which it may be by a rounding error only."""
    slack = 1e-9 * max(abs(low), abs(high))
    if not low - slack <= number <= high + slack:
        raise InvalidArgument(
            f"{number!r} is outside of {low:g} to {high:g}; give what lies between"
        )
    return min(max(number, low), high)


def _decimal(number: float) -> Fraction:
    """``number`` as it is written: 0.1 is a tenth."""
    return Fraction(repr(number)) if type(number) is float else Fraction(number)


def _clamped(ratio: float) -> float:
    return min(max(ratio, -1e300), 1e300)
