"""A configuration on its way through rungs: what is ranked is the mean of its repeats."""

from __future__ import annotations

import math

from asha_bus.core.trial import Trial, mean_of

#: What a rung ranks: the metric, smaller being better; the lot, which breaks ties; the
#: configuration.
Key = tuple[float, int, int]


class Configuration:
    """The trials of one configuration, and which of them have entered its current rung.

    Its key exists once every repeat that can still report has entered. Its trials have
    consecutive numbers.
    """

    __slots__ = ("entered", "metrics", "number", "on_the_way", "rung")

    def __init__(self, number: int, trials: tuple[int, ...]) -> None:
        #: The number of the first trial.
        self.number = number
        #: The rung that its trials enter next, or are in.
        self.rung = 0
        #: The trials that can still enter the rung, and those that have, with their metrics.
        self.on_the_way = trials
        self.entered: tuple[int, ...] = ()
        self.metrics: tuple[float, ...] = ()

    def enter(self, trial: Trial, metric: float) -> None:
        """``trial`` reports at the rung."""
        self.on_the_way = tuple(one for one in self.on_the_way if one != trial.id)
        self.entered += (trial.id,)
        self.metrics += (metric,)

    def leave(self, trial: int) -> bool:
        """``trial`` can report no more; returns whether it was on its way."""
        was = trial in self.on_the_way
        self.on_the_way = tuple(one for one in self.on_the_way if one != trial)
        return was

    def advance(self) -> None:
        """All trials that are in the rung go on to the next one."""
        self.rung += 1
        self.on_the_way, self.entered, self.metrics = self.entered, (), ()

    @property
    def is_complete(self) -> bool:
        """Whether all trials that can enter the rung are in it, and there are some."""
        return bool(self.entered) and not self.on_the_way

    @property
    def mean(self) -> float:
        """The mean of the metrics in the rung; NaN or infinite if one of them is."""
        return mean_of(self.metrics)

    def key(self, lot: int) -> Key:
        """Its place in the rung; a mean that is no finite number ranks last."""
        return (math.inf if self.is_hopeless else self.mean, lot, self.number)

    @property
    def is_hopeless(self) -> bool:
        """Whether its mean can be no finite number any more."""
        return not all(map(math.isfinite, self.metrics))
