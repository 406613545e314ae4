"""Continuous ASHA: the stopping variant of asynchronous successive halving.

Asynchronous successive halving is algorithm 2 of Li et al., "A System for Massively
Parallel Hyperparameter Tuning", MLSys 2020. This variant decides when a trial reaches a
rung whether it continues or stops for good, so no trial is ever paused or saved.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf, isfinite
from random import Random

from asha_bus.core.checks import check, checked, whole
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.messages import of_fields
from asha_bus.core.pseudorandom import mix, mix_in
from asha_bus.core.schedulers.base import (
    MAX_RESOURCE,
    RESOURCE,
    Decision,
    Scheduler,
    SchedulerState,
    reached,
)
from asha_bus.core.schedulers.rung import Rung
from asha_bus.core.trial import RungRecord, RungStanding, Trial


@checked()
@dataclass(frozen=True)
class ASHA(Scheduler):
    """Stop a trial at a rung unless it is among the best ``1 / reduction_factor`` there.

    Rungs are at ``min_resource * reduction_factor**k`` below ``max_resource``. A trial that
    reaches ``max_resource``, or whose objective ends by itself, is completed. Resources are in
    the unit of the objective's reports, epochs for instance, and may be fractions. The
    algorithm is the stopping variant of algorithm 2 of Li et al., "A System for Massively
    Parallel Hyperparameter Tuning", MLSys 2020.

    Args:
        max_resource: The most resource that a trial gets. None: there is no limit, and a rung
            at every power, for objectives that end by themselves.
        min_resource: The resource at the first rung, before which no trial is stopped
            (default 1).
        reduction_factor: A whole number of at least 2 (default 3).
        brackets: The number of brackets, between which configurations are divided as in
            Hyperband. Bracket ``s`` has its own rungs, without the first ``s`` (default 1:
            all trials meet the first rung).
        warmup: Rungs below this resource are left out (default 0: none).
        quorum: The first ``quorum`` trials to reach a rung continue in any case, if their
            metric is finite (default 0; the first trial always continues).

    Raises:
        InvalidArgument: An argument is out of range; the message names it.

    Example:
        >>> ASHA(max_resource=81, min_resource=1, reduction_factor=3).levels
        (1, 3, 9, 27)
    """

    max_resource: float | None
    min_resource: float = 1
    reduction_factor: int = 3
    brackets: int = 1
    warmup: float = 0
    quorum: int = 0

    def __post_init__(self) -> None:
        if self.max_resource is not None:
            check("ASHA: max_resource", self.max_resource, RESOURCE)
        check("ASHA: min_resource", self.min_resource, RESOURCE)
        check("ASHA: reduction_factor", self.reduction_factor, whole(2))
        check("ASHA: brackets", self.brackets, whole(1))
        check("ASHA: quorum", self.quorum, whole(0))
        if self.warmup != 0:
            check("ASHA: warmup", self.warmup, RESOURCE)
        if self.max_resource is None:
            if self.brackets > 1:
                raise InvalidArgument(
                    f"ASHA: {self.brackets} brackets need max_resource, which is None; give it, "
                    f"or leave brackets out"
                )
            return
        if self.max_resource < self.min_resource:
            raise InvalidArgument(
                f"ASHA: max_resource ({self.max_resource!r}) is less than min_resource "
                f"({self.min_resource!r}); raise max_resource or lower min_resource"
            )
        if self.warmup >= self.max_resource:
            raise InvalidArgument(
                f"ASHA: warmup ({self.warmup!r}) leaves no rung below max_resource "
                f"({self.max_resource!r}); lower it, or use NoStopping"
            )
        rungs = len(self.levels)
        if self.brackets > max(rungs, 1):
            raise InvalidArgument(
                f"ASHA: {self.brackets} brackets need {self.brackets} rungs, but there are {rungs} "
                f"(at {', '.join(map(str, self.levels)) or 'none'}); lower brackets"
            )

    @property
    def full_resource(self) -> float | None:
        return self.max_resource

    @property
    def levels(self) -> tuple[float, ...]:
        """The resources of the rungs of bracket 0, ascending, computed exactly."""
        most = MAX_RESOURCE if self.max_resource is None else self.max_resource
        return levels_below(most, self.min_resource, self.reduction_factor, self.warmup)

    @property
    def bracket_weights(self) -> tuple[float, ...]:
        """The weight of each bracket: its share of the configurations in Hyperband."""
        rungs, eta = len(self.levels), self.reduction_factor
        if self.brackets == 1:
            return (1.0,)
        return tuple(
            rungs / (rungs - s) * float(eta ** (rungs - 1 - s)) for s in range(self.brackets)
        )

    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        """Return a new state for one run; the run itself calls this.

        Args:
            mode: ``min`` or ``max``.
            seed: The seed of the tie-breaking between equal metrics.

        Returns:
            The state, which belongs to that run alone.

        Example:
            >>> state = ASHA(max_resource=9).new_state(mode="min", seed=1)
            >>> len(state.rungs())
            2
        """
        return _ASHAState(self, mode, seed)


def levels_below(most: float, least: float, factor: int, warmup: float) -> tuple[float, ...]:
    """The resources ``least * factor**k`` below ``most``, from ``warmup`` on, exactly."""
    level = Fraction(str(least))
    found: list[float] = []
    while level < Fraction(str(most)):
        if level >= Fraction(str(warmup)):
            found.append(int(level) if level.denominator == 1 else float(level))
        level *= factor
    return tuple(found)


class _ASHAState(SchedulerState):
    def __init__(self, settings: ASHA, mode: str, seed: int) -> None:
        self._max_resource = settings.max_resource
        self._sign = 1.0 if mode == "min" else -1.0
        #: One seed per rung; mixed with a trial's number it gives the tie-breaker of the trial.
        self._lots = [mix(seed, number) for number in range(len(settings.levels))]
        self._weights = settings.bracket_weights
        #: One list of rungs per bracket; rung k of bracket s is at index k - s.
        self._brackets = [
            [
                Rung(level, settings.reduction_factor, settings.quorum)
                for level in settings.levels[s:]
            ]
            for s in range(settings.brackets)
        ]

    def assign(self, trial: Trial, random: Random) -> None:
        if len(self._brackets) > 1:
            numbers = range(len(self._brackets))
            trial.bracket = random.choices(numbers, weights=self._weights)[0]

    def next_resource(self, trial: Trial) -> float | None:
        # a rung that an earlier attempt entered is not entered again
        rungs = self._brackets[trial.bracket]
        entered = len(trial.rungs)
        return rungs[entered].resource if entered < len(rungs) else self._max_resource

    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        sign = self._sign
        rungs = self._brackets[trial.bracket]
        records: tuple[RungRecord, ...] = ()
        for position in range(len(trial.rungs), len(rungs)):
            rung = rungs[position]
            level = rung.resource
            if resource < level and not reached(resource, level):
                return of_fields(Decision, ("continue", records, level))
            number = position + trial.bracket
            mean = None if trial.siblings is None else trial.mean_at(number, metric)
            judged = metric if mean is None else mean
            key = float(judged if sign > 0 else -judged) if isfinite(judged) else inf
            n, keep, cutoff, goes_on = rung.enter(key, mix_in(self._lots[number], trial.id))
            verdict = "continue" if goes_on else "stop"
            shown = (cutoff if sign > 0 else -cutoff) if isfinite(cutoff) else None
            fields = (number, level, metric, n, keep, shown, verdict, mean, None, None)
            records += (of_fields(RungRecord, fields),)
            if not goes_on:
                return of_fields(Decision, ("stop", records, None))
        most = self._max_resource
        if most is not None and reached(resource, most):
            return Decision("complete", records, None)
        return Decision("continue", records, most)

    def rungs(self) -> list[RungStanding]:
        sign = self._sign
        return [
            RungStanding(
                s,
                position + s,
                rung.resource,
                rung.entries,
                rung.passed,
                None if rung.cutoff is None else rung.cutoff * sign,
            )
            for s, rungs in enumerate(self._brackets)
            for position, rung in enumerate(rungs)
            if self._max_resource is not None or rung.entries or not position
        ]

    def validate(self) -> None:
        for rungs in self._brackets:
            for rung in rungs:
                rung.validate()
