"""Which jobs of a real Spark wait for a slot, though what Spark tells of them is old."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lib.clusters import make_session
from support.clusters import require_java
from support.processes import wait_until

from asha_bus.driver.spark_slots import SparkSlots

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.fixture
def context() -> Iterator[Any]:
    """A session with a slot, whose account of running jobs is renewed once a minute."""
    require_java()
    from pyspark.sql import SparkSession

    if (session := SparkSession.getActiveSession()) is not None:
        session.stop()
    session = make_session("local[1]", {"spark.ui.liveUpdate.period": "60s"})
    yield session.sparkContext
    session.stop()


def begin(context: Any, tag: str, folder: Path) -> None:
    """A job of one task, which notes that it runs, until its file is removed."""
    from pyspark import InheritableThread

    def task(_: Any) -> list[int]:
        mark = folder / tag
        mark.touch()
        end = time.monotonic() + 60
        while mark.exists() and time.monotonic() < end:
            time.sleep(0.05)
        return []

    def run() -> None:
        context.addJobTag(tag)
        context.parallelize([0], 1).mapPartitions(task).collect()

    InheritableThread(target=run, daemon=True).start()


def test_a_job_whose_task_has_just_started_does_not_wait(context: Any, tmp_path: Path) -> None:
    slots = SparkSlots(context)
    assert set() == slots.waiting_jobs()
    begin(context, "first", tmp_path)
    wait_until((tmp_path / "first").exists)
    assert 1 == slots.jobs()
    assert "first" not in slots.waiting_jobs()
    (tmp_path / "first").unlink()
    wait_until(lambda: slots.jobs() == 0)
