"""One plan of successive halving: a cohort of configurations that shrinks from rung to rung.

Synchronous: a rung keeps its best configurations. Nobody waits longer than that takes: what
has as many better ones before it as the rung keeps is stopped at once, and what must be
among the best, whatever the missing ones report, continues at once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from asha_bus.core.schedulers.best import Best
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

    __slots__ = (
        *("entries", "freed", "gone_on", "keep", "level", "on_the_way", "ranked", "undecided"),
        *("_moved", "_sure", "_within"),
    )

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
        #: How many are ranked; an entry is never withdrawn. Those without a verdict.
        self.ranked = 0
        self.undecided: dict[Key, Configuration] = {}
        #: Those that are among the best by now, and those that will be, whoever still enters.
        self._within, self._sure = Best(), Best()
        #: The keys that got a place in either, or lost one, since the last verdicts.
        self._moved: set[Key] = set()

    @property
    def places(self) -> int:
        """How many configurations may go on in all."""
        return self.keep + self.freed

    @property
    def cutoff(self) -> float:
        """The worst metric that would go on, smaller being better; infinite: there is none."""
        worst = self._within.worst
        return math.inf if worst is None else worst[0]

    def free(self) -> None:
        """A kept place is free for another."""
        self.freed += 1
        self._within.keep(self.places)

    def rank(self, key: Key, configuration: Configuration | None) -> None:
        """Compare ``key`` with the others; None: there is no verdict on its configuration."""
        self.ranked += 1
        self._moved.update((key, self._within.enter(key)))
        self._within.keep(self.places)
        self._sure.enter(key)
        if configuration is not None:
            self.undecided[key] = configuration

    def decide(self, outstanding: float) -> tuple[list[Configuration], list[Configuration]]:
        """Take out those that stop, from the worst one, and those that go on, from the best one.

        ``outstanding``: how many may still be ranked.
        """
        moved = self._moved
        moved.update(self._sure.keep(int(max(self.places - outstanding, 0))))
        stopped: list[Key] = []
        going_on: list[Key] = []
        for key in moved:
            if key in self.undecided:
                if key not in self._within:
                    stopped.append(key)
                elif key in self._sure:
                    going_on.append(key)
        moved.clear()
        stopped.sort(reverse=True)
        going_on.sort()
        return list(map(self.undecided.pop, stopped)), list(map(self.undecided.pop, going_on))

    def validate(self) -> None:
        """Check the invariants; raises `AssertionError` if one is broken."""
        self._within.validate(self.ranked)
        self._sure.validate(self.ranked)
        assert len(self._within) == min(self.places, self.ranked)
        assert self._sure.all_kept() <= self._within.all_kept()
        assert self.undecided.keys() <= self._within.all_kept() - self._sure.all_kept()


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
        is_last = configuration.rung == len(self.rungs) - 1
        rung.rank(configuration.key(lot), None if is_last else configuration)
        if is_last:
            self.drop(configuration)

    def leave(self, configuration: Configuration) -> None:
        """A configuration on its way has no trial left: its kept place is free for another."""
        number = configuration.rung
        self.rungs[number].on_the_way -= 1
        if number:
            self.rungs[number - 1].free()
        self.drop(configuration)

    def drop(self, configuration: Configuration) -> None:
        """Nothing more becomes of ``configuration``."""
        del self.configurations[configuration.number]

    def decide(self) -> Iterator[Verdict]:
        """The verdicts that are certain by now, each once; call it after each change."""
        for number, outstanding in self.outstanding():
            rung = self.rungs[number]
            stopped, going_on = rung.decide(outstanding)
            for configuration in stopped:
                self.drop(configuration)
                yield self._verdict(rung, configuration, "stop")
            for configuration in going_on:
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
            rung.validate()
            assert rung.gone_on <= rung.places
            assert len(rung.undecided) <= rung.places
            if outstanding == 0:
                assert not rung.undecided, "a rung that nobody else can enter is not decided"
