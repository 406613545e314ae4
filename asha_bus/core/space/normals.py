"""Parameters whose values are numbers from normal and lognormal distributions."""

from __future__ import annotations

import math
import sys
from random import Random
from statistics import NormalDist

from asha_bus.core.checks import checked
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space.parameter import Parameter, finite_number, rounded, step_of
from asha_bus.core.space.ranges import Number

#: exp() of this is near the largest float; exp() of its negative, near the smallest.
_MAX_EXPONENT = 708.0


#: What moments, steps and names are called elsewhere.
_MOMENTS = {
    **dict.fromkeys(("loc", "mean"), "mu"),
    **dict.fromkeys(("scale", "std", "sd", "stddev"), "sigma"),
    "step": "q",
    "log": "lognormal(mu, sigma)",
    **dict.fromkeys(("name", "label"), "the name in the space: {'x': normal(...)}"),
}


class Normal(Number):
    """Real numbers from a normal distribution."""

    kind = "normal"

    def __init__(
        self,
        mu: float,
        sigma: float,
        q: float | None = None,
        rounds: bool = False,
        is_whole: bool = False,
    ) -> None:
        super().__init__(0, q, rounds, is_whole)
        self.mu, self.sigma = mu, sigma

    def __repr__(self) -> str:
        return self._arguments(self.mu, self.sigma)

    def draw(self, random: Random) -> float:
        return self._nearest(random.gauss(self.mu, self.sigma))

    def share(self, number: float) -> float:
        return NormalDist(self.mu, self.sigma).cdf(number)

    def at(self, share: float) -> float:
        least = sys.float_info.min
        bounded = min(max(share, least), 1 - sys.float_info.epsilon)
        return self._nearest(NormalDist(self.mu, self.sigma).inv_cdf(bounded))

    def _nearest(self, number: float) -> float:
        """The possible number nearest to ``number``."""
        if self._lattice is not None:
            return self._lattice.value(self._lattice.nearest(number))
        return number if self.q is None else rounded(number, self.q)


class LogNormal(Normal):
    """Numbers above 0 whose logarithm is normally distributed."""

    kind = "lognormal"

    def share(self, number: float) -> float:
        return super().share(math.log(number)) if number > 0 else 0.0

    def _nearest(self, number: float) -> float:
        return super()._nearest(math.exp(min(max(number, -_MAX_EXPONENT), _MAX_EXPONENT)))

    def _bounded(self, number: float) -> float:
        if number < 0 or (number == 0 and self.q is None):
            raise InvalidArgument(f"{number!r} is not above 0")
        return number


@checked(_MOMENTS)
def normal(mu: float, sigma: float, q: float | None = None) -> Parameter:
    """Draw a real number from a normal distribution.

    Args:
        mu: The mean.
        sigma: The standard deviation, above 0.
        q: Values are rounded to the nearest multiple of this, as built-in ints if it is a
            whole number. None (default): any number.

    Returns:
        A parameter to use in a `Space`.

    Raises:
        InvalidArgument: An argument is not a finite number, ``sigma <= 0`` or ``q <= 0``.

    Example:
        >>> space = Space(shift=normal(0, 2.5))
    """
    return Normal(*_moments("normal", mu, sigma), step_of("normal", q))


@checked(_MOMENTS)
def lognormal(mu: float, sigma: float, q: float | None = None) -> Parameter:
    """Draw a number above 0 whose logarithm is normally distributed.

    Args:
        mu: The mean of the logarithm.
        sigma: The standard deviation of the logarithm, above 0.
        q: Values are rounded to the nearest multiple of this, which may be 0, as built-in
            ints if it is a whole number. None (default): any number.

    Returns:
        A parameter to use in a `Space`.

    Raises:
        InvalidArgument: An argument is not a finite number, ``sigma <= 0`` or ``q <= 0``.

    Example:
        >>> space = Space(decay=lognormal(-7, 1))
    """
    return LogNormal(*_moments("lognormal", mu, sigma), step_of("lognormal", q))


def _moments(kind: str, mu: object, sigma: object) -> tuple[float, float]:
    mean, deviation = finite_number(mu, kind, "mu"), finite_number(sigma, kind, "sigma")
    if deviation <= 0:
        raise InvalidArgument(f"{kind}: sigma must be above 0, got {sigma!r}")
    return float(mean), float(deviation)
