"""Successive halving and Hyperband: cohorts that shrink by a plan.

Successive halving is algorithm 1 of Jamieson and Talwalkar, "Non-stochastic Best Arm
Identification and Hyperparameter Optimization", AISTATS 2016; Hyperband is algorithm 1 of
Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization",
JMLR 18 (2018).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any, ClassVar

from asha_bus.core.checks import (
    ABOVE_0,
    SWITCH,
    as_builtin,
    check,
    check_names,
    checked,
    shortened,
    whole,
)
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.schedulers.base import RESOURCE, Scheduler, SchedulerState
from asha_bus.core.schedulers.cohort import CohortState

#: Pairs of the resource that is added in a rung, and how many configurations it keeps.
Pairs = tuple[tuple[float, int], ...]
#: A plan, and how many configurations it is made for; None: any number.
_Sized = tuple[int | None, Pairs]
#: What both ways to a classic plan also take.
_SETTINGS = ("warmup", "max_resident", "rung_timeout", "rebalance")


class _Halving(Scheduler):
    """What `SuccessiveHalving` and `Hyperband` share: plans, and a cohort for each."""

    pauses: ClassVar[bool] = True
    fixed_cohort: ClassVar[bool] = True
    warmup: float

    @property
    @abstractmethod
    def sized_plans(self) -> tuple[_Sized, ...]:
        """The plans, each with the number of configurations that it is made for."""

    @property
    def full_resource(self) -> float | None:
        return max(self.levels(pairs)[-1] for _, pairs in self.sized_plans)

    @property
    def configurations(self) -> int | None:
        sizes = [n for n, _ in self.sized_plans]
        return None if None in sizes else sum(n for n in sizes if n is not None)

    def levels(self, pairs: Pairs) -> list[float]:
        """The resource of a trial at each rung of a plan, from the start, computed exactly."""
        sums = accumulate(Fraction(str(resource)) for resource, _ in pairs)
        return [int(level) if level.denominator == 1 else float(level) for level in sums]

    def judged(self, pairs: Pairs) -> list[tuple[float, int]]:
        """The level of each rung, and how many it keeps, without the rungs in the warmup."""
        rungs = list(zip(self.levels(pairs), (keep for _, keep in pairs), strict=True))
        return [rung for rung in rungs[:-1] if rung[0] >= self.warmup] + rungs[-1:]

    def deal(self, configurations: int) -> list[int]:
        """How many of the ``configurations`` each plan gets: in proportion, the rest by size."""
        weights = [pairs[0][1] if n is None else n for n, pairs in self.sized_plans]
        shares = [Fraction(configurations * weight, sum(weights)) for weight in weights]
        dealt = [int(share) for share in shares]
        by_rest = sorted(range(len(shares)), key=lambda i: (dealt[i] - shares[i], i))
        for number in by_rest[: configurations - sum(dealt)]:
            dealt[number] += 1
        return dealt

    def check_cohort(self, configurations: int) -> None:
        for number, dealt in enumerate(self.deal(configurations)):
            level, keep = self.judged(self.sized_plans[number][1])[0]
            if dealt < keep:
                which, has = "", f"the run has only {configurations}"
                if len(self.sized_plans) > 1:
                    which = f"plan {number} of "
                    has = f"gets only {dealt} of the run's {configurations}"
                raise InvalidArgument(
                    f"{which}{type(self).__name__} keeps {keep} configurations at resource "
                    f"{level:g}, but {has}; raise max_trials, give more configurations, or keep "
                    f"fewer"
                )

    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        """Return a new state for one run; the run itself calls this.

        Args:
            mode: ``min`` or ``max``.
            seed: The seed of the tie-breaking between equal metrics.

        Returns:
            The state, which belongs to that run alone.

        Example:
            >>> state = SuccessiveHalving([(1, 2), (2, 1)]).new_state(mode="min", seed=1)
            >>> len(state.rungs())
            2
        """
        plans = self.sized_plans
        rungs = [self.judged(pairs) for _, pairs in plans]
        return CohortState(rungs, [n for n, _ in plans], self.deal, mode, seed)

    def _check_common(self) -> None:
        name = type(self).__name__
        if self.max_resident is not None:
            check(f"{name}: max_resident", self.max_resident, whole(1))
        if self.rung_timeout is not None:
            check(f"{name}: rung_timeout", self.rung_timeout, ABOVE_0)
        if self.warmup != 0:
            check(f"{name}: warmup", self.warmup, RESOURCE)
        check(f"{name}: rebalance", self.rebalance, SWITCH)
        least = min(self.levels(pairs)[-1] for _, pairs in self.sized_plans)
        if self.warmup >= least:
            raise InvalidArgument(
                f"{name}: warmup ({self.warmup!r}) leaves no rung below the last one, at {least!r}"
                f"; lower it"
            )


@checked()
@dataclass(frozen=True)
class SuccessiveHalving(_Halving):
    """Train a cohort of configurations by a plan: at each rung only the best continue.

    A trial that reaches a rung pauses in the memory of its worker until the rung has decided
    on it, and is then resumed there: nothing is saved or loaded. A trial that has as many
    better ones before it as the rung keeps is stopped at once. In the last rung all trials
    complete. The cohort is the configurations of the space where it is finite, else
    ``max_trials``. The algorithm is algorithm 1 of Jamieson and Talwalkar, "Non-stochastic
    Best Arm Identification and Hyperparameter Optimization", AISTATS 2016.

    Args:
        plan: For each rung a pair: the resource that a trial gets *in addition*, in the unit
            of the objective's reports, and how many configurations the rung keeps.
        n: How many configurations it is made for; ``max_trials`` and the space overrule it.
            None (default): they say it.
        warmup: Rungs below this resource are left out, except the last one (default 0: none).
        max_resident: The most paused trials that a worker keeps in memory. Beyond it the
            least promising one is dropped. If it is to continue, it does so from the state that
            `Trial.checkpoint` saved, or is trained again from the start. None (default): no
            limit.
        rung_timeout: Seconds for which a rung waits for its last trials after all of them
            have begun; those that are missing then are stopped at their next report. None
            (default): no limit.
        rebalance: Whether an idle worker trains a promoted trial from the start where that
            ends before the worker that holds it has time for it (default False).

    Raises:
        InvalidArgument: An argument is out of range; the message names it.

    Example:
        >>> SuccessiveHalving([(4, 5), (2, 2), (6, 1)]).full_resource
        12
    """

    plan: Sequence[tuple[float, int]]
    n: int | None = None
    warmup: float = 0
    max_resident: int | None = None
    rung_timeout: float | None = None
    rebalance: bool = False

    def __post_init__(self) -> None:
        plan = _checked_plan("SuccessiveHalving: plan", self.plan)
        object.__setattr__(self, "plan", plan)
        _check_size("SuccessiveHalving: n", self.n, plan)
        self._check_common()

    @property
    def sized_plans(self) -> tuple[_Sized, ...]:
        return ((self.n, tuple(self.plan)),)

    @classmethod
    def classic(cls, n: int, r: float = 1, eta: int = 3, **settings: Any) -> SuccessiveHalving:
        """Return the plan that begins with ``n`` configurations and keeps one of ``eta``.

        Args:
            n: The number of configurations.
            r: The resource at the first rung (default 1). Each later rung is at ``eta`` times
                the resource of the one before.
            eta: The reduction factor, a whole number of at least 2 (default 3).
            **settings: ``warmup``, ``max_resident``, ``rung_timeout``, ``rebalance``.

        Returns:
            The scheduler, whose last rung is the last that still has a configuration.

        Raises:
            InvalidArgument: An argument is out of range.

        Example:
            >>> SuccessiveHalving.classic(8, 1, 2).plan
            ((1, 4), (1, 2), (2, 1), (4, 1))
        """
        known = ("n", "r", "eta", *_SETTINGS)
        ours = {"min_resource": "r", "reduction_factor": "eta"}
        check_names("SuccessiveHalving.classic()", settings, known, ours)
        n, r, eta = map(as_builtin, (n, r, eta))
        check("SuccessiveHalving.classic: n", n, whole(1))
        check("SuccessiveHalving.classic: r", r, RESOURCE)
        check("SuccessiveHalving.classic: eta", eta, whole(2))
        levels = [r * eta**k for k in range(_powers(n, eta) + 1)]
        return cls(_classic_plan(n, levels, eta), n, **settings)


@checked()
@dataclass(frozen=True)
class Hyperband(_Halving):
    """Run several plans of successive halving side by side, earlier ones first.

    The plans differ in how many configurations they begin with and how early they stop
    them, so that it need not be known whether early results can be trusted. A worker that
    waits in one plan works in the next. The trial's ``bracket`` is the number of its plan.
    See `SuccessiveHalving` for what a plan does. The algorithm is algorithm 1 of Li et al.,
    "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", JMLR 18 (2018).

    Args:
        plans: The plans: each a list of pairs as in `SuccessiveHalving`, or ``(n, plan)``
            with the number of its configurations. The configurations of the run are dealt
            out in proportion to ``n``, and to what the first rung keeps where there is none.
        warmup: Rungs below this resource are left out, except the last ones (default 0).
        max_resident: The most paused trials that a worker keeps in memory; None (default):
            no limit.
        rung_timeout: Seconds for which a rung waits for its last trials; None (default): no
            limit.
        rebalance: As in `SuccessiveHalving` (default False).

    Raises:
        InvalidArgument: An argument is out of range; the message names it.

    Example:
        >>> Hyperband([[(1, 3), (2, 1)], (5, [(3, 1)])]).full_resource
        3
    """

    plans: Sequence[Any]
    warmup: float = 0
    max_resident: int | None = None
    rung_timeout: float | None = None
    rebalance: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.plans, str) or not isinstance(self.plans, Sequence) or not self.plans:
            raise InvalidArgument(
                f"Hyperband: plans must be a list of at least one plan, got {shortened(self.plans)}"
            )
        found: list[_Sized] = []
        for number, plan in enumerate(self.plans):
            name = f"Hyperband: plans[{number}]"
            size = None
            if _is_sized(plan):
                size, plan = as_builtin(plan[0]), plan[1]
            pairs = _checked_plan(name, plan)
            _check_size(f"{name}: n", size, pairs)
            found.append((size, pairs))
        object.__setattr__(self, "plans", tuple(found))
        self._check_common()

    @property
    def sized_plans(self) -> tuple[_Sized, ...]:
        return tuple(self.plans)

    @classmethod
    def classic(
        cls, max_resource: float, eta: int = 3, min_resource: float = 1, **settings: Any
    ) -> Hyperband:
        """Return the plans of the paper, in its order.

        Args:
            max_resource: The most resource that a trial gets.
            eta: The reduction factor, a whole number of at least 2 (default 3).
            min_resource: The least resource of a first rung (default 1).
            **settings: ``warmup``, ``max_resident``, ``rung_timeout``, ``rebalance``.

        Returns:
            The scheduler, which says how many configurations each plan needs.

        Raises:
            InvalidArgument: An argument is out of range.

        Example:
            >>> [n for n, plan in Hyperband.classic(81).plans]
            [81, 34, 15, 8, 5]
        """
        known = ("max_resource", "eta", "min_resource", *_SETTINGS)
        check_names("Hyperband.classic()", settings, known, {"reduction_factor": "eta"})
        max_resource, eta, min_resource = map(as_builtin, (max_resource, eta, min_resource))
        check("Hyperband.classic: max_resource", max_resource, RESOURCE)
        check("Hyperband.classic: eta", eta, whole(2))
        check("Hyperband.classic: min_resource", min_resource, RESOURCE)
        if max_resource < min_resource:
            raise InvalidArgument(
                f"Hyperband.classic: max_resource ({max_resource!r}) is less than min_resource "
                f"({min_resource!r}); raise max_resource or lower min_resource"
            )
        most = Fraction(str(max_resource))
        last = _powers(most / Fraction(str(min_resource)), eta)
        plans = []
        for s in range(last, -1, -1):
            n = math.ceil(Fraction((last + 1) * eta**s, s + 1))
            exact = [most / eta ** (s - k) for k in range(s + 1)]
            levels = [int(level) if level.denominator == 1 else float(level) for level in exact]
            plans.append((n, _classic_plan(n, levels, eta)))
        return cls(plans, **settings)


def _powers(ratio: float | Fraction, eta: int) -> int:
    """The largest k with ``eta**k <= ratio``, computed exactly."""
    k = 0
    while eta ** (k + 1) <= ratio:
        k += 1
    return k


def _classic_plan(n: int, levels: Sequence[float], eta: int) -> Pairs:
    """The plan that keeps one of ``eta`` at each of ``levels``, and at least one."""
    added = [Fraction(str(level)) for level in levels]
    added = [added[0], *(b - a for a, b in pairwise(added))]
    plain = [int(one) if one.denominator == 1 else float(one) for one in added]
    return tuple((one, max(n // eta ** (k + 1), 1)) for k, one in enumerate(plain))


def _is_sized(plan: Any) -> bool:
    """Whether ``plan`` is a pair of a number, or None, and a plan."""
    is_pair = isinstance(plan, Sequence) and not isinstance(plan, str) and len(plan) == 2
    return is_pair and (plan[0] is None or not isinstance(plan[0], Sequence))


def _checked_plan(name: str, plan: Any) -> Pairs:
    """``plan`` as pairs; `InvalidArgument` if it is none."""
    is_list = isinstance(plan, Sequence) and not isinstance(plan, str)
    if not is_list or not plan:
        raise InvalidArgument(
            f"{name} must be a list of at least one pair (resource, keep), got {shortened(plan)}"
        )
    pairs: list[tuple[float, int]] = []
    for number, pair in enumerate(plan):
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise InvalidArgument(
                f"{name}[{number}] must be a pair (resource, keep), got {shortened(pair)}"
            )
        resource, keep = map(as_builtin, pair)
        check(f"{name}[{number}]: the resource, which is added in this rung,", resource, RESOURCE)
        check(f"{name}[{number}]: keep", keep, whole(0 if number == len(plan) - 1 else 1))
        if pairs and keep > pairs[-1][1]:
            raise InvalidArgument(
                f"{name}[{number}] keeps {keep} configurations, but only {pairs[-1][1]} come from "
                f"the rung before; keep at most those"
            )
        pairs.append((resource, keep))
    return tuple(pairs)


def _check_size(name: str, n: Any, pairs: Pairs) -> None:
    if n is None:
        return
    check(name, n, whole(1))
    if pairs[0][1] > n:
        raise InvalidArgument(
            f"{name} is {n}, but the first rung keeps {pairs[0][1]}; keep at most {n}"
        )
