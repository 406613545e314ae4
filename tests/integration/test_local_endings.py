"""Ends of all kinds: time, stops, deaths of workers, of the bus, of the driver."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from support import objectives
from support.processes import children_of, is_alive, wait_until

import asha_bus as ab
from asha_bus.core.trial import TrialState

SPACE = {"x": ab.uniform(0, 1)}


def run(objective, space=SPACE, launch=ab.launch, **arguments):
    """Launch on two local workers, quietly."""
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    return launch(objective, space, **{**settings, **arguments})


def test_a_worker_killed_loses_only_that_attempt() -> None:
    everyone = ab.ASHA(max_resource=9, quorum=12)
    result = run(objectives.dies_once, scheduler=everyone, max_trials=12)
    assert result.trials[3].attempts == 2
    assert [t.attempts for t in result.trials if t.id != 3] == [1] * 11
    assert result.bus.requeued == 1
    assert result.counts[TrialState.COMPLETED] == 12
    assert all(entries == 12 for _, _, entries, _ in result.rung_table())  # none twice


def test_a_trial_that_always_ends_its_worker_is_lost_and_the_others_go_on() -> None:
    result = run(objectives.exits, max_trials=6)
    assert result.trials[1].state is TrialState.LOST
    assert result.trials[1].attempts == 3
    error = result.trials[1].error or ""
    assert "lost with its worker 3 times" in error
    assert "which ended with exit status 7" in error
    assert result.counts[TrialState.COMPLETED] == 5


def test_max_time_interrupts_what_does_not_report(tmp_path: Path) -> None:
    space = {"x": ab.uniform(0, 1), "folder": str(tmp_path)}
    result = run(objectives.silent, space, max_time=1.5)
    assert result.reason == "max_time"
    assert {trial.state for trial in result.trials} == {TrialState.CANCELLED}
    assert len(list(tmp_path.iterdir())) == 2  # each finally ran


def test_max_time_lets_trials_stop_at_their_next_report() -> None:
    scheduler = ab.ASHA(max_resource=900, min_resource=300)
    result = run(objectives.slow_slope, scheduler=scheduler, max_time=1.5)
    assert result.reason == "max_time"
    assert {trial.state for trial in result.trials} == {TrialState.CANCELLED}
    assert all(trial.resource > 0 and trial.metric is not None for trial in result.trials)
    assert result.best is not None


def test_an_objective_that_ignores_the_interrupt_is_killed() -> None:
    handle = run(objectives.deaf, max_trials=4, launch=ab.start)
    wait_until(lambda: handle.status()["states"]["RUNNING"] == 2)
    handle.stop()
    result = handle.result(timeout=30)
    assert result.reason == "stopped"
    assert {trial.state for trial in result.trials} == {TrialState.CANCELLED}


def test_stop_now_kills_the_workers() -> None:
    handle = run(objectives.deaf, max_trials=4, launch=ab.start)
    wait_until(lambda: handle.status()["states"]["RUNNING"] == 2)
    handle.stop(now=True)
    assert handle.result(timeout=30).reason == "stopped"
    assert not children_of(os.getpid(), "asha_bus.")


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ab.BusError, match=rf"127\.0\.0\.1:{port}.*port="):
            run(objectives.square, max_trials=1, bus=ab.BusOptions(port=port))
    assert not children_of(os.getpid(), "asha_bus.")


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(ab.BusError, match=r"could not listen at 192\.0\.2\.1.*host="):
        run(objectives.square, max_trials=1, bus=ab.BusOptions(host="192.0.2.1"))


def test_workers_that_cannot_start_end_the_run(tmp_path: Path) -> None:
    class Unloadable:
        def __reduce__(self) -> tuple[object, ...]:
            return exec, ("raise ImportError('not on this machine')",)

    unloadable = Unloadable()

    def objective(x: float) -> float:
        return x if unloadable else 0.0

    with pytest.raises(ab.WorkerError, match="not on this machine"):
        run(objective, max_trials=4)


SCRIPT = """
    import signal
    import asha_bus as ab
    from support import objectives

    if __name__ == "__main__":
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
        result = ab.launch(
            objectives.slow_slope, {{"x": ab.uniform(0, 1)}}, engine="local", workers=2,
            max_time={max_time}, monitor="progress",
        )
        print("reason", result.reason, flush=True)
"""


def start_script(folder: Path, *, max_time: int) -> subprocess.Popen[str]:
    """A user's program in a process of its own."""
    script = folder / "program.py"
    script.write_text(textwrap.dedent(SCRIPT.format(max_time=max_time)))
    tests = str(Path(__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": tests},
    )


def test_when_the_driver_is_killed_bus_and_workers_end(tmp_path: Path) -> None:
    with start_script(tmp_path, max_time=600) as program:
        wait_until(lambda: len(children_of(program.pid, "asha_bus.")) == 3)
        orphans = children_of(program.pid, "asha_bus.")
        program.kill()
        wait_until(lambda: not any(map(is_alive, orphans)))


def test_ctrl_c_ends_the_workers_and_returns_the_result(tmp_path: Path) -> None:
    with start_script(tmp_path, max_time=600) as program:
        wait_until(lambda: len(children_of(program.pid, "asha_bus.executor")) == 2)
        time.sleep(1)  # into the trials
        program.send_signal(signal.SIGINT)
        out, _ = program.communicate(timeout=30)
    first, last, printed = out.splitlines()
    assert ": started with 2 workers, no journal, " in first
    assert ", ended by stopped, best: " in last
    assert "reason stopped" == printed
    assert program.returncode == 0


def test_no_secret_shows_on_command_lines_or_in_environments(tmp_path: Path) -> None:
    with start_script(tmp_path, max_time=600) as program:
        wait_until(lambda: len(children_of(program.pid, "asha_bus.")) == 3)
        for child in children_of(program.pid, "asha_bus."):
            command = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            *_, module, reads, writes, end = command
            assert module.startswith((b"asha_bus.", b"import sys"))
            assert reads.isdigit() and writes.isdigit() and end == b""
            environment = dict(
                item.partition(b"=")[::2]
                for item in Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
            )
            mine = {key.encode() for key in os.environ}
            assert set(environment) - mine <= {b"", b"OMP_NUM_THREADS", b"PYTHONUNBUFFERED"} | {
                b"PYTHONPATH",
                b"LC_CTYPE",
            }
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=30)
