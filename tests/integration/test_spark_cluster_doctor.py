"""The doctor on a cluster: packages that executors lack, and slots that others have."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lib.clusters import Cluster, make_session
from support.processes import wait_until
from support.pythons import bare_python, lend

import asha_bus as ab
from asha_bus.diagnosis.report import Check, Report

pytestmark = [pytest.mark.spark, pytest.mark.timeout(300)]


def of(report: Report, name: str, where: str | None = None) -> list[Check]:
    return [check for check in report.checks if check.name == name and where in (None, check.where)]


@pytest.mark.slow
def test_both_executors_of_a_cluster_are_checked(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their Python lacks asha_bus, then also msgpack, which is then sent."""
    python = bare_python(tmp_path / "venv")
    lend(python, "zmq")
    monkeypatch.setenv("PYSPARK_PYTHON", str(python))
    with session_on(cluster.master) as session:
        report = ab.doctor(session)
        assert "2 slots on 2 executors" == of(report, "slots")[0].text
        missing = [check for check in of(report, "msgpack") if check.where != "driver"]
        assert 2 == len(missing)
        assert {"failure"} == {check.status for check in missing}
        assert f"{python} -m pip install msgpack there" in missing[0].advice
        assert "not tried, since msgpack cannot be imported" == of(report, "bus")[0].text
        texts = [check.text for check in of(report, "asha-bus") if check.where != "driver"]
        assert [f"not installed; a launch sends {ab.__version__}"] * 2 == texts
        report = ab.doctor(session, bus=ab.BusOptions(ship_packages=True))
        assert report.ok, report
        texts = [check.text for check in of(report, "asha-bus") if check.where != "driver"]
        assert [ab.__version__] * 2 == texts
        assert 2 == len([check for check in of(report, "bus") if check.text.endswith(" us")])


def running_tasks(context: Any) -> int:
    tracker = context.statusTracker()
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    return sum(stage.numActiveTasks for stage in stages if stage is not None)


@contextmanager
def session_on(master: str) -> Iterator[Any]:
    """One session on ``master`` with two executors, which is stopped at the end."""
    session = make_session(master)
    tracker = session.sparkContext._jsc.sc().statusTracker()
    try:
        wait_until(lambda: len(tracker.getExecutorInfos()) == 1 + 2)  # one is the driver
        yield session
    finally:
        session.stop()


@pytest.mark.slow
def test_slots_that_others_have_end_in_time(cluster: Cluster) -> None:
    with session_on(cluster.master) as session:
        context = session.sparkContext

        def hold(_: Any) -> Iterator[int]:
            import time

            time.sleep(60)
            yield 0

        def run() -> None:
            try:
                context.parallelize(range(2), 2).mapPartitions(hold).collect()
            except Exception:  # it is cancelled
                pass

        holder = threading.Thread(target=run)
        holder.start()
        wait_until(lambda: running_tasks(context) == 2)
        report = ab.doctor(session, timeout_s=3)
        context.cancelAllJobs()
        holder.join()
        (tasks,) = of(report, "tasks")
        assert "failure" == tasks.status
        assert "did not run a task each within 3 s" in tasks.text
