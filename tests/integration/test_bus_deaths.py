"""The bus process killed, stopped, killed again: nothing of a run is lost or doubled."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from support import objectives
from support.processes import children_of, is_alive, wait_until
from support.programs import start_program

import asha_bus as ab
from asha_bus.driver import standby

LEVELS = (1, 3)  # of ASHA(max_resource=9), below it


def start(objective, space, **arguments) -> ab.Run:
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    return ab.start(objective, space, **{**settings, **arguments})


def decisions(run: ab.Run) -> int:
    return run.bus_report().decisions


def answered(folder: Path) -> list[tuple[int, int, int, int]]:
    """Trial, attempt, step and answer of each report that came back."""
    return [
        tuple(map(int, line.split()))  # type: ignore[misc]
        for path in folder.glob("answered-*")
        for line in path.read_text().splitlines()
    ]


def test_a_bus_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    space = {"x": ab.uniform(0, 1), "folder": str(tmp_path)}
    run = start(
        objectives.acknowledged,
        space,
        scheduler=ab.ASHA(max_resource=9),
        max_trials=120,
        journal=journal,
    )
    address, pids = run.bus_address, []
    for _ in range(7):  # more than may happen without any progress
        before = decisions(run)
        wait_until(lambda before=before: decisions(run) > before + 2)  # type: ignore[misc]
        pids.append(run.bus_pid)
        os.kill(run.bus_pid, signal.SIGKILL)
        wait_until(lambda: run.bus_pid != pids[-1])
    result = run.result(timeout=60)
    assert run.bus_address == address
    assert len(set(pids)) == 7
    assert result.reason == "max_trials"
    assert {trial.attempts for trial in result.trials} == {1}  # workers noticed nothing
    assert result.bus.requeued == 0
    # each report that a worker had an answer to stands once in a rung
    reports = Counter((trial, step) for trial, _, step, _ in answered(tmp_path))
    assert set(reports.values()) == {1}
    for trial in result.trials:
        entered = [level for level in LEVELS if (trial.id, level) in reports]
        assert entered == [record.resource for record in trial.rungs]
    told = ab.Result.from_journal(journal, result.space)
    assert told.trials == result.trials
    assert told.rung_table() == result.rung_table()
    assert not children_of(os.getpid(), "asha_bus.")


def test_a_frame_that_a_dying_bus_did_not_read_does_not_hinder_the_next() -> None:
    run = start(
        objectives.slow_slope,
        {"x": ab.uniform(0, 1)},
        max_trials=30,
        scheduler=ab.ASHA(max_resource=9),
    )
    wait_until(lambda: decisions(run) > 2)
    supervisor = run._supervisor
    with supervisor._lock:  # so that nobody else writes meanwhile
        bus = supervisor._started
        bus._child.to_it.write(b"a frame")
        bus.kill()
        wait_until(lambda: not is_alive(bus.pid))
    assert run.result(timeout=60).reason == "max_trials"
    assert supervisor.restarts == 1


def test_a_bus_that_dies_without_any_progress_ends_the_run_with_its_error() -> None:
    run = start(objectives.deaf, {"x": ab.uniform(0, 1)}, max_time=600)  # nobody reports
    wait_until(lambda: run.status()["states"]["RUNNING"] == 2)
    killed = []
    for _ in range(6):
        wait_until(lambda: run.bus_pid not in killed)
        killed.append(run.bus_pid)
        os.kill(run.bus_pid, signal.SIGKILL)
    with pytest.raises(ab.BusError, match="bus process ended with status -9"):
        run.result(timeout=30)
    assert not children_of(os.getpid(), "asha_bus.")


def test_a_bus_that_stands_still_for_a_while_loses_nothing(tmp_path: Path) -> None:
    space = {"x": ab.uniform(0, 1), "folder": str(tmp_path)}
    options = ab.BusOptions(lease_s=1.5)  # shorter than the pause
    run = start(
        objectives.acknowledged,
        space,
        scheduler=ab.ASHA(max_resource=9),
        max_trials=60,
        bus=options,
    )
    wait_until(lambda: decisions(run) > 3)
    os.kill(run.bus_pid, signal.SIGSTOP)
    time.sleep(3)
    os.kill(run.bus_pid, signal.SIGCONT)
    result = run.result(timeout=60)
    assert {trial.attempts for trial in result.trials} == {1}
    assert result.bus.requeued == 0


@pytest.mark.slow
def test_in_a_long_run_another_bus_stands_by_after_each_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "STANDBY_BYTES", 3_000)
    journal = tmp_path / "journal"
    space = {"x": ab.uniform(0, 1), "folder": str(tmp_path)}
    run = start(
        objectives.acknowledged,
        space,
        scheduler=ab.ASHA(max_resource=9),
        max_trials=500,
        journal=journal,
    )
    wait_until(lambda: run._supervisor._standby.is_ready)
    (standing_by,) = set(children_of(os.getpid(), "asha_bus.driver")) - {run.bus_pid}
    pids = [run.bus_pid]
    monkeypatch.setattr(run._supervisor, "_start_process", lambda: pytest.fail("one is started"))
    for _ in range(4):  # each as soon as decisions go on
        os.kill(run.bus_pid, signal.SIGKILL)
        wait_until(lambda: run.bus_pid not in pids)
        pids.append(run.bus_pid)
        before = decisions(run)
        wait_until(lambda before=before: decisions(run) > before)  # type: ignore[misc]
    assert standing_by == pids[1]
    monkeypatch.undo()
    standby_of_now = run._supervisor._standby._waiting
    assert standby_of_now is not None
    standby_of_now.kill()  # one that dies is not missed
    os.kill(run.bus_pid, signal.SIGKILL)
    wait_until(lambda: run.bus_pid not in pids)
    result = run.result(timeout=60)
    assert {trial.attempts for trial in result.trials} == {1}
    assert ab.Result.from_journal(journal, result.space).trials == result.trials
    assert not children_of(os.getpid(), "asha_bus.")
    assert not any(map(is_alive, pids))


@pytest.mark.slow
def test_a_bus_that_stands_by_ends_with_the_driver(tmp_path: Path) -> None:
    program = """
        import os, signal, sys, time
        import asha_bus as ab
        from asha_bus.driver import standby
        from support import objectives
        from support.processes import wait_until

        if __name__ == "__main__":
            standby.STANDBY_BYTES = 1_000
            run = ab.start(
                objectives.slow_slope, {"x": ab.uniform(0, 1)}, engine="local", workers=1,
                monitor=None, max_trials=900, scheduler=ab.ASHA(9),
            )
            pids = []
            for _ in range(2):  # the second one is a grandchild of this process
                wait_until(lambda: run._supervisor._standby.is_ready)
                pids.append(run.bus_pid)
                os.kill(pids[-1], signal.SIGKILL)
                wait_until(lambda: run.bus_pid not in pids)
            wait_until(lambda: run._supervisor._standby.is_ready)
            waiting = run._supervisor._standby._waiting
            assert waiting.meet()
            with open("pids", "w") as file:
                print(run.bus_pid, waiting.pid, file=file, flush=True)
            run.result()
    """
    with start_program(tmp_path, program) as process:
        wait_until(lambda: (tmp_path / "pids").exists() and bool((tmp_path / "pids").read_text()))
        pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
        assert all(map(is_alive, pids))
        process.kill()
        process.wait()
        wait_until(lambda: not any(map(is_alive, pids)))


def test_a_temporary_journal_is_gone_with_the_run(temporary_folder: Path) -> None:
    ab.launch(objectives.square, {"x": ab.grid(1.0, 2.0)}, engine="local", workers=1, monitor=None)
    assert not list(temporary_folder.iterdir())


def test_an_error_of_the_searcher_ends_the_run_with_it() -> None:
    class Broken(ab.RandomSearch):
        def draw(self, space: ab.Space, number: int, seed: int) -> tuple[float, ...]:
            if number >= 60:
                raise RuntimeError("no more ideas")
            return super().draw(space, number, seed)

    space = {"x": ab.uniform(0, 1)}
    # on a slow machine it happens before launch returns, which raises it then
    with pytest.raises(ab.BusError, match="the supervisor's thread failed.*no more ideas"):
        start(objectives.square, space, max_trials=200, searcher=Broken()).result(timeout=30)
    assert not children_of(os.getpid(), "asha_bus.")
