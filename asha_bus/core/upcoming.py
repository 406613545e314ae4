"""The trials to come: made from the points of a searcher, the next one ahead of its time."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from asha_bus.core.events import RequestSuggestions, RunSettings
from asha_bus.core.pseudorandom import mix, mix_in
from asha_bus.core.schedulers import SchedulerState
from asha_bus.core.supply import Supply
from asha_bus.core.trial import Trial

#: (seed, trial) gives trial.seed through `mix` with this salt; kept within 32 bits
#: since numpy and others take no larger seeds.
_SEED_SALT: Final = 1
_SEED_MASK: Final = 0xFFFFFFFF


class Upcoming:
    """Makes new trials, numbered from 0 on: their seeds, their brackets, their points."""

    def __init__(self, settings: RunSettings, scheduler: SchedulerState) -> None:
        self._scheduler = scheduler
        self._repeats = settings.repeats
        self._random = Random(mix(settings.seed))
        self._seeds = mix(settings.seed, _SEED_SALT)
        self._supply = Supply(None, learns=settings.learns)
        #: The trials of the configuration that was given out last, where it is repeated.
        self._siblings: list[Trial] = []
        #: The next trial, made while nobody waits for it; None: it is still to be made.
        self.ready: Trial | None = None
        self.resume(settings)

    def resume(self, settings: RunSettings) -> None:
        """From now on there is another limit."""
        self._most = most = settings.max_trials
        self._supply.limit = None if most is None else self._configurations(most)
        self._supply.is_exhausted = False

    @property
    def supply(self) -> Supply:
        """The points of configurations to come."""
        return self._supply

    @property
    def limit(self) -> int | None:
        """How many trials there are at most; None: no end."""
        if self._supply.limit is None:
            return None
        limit = self._supply.limit * self._repeats
        return limit if self._most is None else min(self._most, limit)

    def prepare(self, number: int) -> Trial | None:
        """Have trial ``number``, the next one, ready, if there is to be one."""
        limit = self.limit
        if limit is not None and number >= limit:
            return None
        if self.ready is None:
            self.ready = self._make(number)
        return self.ready

    def _make(self, number: int) -> Trial | None:
        """Trial ``number``, if its point is there: a repeat has that of the one before it."""
        seed = mix_in(self._seeds, number) & _SEED_MASK
        repeat = number % self._repeats
        if repeat:
            first = self._siblings[0]
            trial = Trial(number, first.point, seed, first.bracket, repeat=repeat)
        elif self._supply.has_next:
            trial = Trial(number, self._supply.take(), seed)
            self._scheduler.assign(trial, self._random)
            self._siblings = []
        else:
            return None
        if self._repeats > 1:
            trial.siblings = self._siblings
            trial.siblings.append(trial)
        return trial

    def take(self, number: int) -> Trial | None:
        """Trial ``number``, the next one, if there is one."""
        trial = self.prepare(number)
        if trial is not None:
            self.ready = None
        return trial

    def wanted(self, workers: int, begun: int) -> Iterator[RequestSuggestions]:
        """The points to ask the searcher for now; see `Supply.wanted`."""
        needed, begun = self._configurations(workers), self._configurations(begun)
        while (batch := self._supply.wanted(needed, begun)) is not None:
            yield RequestSuggestions(*batch)

    @property
    def depths(self) -> tuple[int, int]:
        """How many points there are for trials to come, and how many were asked for."""
        return len(self._supply) + (self.ready is not None), self._supply.undrawn

    def outstanding(self) -> Iterator[RequestSuggestions]:
        """The points that were asked for and have not come."""
        return (RequestSuggestions(*batch) for batch in self._supply.outstanding())

    def _configurations(self, trials: int) -> int:
        """How many configurations so many trials in a row are of."""
        return -(-trials // self._repeats)
