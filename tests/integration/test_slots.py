"""Slots of workers: filled again whatever ends a worker, or keeps one from being started."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import objectives
from support.processes import children_of, wait_until
from support.programs import start_program

import asha_bus as ab
from asha_bus.core.trial import TrialState
from asha_bus.driver import process

SPACE = {"x": ab.uniform(0, 1)}


def start(objective: Any, **arguments: Any) -> ab.Run:
    settings: dict[str, Any] = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    return ab.start(objective, SPACE, **{**settings, **arguments})


def test_a_worker_that_ends_with_status_0_in_a_trial_is_lost_and_replaced() -> None:
    result = start(objectives.exits_well, max_trials=6).result(timeout=60)
    lost = [trial.id for trial in result.trials if trial.state is TrialState.LOST]
    assert [1, 2] == lost
    assert {3} == {result.trials[number].attempts for number in lost}
    assert 4 == result.counts[TrialState.COMPLETED]


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))  # what is open stays open
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.slow
def test_a_slot_that_cannot_be_filled_for_a_while_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = start(objectives.slow_slope, scheduler=ab.ASHA(9), max_trials=600)
    wait_until(lambda: run.status()["workers"] == 2)
    victim, other = children_of(os.getpid(), "asha_bus.executor")
    with no_descriptors_left():
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: "cannot be filled, and is tried again" in caplog.text)
    assert "Too many open files" in caplog.text
    wait_until(lambda: run.status()["workers"] == 2)
    assert other in children_of(os.getpid(), "asha_bus.executor")
    run.stop()
    assert "stopped" == run.result(timeout=60).reason


@pytest.mark.slow
def test_a_bus_that_cannot_be_started_for_a_while_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = start(objectives.slow_slope, scheduler=ab.ASHA(9), max_trials=60)
    wait_until(lambda: run.bus_report().decisions > 3)
    with no_descriptors_left():
        os.kill(run.bus_pid, signal.SIGKILL)
        wait_until(lambda: "no other bus can be started yet" in caplog.text)
    result = run.result(timeout=60)
    assert "max_trials" == result.reason
    assert {1} == {trial.attempts for trial in result.trials}


def test_no_worker_at_all_ends_the_run_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = process.start

    def refuse(module: str, *arguments: Any, **options: Any) -> process.Child:
        if module == "asha_bus.executor":
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return begin(module, *arguments, **options)

    monkeypatch.setattr(process, "start", refuse)
    with pytest.raises(ab.WorkerError, match="could not be started: BlockingIOError"):
        start(objectives.square, max_trials=4).result(timeout=60)
    assert not children_of(os.getpid(), "asha_bus.")


def test_a_bus_that_cannot_be_started_at_all_is_reported_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any, **__: Any) -> process.Child:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(process, "start", refuse)
    threads = threading.active_count()
    with pytest.raises(ab.BusError, match="could not be started: .* temporarily unavailable"):
        start(objectives.square, max_trials=4)
    assert threads == threading.active_count()


def test_a_thread_of_the_engine_that_fails_ends_the_run_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from asha_bus.driver.engine import Slots

    def broken(*_: Any, **__: Any) -> float:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(Slots, "pause_s", broken)
    result = start(objectives.exits_well, max_trials=6, workers=1).result(timeout=60)
    assert "failed" == result.reason
    assert "a thread that keeps a local worker failed: RuntimeError('a bug" in result.message


def test_entries_of_the_path_that_python_skips_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, None, b"bytes", 3])
    result = start(objectives.square, max_trials=4).result(timeout=60)
    assert 4 == result.counts[TrialState.COMPLETED]


@pytest.mark.slow
def test_a_current_folder_that_was_deleted_hinders_nobody(tmp_path: Path) -> None:
    program = """
        import os, shutil, sys
        import asha_bus as ab
        from support import objectives

        if __name__ == "__main__":
            out = os.open("result", os.O_WRONLY | os.O_CREAT)
            os.mkdir("gone")
            os.chdir("gone")
            os.rmdir("../gone")
            sys.path.insert(0, "")
            run = ab.start(
                objectives.dies_once, {"x": ab.uniform(0, 1)}, engine="local", workers=2,
                max_trials=8, monitor=None, searcher=ab.TPE(),
            )
            os.write(out, repr(run.result(60).reason).encode())
    """
    with start_program(tmp_path, program) as running:
        assert 0 == running.wait(timeout=100)
    assert "'max_trials'" == (tmp_path / "result").read_text()
