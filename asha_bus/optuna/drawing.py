"""Draws a value of a distribution of Optuna at random, from a seed."""

from __future__ import annotations

import math

from optuna import distributions as d

from asha_bus.core.pseudorandom import mix

_BITS = 53


def drawn(distribution: d.BaseDistribution, seed: int) -> float:
    """The internal number of a random value, distributed as by Optuna's ``RandomSampler``.

    That sampler makes a generator of numpy for each seed, which costs more than the value.
    """
    share = (mix(seed) & ((1 << _BITS) - 1)) / (1 << _BITS)
    if isinstance(distribution, d.CategoricalDistribution):
        return float(int(share * len(distribution.choices)))
    if not isinstance(distribution, d.FloatDistribution | d.IntDistribution):
        raise TypeError(f"{distribution!r} is not a distribution that can be drawn from")
    low, high, step = distribution.low, distribution.high, distribution.step
    is_whole = isinstance(distribution, d.IntDistribution)
    if not math.isfinite(high - low):
        raise OverflowError(f"the range of {distribution} exceeds valid bounds; give finite ones")
    if distribution.log:
        half = 0.5 if is_whole else 0.0  # so that the ends are as likely as those between
        first, last = math.log(low - half), math.log(high + half)
        value = math.exp(first + share * (last - first))
        return float(min(max(round(value) if is_whole else value, low), high))
    if step is None:
        return min(low + share * (high - low), high)
    count = round((high - low) / step) + 1
    return float(min(low + int(share * count) * step, high))
