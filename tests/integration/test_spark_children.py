"""Processes that objectives leave behind in Spark tasks, and the process group of a task."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support import programs_with_children as programs
from support.processes import is_alive, wait_until

import asha_bus as ab

pytestmark = pytest.mark.spark


def start(spark: Any, objective: Any, folder: Path, **arguments: Any) -> ab.Run:
    """Start one worker on ``spark``, quietly."""
    space = {"x": ab.uniform(0, 1), "folder": str(folder)}
    settings: dict[str, Any] = {"spark": spark, "workers": 1, "monitor": None, "max_trials": 1}
    return ab.start(objective, space, **{**settings, **arguments})


def children(folder: Path) -> list[int]:
    """The process ids of the children, once all are there."""
    wait_until(lambda: len(list(folder.iterdir())) == 3)
    return [int(mark.name) for mark in folder.iterdir()]


def test_they_end_with_their_task_and_its_process_returns_to_its_group(
    spark: Any, tmp_path: Path
) -> None:
    result = start(spark, programs.ends, tmp_path).result(timeout=100)
    [trial] = result.trials
    assert trial.extras["pid"] == trial.extras["group"]  # a group of its own
    pids = children(tmp_path)
    wait_until(lambda: not any(map(is_alive, pids)))
    # Spark keeps it for its next task
    assert os.getpgid(trial.extras["pid"]) != trial.extras["pid"]
    assert 2 == spark.sparkContext.parallelize([0, 1], 2).map(lambda x: x).count()


@pytest.mark.slow
def test_they_end_with_a_task_that_spark_kills(spark: Any, tmp_path: Path) -> None:
    handle = start(spark, programs.is_deaf, tmp_path)
    pids = children(tmp_path)
    handle.stop(now=True)
    assert "stopped" == handle.result(timeout=100).reason
    wait_until(lambda: not any(map(is_alive, pids)))
