"""Asynchronous successive halving with promotions: trials pause at each rung.

Algorithm 2 of Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys
2020, but that a promotion is decided as soon as it is possible, by whoever reports, and not
when a worker asks. One report makes at most one configuration a candidate.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from asha_bus.core.checks import SWITCH, check, checked, whole
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.pseudorandom import mix, mix_in
from asha_bus.core.schedulers.asha import levels_below
from asha_bus.core.schedulers.base import (
    RESOURCE,
    Decision,
    Move,
    Scheduler,
    SchedulerState,
    reached,
)
from asha_bus.core.schedulers.best import Best
from asha_bus.core.schedulers.configuration import Configuration, Key
from asha_bus.core.trial import RungRecord, RungStanding, Trial


@checked()
@dataclass(frozen=True)
class PromotionASHA(Scheduler):
    """Pause a trial at each rung; it continues once it is among the best there.

    Of ``n`` trials at a rung the best ``n // reduction_factor`` are promoted, also later,
    when others have come. So no promising trial is lost because it came early, as `ASHA`
    may lose one. Paused trials stay in the memory of their workers: nothing is saved or
    loaded. Rungs are at ``min_resource * reduction_factor**k`` below ``max_resource``. The
    algorithm is algorithm 2 of Li et al., "A System for Massively Parallel Hyperparameter
    Tuning", MLSys 2020.

    Args:
        max_resource: The most resource that a trial gets, in the unit of the objective's
            reports.
        min_resource: The resource at the first rung (default 1).
        reduction_factor: A whole number of at least 2 (default 3).
        warmup: Rungs below this resource are left out (default 0: none).
        max_resident: The most paused trials that a worker keeps in memory (default 8). Beyond
            it the least promising one is dropped. If it is promoted, it continues from the
            state that `Trial.checkpoint` saved, or is trained again from the start. None: no
            limit.
        rebalance: Whether an idle worker trains a promoted trial from the start where that
            ends before the worker that holds it has time for it (default False).

    Raises:
        InvalidArgument: An argument is out of range; the message names it.

    Example:
        >>> PromotionASHA(max_resource=9).levels
        (1, 3)
    """

    pauses: ClassVar[bool] = True

    max_resource: float
    min_resource: float = 1
    reduction_factor: int = 3
    warmup: float = 0
    max_resident: int | None = 8
    rebalance: bool = False

    def __post_init__(self) -> None:
        check("PromotionASHA: max_resource", self.max_resource, RESOURCE)
        check("PromotionASHA: min_resource", self.min_resource, RESOURCE)
        check("PromotionASHA: reduction_factor", self.reduction_factor, whole(2))
        if self.warmup != 0:
            check("PromotionASHA: warmup", self.warmup, RESOURCE)
        if self.max_resident is not None:
            check("PromotionASHA: max_resident", self.max_resident, whole(1))
        check("PromotionASHA: rebalance", self.rebalance, SWITCH)
        if not self.levels:
            raise InvalidArgument(
                f"PromotionASHA: there is no rung below max_resource ({self.max_resource!r}); "
                f"raise it, or lower min_resource or warmup"
            )

    @property
    def full_resource(self) -> float | None:
        return self.max_resource

    @property
    def levels(self) -> tuple[float, ...]:
        """The resources of the rungs, ascending, computed exactly."""
        return levels_below(
            self.max_resource, self.min_resource, self.reduction_factor, self.warmup
        )

    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        """Return a new state for one run; the run itself calls this.

        Args:
            mode: ``min`` or ``max``.
            seed: The seed of the tie-breaking between equal metrics.

        Returns:
            The state, which belongs to that run alone.

        Example:
            >>> state = PromotionASHA(max_resource=9).new_state(mode="min", seed=1)
            >>> len(state.rungs())
            2
        """
        return _PromotionState(self, mode, seed)


class _Rung:
    """One rung: the best ``n // eta`` of its ``n`` entries are promoted."""

    def __init__(self, level: float, eta: int) -> None:
        self.level = level
        self._eta = eta
        self.entries = 0
        #: Metrics that are not finite: they count as entries, and are never promoted.
        self._bad = 0
        self._best = Best()
        #: The configurations that were promoted, and how many were stopped.
        self.promoted: set[int] = set()
        self.stopped = 0

    @property
    def keep(self) -> int:
        """How many are promoted as long as nothing better comes."""
        return self.entries // self._eta

    @property
    def waiting(self) -> int:
        """How many may still be promoted."""
        return self.entries - len(self.promoted) - self.stopped

    @property
    def cutoff(self) -> float:
        """The worst metric among the best, smaller being better; infinite: there is none."""
        worst = self._best.worst
        return math.inf if worst is None else worst[0]

    def enter(self, key: Key) -> list[int]:
        """Enter ``key``; return the configurations that are promoted by that."""
        self.entries += 1
        is_ranked = math.isfinite(key[0])
        if is_ranked:
            self._best.enter(key)
        else:
            self._bad += 1
        numbers = [number for _, _, number in self._best.keep(self.keep)]
        if is_ranked and key in self._best:
            numbers.append(key[2])
        found: list[int] = []
        for number in numbers:
            if number not in self.promoted:
                self.promoted.add(number)
                found.append(number)
        return found

    def validate(self) -> None:
        """Check the invariants; raises `AssertionError` if one is broken."""
        ranked = self.entries - self._bad
        self._best.validate(ranked)
        assert len(self._best) == min(self.keep, ranked)
        assert {number for _, _, number in self._best.all_kept()} <= self.promoted


class _PromotionState(SchedulerState):
    def __init__(self, settings: PromotionASHA, mode: str, seed: int) -> None:
        self._max_resource = settings.max_resource
        self._sign = 1.0 if mode == "min" else -1.0
        self._lots = [mix(seed, number) for number in range(len(settings.levels))]
        self._rungs = [_Rung(level, settings.reduction_factor) for level in settings.levels]
        self._repeats = 1
        self._limit: float = math.inf
        #: The configurations that may still go on, by the number of their first trial.
        self._configurations: dict[int, Configuration] = {}
        #: Those of which some repeats have entered their rung, and others have not.
        self._partial: set[int] = set()
        #: Trials that came back too late for their rung.
        self._late: set[int] = set()
        self._moves: list[Move] = []

    # --- which trials there are -----------------------------------------------

    def expect(self, trials: int | None, repeats: int) -> None:
        self._repeats = repeats
        if trials is None:
            return
        self._limit = trials
        for configuration in list(self._configurations.values()):
            for trial in configuration.on_the_way:
                if trial >= trials:
                    self._leave(configuration, trial)

    def assign(self, trial: Trial, random: Random) -> None:
        last = int(min(trial.id + self._repeats, self._limit))
        self._configurations[trial.id] = Configuration(trial.id, tuple(range(trial.id, last)))

    def leave(self, trial: Trial) -> None:
        configuration = self._configurations.get(trial.configuration)
        if configuration is not None:
            self._leave(configuration, trial.id)

    def _leave(self, configuration: Configuration, trial: int) -> None:
        if configuration.leave(trial) and not configuration.on_the_way:
            if configuration.entered and configuration.rung < len(self._rungs):
                self._rank(configuration, None)
            else:
                del self._configurations[configuration.number]

    def rejoin(self, trial: Trial) -> None:
        number = trial.configuration
        configuration = self._configurations.get(number)
        if configuration is None:
            configuration = self._configurations[number] = Configuration(number, (trial.id,))
            configuration.rung = len(trial.rungs)
        elif configuration.is_complete:
            self._late.add(trial.id)
        else:
            configuration.on_the_way += (trial.id,)

    # --- decisions ------------------------------------------------------------

    def next_resource(self, trial: Trial) -> float | None:
        entered = len(trial.rungs)
        return self._rungs[entered].level if entered < len(self._rungs) else self._max_resource

    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        records: tuple[RungRecord, ...] = ()
        for number in range(len(trial.rungs), len(self._rungs)):
            rung = self._rungs[number]
            if not reached(resource, rung.level):
                return Decision("continue", records, rung.level)
            mean = trial.mean_at(number, metric)
            verdict = self._enter(trial, metric)
            shown = self._shown(rung.cutoff)
            n = max(rung.entries, 1)
            records += (RungRecord(number, rung.level, metric, n, rung.keep, shown, verdict, mean),)
            if verdict != "continue":
                return Decision(verdict, records, None)
        if reached(resource, self._max_resource):
            self._configurations.pop(trial.configuration, None)
            return Decision("complete", records, None)
        return Decision("continue", records, self._max_resource)

    def _enter(self, trial: Trial, metric: float) -> str:
        configuration = self._configurations.get(trial.configuration)
        if configuration is None or trial.id in self._late:
            return "stop"  # its other repeats were stopped, or it came back too late
        configuration.enter(trial, metric * self._sign)
        if configuration.is_complete:
            return self._rank(configuration, trial.id)
        self._partial.add(configuration.number)
        return "pause"

    def _rank(self, configuration: Configuration, reporting: int | None) -> str:
        """All its trials are in the rung; return what becomes of the trial ``reporting``."""
        number = configuration.rung
        rung = self._rungs[number]
        self._partial.discard(configuration.number)
        lot = mix_in(self._lots[number], configuration.number)
        found = "pause"
        for promoted in rung.enter(configuration.key(lot)):
            if promoted == configuration.number:
                found = "continue"
            self._settle(rung, self._configurations[promoted], "continue", reporting)
        if configuration.is_hopeless and found == "pause" and configuration.rung == number:
            found = "stop"
            self._settle(rung, configuration, "stop", reporting)
        return found

    def _settle(
        self, rung: _Rung, configuration: Configuration, verdict: str, reporting: int | None
    ) -> None:
        mean = configuration.mean * self._sign if self._repeats > 1 else None
        cutoff = self._shown(rung.cutoff)
        self._moves += [
            Move(trial, verdict, rung.entries, rung.keep, cutoff, mean)
            for trial in configuration.entered
            if trial != reporting
        ]
        if verdict == "continue":
            configuration.advance()
        else:
            rung.stopped += 1
            del self._configurations[configuration.number]

    def _shown(self, cutoff: float) -> float | None:
        return cutoff * self._sign if math.isfinite(cutoff) else None

    def take_moves(self) -> Sequence[Move]:
        moves, self._moves = self._moves, []
        return moves

    def close(self) -> None:
        for number in sorted(self._partial):  # none of the missing repeats will come
            self._rank(self._configurations[number], None)
        for configuration in list(self._configurations.values()):
            if configuration.entered:
                self._settle(self._rungs[configuration.rung], configuration, "stop", None)

    # --- for people -----------------------------------------------------------

    def rungs(self) -> list[RungStanding]:
        partial = Counter(self._configurations[number].rung for number in self._partial)
        return [
            RungStanding(
                0,
                number,
                rung.level,
                # with repeats, some wait for the others before the rung counts them
                rung.entries + partial[number],
                len(rung.promoted),
                self._shown(rung.cutoff),
                rung.waiting + partial[number],
            )
            for number, rung in enumerate(self._rungs)
        ]

    def validate(self) -> None:
        waiting = Counter(one.rung for one in self._configurations.values() if one.entered)
        for number, rung in enumerate(self._rungs):
            rung.validate()
            partial = sum(self._configurations[one].rung == number for one in self._partial)
            assert waiting[number] == rung.waiting + partial
