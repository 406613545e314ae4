"""The runner: what objectives report, and what becomes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.loopback import run_objective, warnings_in

import asha_bus as ab
from asha_bus.core.schedulers import NoStopping

S = ab.TrialState
ASHA = ab.ASHA(max_resource=9)


@pytest.mark.parametrize("objective", [lambda trial: trial.id / 10, lambda x: x / 10])
def test_a_returned_metric_completes_the_trial_without_a_decision(
    objective: Callable[..., Any],
) -> None:
    bench = run_objective(objective, scheduler=ASHA, max_trials=6)
    assert [S.COMPLETED] * 6 == bench.states()
    trials = bench.experiment.table.trials
    assert {(1, 0)} == {(trial.resource, len(trial.rungs)) for trial in trials}
    assert all(trial.metric is not None for trial in trials)


def test_a_returned_metric_can_reach_the_target() -> None:
    bench = run_objective(lambda trial: 3 - trial.id, scheduler=ASHA, stop_at=1.0, max_trials=9)
    assert bench.ended is not None
    assert "stop_at" == bench.ended.reason
    assert [3, 2, 1] == [trial.metric for trial in bench.experiment.table.trials]


def returns(value: Any) -> Callable[..., Any]:
    return lambda x: value if x == 1 else 0.5


def yields(value: Any) -> Callable[..., Any]:
    def objective(x: float) -> Iterator[Any]:
        yield 0.5
        yield value if x == 1 else 0.5

    return objective


def reports(value: Any, **arguments: Any) -> Callable[..., Any]:
    def objective(trial: ab.Trial) -> None:
        trial.report(0.5)
        trial.report(value if trial.params["x"] == 1 else 0.4, **arguments)

    return objective


@pytest.mark.parametrize(
    ("objective", "last_line"),
    [
        (returns(None), "the objective returned None; return the metric, or yield one per epoch"),
        (returns("0.5"), "at resource 1: '0.5' of type str is not a number"),
        (returns(True), "at resource 1: True of type bool is not a number"),
        (returns([0.5]), r"at resource 1: [0.5] of type list is not a number"),
        (returns((0.5, {"model": [1]})), "at resource 1: extra 'model' is [1] of type list"),
        (yields(None), "at resource 2: None of type NoneType is not a number"),
        (yields(10**400), "at resource 2: 1000"),
        (yields((0.5, "model")), "at resource 2: (0.5, 'model') of type tuple is not a number"),
        (reports("0.5"), "at resource 2: '0.5' of type str is not a number"),
        (reports(None, resource=7), "at resource 7: None of type NoneType is not a number"),
    ],
)
def test_an_invalid_metric_fails_that_trial_only(
    objective: Callable[..., Any], last_line: str
) -> None:
    bench = run_objective(objective, max_trials=3)
    assert [S.COMPLETED, S.FAILED, S.COMPLETED] == bench.states()
    assert f"ObjectiveError: {last_line}" in (bench.trial(1).error or "").splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resource": -1}, "report(resource=-1): a resource is a finite number, and not below 0"),
        ({"resource": 0}, "report(resource=0) after resource 1: the resource of a trial must"),
        ({"resource": 0.5}, "report(resource=0.5) after resource 1: the resource of a trial must"),
        ({"resource": "2"}, "report(resource='2' of type str): a resource is a number"),
    ],
)
def test_a_wrong_resource_fails_the_trial(arguments: dict[str, Any], message: str) -> None:
    bench = run_objective(reports(0.5, **arguments), max_trials=1)
    assert [S.FAILED] == bench.states()
    assert f"ObjectiveError: {message}" in (bench.trial(0).error or "")


@pytest.mark.parametrize("resource", [2**64, 1e300, 1e-300])
def test_an_odd_resource_is_carried(resource: float) -> None:
    bench = run_objective(lambda trial: trial.report(0.5, resource) and None, max_trials=1)
    assert ([S.COMPLETED], resource) == (bench.states(), bench.trial(0).resource)


def silent(trial: ab.Trial) -> None:
    pass


def empty(x: float) -> Iterator[float]:
    yield from ()


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (silent, "the objective ended without a report; call trial.report(metric)"),
        (empty, "the generator ended without yielding a metric"),
    ],
)
def test_an_end_without_a_metric_is_a_failure(objective: Any, message: str) -> None:
    bench = run_objective(objective, max_trials=1)
    assert ([S.FAILED], f"ObjectiveError: {message}") == (bench.states(), bench.trial(0).error)


@pytest.mark.parametrize("metric", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_is_not_a_failure(metric: float) -> None:
    bench = run_objective(lambda x: metric, max_trials=1)
    assert ([S.COMPLETED], str(metric)) == (bench.states(), str(bench.trial(0).metric))


def test_a_repeated_resource_keeps_the_first_and_warns_once() -> None:
    def objective(trial: ab.Trial) -> None:
        for metric in (0.9, 0.1, 0.2):
            trial.report(metric, resource=2)

    bench = run_objective(objective, max_trials=1)
    assert 0.9 == bench.trial(0).metric
    assert [(0, "resource 2 was reported again; the first report counts")] == warnings_in(bench)


def of_steps(trial: ab.Trial) -> None:
    for step in trial:
        trial.report(trial.params["x"] + 1 / (step + 1), step)


@pytest.mark.parametrize(
    ("scheduler", "resource", "rungs"),
    [
        (ASHA, 9, [1, 3]),
        (NoStopping(9), 9, []),
        (ab.ASHA(9, min_resource=3), 9, [3]),
        (ab.SuccessiveHalving([(2, 1), (3, 1)]), 5, [2, 5]),
    ],
)
def test_steps_from_zero_are_counted_from_one(
    scheduler: Any, resource: float, rungs: list[float]
) -> None:
    bench = run_objective(of_steps, scheduler=scheduler, max_trials=2, curves=True)
    best = bench.trial(0)
    assert (S.COMPLETED, resource) == (best.state, best.resource)
    assert rungs == [record.resource for record in best.rungs]
    assert [] == warnings_in(bench)
