"""Simulated runs: those of real workers' halves, the same each time, and what they go through."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

import asha_bus as ab
from asha_bus import cli
from asha_bus.core.attempt import Attempt
from asha_bus.core.events import RunSettings
from asha_bus.core.pseudorandom import mix
from asha_bus.core.schedulers import (
    ASHA,
    Hyperband,
    MedianStopping,
    NoStopping,
    PromotionASHA,
    Scheduler,
    SuccessiveHalving,
)
from asha_bus.core.trial import FINAL, TrialState
from asha_bus.searchers.adapter import Search, SearcherAdapter
from asha_bus.simulation.workloads import Row
from asha_bus.testing.simulator import Simulation, Step

S = TrialState
SPACE = ab.Space(x=ab.uniform(0, 1))
SCHEDULERS: list[Scheduler] = [
    ASHA(27),
    ASHA(27, reduction_factor=2, brackets=2, quorum=2),
    PromotionASHA(27),
    PromotionASHA(27, max_resident=1),
    SuccessiveHalving([(1, 20), (2, 8), (6, 2), (18, 1)]),
    Hyperband.classic(27),
    MedianStopping(9),
    NoStopping(9),
]


def curve(params: dict[str, float], resource: float) -> float:
    """It crosses others: those that end well are slow."""
    return params["x"] + (2 - params["x"]) / resource


def three(lr: float, units: int, depth: int) -> float:
    """An objective rather than a curve."""
    return lr * units * depth


def epochs(params: dict[str, float], most: float) -> Iterator[float]:
    """An objective that happens to take two arguments."""
    yield params["x"] * most


def pace(point: tuple[float, ...]) -> float:
    """Seconds for a unit of resource, which differ, so that nothing happens at once."""
    return 1 + point[0]


def by_virtual_workers(scheduler: Scheduler, workers: int, trials: int, repeats: int) -> Simulation:
    """The same run by the whole worker, message by message."""

    def objective(attempt: Attempt) -> Iterator[Step]:
        point = attempt.assignment.point
        done = 0.0
        while True:
            to = attempt.next_resource
            assert to is not None
            yield Step((to - done) * pace(point), curve({"x": point[0]}, to), to)
            done = to

    settings = RunSettings(
        "simulated", scheduler, 3, max_trials=trials, lease_s=1e9, heartbeat_s=1e9, repeats=repeats
    )
    search = Search(ab.RandomSearch(), SPACE, 3, "min", repeats=repeats)
    run = Simulation(settings, objective, SearcherAdapter(search), workers=workers)
    run.run()
    return run


@pytest.mark.parametrize("repeats", [1, 2])
@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda one: type(one).__name__)
def test_the_pure_half_of_a_worker_gives_the_same_run(
    scheduler: Scheduler, repeats: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asha_bus.simulation.workloads import Curves

    def stretch(self: Curves, work: Any, done: float, to: float | None) -> Any:
        assert to is not None
        seconds = (to - done) * pace((work["x"],))
        return original(self, work, done, to)._replace(seconds=seconds)

    original = Curves.stretch
    monkeypatch.setattr(Curves, "stretch", stretch)
    for workers in (1, 5):
        trials = 96 * repeats
        whole = by_virtual_workers(scheduler, workers, trials, repeats)
        run = ab.simulate(
            curve,
            SPACE,
            scheduler=scheduler,
            seed=3,
            workers=workers,
            max_trials=trials,
            repeats=repeats,
            latency_s=0.0,
            service_s=0.0,
        )
        lean = run._fleet
        assert whole.experiment.table.trials == lean.experiment.table.trials
        assert whole.ended == lean.ended
        assert whole.experiment.counters == lean.experiment.counters
        assert whole.experiment.scheduler.rungs() == lean.experiment.scheduler.rungs()
        lean.experiment.validate()


PROGRAM = """
import hashlib
import asha_bus as ab
from asha_bus.core.schedulers import PromotionASHA
run = ab.simulate(
    lambda params, resource: params["x"] + 1 / resource, {"x": ab.uniform(0, 1)},
    scheduler=PromotionASHA(27), seed=5, workers=7, max_trials=300, failures=0.01, losses=0.01,
    retries=1, step_s=lambda random: 1 + abs(random.gauss(0, 1)),
    latency_s=lambda random: random.expovariate(1000), joins=[5.0], leaves=[9.0],
)
shown = repr((run.result.trials, run.times, run.metrics, run.elapsed_s, run.busy_share, run))
print(hashlib.sha256(shown.encode()).hexdigest())
"""


def test_the_same_seed_gives_the_same_bytes_in_two_processes() -> None:
    shown = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120
        ).stdout
        for _ in range(2)
    ]
    assert shown[0] == shown[1]
    assert 64 == len(shown[0].strip())


def test_workers_of_continuous_asha_are_busy() -> None:
    run = ab.simulate(
        lambda point, resource: point[0] + 1 / resource,
        SPACE,
        scheduler=ASHA(256, reduction_factor=4),
        workers=2_000,
        max_trials=20_000,
        step_s=10.0,
        latency_s=1e-3,
    )
    assert run.busy_share >= 0.99
    assert run.result.bus.busy_share == run.busy_share
    assert run.router_wait_s <= 0.2  # all workers join at once


def test_a_curve_gets_what_its_first_parameter_names() -> None:
    seen: dict[str, Any] = {}

    def by_params(params: dict[str, float], resource: float) -> float:
        seen["params"] = params
        return resource

    def by_point(point: tuple[float, ...], resource: float) -> float:
        seen["point"] = point
        return resource

    def by_trial(trial: Any, resource: float) -> float:
        seen["trial"] = trial
        return resource

    for each in (by_params, by_point, by_trial):
        run = ab.simulate(each, SPACE, max_trials=1, end=4.0)
        assert 4.0 == run.result.trials[0].metric
    trial = run.result.trials[0]
    assert {"params": trial.params, "point": trial.point} == {
        name: seen[name] for name in ("params", "point")
    }
    assert (0, trial.params, trial.point, trial.seed) == tuple(seen["trial"])


def test_a_table_of_curves_is_run_in_its_order() -> None:
    table = [[3.0, 2.0, 1.0], {1: 2.5, 3: 0.5}, [4.0, 4.0, 4.0]]
    run = ab.simulate(table, scheduler=ASHA(3, reduction_factor=2), seed=1)
    assert "exhausted" == run.result.reason
    assert [S.COMPLETED, S.COMPLETED, S.STOPPED] == [t.state for t in run.result.trials]
    assert [1.0, 0.5, 4.0] == [trial.metric for trial in run.result.trials]
    assert [0, 1, 2] == [trial.params["curve"] for trial in run.result.trials]
    assert (0.5, 3.0) == (run.metrics[-1], run.result.trials[1].resource)


def test_a_trial_of_a_table_ends_where_its_curve_does() -> None:
    run = ab.simulate([[3.0], [2.0, 1.0]], scheduler=ASHA(9), step_s=2.0, latency_s=0.0)
    assert [S.COMPLETED, S.COMPLETED] == [t.state for t in run.result.trials]
    assert [(1.0, 3.0), (2.0, 1.0)] == [(t.resource, t.metric) for t in run.result.trials]


def test_time_and_best_so_far_by_hand() -> None:
    run = ab.simulate(
        [[3.0, 2.0], [1.0, 2.5]],
        scheduler=MedianStopping(2, min_samples=5),
        step_s=10.0,
        latency_s=0.5,
        service_s=0.25,
    )
    # hello, next, and two reports of each of two trials: 6 messages there and back
    assert (10.0 * 4 + 6 * 1.25) - 0.75 == run.elapsed_s  # it ends with the last decision
    assert ((3.0, 2.0, 1.0), 3) == (run.metrics, len(run.times))
    assert run.times[1] == run.time_to(2.5)
    assert run.time_to(0.5) is None


def test_failures_and_losses_come_at_their_rate() -> None:
    run = ab.simulate(
        curve,
        SPACE,
        scheduler=NoStopping(10),
        max_trials=400,
        workers=10,
        failures=0.02,
        losses=0.02,
        replace_s=3.0,
        retries=1,
    )
    run._fleet.experiment.validate()
    bus, counts = run.result.bus, run.result.counts
    assert 400 == len(run.result.trials)
    attempts = sum(trial.attempts for trial in run.result.trials)
    assert counts[S.COMPLETED] > 250
    assert 0.1 < bus.failed_attempts / attempts < 0.25
    assert 0.1 < bus.requeued / attempts < 0.25
    assert "a simulated failure" in str(run.result.failures[0].error) or counts[S.LOST]


def test_paused_trials_of_lost_workers_are_trained_again() -> None:
    run = ab.simulate(
        curve, SPACE, scheduler=PromotionASHA(27), max_trials=300, workers=10, losses=0.02
    )
    run._fleet.experiment.validate()
    assert run.retrained_resource > 0
    assert {S.COMPLETED, S.STOPPED} >= {trial.state for trial in run.result.trials} - {S.LOST}


def test_the_median_wait_is_not_above_the_longest() -> None:
    for workers in (1, 4):
        run = ab.simulate(
            curve, SPACE, scheduler=PromotionASHA(27), max_trials=40, workers=workers, latency_s=0
        )
        median, longest = run.promotion_wait_s
        assert 0 <= median <= longest


@pytest.mark.parametrize(("step_s", "shown"), [(0.001, " 0.002 s"), (1_000, " 2,000.0 s")])
def test_short_times_are_shown_as_long_ones(step_s: float, shown: str) -> None:
    run = ab.simulate([[1.0, 0.5]], step_s=step_s, latency_s=0, service_s=0)
    (line,) = (line for line in repr(run).splitlines() if line.startswith("virtual time"))
    assert line.endswith(shown)


def test_the_median_wait_of_promotions_is_not_above_the_longest() -> None:
    run = ab.simulate(curve, SPACE, scheduler=PromotionASHA(9), max_trials=20, latency_s=0.0)
    assert (0.0, 0.0) == run.promotion_wait_s


def test_workers_join_and_leave_at_their_times() -> None:
    run = ab.simulate(
        curve, SPACE, scheduler=NoStopping(10), max_trials=9, joins=[0.0, 5.0], leaves=[12.0]
    )
    assert 2 == run.result.bus.workers
    assert [1, 2] == sorted({trial.attempts for trial in run.result.trials})
    gone = ab.simulate(curve, SPACE, scheduler=NoStopping(10), max_trials=9, leaves=[25.0])
    assert ("stopped", "all workers have left") == (gone.result.reason, gone.result.message)
    assert {S.COMPLETED: 2, S.CANCELLED: 1} == {s: n for s, n in gone.result.counts.items() if n}


def test_limits_end_a_simulated_run() -> None:
    cut = ab.simulate(curve, SPACE, scheduler=NoStopping(10), max_time=25.0, workers=3, seed=2)
    assert "max_time" == cut.result.reason
    assert 25.0 < cut.elapsed_s < 32.0
    assert {S.COMPLETED: 6, S.CANCELLED: 3} == {s: n for s, n in cut.result.counts.items() if n}
    assert [None] * 3 == [t.metric for t in cut.result.trials if t.state is S.CANCELLED]
    aimed = ab.simulate(curve, SPACE, scheduler=ASHA(9), max_trials=500, stop_at=0.4)
    assert "stop_at" == aimed.result.reason
    assert aimed.metrics[-1] <= 0.4


def test_a_report_between_rungs_may_reach_the_target() -> None:
    curves = [[0.9, 0.8, 0.7], [0.9, 0.2, 0.6, 0.6], [0.9, 0.1, 0.6]]
    run = ab.simulate(curves, scheduler=NoStopping(3), stop_at=0.2, step_s=2)
    assert ("stop_at", 2) == (run.result.reason, len(run.result.trials))
    last = run.result.trials[1]
    assert (S.COMPLETED, 0.2, 2) == (last.state, last.metric, last.resource)
    assert 10.0 < run.elapsed_s < 11.0  # three units and two
    ends = ab.simulate(curves, scheduler=NoStopping(9), stop_at=0.2)  # objectives end by themselves
    assert (2, 0.2) == (len(ends.result.trials), ends.result.trials[1].metric)
    with pytest.raises(
        ab.InvalidArgument, match="stop_at must be a finite number, or None, got '1'"
    ):
        ab.simulate(curves, stop_at="1")  # type: ignore[arg-type]
    with pytest.raises(
        ab.InvalidArgument, match="stop_at must be a finite number, or None, got -i"
    ):
        ab.simulate(curves, stop_at=-math.inf)


def test_a_searcher_learns_from_a_simulated_run() -> None:
    run = ab.simulate(curve, SPACE, scheduler=ASHA(9), searcher=ab.TPE(), max_trials=60, workers=4)
    found = [trial.params["x"] for trial in run.result.trials]
    assert sum(found[:20]) > sum(found[40:])
    assert "TPE" in run.result.searcher


def test_the_result_is_one_like_any_other() -> None:
    run = ab.simulate(curve, SPACE, scheduler=ASHA(9), max_trials=30, workers=3)
    result = run.result
    assert result is run.result
    assert 30 == len(result.to_pandas())
    assert "rung 0" in result.explain(0)
    assert "30 trials" in repr(result)
    assert "busy share of the workers" in repr(run)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scheduler": ASHA}, "scheduler must be a scheduler"),
        ({"workers": -1}, "workers must be a whole number"),
        ({"step_s": -1.0}, "step_s must be a number of seconds"),
        ({"latency_s": float("nan")}, "latency_s must be a number of seconds"),
        ({"failures": -0.5}, "failures must be a number of at least 0"),
        ({"joins": [-1.0]}, "each of joins must be a number of seconds"),
        ({"mode": "least"}, "mode must be 'min' or 'max'"),
        ({"max_trials": None}, "max_trials or max_time"),
        ({"space": None}, "also need a space"),
        ({"curves": three}, "curves must take two arguments, the parameters and a resource"),
        ({"curves": epochs}, "curves must return a metric, and epochs is a generator function"),
        ({"scheduler": NoStopping()}, "pass end=RESOURCE"),
        ({"scheduler": SuccessiveHalving([(1, 20), (2, 1)])}, "keeps 20 configurations"),
        ({"curves": [[1.0]]}, "space is for curves as a function"),
        ({"curves": []}, "space is for curves as a function"),
        ({"curves": 3, "space": None}, "curves must be a function, the path of a journal"),
        ({"joins": 3}, "joins must be a list of times in seconds, got 3"),
        ({"leaves": [None]}, "each of leaves must be a number of seconds from 0 to 1e9, got None"),
        ({"step_s": lambda random: -1.0}, "step_s must draw a number of seconds of at least 0"),
        ({"step_s": lambda random: "1"}, "of at least 0, got '1'"),
        ({"latency_s": lambda random: math.nan}, "latency_s must draw a number of seconds"),
        ({"curves": lambda params, resource: None}, "curves at resource 1: None of type NoneType"),
        ({"curves": lambda params, resource: 10**400}, "of type int is not a number"),
        (
            {"curves": [[1.0], None], "space": None},
            "curve 1 of the table must be a list of",
        ),
        ({"curves": [["a"]], "space": None}, "curve 0 of the table, resource 1: 'a' of type str"),
        ({"curves": [{-1: 0.5}], "space": None}, "a resource in curve 0 of the table must be"),
        ({"curves": b"path", "space": None}, "curves must be a function, the path of a journal"),
        ({"curves": [[1.0]] * 2, "space": None, "repeats": 3}, "2 curves, too few for repeats=3"),
        ({"workers": 30_000, "max_trials": 30_000}, "this bus has 20000 workers, and no more"),
        ({"trials": 3}, "takes no 'trials'; did you mean 'max_trials'"),
    ],
)
def test_bad_arguments_are_named(given: dict[str, Any], said: str) -> None:
    fine: dict[str, Any] = {"curves": curve, "space": SPACE, "max_trials": 9, "scheduler": ASHA(9)}
    with pytest.raises(ab.InvalidArgument) as raised:
        ab.simulate(**{**fine, **given})
    assert said in str(raised.value)


def test_a_cohort_has_its_size_as_in_a_real_run() -> None:
    run = ab.simulate(curve, SPACE, scheduler=ab.Hyperband.classic(9), repeats=2)
    assert 2 * (9 + 5 + 3) == len(run.result.trials)
    with pytest.raises(ab.InvalidArgument, match="the run needs its size: give max_trials"):
        ab.simulate(curve, SPACE, scheduler=ab.SuccessiveHalving([(1, 1)]), max_time=9.0)


def test_a_resource_of_zero_is_not_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == cli.main(["simulate", "--trials", "9", "--max-resource", "0"])
    assert "max_resource must be a number above 0" in capsys.readouterr().err


def test_mix_of_the_seed_is_its_own() -> None:
    """Another seed gives another run."""
    one, other = (
        ab.simulate(curve, SPACE, scheduler=ASHA(9), max_trials=30, seed=seed) for seed in (1, 2)
    )
    assert one.result.trials[0].params != other.result.trials[0].params
    assert mix(1) != mix(2)


def test_times_between_two_decisions_are_shared_out_by_the_resource() -> None:
    row = Row(0, {1: 0.5, 3: 0.25}, times=[(1, 2.0), (3, 10.0)])
    assert [0.0, 1.0, 2.0, 6.0, 10.0] == [row.at(at) for at in (0, 0.5, 1, 2, 3)]
    assert 20.0 == row.at(6)  # beyond, as long as on average
    assert Row(0, {1: 0.5}).at(1) is None


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda one: type(one).__name__)
def test_troubled_runs_end_and_their_books_agree(scheduler: Scheduler) -> None:
    for seed in range(12):
        random = Random(seed)
        run = ab.simulate(
            curve,
            SPACE,
            scheduler=scheduler,
            max_trials=192,
            workers=random.randint(1, 9),
            failures=random.choice([0.0, 0.05, 0.5]),
            losses=random.choice([0.0, 0.02, 0.2]),
            replace_s=random.choice([0.0, 3.0]),
            retries=random.choice([0, 1]),
            repeats=random.choice([1, 2]),
            joins=[random.uniform(0, 30)],
            leaves=[random.uniform(0, 60)],
            max_time=random.choice([None, 60.0]),
            stop_at=random.choice([None, 0.2]),
            step_s=lambda random: 1 + abs(random.gauss(0, 1)),
            latency_s=random.choice([0.001, 0.5]),
            seed=seed,
        )
        run._fleet.experiment.validate()
        assert FINAL >= {trial.state for trial in run.result.trials}
