"""Whole runs on Spark's local[2]: tasks, deaths, stops, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from support import objectives
from support.processes import is_alive, wait_until

import asha_bus as ab
from asha_bus.core.trial import TrialState
from asha_bus.driver.auth import Keys
from asha_bus.driver.spark import SparkEngine
from asha_bus.executor.client import ping
from asha_bus.executor.task import load_once, spark_task
from asha_bus.launching.job import BusAddress, Job

pytestmark = [pytest.mark.spark, pytest.mark.timeout(180)]

SPACE = {"x": ab.uniform(0, 1)}
ASHA = ab.ASHA(max_resource=9)


def run(spark, objective, space=SPACE, launch=ab.launch, **arguments):
    """Launch on Spark, quietly."""
    settings = {"spark": spark, "monitor": None, "seed": 7}
    return launch(objective, space, **{**settings, **arguments})


def test_both_slots_work_on_one_run(spark) -> None:
    result = run(spark, objectives.slow_slope, scheduler=ASHA, max_trials=30)
    assert result.reason == "max_trials"
    assert len(result.trials) == 30
    assert len({trial.worker for trial in result.trials}) == 2
    assert all((trial.worker or "").startswith("spark-") for trial in result.trials)
    assert result.best is not None
    assert result.best.resource == 9


def test_the_same_configurations_as_on_the_local_engine(spark) -> None:
    on_spark = run(spark, objectives.square, max_trials=10)
    locally = ab.launch(
        objectives.square, SPACE, engine="local", max_trials=10, seed=7, monitor=None
    )
    assert [t.params for t in on_spark.trials] == [t.params for t in locally.trials]


def test_a_bus_killed_under_spark_comes_back(spark, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    handle = run(
        spark,
        objectives.slow_slope,
        scheduler=ASHA,
        max_trials=60,
        journal=journal,
        launch=ab.start,
    )
    for _ in range(2):
        before = handle.bus_report().decisions
        wait_until(lambda before=before: handle.bus_report().decisions > before)  # type: ignore[misc]
        os.kill(handle.bus_pid, signal.SIGKILL)
    result = handle.result(timeout=90)
    assert len(result.trials) == 60
    assert {trial.attempts for trial in result.trials} == {1}
    assert ab.Result.from_journal(journal, result.space).trials == result.trials


def test_a_run_begun_locally_goes_on_under_spark(spark, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    arguments: Any = {"scheduler": ASHA, "journal": journal, "seed": 7, "monitor": None}
    first = ab.launch(objectives.slope, SPACE, engine="local", max_trials=10, **arguments)
    result = run(spark, objectives.slope, max_trials=20, resume=True, **arguments)
    assert len(result.trials) == 20
    assert [trial.rungs for trial in result.trials[:10]] == [trial.rungs for trial in first.trials]


@pytest.mark.slow
def test_a_trial_beyond_its_limit_fails_alone(spark, tmp_path: Path) -> None:
    space = {"x": ab.uniform(0, 1), "folder": str(tmp_path)}
    result = run(spark, objectives.hangs, space, max_trials=6, trial_timeout=1.0)
    hung = result.trials[1]
    assert (hung.state, hung.attempts) == (TrialState.FAILED, 1)
    assert "ran longer than trial_timeout=1 s" in (hung.error or "").splitlines()[-1]
    assert ["finally-1"] == [mark.name for mark in tmp_path.iterdir()]
    assert result.counts[TrialState.COMPLETED] == 5


@pytest.mark.slow
def test_a_task_that_ignores_the_limit_is_replaced(spark) -> None:
    result = run(spark, objectives.is_deaf_once, max_trials=6, trial_timeout=0.5)
    deaf = result.trials[1]
    assert (deaf.state, deaf.attempts) == (TrialState.FAILED, 1)
    assert "did not end within 5 s" in (deaf.error or "")
    assert result.counts[TrialState.COMPLETED] == 5
    assert result.bus.requeued == 0


def test_captured_output_comes_with_the_trials(spark) -> None:
    result = run(spark, objectives.talks, max_trials=6, capture_output=True)
    for trial in result.trials:
        number = trial.id
        assert f"printed {number}\nlogged {number}\nprinted {number} to stderr\n" == trial.log


def test_a_run_on_spark_is_looked_at_as_any_other(spark, tmp_path: Path) -> None:
    seen = tmp_path / "events.jsonl"
    result = run(
        spark,
        objectives.slow_slope,
        scheduler=ab.ASHA(max_resource=27),
        max_trials=12,
        monitor=ab.FileMonitor(seen),
        metrics_port=0,
        page=True,
    )
    told = [json.loads(line) for line in seen.read_text().splitlines()]
    assert ("start", "finish") == (told[0]["event"], told[-1]["event"])
    ended = {line["trial"] for line in told if line["event"] == "end"}
    assert {trial.id for trial in result.trials} == ended
    assert result.best is not None
    assert [float(step) for step in range(1, 28)] == [r for r, _ in result.best.curve]


def test_without_a_session_the_active_one_is_taken(spark) -> None:
    result = ab.launch(objectives.square, SPACE, max_trials=2, monitor=None)
    assert result.counts[TrialState.COMPLETED] == 2
    assert spark.sparkContext.applicationId == spark.getActiveSession().sparkContext.applicationId


def test_a_killed_python_worker_takes_no_neighbour_along(spark, tmp_path: Path) -> None:
    folder = str(tmp_path)

    def train(trial: ab.Trial) -> None:
        (Path(folder) / f"{os.getpid()}").touch()
        for step in range(9):
            time.sleep(0.05)
            if trial.id == 3 and trial.attempt == 1 and step == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            trial.report(trial.params["x"] + 1 / (step + 1))

    everyone = ab.ASHA(max_resource=9, quorum=20)
    result = run(spark, train, scheduler=everyone, max_trials=20)
    assert [t.attempts for t in result.trials] == [2 if t.id == 3 else 1 for t in result.trials]
    assert result.counts[TrialState.COMPLETED] == 20
    assert result.bus.workers == 3
    assert len(list(tmp_path.iterdir())) == 3


def test_stop_interrupts_the_objective_so_that_its_finally_runs(spark, tmp_path: Path) -> None:
    space = {"x": ab.uniform(0, 1), "folder": str(tmp_path)}
    handle = run(spark, objectives.silent, space, max_trials=4, launch=ab.start)
    wait_until(lambda: handle.status()["states"]["RUNNING"] == 2)
    handle.stop()
    result = handle.result(timeout=60)
    assert result.reason == "stopped"
    assert {trial.state for trial in result.trials} == {TrialState.CANCELLED}
    marks = [path.name for path in tmp_path.iterdir()]
    assert len(marks) == 2


@pytest.mark.slow
def test_an_objective_that_ignores_everything_ends_with_its_process(spark) -> None:
    handle = run(spark, objectives.deaf, max_trials=4, launch=ab.start)
    wait_until(lambda: handle.status()["states"]["RUNNING"] == 2)
    handle.stop()
    assert handle.result(timeout=60).reason == "stopped"
    again = run(spark, objectives.square, max_trials=4)  # both slots are free again
    assert again.counts[TrialState.COMPLETED] == 4


def test_jobs_carry_the_runs_name_and_nothing_stays_behind(spark) -> None:
    context = spark.sparkContext
    context.setJobDescription("the user's own")
    handle = run(
        spark, objectives.slow_slope, scheduler=ASHA, max_time=600, name="named", launch=ab.start
    )
    url = f"{context.uiWebUrl}/api/v1/applications/{context.applicationId}/jobs?status=running"

    def running() -> list[dict[str, Any]]:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)

    wait_until(lambda: len(running()) == 2)
    jobs = running()
    handle.stop()
    handle.result(timeout=60)
    assert sorted(job["description"] for job in jobs) == [
        "asha-bus named: worker 0.1",
        "asha-bus named: worker 1.1",
    ]
    assert all(job["jobTags"][0].startswith("asha-bus-named-") for job in jobs)
    assert len(context.getJobTags()) == 0
    assert context.getLocalProperty("spark.job.description") == "the user's own"
    context.setJobDescription(None)


def test_two_launches_share_one_session(spark) -> None:
    results = []

    def one() -> None:
        results.append(run(spark, objectives.slow_slope, scheduler=ASHA, max_trials=10, workers=1))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [len(result.trials) for result in results] == [10, 10]
    assert results[0].trials[0].params == results[1].trials[0].params


def test_more_workers_than_slots_are_refused(spark) -> None:
    with pytest.raises(ab.InvalidArgument, match="workers=3 is more than the 2 task slots"):
        run(spark, objectives.square, max_trials=2, workers=3)


def test_a_captured_context_or_session_is_refused(spark) -> None:
    context = spark.sparkContext

    def with_context(x: float) -> float:
        return x + context.parallelize([1]).count()

    def with_session(x: float) -> float:
        return x + spark.range(1).count()

    for objective, name in ((with_context, "SparkContext"), (with_session, "SparkSession")):
        with pytest.raises(ab.InvalidArgument, match=f"captured a {name} as the variable"):
            run(spark, objective, max_trials=1)


def test_an_object_that_is_not_a_session_is_refused() -> None:
    with pytest.raises(ab.InvalidArgument, match="pass a SparkSession"):
        run("local[2]", objectives.square, max_trials=1)


def test_an_address_that_executors_cannot_reach_is_named(spark) -> None:
    engine = SparkEngine(spark, name="unreachable", task=spark_task, ping=ping, load=load_once)
    keys = Keys.generate()
    with socket.socket() as silent:  # it takes connections, and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        endpoint = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        address = BusAddress(
            "run", endpoint, keys.server_public, keys.client_public, keys.client_secret
        )
        with pytest.raises(ab.BusError, match=rf"could not reach the bus at {endpoint}.*host="):
            engine.preflight(Job(address, objectives.square, ab.Space(SPACE)))


def test_options_of_the_bus_come_from_sparks_configuration() -> None:
    options = ab.BusOptions.from_conf({"spark.ashaBus.port": "7001", "spark.app.name": "x"})
    assert options == ab.BusOptions(port=7001)
    with pytest.raises(ab.InvalidArgument, match=r"spark\.ashaBus\.prot: there is no such option"):
        ab.BusOptions.from_conf({"spark.ashaBus.prot": "7001"})
    with pytest.raises(ab.InvalidArgument, match=r"spark\.ashaBus\.lease_s must be a number"):
        ab.BusOptions.from_conf({"spark.ashaBus.lease_s": "long"})
    given = {"spark.ashaBus.metrics_host": "0.0.0.0"}
    assert ab.BusOptions(metrics_host="0.0.0.0") == ab.BusOptions.from_conf(given)
    with pytest.raises(ab.InvalidArgument, match=r"spark.ashaBus.curves: .* use launch\(curves="):
        ab.BusOptions.from_conf({"spark.ashaBus.curves": "true"})


def test_a_session_stopped_in_the_middle_ends_the_run(spark) -> None:
    handle = run(
        spark,
        objectives.slow_slope,
        scheduler=ab.ASHA(max_resource=900),
        max_time=600,
        launch=ab.start,
    )
    wait_until(lambda: handle.status()["states"]["RUNNING"] == 2)
    spark.stop()
    result = handle.result(timeout=60)
    assert result.reason == "failed"
    assert "session was stopped" in result.message
    assert not is_alive(handle.bus_pid)


def test_a_lost_trial_has_the_last_line_of_its_job(spark) -> None:
    result = run(spark, objectives.exits, max_trials=4, bus=ab.BusOptions(max_attempts=1))
    lost = result.trials[1]
    assert lost.state is TrialState.LOST
    assert "which ended with its Spark job (org.apache.spark." in lost.error
    assert "see the executor's log" in lost.error
