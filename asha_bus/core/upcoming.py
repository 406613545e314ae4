"""The trials to come: made from the points of a searcher, the next one ahead of its time."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from asha_bus.core.events import Draw, RunSettings
from asha_bus.core.rung import mix, mix_in
from asha_bus.core.schedulers import Rule
from asha_bus.core.supply import Supply
from asha_bus.core.trial import Trial

#: (seed, trial) gives trial.seed through `mix` with this salt; kept within 32 bits
#: since numpy and others take no larger seeds.
_SEED_SALT: Final = 1
_SEED_MASK: Final = 0xFFFFFFFF


class Upcoming:
    """Makes new trials, numbered from 0 on: their seeds, their brackets, their points."""

    def __init__(self, settings: RunSettings, rule: Rule) -> None:
        self._rule = rule
        self._random = Random(mix(settings.seed))
        self._seeds = mix(settings.seed, _SEED_SALT)
        self._supply = Supply(settings.max_trials, learns=settings.learns)
        #: The next trial, made while nobody waits for it; None: it is still to be made.
        self.ready: Trial | None = None

    def resume(self, settings: RunSettings) -> None:
        """From now on there is another limit."""
        self._supply.limit = settings.max_trials
        self._supply.is_exhausted = False

    @property
    def supply(self) -> Supply:
        """The points of trials to come."""
        return self._supply

    def prepare(self, number: int) -> Trial | None:
        """Have trial ``number``, the next one, ready, if there is to be one."""
        limit = self._supply.limit
        if limit is not None and number >= limit:
            return None
        if self.ready is None and self._supply.has_next:
            seed = mix_in(self._seeds, number) & _SEED_MASK
            self.ready = Trial(number, self._supply.take(), seed)
            self._rule.assign(self.ready, self._random)
        return self.ready

    def take(self, number: int) -> Trial | None:
        """Trial ``number``, the next one, if there is one."""
        trial = self.prepare(number)
        if trial is not None:
            self.ready = None
        return trial

    def wanted(self, workers: int, begun: int) -> Iterator[Draw]:
        """The points to ask the searcher for now; see `Supply.wanted`."""
        while (batch := self._supply.wanted(workers, begun)) is not None:
            yield Draw(*batch)

    @property
    def depths(self) -> tuple[int, int]:
        """How many points there are for trials to come, and how many were asked for."""
        return len(self._supply) + (self.ready is not None), self._supply.undrawn

    def outstanding(self) -> Iterator[Draw]:
        """The points that were asked for and have not come."""
        return (Draw(*batch) for batch in self._supply.outstanding())
