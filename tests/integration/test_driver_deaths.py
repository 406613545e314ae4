"""The driver is killed: what it has started ends soon and in good order, and leaves nothing."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import objectives
from support.processes import children_of, is_alive, wait_until
from support.programs import start_program

import asha_bus as ab
from asha_bus.driver import journal as journal_file
from asha_bus.driver import process
from asha_bus.monitors import logs

PROGRAM = """
    import os, signal, time
    import numpy as np
    import asha_bus as ab
    from support import objectives

    def train(x, folder, data):
        yield from objectives.ends_with_a_mark(x, folder)

    if __name__ == "__main__":
        run = ab.start(
            train, {"x": ab.uniform(0, 1), "folder": os.getcwd()}, engine="local", workers=2,
            max_trials=4, monitor=None, scheduler=ab.ASHA(10**6, min_resource=10**5),
            journal="journal", data={"data": np.ones(1000)}, searcher=ab.TPE(), name="killed",
        )
        while run.status()["states"]["RUNNING"] < 2:
            time.sleep(0.05)
        child = os.fork()  # as a pool does
        if child == 0:
            time.sleep(600)
            os._exit(0)
        with open("forked", "w") as file:
            file.write(str(child))
        run.result()
"""


@pytest.mark.slow
def test_a_killed_driver_leaves_no_lock_no_data_and_no_worker(
    tmp_path: Path, temporary_folder: Path
) -> None:
    with start_program(tmp_path, PROGRAM) as program:
        wait_until(
            lambda: bool((tmp_path / "forked").exists() and (tmp_path / "forked").read_text())
        )
        forked = int((tmp_path / "forked").read_text())
        try:
            ours = children_of(program.pid, "asha_bus.")
            assert 4 == len(ours)  # the bus, the searcher, two workers
            workers = children_of(program.pid, "asha_bus.executor")
            time.sleep(1.0)  # into the trials
            program.kill()
            program.wait()
            wait_until(lambda: not any(map(is_alive, ours)))
            assert is_alive(forked)
            marks = {path.name for path in tmp_path.glob("finally-*")}
            assert {f"finally-{worker}" for worker in workers} == marks
            assert not list(temporary_folder.iterdir())
            # the pool lives on, and holds nothing: the run can be resumed
            assert not [path for path in _held(forked) if path.endswith("/journal")]
            result = ab.Result.from_journal(tmp_path / "journal")
            assert 2 == len(result.trials)
            with (tmp_path / "journal").open("rb") as journal:
                fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.kill(forked, signal.SIGKILL)


FREEZES = """
    import ctypes, os
    from pathlib import Path
    import asha_bus as ab

    def train(x):
        lock = ctypes.create_string_buffer(64)
        libc = ctypes.PyDLL(None)  # which keeps the interpreter's lock
        libc.pthread_mutex_lock(lock)
        Path("frozen").write_text("now")
        libc.pthread_mutex_lock(lock)  # never returns, whatever signal comes

    if __name__ == "__main__":
        ab.launch(
            train, {"x": ab.uniform(0, 1)}, engine="local", workers=1, max_trials=1, monitor=None,
        )
"""


@pytest.mark.slow
def test_a_worker_frozen_in_native_code_does_not_outlive_a_killed_driver(tmp_path: Path) -> None:
    with start_program(tmp_path, FREEZES) as program:
        wait_until(lambda: (tmp_path / "frozen").exists())
        ours = children_of(program.pid, "asha_bus.")
        assert 2 == len(ours)
        try:
            program.kill()
            program.wait()
            wait_until(lambda: not any(map(is_alive, ours)))
        finally:
            for pid in filter(is_alive, ours):
                os.kill(pid, signal.SIGKILL)


def test_a_fork_during_the_run_does_not_keep_the_bus_from_ending(tmp_path: Path) -> None:
    run = ab.start(
        objectives.slow_slope,
        {"x": ab.uniform(0, 1)},
        engine="local",
        workers=1,
        monitor=None,
        max_trials=5,
        scheduler=ab.ASHA(9),
    )
    wait_until(lambda: run.bus_report().decisions > 1)
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    try:
        pipes = {os.readlink(f"/proc/{run.bus_pid}/fd/{n}") for n in _pipes_of(run.bus_pid)}
        assert 2 == len(pipes)
        wait_until(lambda: not any(path in pipes or "journal" in path for path in _held(child)))
        assert "max_trials" == run.result(timeout=60).reason
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


TERMINATED = """
    import os, signal
    import asha_bus as ab
    from support import objectives

    if __name__ == "__main__":
        HANDLER
        result = ab.launch(
            objectives.ends_with_a_mark, {"x": ab.uniform(0, 1), "folder": os.getcwd()},
            engine="local", workers=2, max_trials=4, monitor=None,
            scheduler=ab.ASHA(10**6, min_resource=10**5), journal="journal",
        )
        print(result.reason)
"""


@pytest.mark.parametrize(
    ("handler", "status", "reason"),
    [
        ("", -signal.SIGTERM, "unfinished"),
        ("signal.signal(signal.SIGTERM, signal.default_int_handler)", 0, "stopped"),
    ],
)
def test_sigterm_ends_a_run_in_good_order_and_may_be_a_stop(
    handler: str, status: int, reason: str, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    with start_program(tmp_path, TERMINATED.replace("HANDLER", handler)) as program:
        wait_until(lambda: journal.exists() and journal.stat().st_size > 2_000)
        wait_until(lambda: 2 == len(ab.Result.from_journal(journal).trials))
        ours = children_of(program.pid, "asha_bus.")
        program.terminate()
        assert status == program.wait(30)
        wait_until(lambda: not any(map(is_alive, ours)))
    assert reason == ab.Result.from_journal(journal).reason
    assert 2 == len(list(tmp_path.glob("finally-*")))


def test_a_forked_child_makes_no_room_for_a_drawing() -> None:
    @contextmanager
    def aside() -> Iterator[None]:  # as if another thread drew at the moment of the fork
        yield

    logs.make_room(aside)
    try:
        child = os.fork()
        if child == 0:
            os._exit(len(logs._drawn))
        assert (child, 0) == os.waitpid(child, 0)
        assert 1 == len(logs._drawn)
    finally:
        logs.leave(aside)


def test_a_fork_waits_for_a_process_that_is_being_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would inherit the other ends of that process's pipes, and the start would hang."""
    inside, forked = threading.Event(), threading.Event()
    children: list[int] = []
    begin = subprocess.Popen

    def popen(*arguments: Any, **options: Any) -> Any:
        inside.set()
        assert not forked.wait(0.5)
        return begin(*arguments, **options)

    def fork() -> None:
        inside.wait(60)
        child = os.fork()
        if child == 0:
            os._exit(0)
        children.append(child)
        forked.set()

    forker = threading.Thread(target=fork)
    forker.start()
    monkeypatch.setattr(subprocess, "Popen", popen)
    try:
        started = process.start("asha_bus._version")
        process.end(started, 30.0)
    finally:
        forker.join(60)
    assert forked.is_set()
    os.waitpid(children[0], 0)


def _held(pid: int) -> list[str]:
    return [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]


def _pipes_of(pid: int) -> list[str]:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return [argument.decode() for argument in command[-3:-1]]


ALONE = """
    import asha_bus as ab
    from support import objectives

    if __name__ == "__main__":
        ab.launch(
            objectives.slow_slope, {"x": ab.uniform(0, 1)}, engine="local", workers=1, seed=7,
            monitor=None, max_trials=900, scheduler=ab.ASHA(9), journal="journal",
        )
"""


@pytest.mark.slow
def test_a_resume_names_the_stopped_bus_of_a_dead_driver_which_keeps_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "_LOCK_TIMEOUT_S", 0.2)
    path = tmp_path / "journal"

    def resume() -> ab.Result:
        return ab.launch(
            objectives.slow_slope,
            {"x": ab.uniform(0, 1)},
            scheduler=ab.ASHA(9),
            engine="local",
            workers=1,
            seed=7,
            monitor=None,
            journal=path,
            max_trials=len(ab.Result.from_journal(path).trials) + 2,
            resume=True,
        )

    with start_program(tmp_path, ALONE) as program:
        wait_until(lambda: path.exists() and path.stat().st_size > 6_000)
        [bus] = children_of(program.pid, "asha_bus.driver")
        with pytest.raises(ab.JournalError, match=rf"another run \(process .*\b{program.pid}\b"):
            resume()
        os.kill(bus, signal.SIGSTOP)
        try:
            program.kill()
            program.wait()
            with pytest.raises(ab.JournalError, match=f"driver is gone.*kill -9 {bus}$"):
                resume()
        finally:
            os.kill(bus, signal.SIGKILL)
    assert "max_trials" == resume().reason
