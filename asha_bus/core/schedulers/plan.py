"""One plan of successive halving: a cohort of configurations that shrinks from rung to rung.

Synchronous: a rung keeps its best configurations. Nobody waits longer than that takes: what
has as many better ones before it as the rung keeps is stopped at once, and what must be
among the best, whatever the missing ones report, continues at once.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from asha_bus.core.schedulers.configuration import Configuration, Key


class Verdict(NamedTuple):
    """What becomes of a configuration, whose trials are in a rung."""

    configuration: Configuration
    verdict: str
    trials: tuple[int, ...]
    #: The facts for a record, see `RungRecord`; the metrics with smaller being better.
    n: int
    keep: int
    cutoff: float
    mean: float


class PlanRung:
    """One rung of a plan."""

    __slots__ = ("entries", "freed", "gone_on", "keep", "keys", "level", "on_the_way", "undecided")

    def __init__(self, level: float, keep: int) -> None:
        self.level = level
        self.keep = keep
        #: How many kept places became free, because what had gone on has left.
        self.freed = 0
        self.gone_on = 0
        #: How many configurations have a trial that entered.
        self.entries = 0
        #: How many have begun their way to it, and cannot be ranked yet.
        self.on_the_way = 0
        #: All keys, sorted; an entry is never withdrawn. Those without a verdict, sorted.
        self.keys: list[Key] = []
        self.undecided: list[tuple[Key, Configuration]] = []

    @property
    def places(self) -> int:
        """How many configurations may go on in all."""
        return self.keep + self.freed

    @property
    def cutoff(self) -> float:
        """The worst metric that would go on, smaller being better; infinite: there is none."""
        last = min(self.places, len(self.keys)) - 1
        return self.keys[last][0] if last >= 0 else math.inf

    def rank(self, key: Key) -> int:
        """How many are better."""
        return bisect_left(self.keys, key)


class Plan:
    """The cohort of a plan, and its rungs.

    ``rungs``: the level of each rung, and how many it keeps. ``size``: how many configurations
    the cohort has, as far as is known.
    """

    def __init__(self, rungs: Sequence[tuple[float, int]], size: float) -> None:
        self.rungs = [PlanRung(level, keep) for level, keep in rungs]
        self.size = size
        self.begun = 0
        #: The configurations that go on, by the number of their first trial.
        self.configurations: dict[int, Configuration] = {}

    def begin(self, number: int, trials: tuple[int, ...]) -> None:
        """A configuration begins."""
        self.begun += 1
        self.configurations[number] = Configuration(number, trials)
        self.rungs[0].on_the_way += 1

    def outstanding(self) -> Iterator[tuple[int, float]]:
        """For each rung, how many configurations may still be ranked in it."""
        count = max(self.size - self.begun, 0)
        for number, rung in enumerate(self.rungs):
            if number:
                before = self.rungs[number - 1]
                free = max(before.places - before.gone_on, 0)
                count = min(free, len(before.undecided) + count)
            count += rung.on_the_way
            yield number, count

    def rank(self, configuration: Configuration, lot: int) -> None:
        """All trials of ``configuration`` are in its rung: it can be compared."""
        rung = self.rungs[configuration.rung]
        rung.on_the_way -= 1
        key = configuration.key(lot)
        insort(rung.keys, key)
        if configuration.rung < len(self.rungs) - 1:
            insort(rung.undecided, (key, configuration), key=lambda pair: pair[0])
        else:
            self.drop(configuration)

    def leave(self, configuration: Configuration) -> None:
        """A configuration on its way has no trial left: its kept place is free for another."""
        number = configuration.rung
        self.rungs[number].on_the_way -= 1
        if number:
            self.rungs[number - 1].freed += 1
        self.drop(configuration)

    def drop(self, configuration: Configuration) -> None:
        """Nothing more becomes of ``configuration``."""
        del self.configurations[configuration.number]

    def decide(self) -> Iterator[Verdict]:
        """The verdicts that are certain by now, each once; call it after each change."""
        for number, outstanding in self.outstanding():
            rung = self.rungs[number]
            undecided = rung.undecided
            while undecided and rung.rank(undecided[-1][0]) >= rung.places:
                configuration = undecided.pop()[1]
                self.drop(configuration)
                yield self._verdict(rung, configuration, "stop")
            while undecided and rung.rank(undecided[0][0]) + outstanding < rung.places:
                configuration = undecided.pop(0)[1]
                verdict = self._verdict(rung, configuration, "continue")
                rung.gone_on += 1
                self.rungs[number + 1].on_the_way += 1
                configuration.advance()
                yield verdict

    def _verdict(self, rung: PlanRung, configuration: Configuration, verdict: str) -> Verdict:
        entered, mean = configuration.entered, configuration.mean
        return Verdict(
            configuration, verdict, entered, rung.entries, rung.places, rung.cutoff, mean
        )

    # --- for people -----------------------------------------------------------

    def waiting(self) -> Iterator[tuple[int, float, int]]:
        """For each rung, how many configurations may still enter it, and how many wait there."""
        # some wait for their own repeats, and cannot be ranked yet
        begun = Counter(one.rung for one in self.configurations.values() if not one.entered)
        for number, count in self.outstanding():
            rung = self.rungs[number]
            incomplete = rung.on_the_way - begun[number]
            yield number, count - incomplete, len(rung.undecided) + incomplete

    def validate(self) -> None:
        """Check the invariants; raises `AssertionError` if one is broken."""
        assert self.begun <= self.size
        for number, outstanding in self.outstanding():
            rung = self.rungs[number]
            its = [one for one in self.configurations.values() if one.rung == number]
            assert rung.on_the_way == sum(not one.is_complete for one in its)
            assert len(rung.undecided) == sum(one.is_complete for one in its)
            assert rung.keys == sorted(rung.keys)
            assert rung.gone_on <= rung.places
            assert len(rung.undecided) <= rung.places
            if outstanding == 0:
                assert not rung.undecided, "a rung that nobody else can enter is not decided"
