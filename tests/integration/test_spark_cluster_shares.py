"""How many slots of a cluster a run takes, and whom that concerns."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lib.clusters import Cluster, make_session
from pyspark import InheritableThread
from support.processes import wait_until

import asha_bus as ab

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

SPACE = {"x": ab.uniform(0, 1)}


@pytest.fixture
def session(cluster: Cluster) -> Iterator[Any]:
    conf = {
        "spark.cores.max": "2",
        "spark.python.worker.killOnIdleTimeout": "true",
        "spark.python.worker.idleTimeoutSeconds": "600",
    }
    found = make_session(cluster.master, conf)
    yield found
    found.stop()


def test_dynamic_allocation_from_0_is_used_whole(cluster: Cluster) -> None:
    conf = {
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.minExecutors": "0",
        "spark.dynamicAllocation.maxExecutors": "2",
        "spark.executor.cores": "1",
    }
    session: Any = make_session(cluster.master, conf)

    def train(x: float) -> Any:
        for step in range(1, 10_000):
            time.sleep(0.05)
            yield x + 1 / step

    try:
        run = ab.start(train, SPACE, max_time=600, monitor=None, spark=session)
        wait_until(lambda: run.status()["workers"] == 2)
        run.stop()
        assert "stopped" == run.result(timeout=60).reason
    finally:
        session.stop()


def test_more_workers_than_there_will_ever_be_slots_are_refused(session: Any) -> None:
    with pytest.raises(ab.InvalidArgument, match=r"workers=3 is more than the 2 .*cores\.max=2"):
        ab.launch(lambda x: x, SPACE, max_trials=2, monitor=None, spark=session, workers=3)


def test_no_slot_within_the_time_is_an_error_that_names_the_option(cluster: Cluster) -> None:
    session = make_session(cluster.master, {"spark.executor.memory": "900g"})
    try:
        options = ab.BusOptions(slots_timeout_s=1.0)
        with pytest.raises(ab.WorkerError, match=r"no task slots after 1 s.*slots_timeout_s"):
            ab.launch(lambda x: x, SPACE, max_trials=2, monitor=None, spark=session, bus=options)
    finally:
        session.stop()


def test_a_run_that_takes_all_slots_says_that_others_wait(
    session: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flag = tmp_path / "let them go"
    place = str(flag)

    def train(x: float) -> float:
        while not os.path.exists(place):
            time.sleep(0.05)
        return x

    run = ab.start(train, SPACE, max_trials=2, monitor=None, spark=session)
    wait_until(lambda: run.status()["workers"] == 2)
    counted: list[int] = []
    other = InheritableThread(
        target=lambda: counted.append(session.sparkContext.parallelize([1, 2]).count())
    )
    other.start()
    wait_until(lambda: "other jobs of this session wait" in caplog.text)
    flag.touch()
    run.result(timeout=120)
    other.join(60)
    assert [2] == counted
    assert "Spark ends each worker that long after its start" in caplog.text
