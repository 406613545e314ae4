"""Random search: independent draws."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from asha_bus.core.checks import ANY_WHOLE, check
from asha_bus.core.messages import Point
from asha_bus.core.pseudorandom import mix
from asha_bus.core.space import Space


@dataclass(frozen=True)
class RandomSearch:
    """Draw each configuration independently of all others.

    Trial ``n`` gets the same configuration for the same ``seed``, whatever the
    number of workers and the order of events. ``seed``: a whole number; None
    takes the run's. Level-1 configurations take turns.
    """

    seed: int | None = None

    def __post_init__(self) -> None:
        if self.seed is not None:
            check("RandomSearch: seed", self.seed, ANY_WHOLE)

    def draw(self, space: Space, number: int, run_seed: int) -> Point:
        """The point of trial ``number``."""
        seed = run_seed if self.seed is None else self.seed
        return space.draw_point(Random(mix(seed, number)), number % space.branches)
