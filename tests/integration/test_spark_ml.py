"""Trials that run Spark jobs in threads of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.processes import wait_until

import asha_bus as ab
from asha_bus.integrations.spark_ml import InDriver

pytestmark = [pytest.mark.spark, pytest.mark.slow]

SPACE = {"x": ab.uniform(0, 1)}


def run(objective: Callable[..., Any], space: Any = SPACE, **arguments: Any) -> ab.Result:
    given: dict[str, Any] = {"max_trials": 6, "workers": 2, "seed": 1, "monitor": None}
    return ab.launch(objective, space, engine="local", **{**given, **arguments})


def test_trials_run_side_by_side_in_the_session_of_this_process(spark: Any) -> None:
    frame = spark.range(100).cache()
    side_by_side = threading.Barrier(2, timeout=100)
    names: list[str] = []

    def train(x: float, kind: str = "none") -> tuple[float, dict[str, int]]:
        names.append(threading.current_thread().name)
        if len(names) <= 2:
            side_by_side.wait()
        return x, {"rows": frame.filter(frame.id < 100 * x).count()}

    with InDriver(train, spark) as objective:
        result = run(objective)
        best = result.best
        assert best is not None
        assert (best.metric, best.extras) == result.refit()
    assert 6 == len(result.trials)
    for trial in result.trials:
        assert abs(100 * trial.params["x"] - trial.extras["rows"]) <= 1
    wait_until(lambda: not [t for t in threading.enumerate() if t.name in names])


def test_what_fails_fails_its_trial_in_words(spark: Any) -> None:
    def train(kind: Any) -> float:
        if kind == "wrong":
            return float(spark.range(1).selectExpr("no_such_column").count())
        return 0.5

    with InDriver(train, spark) as objective:
        result = run(objective, {"kind": ab.grid("wrong", "right", object)}, max_trials=None)
    wrong, right, unsent = result.trials
    assert "Traceback" in (wrong.error or "") and "no_such_column" in (wrong.error or "")
    assert ab.TrialState.COMPLETED is right.state
    assert "a parameter cannot be sent to the driver" in (unsent.error or "")
    with pytest.raises(ab.AllTrialsFailed, match="call launch.* within the block of InDriver"):
        run(objective, {"kind": ab.grid("right")}, max_trials=None)


def test_the_jobs_of_a_trial_beyond_its_time_are_cancelled(spark: Any) -> None:
    tracker = spark.sparkContext.statusTracker()

    def wait(rows: Any) -> Any:
        time.sleep(200)
        return rows

    def train(x: float) -> float:
        return float(spark.sparkContext.parallelize([1], 1).mapPartitions(wait).count())

    with InDriver(train, spark) as objective, pytest.raises(ab.AllTrialsFailed, match="Timeout"):
        run(objective, max_trials=1, trial_timeout=3)
    wait_until(lambda: not tracker.getActiveJobsIds())


def test_an_objective_with_rungs_is_refused(spark: Any) -> None:
    def train(x: float) -> Any:
        yield x

    with pytest.raises(ab.InvalidArgument, match="train yields or takes trial; pass a function"):
        InDriver(train, spark)
    with pytest.raises(ab.InvalidArgument, match="spark is object, such as a session of Spark"):
        InDriver(abs, object())
