"""Failures of the user's code, in real workers: each costs its own trial at most."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import objectives
from support.processes import children_of

import asha_bus as ab
from asha_bus.core.trial import TrialState
from asha_bus.core.worker import MAX_ERROR_CHARS

S = TrialState
SPACE = {"x": ab.uniform(0, 1)}


def run(objective: Any, space: Any = SPACE, **arguments: Any) -> Any:
    """Launch on two local workers, quietly."""
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    return ab.launch(objective, space, **{**settings, **arguments})


def others_completed(result: ab.Result, *but: int) -> bool:
    states = {trial.state for trial in result.trials if trial.id not in but}
    return states == {S.COMPLETED} and not children_of(os.getpid(), "asha_bus.")


def test_a_crash_in_native_code_loses_that_trial_only() -> None:
    result = run(objectives.crashes, max_trials=6, bus=ab.BusOptions(max_attempts=2))
    assert (S.LOST, 2) == (result.trials[1].state, result.trials[1].attempts)
    error = result.trials[1].error
    assert "which ended by signal 11 (SIGSEGV); its last output:" in error
    assert "in crashes" in error  # where it was
    assert others_completed(result, 1)


def test_too_little_memory_fails_that_trial_only() -> None:
    result = run(objectives.is_short_of_memory, max_trials=6)
    assert S.FAILED is result.trials[1].state
    assert "MemoryError" in result.trials[1].error
    assert others_completed(result, 1)


def test_odd_errors_fail_their_trials_only_and_are_cut() -> None:
    result = run(objectives.raises_odd_errors, max_trials=6)
    odd, long = result.trials[1], result.trials[2]
    assert (S.FAILED, S.FAILED) == (odd.state, long.state)
    assert "Unshowable" in odd.error.splitlines()[-1]
    assert MAX_ERROR_CHARS <= len(long.error) < MAX_ERROR_CHARS + 100
    assert "Lengthy: beginning" in long.error
    assert long.error.rstrip().endswith("end")
    assert others_completed(result, 1, 2)


# --- trial_timeout -----------------------------------------------------------


def test_a_hanging_trial_is_interrupted_and_fails(tmp_path: Path) -> None:
    space = {"x": ab.uniform(0, 1), "folder": str(tmp_path)}
    result = run(objectives.hangs, space, max_trials=6, trial_timeout=1.0)
    hung = result.trials[1]
    assert (S.FAILED, 1, 0.5) == (hung.state, hung.attempts, hung.metric)
    assert "ran longer than trial_timeout=1 s" in hung.error.splitlines()[-1]
    assert "time.sleep(600)" in hung.error  # where it was
    assert ["finally-1"] == [mark.name for mark in tmp_path.iterdir()]
    assert 2 == result.bus.workers  # nobody was replaced
    assert others_completed(result, 1)


@pytest.mark.slow
def test_a_trial_that_ignores_its_interrupt_fails_and_its_worker_is_replaced() -> None:
    result = run(objectives.is_deaf_once, max_trials=6, workers=1, trial_timeout=0.5)
    deaf = result.trials[1]
    assert (S.FAILED, 1) == (deaf.state, deaf.attempts)
    assert "did not end within 5 s of its interrupt" in deaf.error.splitlines()[-1]
    assert "in deaf" in deaf.error  # where it was
    assert (2, 0) == (result.bus.workers, result.bus.requeued)
    assert others_completed(result, 1)


@pytest.mark.slow
def test_native_code_that_holds_the_lock_is_ended_from_outside_the_interpreter() -> None:
    options = ab.BusOptions(max_attempts=1)
    result = run(objectives.holds_the_lock, max_trials=4, trial_timeout=0.5, bus=options)
    assert (S.LOST, 1) == (result.trials[1].state, result.trials[1].attempts)
    assert "lost with its worker" in result.trials[1].error
    assert others_completed(result, 1)


def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    result = run(objectives.slope, max_trials=20, scheduler=ab.ASHA(9), trial_timeout=60)
    assert {S.COMPLETED, S.STOPPED} == {trial.state for trial in result.trials}


# --- max_failures and fail_fast ----------------------------------------------


def test_more_failures_than_max_failures_end_the_run() -> None:
    result = run(objectives.fails_on_odd, max_trials=1_000, max_failures=2)
    assert "failed" == result.reason
    assert "more than max_failures=2; the first was trial" in result.message
    assert 3 <= result.counts[S.FAILED] <= 4  # two workers
    assert len(result.trials) < 20


def test_fail_fast_shows_the_first_traceback() -> None:
    result = run(objectives.fails_on_odd, max_trials=1_000, workers=1, fail_fast=True)
    assert "failed" == result.reason
    head, *traceback = result.message.splitlines()
    assert "trial 1 failed, which ends the run since fail_fast=True:" == head
    assert "SystemExit: 3" == traceback[-1]
    assert [S.COMPLETED, S.FAILED] == [trial.state for trial in result.trials]
    assert "fail_fast=True" in repr(result).splitlines()[0]
    assert "Traceback" not in repr(result)


PROGRAM = """
import asha_bus as ab

def helper(x):
    raise KeyError(x)  # the culprit

def train(x):
    for step in range(3):
        yield helper(x)

if __name__ == "__main__":
    space = {"x": ab.uniform(0, 1)}
    print(ab.dry_run(train, space, quiet=True))
    try:
        ab.launch(train, space, max_trials=1, engine="local", monitor=None)
    except ab.AllTrialsFailed as error:
        print(error)
    try:
        ab.fmin(lambda p: helper(p["x"]), space, max_evals=1, verbose=False)
    except KeyError as error:
        print(error.__cause__)
"""


def test_a_traceback_shows_the_file_and_the_lines_of_the_objective(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert 0 == done.returncode, done.stderr
    frame = f'File "{path}", line 5, in helper\n    raise KeyError(x)  # the culprit'
    assert 3 == done.stdout.count(frame), done.stdout
    assert "dynamic-code" not in done.stdout
