"""Workers, the bus and the driver die, and runs end, while trials have paused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from support import residents
from support.processes import children_of, is_alive, wait_until

import asha_bus as ab

S = ab.TrialState
PLAN = ab.SuccessiveHalving([(4, 8), (2, 2), (6, 1)])
EPOCHS = 12 * 4 + 8 * 2 + 2 * 6
BOTH = pytest.mark.parametrize("objective", [residents.by_yield, residents.by_report])


def start(objective: Any, folder: Path, **arguments: Any) -> ab.Run:
    """Start a run on two local workers with steps of 30 ms, quietly."""
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    given = {"scheduler": PLAN, "max_trials": 12, **settings, **arguments}
    return ab.start(objective, residents.space_of(folder, 0.03), **given)


def wait_for_pauses(run: ab.Run, many: int = 4) -> None:
    wait_until(lambda: run.status()["states"]["PAUSED"] >= many)


def check_ended(result: ab.Result, folder: Path) -> None:
    """The plan was carried out, if with more epochs than it needs."""
    assert {S.COMPLETED, S.STOPPED} == {trial.state for trial in result.trials}
    assert EPOCHS == sum(trial.resource for trial in result.trials)
    assert EPOCHS == len(residents.epochs(folder))


def kill_workers(many: int) -> None:
    for worker in children_of(os.getpid(), "asha_bus.executor")[:many]:
        os.kill(worker, signal.SIGKILL)


@pytest.mark.slow
@BOTH
def test_paused_trials_of_killed_workers_are_trained_again(objective: Any, tmp_path: Path) -> None:
    run = start(objective, tmp_path)
    wait_for_pauses(run)
    kill_workers(2)
    check_ended(run.result(timeout=90), tmp_path)
    assert EPOCHS < residents.epochs(tmp_path).total()


@BOTH
def test_a_killed_worker_costs_its_paused_trials_no_attempt(objective: Any, tmp_path: Path) -> None:
    run = start(objective, tmp_path, bus=ab.BusOptions(max_attempts=1))
    wait_for_pauses(run)
    kill_workers(1)
    result = run.result(timeout=90)
    lost = result.counts.get(S.LOST, 0)
    assert lost <= 1  # the one that ran
    assert 12 - lost == result.counts[S.COMPLETED] + result.counts[S.STOPPED]


@BOTH
def test_a_killed_bus_costs_nothing(objective: Any, tmp_path: Path) -> None:
    run = start(objective, tmp_path)
    for _ in range(2):
        wait_for_pauses(run)
        before = run.bus_pid
        os.kill(before, signal.SIGKILL)
        wait_until(lambda before=before: run.bus_pid != before)  # type: ignore[misc]
    result = run.result(timeout=90)
    check_ended(result, tmp_path)
    assert {1} == {trial.attempts for trial in result.trials}
    assert {1} == set(residents.epochs(tmp_path).values())
    assert residents.begun(tmp_path) == residents.ended(tmp_path)


PROGRAM = """
    import sys
    from pathlib import Path
    import asha_bus as ab
    from support import residents

    if __name__ == "__main__":
        folder = Path(sys.argv[1])
        result = ab.launch(
            residents.{objective}, residents.space_of(folder, 0.03), engine="local", workers=2,
            seed=7, max_trials=12, monitor=None, journal=folder / "journal",
            scheduler=ab.SuccessiveHalving([(4, 8), (2, 2), (6, 1)]),
        )
        print(result.reason)
"""


def interrupted(objective: Any, folder: Path, number: signal.Signals) -> str:
    """What a program says that gets a signal while trials have paused."""
    program = folder / "program.py"
    program.write_text(textwrap.dedent(PROGRAM.format(objective=objective.__name__)))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, str(program), str(folder)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as driver:
        wait_until(lambda: len(residents.begun(folder)) >= 7)  # five have paused
        orphans = children_of(driver.pid, "asha_bus.")
        driver.send_signal(number)
        said, _ = driver.communicate(timeout=60)
        wait_until(lambda: not any(map(is_alive, orphans)))
    return said


@pytest.mark.slow
@BOTH
def test_a_killed_driver_is_resumed_in_the_middle_of_a_rung(objective: Any, tmp_path: Path) -> None:
    interrupted(objective, tmp_path, signal.SIGKILL)
    assert residents.begun(tmp_path) == residents.ended(tmp_path)
    before = ab.Result.from_journal(tmp_path / "journal")
    assert any(trial.state is S.PAUSED for trial in before.trials)
    result = start(objective, tmp_path, journal=tmp_path / "journal", resume=True).result(90)
    check_ended(result, tmp_path)
    for trial in before.trials:
        assert [r.metric for r in trial.rungs] == [
            r.metric for r in result.trials[trial.id].rungs[: len(trial.rungs)]
        ]


@BOTH
def test_ctrl_c_runs_the_clean_up_of_paused_trials(objective: Any, tmp_path: Path) -> None:
    assert "stopped\n" == interrupted(objective, tmp_path, signal.SIGINT)
    assert residents.begun(tmp_path) == residents.ended(tmp_path)


@pytest.mark.slow
@BOTH
def test_a_stop_runs_the_clean_up_of_paused_trials(objective: Any, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    run = start(objective, tmp_path, journal=journal)
    wait_for_pauses(run)
    run.stop()
    result = run.result(timeout=30)
    assert result.reason == "stopped"
    assert {S.CANCELLED} == {trial.state for trial in result.trials}
    assert residents.begun(tmp_path) == residents.ended(tmp_path)
    check_ended(start(objective, tmp_path, journal=journal, resume=True).result(90), tmp_path)


@BOTH
def test_max_time_runs_the_clean_up_of_paused_trials(objective: Any, tmp_path: Path) -> None:
    result = start(objective, tmp_path, max_time=2.5, max_trials=400).result(30)
    assert result.reason == "max_time"
    assert result.counts[S.CANCELLED] > 2  # more than ran
    assert residents.begun(tmp_path) == residents.ended(tmp_path)


@pytest.mark.slow
def test_a_timeout_that_ends_the_process_costs_paused_trials_no_attempt() -> None:
    result = ab.launch(
        residents.is_deaf_later,
        {"x": ab.uniform(0, 1)},
        engine="local",
        workers=1,
        monitor=None,
        seed=7,
        scheduler=PLAN,
        max_trials=12,
        trial_timeout=1.0,
        bus=ab.BusOptions(max_attempts=1),
    )
    states = [trial.state for trial in result.trials]
    assert S.FAILED is states.pop(5)
    assert {S.COMPLETED, S.STOPPED} == set(states)
    assert "TrialTimeout" in (result.trials[5].error or "")
