"""Task slots of a cluster that come, and go, while a run is on."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lib.clusters import Cluster, make_session, standalone
from support.clusters import require_java
from support.processes import children_of, wait_until

import asha_bus as ab
from asha_bus.core.trial import TrialState

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

SPACE = {"x": ab.uniform(0, 1)}


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A standalone cluster of one worker with a core."""
    require_java()
    with standalone(tmp_path_factory.mktemp("cluster"), workers=1) as running:
        yield running


@pytest.fixture
def small(smallest: Cluster) -> Iterator[Cluster]:
    """The same, to which others can be added; they leave with the test."""
    yield smallest
    smallest.end_added()


@pytest.fixture
def session(small: Cluster) -> Iterator[Any]:
    found = make_session(small.master, {"spark.cores.max": "2"})
    found.sparkContext.parallelize([1], 1).count()  # the first slot is there
    yield found
    found.stop()


def until(flag: Path) -> Any:
    """An objective of nine epochs whose trials go on until ``flag`` is there."""
    place = str(flag)

    def train(x: float) -> Iterator[float]:
        while not os.path.exists(place):
            time.sleep(0.05)
        for step in range(1, 10):
            yield x + 1 / step

    return train


def test_a_slot_that_comes_late_is_taken_up_and_is_waited_for_in_words(
    session: Any, small: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "asha_bus")
    flag = tmp_path / "all there"
    run = ab.start(
        until(flag),
        SPACE,
        scheduler=ab.SuccessiveHalving([(1, 2), (8, 0)]),
        max_trials=6,
        monitor=None,
        spark=session,
        workers=2,  # more than the slots that there are
        bus=ab.BusOptions(slots_timeout_s=1.0),
    )
    wait_until(lambda: run.status()["workers"] == 1)
    assert 1 == run.status()["awaited"]
    wait_until(lambda: "Spark has 1 of the 2 task slots that the run waits for" in caplog.text)
    small.add_worker()
    wait_until(lambda: run.status()["workers"] == 2)
    assert 0 == run.status()["awaited"]
    flag.touch()
    result = run.result(timeout=120)
    assert 6 == len(result.trials)
    assert 2 == len({trial.worker for trial in result.trials})
    assert 2 == result.counts[TrialState.COMPLETED]
    assert "takes up 1 more task slots" in caplog.text


def test_without_a_number_every_slot_is_taken_and_one_that_goes_is_released(
    session: Any, small: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asha_bus.driver.spark_watch.GONE_S", 2.0)
    flag = tmp_path / "all there"
    run = ab.start(until(flag), SPACE, max_trials=6, monitor=None, spark=session)
    small.add_worker()
    wait_until(lambda: run.status()["workers"] == 2)
    engine: Any = run._follower._engine
    worker = small.worker_pids[1]
    executor = children_of(worker, "CoarseGrainedExecutorBackend")[0]
    for pid in (worker, executor):  # first the worker, which would start another executor
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: engine.started() == 1)
    small.add_worker()
    wait_until(lambda: run.status()["workers"] == 2)
    assert 2 == engine.started()
    flag.touch()
    result = run.result(timeout=120)
    assert 6 == result.counts[TrialState.COMPLETED]
    assert sorted([1] * 5 + [2]) == sorted(trial.attempts for trial in result.trials)
