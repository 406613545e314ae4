"""Processes that objectives leave behind: they end with their worker, however that ends."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from support import programs_with_children as programs
from support.processes import is_alive, wait_until
from support.programs import start_program

import asha_bus as ab

S = ab.TrialState


def start(objective: Any, folder: Path, **arguments: Any) -> ab.Run:
    """Start one local worker, quietly."""
    space = {"x": ab.uniform(0, 1), "folder": str(folder)}
    settings: dict[str, Any] = {"engine": "local", "workers": 1, "monitor": None, "max_trials": 1}
    return ab.start(objective, space, **{**settings, **arguments})


def children(folder: Path, number: int = 3) -> list[int]:
    """The process ids of the children, once all are there."""
    wait_until(lambda: len(list(folder.iterdir())) == number)
    return [int(mark.name) for mark in folder.iterdir()]


def end(pids: list[int]) -> None:
    """Wait until none of ``pids`` lives."""
    wait_until(lambda: not any(map(is_alive, pids)))


def test_they_end_with_a_worker_that_ends_by_itself(tmp_path: Path) -> None:
    result = start(programs.ends, tmp_path).result(timeout=60)
    assert [S.COMPLETED] == [trial.state for trial in result.trials]
    end(children(tmp_path))


def test_they_end_with_a_worker_that_exits(tmp_path: Path) -> None:
    handle = start(programs.exits, tmp_path, bus=ab.BusOptions(max_attempts=1))
    end(children(tmp_path))
    with pytest.raises(ab.AllTrialsFailed):
        handle.result(timeout=60)


@pytest.mark.parametrize("now", [True, False])
def test_they_end_with_a_worker_that_is_killed(tmp_path: Path, now: bool) -> None:
    handle = start(programs.is_deaf, tmp_path)
    pids = children(tmp_path)
    handle.stop(now=now)
    assert "stopped" == handle.result(timeout=60).reason
    end(pids)


DRIVER = """
    import asha_bus as ab
    from support.programs_with_children import is_deaf

    if __name__ == "__main__":
        space = {{"x": ab.uniform(0, 1), "folder": {folder!r}}}
        ab.launch(is_deaf, space, engine="local", workers=1, max_trials=1, monitor=None)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_they_end_with_a_driver_that_ends(tmp_path: Path, number: signal.Signals) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    with start_program(tmp_path, DRIVER.format(folder=str(marks))) as driver:
        pids = children(marks)
        driver.send_signal(number)
        end(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not list sessions")
def test_one_in_a_group_of_its_own_ends(tmp_path: Path) -> None:
    start(programs.starts_a_group, tmp_path).result(timeout=60)
    end(children(tmp_path, 1))


def test_one_in_a_session_of_its_own_stays(tmp_path: Path) -> None:
    start(programs.leaves_a_service, tmp_path).result(timeout=60)
    [service] = children(tmp_path, 1)
    assert is_alive(service)
    os.kill(service, signal.SIGKILL)


def test_an_objective_that_waits_for_all_children_waits_for_its_own_only(tmp_path: Path) -> None:
    result = start(programs.waits_for_all_its_children, tmp_path).result(timeout=60)
    assert [S.COMPLETED] == [trial.state for trial in result.trials]


def test_a_forked_child_that_returns_leaves_its_files_alone(tmp_path: Path) -> None:
    result = start(programs.returns_in_a_child, tmp_path).result(timeout=60)
    assert [1] == [trial.extras["status"] for trial in result.trials]
    assert {b""} == {path.read_bytes() for path in tmp_path.iterdir()}
    assert 20 == len(list(tmp_path.iterdir()))


def test_a_forked_child_that_returns_ends_no_paused_trial(tmp_path: Path) -> None:
    plan = ab.SuccessiveHalving([(3, 1), (2, 1)])
    run = start(programs.forks_beside_paused_ones, tmp_path, scheduler=plan, max_trials=3)
    run.result(timeout=60)
    notes = [path.name.split() for path in tmp_path.iterdir()]
    forked = {(pid, x) for what, pid, x in notes if what == "child"}
    ended = {(pid, x) for what, pid, x in notes if what == "end"}
    assert 3 == len(forked)
    assert forked == {(pid, x) for pid, x in ended if pid in dict(forked)}
