"""The base of all parameters: they draw plain numbers and convert them to values and back."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from fractions import Fraction
from random import Random
from typing import Any

from asha_bus.core.checks import as_builtin, shortened
from asha_bus.core.errors import InvalidArgument

#: Whole numbers up to this are exact in a float.
MAX_EXACT = 2**53

#: How far a value may be from a multiple of q, as a share of q.
_TOLERANCE = 1e-6


class Leaf:
    """A placeholder for a value in a space: a `Parameter`, or a `Func` of other values."""

    #: The name of the public function that makes it.
    kind = ""


class Parameter(Leaf, ABC):
    """One dimension of a space: draws plain numbers and resolves them to values."""

    #: The name of a parameter that is not in a dict: hyperopt's label.
    label: str | None = None

    @abstractmethod
    def draw(self, random: Random) -> float:
        """Draw a plain number: the value itself, or the index of an option."""

    @abstractmethod
    def resolve(self, number: float) -> Any:
        """The value that the objective receives for ``number``."""

    @abstractmethod
    def number_of(self, value: Any) -> float:
        """The number that resolves to ``value``; raises `InvalidArgument` if there is none."""

    def check(self, number: float) -> None:
        """Raise `InvalidArgument` if ``number`` does not stand for a value."""
        self.number_of(self.resolve(number))


class SubSpace(ABC):
    """A space that can be an option in another space, in place of its dict."""

    @abstractmethod
    def as_option(self) -> dict[str, Any]:
        """The dict of its parameters; raises `InvalidArgument` if the space is not one dict."""


def finite_number(value: object, kind: str, argument: str) -> float:
    """``value`` as a built-in number; the `InvalidArgument` names ``kind`` and ``argument``."""
    number = as_number(value)
    if number is None:
        shown = f"{shortened(value)} of type {type(value).__name__}"
        if isinstance(value, str) and argument in ("low", "mu"):  # hyperopt's label
            shown += f"; a parameter has no label, so write {{{shortened(value)}: {kind}(...)}}"
        raise InvalidArgument(f"{kind}: {argument} must be a number, got {shown}")
    if not -sys.float_info.max <= number <= sys.float_info.max:
        raise InvalidArgument(f"{kind}: {argument} must be finite, got {shortened(value)}")
    return number


def as_number(value: object) -> float | None:
    """``value`` as a built-in int or float; None if it is not a single number."""
    if type(value) in (int, float):
        return value  # type: ignore[return-value]
    # numpy scalars and other number types have __float__ and no __len__
    value = as_builtin(value)
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        return None
    try:
        number = float(value)
        return number if not hasattr(value, "__index__") else int(value)
    except (TypeError, ValueError, OverflowError):  # an array of several, say
        return None


def ordered(kind: str, low: object, high: object) -> tuple[float, float]:
    """Two bounds as numbers; raises `InvalidArgument` if they are not, or not in order."""
    first, last = finite_number(low, kind, "low"), finite_number(high, kind, "high")
    if first > last:
        raise InvalidArgument(f"{kind}({low!r}, {high!r}): low is greater than high; swap the two")
    return first, last


def step_of(kind: str, q: object) -> float | None:
    """``q`` as a number above 0, or None; raises `InvalidArgument` for anything else."""
    if q is None:
        return None
    step = finite_number(q, kind, "q")
    if step <= 0:
        raise InvalidArgument(f"{kind}: q must be above 0, or None for any number, got {q!r}")
    return step


class Lattice:
    """The numbers ``first``, ``first + q``, ``first + 2 q`` and so on, exact in decimals.

    They are built-in ints if ``first`` and ``q`` are whole numbers.
    """

    def __init__(self, first: float, q: float) -> None:
        start, step = _decimal(first), _decimal(q)
        self.first, self.q = first, q
        self._divisor = math.lcm(start.denominator, step.denominator)
        self._start = int(start * self._divisor)
        self._step = int(step * self._divisor)
        self.is_whole = self._divisor == 1

    def steps_to(self, high: float) -> int:
        """The number of whole steps from ``first`` to ``high``."""
        return (int(_decimal(high) * self._divisor) - self._start) // self._step

    def value(self, steps: int) -> float:
        """The number that is ``steps`` steps from ``first``; a float beyond `MAX_EXACT`."""
        found = self._start + steps * self._step
        if self.is_whole:
            return found if abs(found) <= MAX_EXACT else float(found)
        return found / self._divisor  # correctly rounded

    def nearest(self, number: float) -> int:
        """The steps from ``first`` to the lattice number nearest to ``number``."""
        return round(_clamped((number - self.first) / self.q))

    def snapped(self, number: float) -> float:
        """The nearest lattice number; raises `InvalidArgument` beyond a rounding error."""
        found = self.value(self.nearest(number))
        if abs(found - number) > _TOLERANCE * self.q:
            raise InvalidArgument(
                f"{number!r} is not {self.first:g} plus a multiple of {self.q:g}; the nearest is "
                f"{found!r}"
            )
        return found


def rounded(number: float, q: float) -> float:
    """The multiple of ``q`` nearest to ``number``, as a float: hyperopt's rounding."""
    return float(round(_clamped(number / q)) * q)


def check_rounded(number: float, q: float) -> float:
    """The nearest multiple of ``q``; raises `InvalidArgument` beyond a rounding error."""
    found = rounded(number, q)
    if abs(found - number) > _TOLERANCE * q:
        raise InvalidArgument(f"{number!r} is not a multiple of {q:g}; the nearest is {found!r}")
    return found


def check_bounds(number: float, low: float, high: float) -> float:
    """``number`` clamped to the bounds; raises `InvalidArgument` beyond a rounding error."""
    slack = 1e-9 * max(abs(low), abs(high))
    if not low - slack <= number <= high + slack:
        raise InvalidArgument(f"{number!r} is outside {low:g} to {high:g}; give a value in range")
    return min(max(number, low), high)


def _decimal(number: float) -> Fraction:
    """``number`` as its decimal digits: 0.1 is exactly one tenth."""
    return Fraction(repr(number)) if type(number) is float else Fraction(number)


def _clamped(ratio: float) -> float:
    return min(max(ratio, -1e300), 1e300)
