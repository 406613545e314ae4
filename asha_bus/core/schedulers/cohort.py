"""The state of successive halving and Hyperband: who is in which rung, and who waits."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random

from asha_bus.core.pseudorandom import mix, mix_in
from asha_bus.core.schedulers.base import Decision, Move, SchedulerState, reached
from asha_bus.core.schedulers.configuration import Configuration
from asha_bus.core.schedulers.plan import Plan, PlanRung, Verdict
from asha_bus.core.trial import RungRecord, RungStanding, Trial


class CohortState(SchedulerState):
    """The cohorts of one run, one for each plan.

    ``rungs``: for each plan the level of each rung, and how many it keeps. ``sizes``: how many
    configurations each plan is made for, until `expect` says how many there are; None: any
    number. ``deal`` divides a number of configurations between the plans.
    """

    def __init__(
        self,
        rungs: Sequence[Sequence[tuple[float, int]]],
        sizes: Sequence[int | None],
        deal: Callable[[int], list[int]],
        mode: str,
        seed: int,
    ) -> None:
        self._deal = deal
        self._sign = 1.0 if mode == "min" else -1.0
        self._seed = seed
        self._repeats = 1
        self._limit: float = math.inf
        self._plans = [
            Plan(pairs, math.inf if n is None else n) for pairs, n in zip(rungs, sizes, strict=True)
        ]
        self._dealt: list[float] | None = None
        #: The number of the first configuration of each plan.
        self._starts = list(accumulate((plan.size for plan in self._plans[:-1]), initial=0.0))
        #: Trials for which nobody waits any more: they are stopped at their next report.
        self._late: set[int] = set()
        self._moves: list[Move] = []

    # --- the cohort -----------------------------------------------------------

    def expect(self, trials: int | None, repeats: int) -> None:
        if trials is None:
            return
        self._repeats = repeats
        count = -(-trials // repeats)
        if self._dealt is None:  # the first word counts; later ones can only shrink it
            self._dealt = [float(size) for size in self._deal(count)]
            self._starts = list(accumulate(self._dealt[:-1], initial=0.0))
        self._limit = trials
        for plan, start, dealt in zip(self._plans, self._starts, self._dealt, strict=True):
            plan.size = max(min(dealt, count - start), plan.begun)
            for configuration in list(plan.configurations.values()):
                for trial in configuration.on_the_way:
                    if trial >= trials:
                        self._leave(plan, configuration, trial)
            self._decide(plan)

    def assign(self, trial: Trial, random: Random) -> None:
        first = trial.id
        trial.bracket = bisect_right(self._starts, first // self._repeats) - 1
        last = min(first + self._repeats, self._limit)
        self._plans[trial.bracket].begin(first, tuple(range(first, int(last))))

    def leave(self, trial: Trial) -> None:
        plan, configuration = self._find(trial)
        if configuration is not None:
            self._leave(plan, configuration, trial.id)
            self._decide(plan)

    def _leave(self, plan: Plan, configuration: Configuration, trial: int) -> None:
        """``trial`` can report no more; what waits for it alone need not any longer."""
        if configuration.leave(trial) and not configuration.on_the_way:
            if configuration.entered:
                plan.rank(configuration, self._lot(configuration))
            else:
                plan.leave(configuration)

    def rejoin(self, trial: Trial) -> None:
        plan, configuration = self._find(trial)
        rung = plan.rungs[0]
        if trial.rungs or (rung.gone_on and not rung.undecided and not rung.on_the_way):
            self._late.add(trial.id)
        elif configuration is None:
            plan.configurations[trial.configuration] = Configuration(
                trial.configuration, (trial.id,)
            )
            rung.on_the_way += 1
        elif configuration.is_complete:
            self._late.add(trial.id)
        else:
            configuration.on_the_way += (trial.id,)

    def _find(self, trial: Trial) -> tuple[Plan, Configuration | None]:
        plan = self._plans[trial.bracket]
        return plan, plan.configurations.get(trial.configuration)

    # --- decisions ------------------------------------------------------------

    def next_resource(self, trial: Trial) -> float | None:
        rungs = self._plans[trial.bracket].rungs
        return rungs[min(len(trial.rungs), len(rungs) - 1)].level

    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        plan = self._plans[trial.bracket]
        records: tuple[RungRecord, ...] = ()
        if trial.id in self._late:
            return Decision("stop", (self._too_late(plan, trial, resource, metric),), None)
        for number in range(len(trial.rungs), len(plan.rungs)):
            level = plan.rungs[number].level
            if not reached(resource, level):
                return Decision("continue", records, level)
            record = self._enter(plan, trial, number, metric)
            records += (record,)
            if record.verdict != "continue":
                return Decision(record.verdict, records, None)
        return Decision("complete", records, None)

    def _enter(self, plan: Plan, trial: Trial, number: int, metric: float) -> RungRecord:
        rung = plan.rungs[number]
        _, configuration = self._find(trial)
        mean = trial.mean_at(number, metric)
        if configuration is None:  # its other repeats were stopped
            return self._record(rung, number, metric, mean, "stop")
        rung.entries += not configuration.entered
        configuration.enter(trial, metric * self._sign)
        if number == len(plan.rungs) - 1:
            if configuration.is_complete:
                plan.rank(configuration, self._lot(configuration))
            self._decide(plan)
            return self._record(rung, number, metric, mean, "complete")
        if configuration.is_hopeless:
            self._give_up(plan, configuration, trial)
            return self._record(rung, number, metric, mean, "stop")
        verdict = "pause"
        if configuration.is_complete:
            plan.rank(configuration, self._lot(configuration))
            verdict = self._decide(plan, trial) or verdict
        return self._record(rung, number, metric, mean, verdict)

    def _too_late(self, plan: Plan, trial: Trial, resource: float, metric: float) -> RungRecord:
        """The record of a trial for which its rung does not wait, wherever it is by now."""
        number = min(len(trial.rungs), len(plan.rungs) - 1)
        record = self._record(plan.rungs[number], number, metric, None, "stop")
        return record._replace(resource=resource, mean=trial.mean_at(number, metric))

    def _give_up(self, plan: Plan, configuration: Configuration, trial: Trial) -> None:
        """A metric of ``configuration`` is no finite number: it cannot be among the best."""
        rung = plan.rungs[configuration.rung]
        rung.on_the_way -= 1
        plan.drop(configuration)
        n, keep, cutoff = rung.entries, rung.places, self._shown(rung.cutoff)
        mean = configuration.mean * self._sign
        self._moves += [
            Move(other, "stop", n, keep, cutoff, mean)
            for other in configuration.entered
            if other != trial.id
        ]
        self._decide(plan)

    def _decide(self, plan: Plan, reporting: Trial | None = None) -> str | None:
        """Move all that can be decided; return the verdict on ``reporting``, if there is one."""
        found = None
        for verdict in plan.decide():
            for trial in verdict.trials:
                if reporting is not None and trial == reporting.id:
                    found = verdict.verdict
                else:
                    self._moves.append(self._move(trial, verdict))
        return found

    def _move(self, trial: int, verdict: Verdict) -> Move:
        mean = verdict.mean * self._sign if self._repeats > 1 else None
        cutoff = self._shown(verdict.cutoff)
        return Move(trial, verdict.verdict, verdict.n, verdict.keep, cutoff, mean)

    def _record(
        self, rung: PlanRung, number: int, metric: float, mean: float | None, verdict: str
    ) -> RungRecord:
        n = max(rung.entries, 1)
        cutoff = self._shown(rung.cutoff)
        return RungRecord(number, rung.level, metric, n, rung.places, cutoff, verdict, mean)

    def _shown(self, cutoff: float) -> float | None:
        return cutoff * self._sign if math.isfinite(cutoff) else None

    def _lot(self, configuration: Configuration) -> int:
        return mix_in(mix(self._seed, configuration.rung), configuration.number)

    def take_moves(self) -> Sequence[Move]:
        moves, self._moves = self._moves, []
        return moves

    # --- the end of waiting ---------------------------------------------------

    def stragglers(self, begun: int) -> Sequence[tuple[int, int]]:
        return [
            (bracket, number)
            for bracket, plan in enumerate(self._plans)
            for number, count in plan.outstanding()
            if 0 < count == plan.rungs[number].on_the_way and plan.rungs[number].entries
            if number or max(self._missing(plan, 0)) < begun
        ]

    def _missing(self, plan: Plan, rung: int) -> list[int]:
        """The trials on their way to ``rung``."""
        configurations = plan.configurations.values()
        return [trial for one in configurations if one.rung == rung for trial in one.on_the_way]

    def time_out(self, bracket: int, rung: int) -> Sequence[int]:
        plan = self._plans[bracket]
        missing = self._missing(plan, rung)
        self._late.update(missing)
        for configuration in list(plan.configurations.values()):
            if configuration.rung == rung:
                for trial in configuration.on_the_way:
                    self._leave(plan, configuration, trial)
        self._decide(plan)
        return missing

    def close(self) -> None:
        for plan in self._plans:
            plan.size = plan.begun
            self._decide(plan)

    # --- for people -----------------------------------------------------------

    def rungs(self) -> list[RungStanding]:
        return [
            self._standing(bracket, plan, number, to_come, paused)
            for bracket, plan in enumerate(self._plans)
            for number, to_come, paused in plan.waiting()
        ]

    def _standing(
        self, bracket: int, plan: Plan, number: int, to_come: float, paused: int
    ) -> RungStanding:
        rung = plan.rungs[number]
        is_last = number == len(plan.rungs) - 1
        return RungStanding(
            bracket,
            number,
            rung.level,
            rung.entries,
            min(rung.keep, rung.ranked) if is_last else rung.gone_on,
            self._shown(rung.cutoff),
            0 if is_last else paused,
            None if math.isinf(to_come) else int(rung.entries + to_come),
            rung.places,
            is_last,
        )

    def validate(self) -> None:
        for plan in self._plans:
            plan.validate()
