"""Repeated configurations and restarted attempts, on real workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import objectives

import asha_bus as ab
from asha_bus.core.trial import TrialState

S = TrialState
SPACE = {"x": ab.uniform(0, 1)}
ASHA = ab.ASHA(max_resource=9)


def run(objective: Any, space: Any = SPACE, **arguments: Any) -> ab.Result:
    """Launch on two local workers, quietly."""
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    result = ab.launch(objective, space, **{**settings, **arguments})
    assert isinstance(result, ab.Result)
    return result


def test_an_objective_knows_which_repeat_it_is() -> None:
    result = run(objectives.folds, max_trials=12, repeats=3)
    assert [0, 1, 2] * 4 == [trial.extras["repeat"] for trial in result.trials]
    assert [0, 1, 2] * 4 == [trial.repeat for trial in result.trials]
    assert [0, 0, 0, 3, 3, 3] == [trial.configuration for trial in result.trials[:6]]
    for one in result.by_configuration():
        assert 1 == len({trial.params["x"] for trial in one.trials})
        assert pytest.approx(one.params["x"] + 1) == one.metric  # folds add 0, 1 and 2
        assert pytest.approx(1.0) == one.spread
    best = min(result.trials, key=lambda trial: trial.params["x"])
    assert result.best is result.trials[best.configuration]
    assert "mean of 3 repeats" in repr(result)


@pytest.mark.parametrize("searcher", [None, ab.TPE(n_startup=5), ab.OptunaSearcher()])
def test_repeats_go_with_stopping_and_any_searcher(searcher: Any) -> None:
    result = run(objectives.slope, max_trials=60, repeats=3, scheduler=ASHA, searcher=searcher)
    assert ("max_trials", 60, 0) == (result.reason, len(result.trials), result.repeated)
    assert 20 == len({trial.point for trial in result.trials}) == len(result.by_configuration())
    assert result.counts[S.STOPPED] > 0
    met = [record for trial in result.trials for record in trial.rungs]
    assert all(record.mean is not None for record in met)
    assert 0 == result.bus.fallbacks


def test_a_grid_is_repeated_whole() -> None:
    space = ab.Space(x=ab.grid(0.1, 0.2, 0.3))
    result = run(objectives.square, space, repeats=2)
    assert "exhausted" == result.reason
    assert [0.1, 0.1, 0.2, 0.2, 0.3, 0.3] == [trial.params["x"] for trial in result.trials]


def test_a_run_is_resumed_with_its_repeats_and_with_no_others(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = run(objectives.slope, max_trials=7, repeats=3, scheduler=ASHA, journal=path)
    again = {"max_trials": 18, "scheduler": ASHA, "journal": path, "resume": True}
    for other, words in ((1, "not given"), (2, "2")):
        with pytest.raises(ab.InvalidArgument, match=f"repeats was 3 and is {words}"):
            run(objectives.slope, repeats=other, **again)
    second = run(objectives.slope, repeats=3, **again)
    assert 18 == len(second.trials)
    assert [t.point for t in first.trials] == [t.point for t in second.trials[:7]]
    assert 6 == len({trial.point for trial in second.trials})
    read = ab.Result.from_journal(path)
    assert [t.repeat for t in second.trials] == [t.repeat for t in read.trials]
    assert repr(second.by_configuration()) == repr(read.by_configuration())


def test_an_attempt_that_raised_is_restarted(tmp_path: Path) -> None:
    space = {"x": ab.uniform(0, 1), "folder": str(tmp_path)}
    result = run(objectives.fails_at_first, space, max_trials=6, retries=1)
    assert {S.COMPLETED} == {trial.state for trial in result.trials}
    assert [2] * 6 == [trial.attempts for trial in result.trials]
    assert (6, 0) == (result.bus.failed_attempts, result.bus.requeued)
    assert "warning: attempt 1 failed, and the trial is restarted:" in result.trials[0].log
    assert "OSError: not there yet" in result.trials[0].log
    assert ["1", "2"] == (tmp_path / "0").read_text().split()


def test_without_retries_left_it_has_failed(tmp_path: Path) -> None:
    result = run(objectives.fails_on_odd, max_trials=6, retries=2)
    odd, even = result.trials[1::2], result.trials[::2]
    assert {(S.FAILED, 3)} == {(trial.state, trial.attempts) for trial in odd}
    assert {(S.COMPLETED, 1)} == {(trial.state, trial.attempts) for trial in even}
    assert 6 == result.bus.failed_attempts


def test_an_attempt_that_times_out_is_restarted(tmp_path: Path) -> None:
    space = {"x": ab.uniform(0, 1), "folder": str(tmp_path)}
    result = run(objectives.hangs, space, max_trials=4, trial_timeout=1.0, retries=1)
    hung = result.trials[1]
    assert (S.FAILED, 2) == (hung.state, hung.attempts)
    assert "ran longer than trial_timeout=1 s" in hung.log
    assert "ran longer than trial_timeout=1 s" in str(hung.error)
