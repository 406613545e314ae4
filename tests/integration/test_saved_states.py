"""Paused trials that workers drop are saved by their hooks, and loaded by any worker."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from support import residents
from support.processes import children_of, is_alive, wait_until
from support.programs import start_program
from support.savers import saver

import asha_bus as ab

S = ab.TrialState
PLAN = ab.SuccessiveHalving([(4, 6), (2, 2), (6, 1)], max_resident=1)
EPOCHS = 12 * 4 + 6 * 2 + 2 * 6


def start(folder: Path, step_s: float = 0.0, **arguments: Any) -> ab.Run:
    """Start a run on two local workers, quietly."""
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    given = {"scheduler": PLAN, "max_trials": 12, **settings, **arguments}
    return ab.start(saver, residents.space_of(folder, step_s), **given)


def check_ended(result: ab.Result) -> None:
    assert {S.COMPLETED, S.STOPPED} == {trial.state for trial in result.trials}
    assert EPOCHS == sum(trial.resource for trial in result.trials)


def states_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("asha-bus-*/*"))


@pytest.mark.parametrize(
    "scheduler", [PLAN, ab.PromotionASHA(9, max_resident=1), ab.Hyperband.classic(9)]
)
def test_each_epoch_is_trained_once_though_trials_are_dropped(
    scheduler: Any, tmp_path: Path, temporary_folder: Path
) -> None:
    if isinstance(scheduler, ab.Hyperband):
        scheduler = ab.Hyperband.classic(9, max_resident=1)
    trials = None if isinstance(scheduler, ab.Hyperband) else 12
    result = start(tmp_path, scheduler=scheduler, max_trials=trials).result(timeout=90)
    assert {S.COMPLETED, S.STOPPED} == {trial.state for trial in result.trials}
    trained = residents.epochs(tmp_path)
    assert {1} == set(trained.values())
    assert trained.total() == sum(trial.resource for trial in result.trials)
    assert 0 == result.retrained_resource
    assert residents.counts(tmp_path, "save") >= result.bus.saved_residents > 0
    assert residents.counts(tmp_path, "load") == result.bus.loaded_residents > 0
    assert [] == list(temporary_folder.iterdir())


def test_states_are_kept_in_the_folder_of_the_user_and_removed(tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    run = start(tmp_path, 0.02, artifacts=artifacts)
    wait_until(lambda: bool(states_in(artifacts)))
    result = run.result(timeout=90)
    check_ended(result)
    assert EPOCHS == residents.epochs(tmp_path).total()
    assert [] == list(artifacts.iterdir())


@pytest.mark.parametrize("fails", ["save", "load"])
def test_a_hook_that_raises_costs_training_and_nothing_else(fails: str, tmp_path: Path) -> None:
    (tmp_path / fails).touch()
    result = start(tmp_path).result(timeout=90)
    check_ended(result)
    trained = residents.epochs(tmp_path)
    assert EPOCHS == len(trained)
    assert result.retrained_resource == trained.total() - EPOCHS > 0
    said = "could not be saved" if fails == "save" else "could not be loaded"
    assert any(said in trial.log for trial in result.trials)


@pytest.mark.slow
def test_a_save_that_hangs_ends_with_the_time_of_its_trial(tmp_path: Path) -> None:
    result = ab.launch(
        never_saves,
        residents.space_of(tmp_path),
        scheduler=PLAN,
        max_trials=12,
        engine="local",
        workers=2,
        monitor=None,
        seed=7,
        trial_timeout=2.0,
    )
    check_ended(result)
    assert 0 == result.bus.saved_residents
    assert result.retrained_resource > 0


def never_saves(trial: ab.Trial) -> None:
    """Has a save without an end."""

    def save(path: str) -> None:
        while True:
            time.sleep(0.02)

    trial.checkpoint(save, print)
    for step in trial:
        trial.report(trial.params["x"] + 1 / (step + 1))


@pytest.mark.slow
def test_another_worker_loads_what_a_killed_one_has_saved(tmp_path: Path) -> None:
    run = start(tmp_path, 0.03)
    wait_until(lambda: residents.counts(tmp_path, "save") >= 3)
    for worker in children_of(os.getpid(), "asha_bus.executor"):
        os.kill(worker, signal.SIGKILL)
    loaded = residents.counts(tmp_path, "load")
    result = run.result(timeout=90)
    check_ended(result)
    assert residents.counts(tmp_path, "load") > loaded
    trained = residents.epochs(tmp_path)
    assert EPOCHS == len(trained)
    # two ran and two were residents; what was saved is not trained again
    assert trained.total() - EPOCHS < 4 * 4


@pytest.mark.slow
def test_a_killed_bus_costs_nothing(tmp_path: Path) -> None:
    run = start(tmp_path, 0.03)
    for number in (2, 4):
        wait_until(lambda number=number: residents.counts(tmp_path, "save") >= number)  # type: ignore[misc]
        before = run.bus_pid
        os.kill(before, signal.SIGKILL)
        wait_until(lambda before=before: run.bus_pid != before)  # type: ignore[misc]
    result = run.result(timeout=90)
    check_ended(result)
    assert {1} == set(residents.epochs(tmp_path).values())
    assert 0 == result.retrained_resource


PROGRAM = """
    import sys
    from pathlib import Path
    import asha_bus as ab
    from support import residents
    from support.savers import saver

    if __name__ == "__main__":
        folder = Path.cwd()
        ab.launch(
            saver, residents.space_of(folder, 0.03), engine="local", workers=2,
            seed=7, max_trials=12, monitor=None, journal=folder / "journal", artifacts={artifacts},
            scheduler=ab.SuccessiveHalving([(4, 6), (2, 2), (6, 1)], max_resident=1),
        )
"""


def killed(folder: Path, artifacts: str) -> None:
    """A driver is killed when trials have been saved."""
    with start_program(folder, PROGRAM.format(artifacts=artifacts)) as driver:
        wait_until(lambda: residents.counts(folder, "save") >= 3)
        orphans = children_of(driver.pid, "asha_bus.")
        driver.kill()
        driver.wait()
        wait_until(lambda: not any(map(is_alive, orphans)))


@pytest.mark.slow
def test_a_resumed_run_loads_what_the_killed_one_has_saved(tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    killed(tmp_path, repr(str(artifacts)))
    assert states_in(artifacts)
    loaded = residents.counts(tmp_path, "load")
    run = start(tmp_path, 0.03, journal=tmp_path / "journal", resume=True, artifacts=artifacts)
    result = run.result(timeout=90)
    check_ended(result)
    assert residents.counts(tmp_path, "load") > loaded
    assert not any("could not be loaded" in trial.log for trial in result.trials)
    assert [] == list(artifacts.iterdir())


WITHOUT_STATES = """
    from pathlib import Path
    import asha_bus as ab
    from support import residents

    if __name__ == "__main__":
        ab.launch(
            residents.by_report, residents.space_of(Path.cwd(), 0.03), engine="local",
            workers=2, max_trials=50, monitor=None, scheduler=ab.{scheduler},
        )
"""


@pytest.mark.parametrize("scheduler", ["ASHA(81)", "PromotionASHA(81)"])
def test_a_killed_driver_leaves_the_current_folder_alone(scheduler: str, tmp_path: Path) -> None:
    (tmp_path / "trial-notes").mkdir()
    (tmp_path / "mine").write_text("a file of the user")
    with start_program(tmp_path, WITHOUT_STATES.format(scheduler=scheduler)) as driver:
        wait_until(lambda: residents.epochs(tmp_path).total() >= 3)
        orphans = children_of(driver.pid, "asha_bus.")
        driver.kill()
        driver.wait()
        wait_until(lambda: not any(map(is_alive, orphans)))
    assert (tmp_path / "mine").exists() and (tmp_path / "trial-notes").exists()


@pytest.mark.slow
def test_a_run_that_is_resumed_elsewhere_trains_again(
    tmp_path: Path, temporary_folder: Path
) -> None:
    killed(tmp_path, "None")
    assert [] == list(temporary_folder.iterdir())
    result = start(tmp_path, 0.03, journal=tmp_path / "journal", resume=True).result(timeout=90)
    check_ended(result)
    assert not any("could not be loaded" in trial.log for trial in result.trials)
