"""Parameters whose values are numbers of a range."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from random import Random
from typing import Any

from asha_bus.core.checks import SWITCH, check, checked, shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space.parameter import (
    MAX_EXACT,
    Lattice,
    Parameter,
    as_number,
    check_bounds,
    check_rounded,
    finite_number,
    ordered,
    rounded,
    step_of,
)

#: What bounds, steps and names are called elsewhere.
_BOUNDS = {
    **dict.fromkeys(("lower", "min", "minval", "start", "a"), "low"),
    **dict.fromkeys(("upper", "max", "maxval", "end", "stop", "b"), "high"),
    "step": "q",
    **dict.fromkeys(("name", "label"), "the name in the space: {'x': uniform(...)}"),
    "base": "loguniform(low, high), in which the base of the logarithm changes nothing",
}


class Number(Parameter):
    """Base of the parameters whose values are numbers, quantised by ``q`` or not.

    Quantised values are ``first + k * q``. With ``rounds`` they are rounded to multiples of
    q instead, as in hyperopt, and may lie slightly outside the bounds. ``is_whole``: the
    values are built-in ints.
    """

    def __init__(self, first: float, q: float | None, rounds: bool, is_whole: bool) -> None:
        self.q = q
        self.rounds = rounds
        self._lattice = None if q is None or rounds else Lattice(first, q)
        self.is_whole = is_whole or (self._lattice is not None and self._lattice.is_whole)

    @abstractmethod
    def share(self, number: float) -> float:
        """The share of draws below ``number``, from 0 to 1, before they are quantised."""

    @abstractmethod
    def at(self, share: float) -> float:
        """The inverse of `share`, as the nearest possible number."""

    def resolve(self, number: float) -> Any:
        return int(number) if self.is_whole else number

    def unbounded(self, value: Any) -> float:
        """The number of any finite ``value``, in the range or not."""
        number = as_number(value)
        if number is None or not math.isfinite(number):
            raise InvalidArgument(f"{shortened(value)} is not a finite number")
        return number

    def number_of(self, value: Any) -> float:
        number = self.unbounded(value)
        if self.q is None:
            return self._bounded(float(number))
        if self.rounds:
            return check_rounded(self._bounded(number), self.q)
        assert self._lattice is not None
        return self._bounded(self._lattice.snapped(number))

    def _bounded(self, number: float) -> float:
        """``number`` within the bounds; raises `InvalidArgument` if it is outside."""
        return number

    def _arguments(self, *bounds: float) -> str:
        found = ", ".join(map(repr, bounds))
        if self.q is not None:
            found += f", q={self.q!r}"
        if self.rounds:  # not an argument: set only for a space from hyperopt
            found += ", as hyperopt"
        return f"{self.kind}({found})"


class _Range(Number):
    """Base of the real numbers between two bounds."""

    def __init__(
        self,
        low: float,
        high: float,
        q: float | None = None,
        rounds: bool = False,
        is_whole: bool = False,
    ) -> None:
        super().__init__(low, q, rounds, is_whole)
        self.low, self.high = low, high
        #: If quantised: the number of steps from ``low`` to ``high``.
        self.steps = 0 if self._lattice is None else self._lattice.steps_to(high)

    def __repr__(self) -> str:
        return self._arguments(self.low, self.high)

    def _bounded(self, number: float) -> float:
        if self.rounds and self.q is not None:
            return check_bounds(number, rounded(self.low, self.q), rounded(self.high, self.q))
        return check_bounds(number, self.low, self.high)

    def draw(self, random: Random) -> float:
        if self._lattice is not None:
            return self._lattice.value(self._draw_steps(random))
        number = self._draw_any(random)
        if self.q is None and self.low <= number <= self.high:
            return number  # the usual case: rounding errors alone lead out of the bounds
        return self._nearest(number)

    def share(self, number: float) -> float:
        return _share(*self._ends, self._scaled(number))

    def at(self, share: float) -> float:
        low, high = self._ends
        return self._nearest(self._unscaled(low * (1 - share) + high * share))

    @property
    def _ends(self) -> tuple[float, float]:
        """The scaled bounds; on a lattice, half a step beyond them."""
        if self._lattice is None:
            return self._scaled(self.low), self._scaled(self.high)
        assert self.q is not None
        last = self._lattice.value(self.steps) + self.q / 2
        return self._scaled(max(self.low - self.q / 2, self._least)), self._scaled(last)

    @property
    def _least(self) -> float:
        return -math.inf

    def _scaled(self, number: float) -> float:
        return number / 2  # keeps the difference of two numbers finite

    def _unscaled(self, scaled: float) -> float:
        return 2 * scaled

    def _nearest(self, number: float) -> float:
        if self._lattice is not None:
            return self._lattice.value(min(max(self._lattice.nearest(number), 0), self.steps))
        bounded = min(max(number, self.low), self.high)
        return bounded if self.q is None else rounded(bounded, self.q)

    def _draw_any(self, random: Random) -> float:
        raise NotImplementedError

    def _draw_steps(self, random: Random) -> int:
        raise NotImplementedError


class Uniform(_Range):
    """Real numbers from ``low`` to ``high``, all equally likely."""

    kind = "uniform"

    def _draw_any(self, random: Random) -> float:
        share = random.random()
        return self.low * (1 - share) + self.high * share  # high - low may overflow

    def _draw_steps(self, random: Random) -> int:
        return random.randrange(self.steps + 1)


class LogUniform(_Range):
    """Real numbers whose logarithm is uniform: all orders of magnitude are equally likely."""

    kind = "loguniform"

    def _draw_any(self, random: Random) -> float:
        low, high = math.log(self.low), math.log(self.high)
        return math.exp(low + (high - low) * random.random())

    @property
    def _least(self) -> float:
        return self.low / 2

    def _scaled(self, number: float) -> float:
        return math.log(max(number, self.low / 2))

    def _unscaled(self, scaled: float) -> float:
        return math.exp(scaled)

    def _draw_steps(self, random: Random) -> int:
        assert self.q is not None
        return _draw_log_steps(random, self.low, self.q, self.steps)


class RandInt(Number):
    """Whole numbers ``low``, ``low + q`` and so on, up to and including ``high``."""

    kind = "randint"

    def __init__(self, low: int, high: int, q: int = 1, log: bool = False) -> None:
        super().__init__(low, q, rounds=False, is_whole=True)
        self.low, self.high, self.log, self.step = low, high, log, q
        self.steps = (high - low) // q

    def __repr__(self) -> str:
        found = f"{self.low!r}, {self.high!r}"
        if self.q != 1:
            found += f", q={self.q!r}"
        return f"randint({found}, log=True)" if self.log else f"randint({found})"

    def draw(self, random: Random) -> float:
        if self.log:
            return self.low + self.step * _draw_log_steps(random, self.low, self.step, self.steps)
        if self.step == 1:
            return random.randint(self.low, self.high)
        return self.low + self.step * random.randrange(self.steps + 1)

    def share(self, number: float) -> float:
        low, high = self._ends
        scale = self._scale
        return _share(scale(low), scale(high), scale(max(number, low)))

    def at(self, share: float) -> float:
        low, high = map(self._scale, self._ends)
        number = low * (1 - share) + high * share
        steps = round(((math.exp(number) if self.log else number) - self.low) / self.step)
        return self.low + self.step * min(max(steps, 0), self.steps)

    @property
    def _ends(self) -> tuple[float, float]:
        """Half a step beyond the bounds."""
        first, last = self.low - self.step / 2, self.low + (self.steps + 0.5) * self.step
        return (max(first, self.low / 2) if self.log else first), last

    @property
    def _scale(self) -> Callable[[float], float]:
        return math.log if self.log else float

    def unbounded(self, value: Any) -> int:
        number = as_number(value)
        if number is None or not math.isfinite(number) or number != int(number):
            raise InvalidArgument(f"{shortened(value)} is not a whole number")
        return int(number)

    def number_of(self, value: Any) -> float:
        whole = self.unbounded(value)
        if not self.low <= whole <= self.high:
            bounds = f"{self.low} to {self.high}"
            raise InvalidArgument(f"{shortened(value)} is outside {bounds}; give a value in range")
        if (whole - self.low) % self.step:
            raise InvalidArgument(
                f"{shortened(value)} is not {self.low} plus a multiple of {self.q}"
            )
        return whole


def _draw_log_steps(random: Random, low: float, q: float, steps: int) -> int:
    """Draw a number of steps from ``low``: each gets the share of the numbers nearest to it."""
    first = math.log(max(low - q / 2, low / 2))
    last = math.log(low + (steps + 0.5) * q)
    number = math.exp(first + (last - first) * random.random())
    return min(max(round((number - low) / q), 0), steps)


def _share(low: float, high: float, number: float) -> float:
    return min(max((number - low) / (high - low), 0.0), 1.0) if high > low else 0.5


@checked({**_BOUNDS, "log": "loguniform(low, high)"})
def uniform(low: float, high: float, q: float | None = None) -> Parameter:
    """Draw a real number between ``low`` and ``high``, all equally likely.

    Args:
        low: The lower bound, included.
        high: The upper bound, included.
        q: The step: values are ``low``, ``low + q``, ``low + 2 * q`` and so on up to
            ``high``, as built-in ints if ``low`` and ``q`` are whole numbers. None
            (default): any number.

    Returns:
        A parameter to use in a `Space`.

    Raises:
        InvalidArgument: An argument is not a finite number, ``low > high`` or ``q <= 0``.

    Example:
        >>> space = Space(momentum=uniform(0.5, 0.99), dropout=uniform(0, 0.5, q=0.1))
    """
    first, last = ordered("uniform", low, high)
    return _steps_checked(Uniform(float(first), float(last), step_of("uniform", q)))


@checked({**_BOUNDS, "log": "loguniform(low, high) alone, which is logarithmic"})
def loguniform(low: float, high: float, q: float | None = None) -> Parameter:
    """Draw a real number between ``low`` and ``high``, uniform in its logarithm.

    Args:
        low: The lower bound, included, above 0: the value itself, not an exponent.
        high: The upper bound, included: the value itself, not an exponent.
        q: The step, see `uniform`. A quantised value is as likely as all the numbers
            nearest to it. None (default): any number.

    Returns:
        A parameter to use in a `Space`.

    Raises:
        InvalidArgument: An argument is not a finite number, ``low <= 0``, ``low > high`` or
            ``q <= 0``.

    Example:
        >>> space = Space(lr=loguniform(1e-4, 1e-1))
    """
    first, last = ordered("loguniform", low, high)
    if first <= 0:
        raise InvalidArgument(
            f"loguniform({low!r}, {high!r}): low must be above 0, because its logarithm is taken; "
            f"use a small number such as 1e-6, or uniform()"
        )
    return _steps_checked(LogUniform(float(first), float(last), step_of("loguniform", q)))


@checked(_BOUNDS)
def randint(low: int, high: int, q: int = 1, log: bool = False) -> Parameter:
    """Draw a whole number from ``low`` to ``high``, both included, as a built-in int.

    Args:
        low: The lower bound, from -2**62; at least 1 with ``log``.
        high: The upper bound, up to 2**62.
        q: The step, at least 1 (default): values are ``low``, ``low + q``, ``low + 2 * q``
            and so on up to ``high``.
        log: True: all orders of magnitude are equally likely. False (default): all numbers
            are equally likely.

    Returns:
        A parameter to use in a `Space`.

    Raises:
        InvalidArgument: ``low``, ``high`` or ``q`` is not a whole number or out of range,
            ``log`` is not a bool, or ``low > high``.

    Example:
        >>> space = Space(layers=randint(1, 6), width=randint(8, 1024, log=True))
    """
    first, last = ordered("randint", low, high)
    for argument, value in (
        ("low", first),
        ("high", last),
        ("q", finite_number(q, "randint", "q")),
    ):
        if value != int(value):
            raise InvalidArgument(f"randint: {argument} must be a whole number, got {value!r}")
        if abs(value) > 2**62:
            raise InvalidArgument(f"randint: {argument} must lie within +-2**62, got {value!r}")
    if q < 1:
        raise InvalidArgument(f"randint: q must be at least 1, got {q!r}")
    check("randint: log", log, SWITCH)
    if log and first < 1:
        raise InvalidArgument(
            f"randint({low!r}, {high!r}, log=True): low must be at least 1, because its logarithm "
            f"is taken"
        )
    return RandInt(int(first), int(last), int(q), log)


def _steps_checked(found: _Range) -> _Range:
    if found.steps > MAX_EXACT:
        raise InvalidArgument(
            f"{found!r}: q is too small for the range, which would have {found.steps:.3g} steps"
        )
    return found
