"""Whole runs on clusters: standalone, local-cluster, and through spark-submit."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lib.clusters import Cluster, make_session
from support.processes import children_of, wait_until

import asha_bus as ab
from asha_bus.core.trial import TrialState

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]

ASHA = ab.ASHA(max_resource=9, quorum=100)


@pytest.fixture(scope="module")
def session(cluster: Cluster) -> Iterator[object]:
    """A session on the standalone cluster."""
    found = make_session(cluster.master)
    yield found
    found.stop()


def waiting_for(flag: Path):
    """A generator that travels by value, whose trials stand at their third epoch until ``flag``."""
    place = str(flag)

    def train(x: float) -> Iterator[float]:
        for step in range(1, 1000):
            while step == 3 and not os.path.exists(place):
                time.sleep(0.02)
            yield x + 1 / step

    return train


def run(spark, function, launch=ab.launch, **arguments):
    """Launch on Spark, quietly."""
    settings = {"spark": spark, "monitor": None, "seed": 7, "scheduler": ASHA}
    return launch(function, {"x": ab.uniform(0, 1)}, **{**settings, **arguments})


def test_standalone_executors_work_on_one_run(session, tmp_path: Path) -> None:
    both_are_there = tmp_path / "both are there"

    def train(trial: ab.Trial) -> None:
        while trial.id == 0 and not both_are_there.exists():  # the other one may come late
            time.sleep(0.02)
        for step in range(9):
            time.sleep(0.02)
            trial.report(trial.params["x"] + 1 / (step + 1))

    handle = run(session, train, max_trials=16, launch=ab.start)
    wait_until(lambda: handle.status()["workers"] == 2)
    both_are_there.touch()
    result = handle.result()
    assert result.counts[TrialState.COMPLETED] == 16
    assert len({trial.worker for trial in result.trials}) == 2


def test_a_python_worker_of_an_executor_killed_loses_only_that_attempt(session) -> None:
    def train(trial: ab.Trial) -> None:
        for step in range(9):
            time.sleep(0.02)
            if trial.id == 3 and trial.attempt == 1 and step == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            trial.report(trial.params["x"] + 1 / (step + 1))

    result = run(session, train, max_trials=16)
    assert [t.attempts for t in result.trials] == [2 if t.id == 3 else 1 for t in result.trials]
    assert result.counts[TrialState.COMPLETED] == 16
    assert all(entries == 16 for _, _, entries, _ in result.rung_table())


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_of_what_executors_attach_only_the_best_stays_though_a_worker_is_killed(
    session, tmp_path: Path, prefix: str
) -> None:
    def train(trial: ab.Trial) -> None:
        for step in range(1, 10):
            time.sleep(0.02)
            trial.attach("model", f"{trial.params['x']!r} {step} {trial.attempt}".encode())
            if trial.id in (2, 5) and trial.attempt == 1 and step == 8:
                os.kill(os.getpid(), signal.SIGKILL)
            if not trial.report(trial.params["x"] + 1 / step):
                break

    result = run(session, train, max_trials=12, artifacts=f"{prefix}{tmp_path}")
    best = result.best
    assert [2, 2] == [result.trials[number].attempts for number in (2, 5)]
    assert f"{best.params['x']!r} 9 {best.attempts}" == best.artifact("model").read_text()
    (folder,) = tmp_path.iterdir()
    entry = f"trial-{best.id}-{best.attempts}-{best.metric!r}"
    there = [entry] if not prefix else [f"files-{entry}", entry]
    assert there == sorted(path.name for path in folder.iterdir())


def test_a_killed_executor_is_replaced_and_the_run_completes(
    session, cluster: Cluster, tmp_path: Path
) -> None:
    flag = tmp_path / "it is replaced"
    handle = run(session, waiting_for(flag), max_trials=40, launch=ab.start)
    wait_until(lambda: handle.status()["workers"] == 2)
    executor = children_of(cluster.worker_pids[0], "CoarseGrainedExecutorBackend")[0]
    os.kill(executor, signal.SIGKILL)
    wait_until(lambda: handle.bus_report().workers >= 3)
    flag.touch()
    result = handle.result(timeout=200)
    assert result.counts[TrialState.COMPLETED] == 40
    assert result.bus.requeued >= 1
    assert all(entries == 40 for _, _, entries, _ in result.rung_table())
