"""ASHA's decisions, worked out by hand."""

from __future__ import annotations

import math
from random import Random

import pytest

from asha_bus.core.schedulers import ASHA, Decision, SchedulerState
from asha_bus.core.trial import RungRecord, Trial

NAN, INF = math.nan, math.inf


def make_state(mode: str = "min", seed: int = 7, **settings: float | None) -> SchedulerState:
    return ASHA(**{"max_resource": 9, **settings}).new_state(mode=mode, seed=seed)  # type: ignore[arg-type]


def report(scheduler: SchedulerState, trial: Trial, resource: float, metric: float) -> Decision:
    """What the experiment does with a report: judge it and keep the records."""
    decision = scheduler.report(trial, resource, metric)
    trial.rungs += decision.records
    scheduler.validate()
    return decision


def verdicts(scheduler: SchedulerState, metrics: list[float], resource: float = 1) -> list[str]:
    """The verdicts on new trials that report ``metrics`` at ``resource`` one after the other."""
    return [
        report(scheduler, Trial(number, (), 0), resource, metric).verdict
        for number, metric in enumerate(metrics)
    ]


def test_a_trial_goes_on_while_it_is_among_the_best_third() -> None:
    metrics = [0.5, 0.4, 0.6, 0.45, 0.3, 0.42, 0.41]
    expected = ["continue", "continue", "stop", "stop", "continue", "stop", "stop"]
    assert expected == verdicts(make_state(), metrics)


def test_max_mode_is_the_mirror_image() -> None:
    metrics = [-0.5, -0.4, -0.6, -0.45, -0.3, -0.42, -0.41]
    expected = ["continue", "continue", "stop", "stop", "continue", "stop", "stop"]
    assert expected == verdicts(make_state(mode="max"), metrics)


def test_a_decision_is_recorded_in_the_users_sign() -> None:
    scheduler = make_state(mode="max")
    verdicts(scheduler, [0.9, 0.8])
    trial = Trial(2, (), 0)
    report(scheduler, trial, 1, 0.7)
    assert (RungRecord(0, 1, 0.7, n=3, keep=1, cutoff=0.9, verdict="stop"),) == trial.rungs


def test_a_trial_climbs_all_rungs_and_completes() -> None:
    scheduler, trial = make_state(), Trial(0, (), 0)
    assert 1 == scheduler.next_resource(trial)
    assert 3 == report(scheduler, trial, 1, 0.5).next_resource
    assert 3 == scheduler.next_resource(trial)
    assert 9 == report(scheduler, trial, 3, 0.4).next_resource
    assert Decision("complete", (), None) == report(scheduler, trial, 9, 0.3)
    assert [1, 3] == [record.resource for record in trial.rungs]


def test_a_report_below_the_next_rung_decides_nothing() -> None:
    scheduler, trial = make_state(), Trial(0, (), 0)
    report(scheduler, trial, 1, 0.5)
    assert Decision("continue", (), 3) == report(scheduler, trial, 2, 0.4)


def test_ties_are_broken_by_lot_and_not_by_arrival() -> None:
    went_on = [
        number
        for number, verdict in enumerate(verdicts(make_state(), [0.5] * 600))
        if verdict == "continue"
    ]
    assert 160 <= len(went_on) <= 240
    assert max(went_on) > 550  # the late ones have their chance


def test_tie_breaking_depends_on_the_seed() -> None:
    plateau = [0.5] * 50
    assert verdicts(make_state(seed=1), plateau) == verdicts(make_state(seed=1), plateau)
    assert verdicts(make_state(seed=1), plateau) != verdicts(make_state(seed=2), plateau)


def test_tie_breaking_differs_between_rungs() -> None:
    scheduler = make_state()
    passed = RungRecord(0, 1, 0.5, n=1, keep=1, cutoff=0.5, verdict="continue")
    at_rung_0 = [scheduler.report(Trial(n, (), 0), 1, 0.5).verdict for n in range(200)]
    at_rung_1 = [
        scheduler.report(Trial(n, (), 0, rungs=(passed,)), 3, 0.5).verdict for n in range(200)
    ]
    assert at_rung_0 != at_rung_1


def test_the_quorum_lets_early_arrivals_go_on_at_every_rung() -> None:
    scheduler = make_state(quorum=2)
    assert ["continue", "continue", "stop"] == verdicts(scheduler, [0.1, 0.2, 0.3], resource=1)
    trials = [Trial(number, (), 0) for number in (10, 11)]
    jumps = [
        report(scheduler, trial, 3, metric)
        for trial, metric in zip(trials, (0.05, 0.4), strict=True)
    ]
    assert ["continue", "stop"] == [jump.verdict for jump in jumps]
    assert [(0, 1), (1, 3)] == [(record.rung, record.resource) for record in jumps[0].records]


def test_a_jump_over_a_rung_enters_it() -> None:
    scheduler, trial = make_state(max_resource=27), Trial(0, (), 0)
    decision = report(scheduler, trial, 10, 0.5)
    assert ("continue", 27) == (decision.verdict, decision.next_resource)
    assert [(0, 1, 0.5), (1, 3, 0.5), (2, 9, 0.5)] == [
        (record.rung, record.resource, record.metric) for record in decision.records
    ]


def test_a_jump_ends_at_the_first_rung_that_says_stop() -> None:
    scheduler = make_state(max_resource=27)
    report(scheduler, Trial(0, (), 0), 3, 0.1)  # alone at rungs 0 and 1
    decision = report(scheduler, Trial(1, (), 0), 10, 0.5)
    assert "stop" == decision.verdict
    assert [0] == [record.rung for record in decision.records]
    # the rungs above never heard of it: the next one is the first at rung 2
    assert [3, 2, 1] == [record.n for record in report(scheduler, Trial(2, (), 0), 9, 0.05).records]


def test_a_jump_beyond_the_end_enters_all_rungs_and_completes() -> None:
    decision = report(make_state(), Trial(0, (), 0), 1_000, 0.5)
    assert "complete" == decision.verdict
    assert [1, 3] == [record.resource for record in decision.records]


def test_a_later_attempt_changes_no_rung() -> None:
    scheduler, trial = make_state(), Trial(0, (), 0)
    report(scheduler, trial, 1, 0.5)
    before = trial.rungs
    # its worker was lost: the next attempt starts over, with another metric
    assert 3 == scheduler.next_resource(trial)
    assert Decision("continue", (), 3) == report(scheduler, trial, 1, 0.9)
    assert before == trial.rungs
    other = Trial(1, (), 0)
    assert "stop" == report(scheduler, other, 1, 0.6).verdict
    assert (2, 0.5) == (other.rungs[0].n, other.rungs[0].cutoff)


@pytest.mark.parametrize("metric", [NAN, INF, -INF])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_metric_that_is_not_finite_is_stopped_in_both_modes(mode: str, metric: float) -> None:
    scheduler = make_state(mode=mode, quorum=10)
    first = Trial(0, (), 0)
    assert "stop" == report(scheduler, first, 1, metric).verdict
    assert (1, None) == (first.rungs[0].n, first.rungs[0].cutoff)
    assert str(metric) == str(first.rungs[0].metric)  # kept as it came


@pytest.mark.parametrize(("metric", "verdict"), [(10.0, "stop"), (0.5, "continue")])
def test_a_nan_does_not_affect_other_entries(metric: float, verdict: str) -> None:
    scheduler = make_state(reduction_factor=2)
    assert ["continue", "stop", "stop"] == verdicts(scheduler, [1.0, NAN, 2.0])
    assert verdict == report(scheduler, Trial(3, (), 0), 1, metric).verdict


def test_a_trial_that_turns_nan_is_stopped_at_its_next_rung() -> None:
    scheduler, trial = make_state(), Trial(0, (), 0)
    assert "continue" == report(scheduler, trial, 1, 0.1).verdict
    assert "continue" == report(scheduler, trial, 2, NAN).verdict
    assert "stop" == report(scheduler, trial, 3, NAN).verdict


def test_a_sum_of_floats_reaches_its_level() -> None:
    scheduler, trial = make_state(max_resource=0.9, min_resource=0.1), Trial(0, (), 0)
    assert "continue" == report(scheduler, trial, 0.1, 0.5).verdict
    resource = 0.1 + 0.1 + 0.1
    assert resource != 0.3
    assert [0.3] == [record.resource for record in report(scheduler, trial, resource, 0.4).records]
    assert "complete" == report(scheduler, trial, sum([0.1] * 9), 0.3).verdict


@pytest.mark.parametrize("resource", [1, 5])
def test_equal_min_and_max_mean_no_decision_at_all(resource: int) -> None:
    scheduler = make_state(min_resource=resource, max_resource=resource)
    trials = [Trial(number, (), 0) for number in range(10)]
    assert {resource} == {scheduler.next_resource(trial) for trial in trials}
    for trial in trials:
        for step in range(1, resource):
            assert Decision("continue", (), resource) == report(scheduler, trial, step, 0.5)
        assert Decision("complete", (), None) == report(scheduler, trial, resource, 0.5)


def test_the_last_stretch_runs_to_max_where_that_is_no_power() -> None:
    scheduler, trial = make_state(min_resource=4, max_resource=10), Trial(0, (), 0)
    assert 10 == report(scheduler, trial, 4, 0.5).next_resource
    assert "continue" == report(scheduler, trial, 9, 0.5).verdict
    assert "complete" == report(scheduler, trial, 10, 0.5).verdict


def test_brackets_have_rungs_of_their_own() -> None:
    scheduler = make_state(max_resource=27, brackets=2)
    slow, fast = Trial(0, (), 0, bracket=1), Trial(1, (), 0, bracket=0)
    assert 3 == scheduler.next_resource(slow)
    assert 1 == scheduler.next_resource(fast)
    report(scheduler, slow, 3, 0.1)
    decision = report(scheduler, fast, 3, 0.9)
    assert "continue" == decision.verdict  # the first in its bracket, though far worse
    assert [(0, 1), (1, 1)] == [(record.rung, record.n) for record in decision.records]
    assert [(1, 3, 1)] == [(record.rung, record.resource, record.n) for record in slow.rungs]


def test_a_trial_draws_its_bracket_by_weight() -> None:
    scheduler, random = make_state(max_resource=81, brackets=4), Random(5)
    drawn = [0, 0, 0, 0]
    for number in range(8_000):
        trial = Trial(number, (), 0)
        scheduler.assign(trial, random)
        drawn[trial.bracket] += 1
    # weights 27, 12, 6 and 4 of 49
    assert [27, 12, 6, 4] == [round(count * 49 / 8_000) for count in drawn]


def test_a_single_bracket_draws_nothing() -> None:
    random = Random(5)
    before = random.getstate()
    make_state().assign(Trial(0, (), 0), random)
    assert before == random.getstate()


def test_without_a_maximum_there_is_a_rung_at_every_power() -> None:
    scheduler, trial = make_state(max_resource=None), Trial(0, (), 0)
    for level in (1, 3, 9, 27, 81):
        assert level == scheduler.next_resource(trial)
        assert "continue" == report(scheduler, trial, level, 0.5).verdict
    assert [1, 3, 9, 27, 81] == [rung.resource for rung in scheduler.rungs()]
    assert ASHA(max_resource=None).full_resource is None
