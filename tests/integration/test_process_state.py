"""Objectives that change what belongs to the process: their trials' ends, and the next trials."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support import programs_that_take_signals as programs
from support.processes import wait_until

import asha_bus as ab

S = ab.TrialState


def run(objective: Any, folder: Path, launch: Any = ab.launch, **arguments: Any) -> Any:
    """Launch on one local worker, quietly."""
    space = {"x": ab.uniform(0, 1), "folder": str(folder)}
    settings: dict[str, Any] = {"engine": "local", "workers": 1, "monitor": None, "seed": 7}
    return launch(objective, space, **{**settings, "max_failures": 99, **arguments})


def marks(folder: Path) -> set[str]:
    return {mark.name for mark in folder.iterdir()}


@pytest.mark.slow
def test_a_trial_that_has_taken_the_signals_is_interrupted_at_its_limit(tmp_path: Path) -> None:
    number = len(programs.CHANGES)
    with pytest.raises(ab.AllTrialsFailed) as raised:
        run(programs.hangs_after_a_change, tmp_path, max_trials=number, trial_timeout=0.5)
    trials = raised.value.result.trials
    assert [(S.FAILED, 1)] * number == [(trial.state, trial.attempts) for trial in trials]
    assert all("trial_timeout" in (trial.error or "").splitlines()[-1] for trial in trials)
    assert {f"finally-{trial}" for trial in range(number)} == marks(tmp_path)
    assert 1 == raised.value.result.bus.workers  # nobody was replaced


@pytest.mark.slow
def test_a_trial_takes_no_signal_from_the_next_one(tmp_path: Path) -> None:
    number = len(programs.CHANGES)
    result = run(
        programs.leaves_a_change_behind, tmp_path, max_trials=2 * number, trial_timeout=0.5
    )
    assert [S.COMPLETED, S.FAILED] * number == [trial.state for trial in result.trials]
    assert {f"finally-{2 * trial + 1}" for trial in range(number)} == marks(tmp_path)
    assert 1 == result.bus.workers


def test_a_timer_ends_with_its_trial(tmp_path: Path) -> None:
    result = run(programs.leaves_timers_behind, tmp_path, max_trials=2)
    assert [(S.COMPLETED, 1)] * 2 == [(trial.state, trial.attempts) for trial in result.trials]


def test_each_trial_begins_in_the_folder_of_the_launch(tmp_path: Path) -> None:
    result = run(programs.moves_away, tmp_path, max_trials=3)
    assert {os.getcwd()} == {trial.extras["folder"] for trial in result.trials}


@pytest.mark.parametrize(
    "objective", [programs.raises_when_interrupted, programs.returns_when_interrupted]
)
def test_what_the_end_of_the_run_interrupts_is_cancelled(objective: Any, tmp_path: Path) -> None:
    handle = run(objective, tmp_path, launch=ab.start, max_trials=1)
    wait_until(lambda: handle.status()["states"]["RUNNING"] == 1)
    handle.stop()
    assert [S.CANCELLED] == [trial.state for trial in handle.result(timeout=60).trials]


@pytest.mark.spark
@pytest.mark.slow
def test_a_trial_that_has_taken_the_signals_of_a_spark_task_is_interrupted(
    spark: Any, tmp_path: Path
) -> None:
    number = len(programs.CHANGES)
    arguments = {"engine": "spark", "spark": spark, "max_trials": number, "trial_timeout": 0.5}
    with pytest.raises(ab.AllTrialsFailed) as raised:
        run(programs.hangs_after_a_change, tmp_path, **arguments)
    trials = raised.value.result.trials
    assert [(S.FAILED, 1)] * number == [(trial.state, trial.attempts) for trial in trials]
    assert {f"finally-{trial}" for trial in range(number)} == marks(tmp_path)
    assert 1 == raised.value.result.bus.workers
