"""Schedulers that pause trials: whole runs, and the epochs that they train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import objectives, residents
from support.processes import wait_until

import asha_bus as ab

S = ab.TrialState
PLAN = ab.SuccessiveHalving([(4, 5), (2, 2), (6, 1)])


def run(objective: Any, space: Any, launch: Any = ab.launch, **arguments: Any) -> Any:
    """Launch on two local workers, quietly."""
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    return launch(objective, space, **{**settings, **arguments})


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("objective", [residents.by_yield, residents.by_report])
@pytest.mark.parametrize(
    ("scheduler", "trials", "epochs"),
    [
        (PLAN, 8, 54),
        (ab.SuccessiveHalving.classic(8, 1, 2), None, 20),
        (ab.Hyperband.classic(27), None, 357),
    ],
)
def test_the_epochs_are_those_of_the_plan(
    scheduler: ab.Scheduler,
    trials: int | None,
    epochs: int,
    objective: Any,
    workers: int,
    tmp_path: Path,
) -> None:
    space = residents.space_of(tmp_path)
    result = run(objective, space, scheduler=scheduler, max_trials=trials, workers=workers)
    trained = residents.epochs(tmp_path)
    assert (epochs, {1}) == (trained.total(), set(trained.values()))
    assert result.reason == "max_trials"
    assert set(result.counts) >= {S.COMPLETED, S.STOPPED}
    assert {1} == {trial.attempts for trial in result.trials}
    assert residents.begun(tmp_path) == residents.ended(tmp_path)


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("objective", [residents.by_yield, residents.by_report])
def test_promotions_train_no_epoch_twice(objective: Any, workers: int, tmp_path: Path) -> None:
    result = run(
        objective,
        residents.space_of(tmp_path),
        scheduler=ab.PromotionASHA(27, max_resident=None),
        max_trials=60,
        workers=workers,
    )
    trained = residents.epochs(tmp_path)
    assert {1} == set(trained.values())
    assert trained.total() == sum(trial.resource for trial in result.trials)
    assert residents.begun(tmp_path) == residents.ended(tmp_path)


@pytest.mark.parametrize("objective", [residents.by_yield, residents.by_report])
def test_repeats_pause_together(objective: Any, tmp_path: Path) -> None:
    result = run(objective, residents.space_of(tmp_path), scheduler=PLAN, max_trials=24, repeats=3)
    trained = residents.epochs(tmp_path)
    assert (3 * 54, {3}) == (trained.total(), set(trained.values()))
    assert len(result.trials) == 24


@pytest.mark.parametrize("objective", [residents.by_yield, residents.by_report])
def test_a_worker_keeps_as_many_as_it_may(objective: Any, tmp_path: Path) -> None:
    scheduler = ab.PromotionASHA(27, max_resident=1)
    space = residents.space_of(tmp_path)
    result = run(objective, space, scheduler=scheduler, max_trials=40, mode="max")
    assert set(result.counts) >= {S.COMPLETED, S.STOPPED}
    assert residents.begun(tmp_path) == residents.ended(tmp_path)


def test_median_stopping_runs() -> None:
    scheduler = ab.MedianStopping(9, min_samples=2)
    result = run(objectives.slope, {"x": ab.uniform(0, 1)}, scheduler=scheduler, max_trials=20)
    assert result.counts[S.STOPPED] > 0
    assert result.counts[S.COMPLETED] > 0


def test_what_a_resumed_trial_prints_is_its_own() -> None:
    result = run(
        residents.prints_steps,
        {"x": ab.uniform(0, 1)},
        scheduler=PLAN,
        max_trials=8,
        capture_output=True,
    )
    for trial in result.trials:
        said = [f"trial {trial.id} at step {step}" for step in range(1, int(trial.resource) + 1)]
        assert said == (trial.log or "").splitlines()


def test_reporting_from_a_forked_child_is_an_error() -> None:
    scheduler = ab.PromotionASHA(9)
    result = run(objectives.forks, {"x": ab.uniform(0, 1)}, scheduler=scheduler, max_trials=3)
    assert all("a child of worker" in trial.extras["said"] for trial in result.trials)


def test_stop_at_ends_a_run_with_paused_trials(tmp_path: Path) -> None:
    space = ab.Space(x=ab.grid(0.9, 0.8, 0.7, 0.6, 0.1), folder=str(tmp_path), step_s=0.0)
    scheduler = ab.SuccessiveHalving([(2, 4), (2, 1)])
    result = run(residents.by_yield, space, scheduler=scheduler, stop_at=0.65, workers=1)
    assert result.reason == "stop_at"
    assert (S.CANCELLED, S.COMPLETED) == (result.trials[0].state, result.trials[4].state)
    assert residents.begun(tmp_path) == residents.ended(tmp_path)


def test_a_cohort_is_not_extended(tmp_path: Path) -> None:
    journal, space = tmp_path / "journal", {"x": ab.uniform(0, 1)}
    first = run(objectives.slope, space, scheduler=PLAN, max_trials=8, journal=journal)
    again = run(objectives.slope, space, scheduler=PLAN, max_trials=8, journal=journal, resume=True)
    assert first.trials == again.trials
    with pytest.raises(ab.InvalidArgument, match="the cohort of a run is fixed"):
        run(objectives.slope, space, scheduler=PLAN, max_trials=16, journal=journal, resume=True)


def test_a_worker_that_waits_frees_what_it_need_not_keep_at_once(tmp_path: Path) -> None:
    handle = run(
        residents.waits_for_the_end_of_another,
        {"folder": str(tmp_path), "x": ab.uniform(0, 1)},
        scheduler=ab.SuccessiveHalving([(1, 1), (1, 1)]),
        max_trials=2,
        launch=ab.start,
    )
    wait_until(lambda: handle.status()["states"]["PAUSED"] == 1)
    (tmp_path / "go").touch()
    result = handle.result(timeout=60)
    assert [S.STOPPED, S.COMPLETED] == [trial.state for trial in result.trials]
    assert {"others": 1} == result.trials[1].extras


def test_a_trial_with_its_own_thread_is_interrupted_by_its_limit(tmp_path: Path) -> None:
    result = run(
        residents.hangs_later,
        {"folder": str(tmp_path), "x": ab.uniform(0, 1)},
        scheduler=PLAN,
        max_trials=8,
        trial_timeout=1.0,
    )
    assert [5] == [trial.id for trial in result.trials if trial.state is S.FAILED]
    error = result.trials[5].error or ""
    assert "in hangs_later" in error
    assert "longer than trial_timeout=1 s" in error.splitlines()[-1]
    assert {5: 1} == residents.ended(tmp_path)
    assert {1} == {trial.attempts for trial in result.trials}


def test_a_stop_waits_for_no_endless_clean_up(tmp_path: Path) -> None:
    handle = run(
        residents.cleans_up_slowly,
        {"folder": str(tmp_path), "x": ab.uniform(0, 1)},
        scheduler=ab.SuccessiveHalving([(2, 20), (2, 1)]),
        max_trials=40,
        launch=ab.start,
    )
    wait_until(lambda: handle.status()["states"]["PAUSED"] >= 4)
    handle.stop()
    result = handle.result(timeout=20)
    assert result.reason == "stopped"
    assert residents.ended(tmp_path)  # as many as there was time for
