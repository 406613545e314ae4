"""Successive halving and Hyperband: settings, and decisions worked out by hand."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.schedulers import (
    Hyperband,
    PromotionASHA,
    SchedulerState,
    SuccessiveHalving,
)
from asha_bus.core.trial import Trial

NAN = math.nan


class Cohort:
    """A state with trials that report in the order in which a test says."""

    def __init__(self, scheduler: Any, trials: int, repeats: int = 1, mode: str = "min") -> None:
        self.state: SchedulerState = scheduler.new_state(mode=mode, seed=7)
        self.state.expect(trials, repeats)
        self.trials: list[Trial] = []
        siblings: list[Trial] = []
        for number in range(trials):
            trial = Trial(number, (), 0, repeat=number % repeats)
            if trial.repeat == 0:
                siblings = []
                self.state.assign(trial, Random(0))
            else:
                trial.bracket = siblings[0].bracket
            siblings.append(trial)
            trial.siblings = siblings if repeats > 1 else None
            self.trials.append(trial)
        #: The verdicts on paused trials, by trial.
        self.moved: dict[int, str] = {}

    def report(self, number: int, metric: float, resource: float | None = None) -> str:
        trial = self.trials[number]
        at = self.state.next_resource(trial) if resource is None else resource
        assert at is not None
        decision = self.state.report(trial, at, metric)
        trial.rungs += decision.records
        self.settle()
        return decision.verdict

    def leave(self, number: int) -> None:
        self.state.leave(self.trials[number])
        self.settle()

    def settle(self) -> None:
        for move in self.state.take_moves():
            self.moved[move.trial] = move.verdict
            trial = self.trials[move.trial]
            *before, last = trial.rungs
            assert "pause" == last.verdict, "only a paused trial is moved"
            last = last._replace(verdict=move.verdict, n=move.n, keep=move.keep)
            trial.rungs = (*before, last)
        self.state.validate()


def halving(*plan: tuple[float, int], **settings: Any) -> SuccessiveHalving:
    return SuccessiveHalving(plan, **settings)


@pytest.mark.parametrize(
    ("n", "r", "eta", "plan", "epochs"),
    [
        (8, 1, 2, ((1, 4), (1, 2), (2, 1), (4, 1)), 20),
        (9, 1, 3, ((1, 3), (2, 1), (6, 1)), 21),
        (8, 2, 3, ((2, 2), (4, 1)), 24),
        (1, 1, 3, ((1, 1),), 1),
    ],
)
def test_the_classic_plan(n: int, r: int, eta: int, plan: Any, epochs: int) -> None:
    scheduler = SuccessiveHalving.classic(n, r, eta)
    assert (plan, n) == (scheduler.plan, scheduler.configurations)
    sizes = [n, *(keep for _, keep in plan[:-1])]
    assert epochs == sum(size * added for size, (added, _) in zip(sizes, plan, strict=True))


def test_hyperband_of_the_paper() -> None:
    scheduler = Hyperband.classic(81)
    assert [81, 34, 15, 8, 5] == [n for n, _ in scheduler.plans]
    assert [1, 3, 9, 27, 81] == [plan[0][0] for _, plan in scheduler.plans]
    assert ((1, 27), (2, 9), (6, 3), (18, 1), (54, 1)) == scheduler.plans[0][1]
    assert {81} == {scheduler.levels(plan)[-1] for _, plan in scheduler.plans}
    assert 143 == scheduler.configurations


def test_hyperband_of_a_maximum_that_is_no_power() -> None:
    scheduler = Hyperband.classic(20, 3)
    assert {20} == {scheduler.levels(plan)[-1] for _, plan in scheduler.plans}
    assert [20 / 9, 20 / 3, 20] == pytest.approx(scheduler.levels(scheduler.plans[0][1]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: halving(), "at least one pair"),
        (lambda: SuccessiveHalving(3), "at least one pair"),  # type: ignore[arg-type]
        (lambda: SuccessiveHalving([1, 2]), r"plan\[0\] must be a pair"),  # type: ignore[list-item]
        (lambda: halving((0, 1)), "resource, which is added"),
        (lambda: halving((-1, 1)), "resource, which is added"),
        (lambda: halving((1, 0), (1, 1)), r"plan\[0\]: keep must be a whole number of at least 1"),
        (lambda: halving((1, 2), (1, 3)), r"plan\[1\] keeps 3 configurations, but only 2 come"),
        (lambda: halving((1, 2), (1, 1), n=1), "n is 1, but the first rung keeps 2"),
        (lambda: halving((1, 2), (1, 1), warmup=2), "leaves no rung"),
        (lambda: halving((1, 1), max_resident=0), "max_resident"),
        (lambda: halving((1, 1), rung_timeout=0), "rung_timeout"),
        (lambda: halving((1, 1), rebalance=1), "rebalance must be True or False"),
        (lambda: PromotionASHA(9, rebalance="no"), "rebalance must be True or False"),  # type: ignore[arg-type]
        (lambda: Hyperband([]), "at least one plan"),
        (lambda: Hyperband([[(1, 2), (1, 3)]]), r"plans\[0\]\[1\] keeps 3"),
        (lambda: Hyperband([(3, [(1, 4)])]), r"plans\[0\]: n is 3"),
        (lambda: Hyperband.classic(9, 1), "eta must be a whole number of at least 2"),
        (lambda: Hyperband.classic(1, 3, 2), "max_resource"),
        (
            lambda: Hyperband.classic(9, reduction_factor=3),
            r"Hyperband.classic\(\) takes no 'reduction_factor'; use eta",
        ),
        (lambda: SuccessiveHalving.classic(9, min_resource=1), "no 'min_resource'; use r$"),
        (lambda: SuccessiveHalving.classic(9, max_residents=1), "did you mean 'max_resident'"),
        (
            lambda: halving((1, 5)).check_cohort(4),
            "keeps 5 configurations .* but the run has only 4",
        ),
        (lambda: Hyperband.classic(9).check_cohort(3), "plan 0 of Hyperband keeps"),
    ],
)
def test_bad_plans_are_refused_in_words(make: Any, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        make()


def test_configurations_are_dealt_in_proportion() -> None:
    assert [81, 34, 15, 8, 5] == Hyperband.classic(81).deal(143)
    assert [162, 68, 30, 16, 10] == Hyperband.classic(81).deal(286)
    assert [3, 2] == Hyperband([[(1, 2), (1, 1)], [(1, 1)]]).deal(5)
    for count in range(20, 60):
        assert count == sum(Hyperband.classic(9).deal(count))


def test_the_best_continue_and_the_others_stop() -> None:
    cohort = Cohort(halving((4, 2), (2, 1), (6, 1)), 4)
    assert ["pause", "pause"] == [cohort.report(0, 0.3), cohort.report(1, 0.1)]
    assert {} == cohort.moved  # two are missing, and may both be better
    assert "stop" == cohort.report(2, 0.5)
    assert {1: "continue"} == cohort.moved  # one is missing
    assert "continue" == cohort.report(3, 0.2)
    assert {0: "stop", 1: "continue"} == cohort.moved


def test_what_must_be_kept_continues_at_once() -> None:
    cohort = Cohort(halving((1, 2), (1, 1)), 3)
    cohort.report(0, 0.5)
    # one is missing: whatever it reports, 0.4 is among the best two
    assert "continue" == cohort.report(1, 0.4)


def test_mode_max_is_the_mirror_image() -> None:
    cohort = Cohort(halving((1, 1), (1, 1)), 2, mode="max")
    cohort.report(0, 0.2)
    assert "continue" == cohort.report(1, 0.9)
    assert {0: "stop"} == cohort.moved
    record = cohort.trials[1].rungs[0]
    assert (2, 1, 0.9) == (record.n, record.keep, record.cutoff)


def test_in_the_last_rung_all_complete() -> None:
    cohort = Cohort(halving((1, 2), (1, 1)), 2)
    for number in (0, 1):
        cohort.report(number, 0.1)
    assert ["complete", "complete"] == [cohort.report(n, 0.1) for n in (0, 1)]


def test_metrics_that_are_not_finite_are_stopped_even_if_places_stay_free() -> None:
    cohort = Cohort(halving((1, 2), (1, 1)), 3)
    assert "stop" == cohort.report(0, NAN)
    assert "stop" == cohort.report(1, math.inf)
    assert "continue" == cohort.report(2, 0.9)
    assert "complete" == cohort.report(2, NAN)


def test_a_trial_that_leaves_before_the_rung_leaves_the_cohort() -> None:
    cohort = Cohort(halving((1, 1), (1, 1)), 3)
    cohort.report(0, 0.5)
    cohort.leave(1)
    assert {} == cohort.moved
    cohort.leave(2)
    assert {0: "continue"} == cohort.moved


def test_a_kept_place_whose_trial_dies_goes_to_the_best_that_waits() -> None:
    cohort = Cohort(halving((1, 2), (1, 1)), 5)
    for number, metric in enumerate([0.1, 0.2, 0.15]):
        cohort.report(number, metric)
    assert "stop" == cohort.trials[1].rungs[-1].verdict  # two better ones are there
    cohort = Cohort(halving((1, 2), (1, 1)), 4)
    cohort.report(0, 0.1)
    cohort.report(1, 0.3)
    cohort.leave(3)
    assert {0: "continue"} == cohort.moved
    cohort.leave(0)  # it dies on its way to the second rung
    assert {0: "continue", 1: "continue"} == cohort.moved  # trial 2 takes the other place
    assert "continue" == cohort.report(2, 0.9)


def test_a_place_that_nobody_can_take_is_forfeited() -> None:
    cohort = Cohort(halving((1, 1), (1, 1), (1, 1)), 2)
    cohort.report(0, 0.1)
    cohort.report(1, 0.2)
    cohort.leave(0)
    assert 1 == len([t for t in cohort.trials if t.rungs[-1].verdict == "stop"])
    cohort.state.close()
    assert not cohort.state.take_moves()


def test_an_entry_is_never_withdrawn() -> None:
    cohort = Cohort(halving((1, 2), (1, 1), (1, 1)), 3)
    cohort.report(0, 0.1)
    cohort.report(1, 0.2)
    cohort.leave(0)
    cohort.report(2, 0.3)
    # 0 has left after its entry, which still stands before that of 2; its place is free
    assert ["continue", "continue"] == [cohort.trials[n].rungs[0].verdict for n in (1, 2)]


def test_repeats_are_judged_by_their_mean_and_share_a_verdict() -> None:
    cohort = Cohort(halving((1, 1), (1, 1)), 4, repeats=2)
    assert "pause" == cohort.report(0, 0.1)
    assert "pause" == cohort.report(2, 0.3)
    assert "pause" == cohort.report(3, 0.3)
    assert "stop" == cohort.report(1, 0.9)  # mean 0.5
    assert {0: "stop", 2: "continue", 3: "continue"} == cohort.moved


def test_a_repeat_that_fails_is_not_waited_for() -> None:
    cohort = Cohort(halving((1, 1), (1, 1)), 4, repeats=2)
    cohort.report(0, 0.5)
    cohort.report(2, 0.1)
    cohort.report(3, 0.2)
    cohort.leave(1)
    assert {0: "stop", 2: "continue", 3: "continue"} == cohort.moved


def test_a_repeat_without_a_number_stops_all_repeats() -> None:
    cohort = Cohort(halving((1, 1), (1, 1)), 4, repeats=2)
    cohort.report(0, 0.1)
    assert "stop" == cohort.report(1, NAN)
    assert {0: "stop"} == cohort.moved
    cohort.report(2, 0.9)
    assert "continue" == cohort.report(3, 0.9)


def test_a_report_that_jumps_enters_one_rung_after_the_other() -> None:
    cohort = Cohort(halving((1, 1), (1, 1), (1, 1)), 1)
    assert "complete" == cohort.report(0, 0.1, resource=9)
    assert [1, 2, 3] == [record.resource for record in cohort.trials[0].rungs]
    cohort = Cohort(halving((1, 1), (1, 1), (1, 1)), 2)
    assert "pause" == cohort.report(0, 0.1, resource=9)
    assert 1 == len(cohort.trials[0].rungs)


def test_warmup_leaves_rungs_out() -> None:
    scheduler = halving((1, 5), (2, 3), (6, 1), warmup=2)
    assert [(3, 3), (9, 1)] == scheduler.judged(scheduler.sized_plans[0][1])


def test_the_cohort_shrinks_where_the_space_is_exhausted() -> None:
    cohort = Cohort(halving((1, 1), (1, 1)), 2)
    state = halving((1, 1), (1, 1)).new_state(mode="min", seed=7)
    state.expect(9, 1)
    trials = [Trial(number, (), 0) for number in range(2)]
    for trial, metric in zip(trials, (0.1, 0.2), strict=True):
        state.assign(trial, Random(0))
        trial.rungs += state.report(trial, 1, metric).records
    assert ["pause", "stop"] == [trial.rungs[-1].verdict for trial in trials]
    assert not state.take_moves()
    state.expect(2, 1)
    assert [(0, "continue")] == [move[:2] for move in state.take_moves()]
    assert cohort.state.take_moves() == []


def test_plans_of_hyperband_take_their_configurations_in_turn() -> None:
    cohort = Cohort(Hyperband([(3, [(1, 1), (1, 1)]), (2, [(2, 1)])]), 5)
    assert [0, 0, 0, 1, 1] == [trial.bracket for trial in cohort.trials]
    assert [1, 1, 1, 2, 2] == [cohort.state.next_resource(trial) for trial in cohort.trials]
    assert "complete" == cohort.report(4, 0.5)


def test_a_rung_that_timed_out_is_decided_without_the_missing() -> None:
    cohort = Cohort(halving((4, 1), (1, 1), rung_timeout=60), 3)
    assert [] == cohort.state.stragglers(3)  # it needs one entry
    cohort.report(0, 0.5)
    assert [] == cohort.state.stragglers(2)  # trial 2 has not begun
    assert [(0, 0)] == cohort.state.stragglers(3)
    assert [1, 2] == cohort.state.time_out(0, 0)
    cohort.settle()
    assert {0: "continue"} == cohort.moved
    assert "stop" == cohort.report(1, 0.1, resource=2)
    assert 2 == cohort.trials[1].rungs[-1].resource


def test_a_failed_trial_that_runs_again_joins_if_its_rung_still_waits() -> None:
    cohort = Cohort(halving((1, 1), (1, 1)), 3)
    cohort.report(0, 0.5)
    cohort.leave(1)
    cohort.state.rejoin(cohort.trials[1])
    cohort.leave(2)
    assert {} == cohort.moved
    assert "continue" == cohort.report(1, 0.1)
    assert {0: "stop"} == cohort.moved
    cohort.state.rejoin(cohort.trials[2])  # its rung has decided
    assert "stop" == cohort.report(2, 0.0)


def test_an_equal_scheduler_comes_from_its_plain_form() -> None:
    for made in (halving((1, 2), (1, 1)), Hyperband.classic(9), Hyperband([[(1, 1)]])):
        fields = made.to_plain()
        fields.pop("class")
        assert type(made)(**fields) == made
