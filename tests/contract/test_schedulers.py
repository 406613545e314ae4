"""Our own schedulers, and one that a user might write, keep the contract."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

import pytest

from asha_bus.core.schedulers import (
    ASHA,
    AskPruner,
    Decision,
    Hyperband,
    MedianStopping,
    NoStopping,
    PromotionASHA,
    Scheduler,
    SchedulerState,
    SuccessiveHalving,
)
from asha_bus.core.trial import Trial
from asha_bus.testing import SchedulerContract


class TestASHA(SchedulerContract):
    def make(self) -> Scheduler:
        return ASHA(max_resource=9)


class TestASHAWithBrackets(SchedulerContract):
    def make(self) -> Scheduler:
        return ASHA(max_resource=9, reduction_factor=2, brackets=2, quorum=2)


class TestNoStopping(SchedulerContract):
    def make(self) -> Scheduler:
        return NoStopping(max_resource=5)


class TestSuccessiveHalving(SchedulerContract):
    def make(self) -> Scheduler:
        return SuccessiveHalving([(2, 5), (2, 3), (3, 1)])


class TestSuccessiveHalvingWithFewResidents(SchedulerContract):
    def make(self) -> Scheduler:
        return SuccessiveHalving([(2, 5), (2, 3), (3, 1)], max_resident=1)


class TestSuccessiveHalvingThatDoesNotWait(SchedulerContract):
    def make(self) -> Scheduler:
        return SuccessiveHalving([(2, 5), (2, 3), (3, 1)], rung_timeout=0.4)


class TestHyperband(SchedulerContract):
    def make(self) -> Scheduler:
        return Hyperband([(9, [(1, 3), (2, 1)]), (5, [(3, 2), (1, 2)]), (2, [(4, 1)])])


class TestPromotionASHA(SchedulerContract):
    def make(self) -> Scheduler:
        return PromotionASHA(max_resource=9)


class TestPromotionASHAWithFewResidents(SchedulerContract):
    def make(self) -> Scheduler:
        return PromotionASHA(max_resource=9, reduction_factor=2, max_resident=1)


class TestPromotionASHAThatRebalances(SchedulerContract):
    def make(self) -> Scheduler:
        return PromotionASHA(max_resource=9, reduction_factor=2, rebalance=True)


class TestHyperbandThatRebalances(SchedulerContract):
    def make(self) -> Scheduler:
        plans = [(9, [(1, 3), (2, 1)]), (7, [(3, 2), (1, 2)])]
        return Hyperband(plans, rebalance=True, rung_timeout=2.0)


class TestAskPruner(SchedulerContract):
    """Nobody asks there, so that no trial is pruned; each ends by itself."""

    def make(self) -> Scheduler:
        return AskPruner("Mine")

    def _play(self, conditions: Any, objective: Any, repeats: int = 1, mode: str = "min") -> Any:
        def ends(attempt: Any) -> Any:
            return islice(objective(attempt), 4)

        return super()._play(conditions, ends, repeats, mode)


class TestWithoutAMaximum(SchedulerContract):
    """The objective must end by itself there."""

    def make(self) -> Scheduler:
        return ASHA(max_resource=None)

    def _play(self, conditions: Any, objective: Any, repeats: int = 1, mode: str = "min") -> Any:
        def ends(attempt: Any) -> Any:
            return islice(objective(attempt), 12)

        return super()._play(conditions, ends, repeats, mode)


class TestMedianStopping(SchedulerContract):
    def make(self) -> Scheduler:
        return MedianStopping(max_resource=6, min_samples=2)


class TestMedianStoppingWithoutAMaximum(TestWithoutAMaximum):
    def make(self) -> Scheduler:
        return MedianStopping(max_resource=None, min_samples=2)


@dataclass(frozen=True)
class Halves(Scheduler):
    """Stops a trial at resource 1 if its metric is above the mean of those before it."""

    flaw: str = ""

    @property
    def full_resource(self) -> float:
        return 2

    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        return _HalvesState(self.flaw, 1 if mode == "min" else -1)


class _HalvesState(SchedulerState):
    def __init__(self, flaw: str, sign: int) -> None:
        self._flaw, self._sign = flaw, sign
        self._seen: list[float] = []

    def assign(self, trial: Trial, random: Random) -> None:
        """There are no brackets."""

    def next_resource(self, trial: Trial) -> float:
        return 1 if self._flaw != "random" else 1 + random.random()

    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        if self._flaw == "fragile":
            int(metric)  # which NaN is not
        if resource >= 2:
            return Decision("complete", (), None)
        self._seen.append(metric * self._sign)
        return Decision("continue", (), 2)


class TestASchedulerOfTheUsers(SchedulerContract):
    def make(self) -> Scheduler:
        return Halves()


@pytest.mark.parametrize(
    ("flaw", "broken", "words"),
    [
        ("random", "test_the_same_reports_give_the_same_decisions", "global random generator"),
        ("fragile", "test_metrics_that_are_no_numbers", "NaN"),
    ],
)
def test_the_contract_finds_what_is_wrong(flaw: str, broken: str, words: str) -> None:
    class Broken(SchedulerContract):
        def make(self) -> Scheduler:
            return Halves(flaw)

    with pytest.raises(Exception, match=words):
        getattr(Broken(), broken)()
