"""Schedulers that pause trials, on Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import residents
from support.processes import wait_until
from support.savers import saver

import asha_bus as ab

pytestmark = [pytest.mark.spark, pytest.mark.timeout(180)]

S = ab.TrialState
PLAN = ab.SuccessiveHalving([(4, 5), (2, 2), (6, 1)])


@pytest.mark.slow
@pytest.mark.parametrize("objective", [residents.by_yield, residents.by_report])
@pytest.mark.parametrize(
    ("scheduler", "trials", "epochs"), [(PLAN, 8, 54), (ab.Hyperband.classic(27), None, 357)]
)
def test_the_epochs_are_those_of_the_plan(
    spark: Any,
    scheduler: ab.Scheduler,
    trials: int | None,
    epochs: int,
    objective: Any,
    tmp_path: Path,
) -> None:
    result = ab.launch(
        objective,
        residents.space_of(tmp_path),
        spark=spark,
        monitor=None,
        seed=7,
        scheduler=scheduler,
        max_trials=trials,
    )
    trained = residents.epochs(tmp_path)
    assert (epochs, {1}) == (trained.total(), set(trained.values()))
    assert {1} == {trial.attempts for trial in result.trials}
    assert residents.begun(tmp_path) == residents.ended(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("objective", [residents.by_yield, residents.by_report])
def test_a_stop_runs_the_clean_up_of_paused_trials(
    spark: Any, objective: Any, tmp_path: Path
) -> None:
    run = ab.start(
        objective,
        residents.space_of(tmp_path, 0.03),
        spark=spark,
        monitor=None,
        seed=7,
        scheduler=PLAN,
        max_trials=12,
    )
    wait_until(lambda: run.status()["states"]["PAUSED"] >= 3)
    run.stop()
    assert run.result(timeout=60).reason == "stopped"
    assert residents.begun(tmp_path) == residents.ended(tmp_path)


def run_savers(spark: Any, folder: Path, artifacts: Path | None) -> ab.Result:
    """Run trials that can be saved, of which a worker keeps one while it is paused."""
    return ab.launch(
        saver,
        residents.space_of(folder),
        spark=spark,
        monitor=None,
        seed=7,
        scheduler=ab.SuccessiveHalving([(4, 5), (2, 2), (6, 1)], max_resident=1),
        max_trials=8,
        artifacts=artifacts,
    )


@pytest.mark.slow
def test_dropped_trials_are_saved_in_the_folder_that_all_workers_see(
    spark: Any, tmp_path: Path
) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    result = run_savers(spark, tmp_path, artifacts)
    trained = residents.epochs(tmp_path)
    assert (54, {1}) == (trained.total(), set(trained.values()))
    assert result.bus.loaded_residents > 0
    assert 0 == result.retrained_resource
    assert [] == list(artifacts.iterdir())


@pytest.mark.slow
def test_without_a_folder_hooks_are_of_no_use_and_it_is_reported(
    spark: Any, tmp_path: Path
) -> None:
    result = run_savers(spark, tmp_path, None)
    assert 0 == residents.counts(tmp_path, "save") == result.bus.saved_residents
    said = [trial.id for trial in result.trials if "pass launch(artifacts=FOLDER)" in trial.log]
    assert 1 <= len(said) <= 2  # once in each worker
