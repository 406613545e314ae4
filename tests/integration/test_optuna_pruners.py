"""Pruners that are asked in the searcher's process, beside Optuna itself, and when parts die."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import RandomSampler, TPESampler
from support import optuna_objectives as objectives
from support import optuna_pruners as own
from support.processes import children_of

import asha_bus as ab
import asha_bus.optuna as ours
from asha_bus.core.trial import TrialState as S
from asha_bus.launching._launch import start_gated

pytestmark = pytest.mark.slow

p = optuna.pruners
CREATES: Any = ((optuna.create_study, {}), (ours.create_study, {"engine": "local"}))


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def told(study: Any) -> list[Any]:
    """All that a study has of its trials, but times."""
    return [
        (one.number, one.state.name, one.value, one.params, one.intermediate_values)
        for one in study.trials
    ]


def states(study: Any) -> str:
    return "".join(trial.state.name[0] for trial in study.trials)


@pytest.mark.parametrize(
    "make",
    [
        lambda: p.ThresholdPruner(upper=2.0, n_warmup_steps=2),
        lambda: p.PercentilePruner(25.0, n_startup_trials=2),
        lambda: p.PatientPruner(p.MedianPruner(n_startup_trials=2), patience=1),
        lambda: p.WilcoxonPruner(n_startup_steps=1),
        lambda: p.HyperbandPruner(),
        lambda: p.SuccessiveHalvingPruner(1, 2, bootstrap_count=2),
        own.EverySecond,
    ],
    ids=["threshold", "percentile", "patient", "wilcoxon", "hyperband", "bootstrap", "own"],
)
def test_trials_are_pruned_as_with_optuna(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of them are experimental
        theirs, mine = (
            create(sampler=TPESampler(seed=1), pruner=make(), study_name="one", **given)
            for create, given in CREATES
        )
    caplog.set_level(logging.WARNING, logger="asha_bus")
    for study in (theirs, mine):
        study.optimize(objectives.curve_with_number, n_trials=10, n_jobs=1)
    mine.optimize(objectives.curve_with_number, n_trials=1, n_jobs=1)
    assert told(theirs) == told(mine)[:10]
    name = type(mine.pruner).__name__
    said = [one for one in caplog.messages if "is asked in the searcher's process" in one]
    assert [name] == [one.split()[0] for one in said]
    asked = sum(len(one.intermediate_values) for one in mine.trials[10:])
    assert asked == mine.result.bus.pruner_asked


def test_a_pruned_trial_is_stopped_in_the_result() -> None:
    study = ours.create_study(engine="local", sampler=RandomSampler(), pruner=own.EverySecond())
    study.optimize(objectives.curve_with_number, n_trials=6, n_jobs=2)
    assert "CPCPCP" == states(study)
    result = study.result
    assert result is not None
    assert (3, 3) == (result.counts[S.STOPPED], result.counts[S.COMPLETED])
    assert "rung 2 at resource 3" in result.explain(1)
    assert "EverySecond was asked: stopped" in result.explain(1)


# --- a pruner that raises -----------------------------------------------------------


@pytest.mark.parametrize("error", [ZeroDivisionError, own.NoLuckError])
def test_what_a_pruner_raises_is_raised_as_with_optuna(error: type[Exception]) -> None:
    for create, given in CREATES:
        study = create(pruner=own.Raises(error), **given)
        with pytest.raises(error, match="no luck") as raised:
            study.optimize(objectives.curve, n_trials=6, n_jobs=1)
        assert "CCF" == states(study)
    assert "the pruner raised in the searcher's process" in str(raised.value.__cause__)
    assert "optuna_pruners.py" in str(raised.value.__cause__)


def test_what_a_pruner_raises_may_be_caught() -> None:
    for create, given in CREATES:
        study = create(pruner=own.Raises(), **given)
        study.optimize(objectives.curve, n_trials=5, n_jobs=1, catch=(ArithmeticError,))
        assert "CCFCC" == states(study)


# --- parts that die -------------------------------------------------------------------


def kill_searcher(run: ab.Run) -> None:
    (pid,) = children_of(os.getpid(), "searcher_process")
    os.kill(pid, signal.SIGKILL)


def kill_bus(run: ab.Run) -> None:
    os.kill(run.bus_pid, signal.SIGKILL)


@pytest.mark.parametrize("kill", [kill_searcher, kill_bus])
def test_what_was_reported_outlives(kill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[ab.Run] = []

    def start(*given: Any) -> ab.Run:
        runs.append(start_gated(*given))
        return runs[-1]

    monkeypatch.setattr("asha_bus.optuna._study.start_gated", start)
    found = []
    for kills in (False, True):

        def after(study: Any, trial: Any, kills: bool = kills) -> None:
            if kills and trial.number in (1, 3):
                kill(runs[-1])

        study = ours.create_study(
            engine="local", sampler=RandomSampler(seed=1), pruner=own.Knows(36)
        )
        study.optimize(objectives.curve, n_trials=8, n_jobs=1, callbacks=[after])
        found.append(told(study))
        assert "CCCCPPPP" == states(study)  # each of the first four has nine steps
    assert found[0] == found[1]


def test_a_resumed_run_knows_what_was_reported(tmp_path: Path) -> None:
    journal = tmp_path / "run.journal"
    for n_trials, expected in ((3, "CCC"), (6, "CCCCPP")):
        study = ours.create_study(
            engine="local", sampler=RandomSampler(seed=1), pruner=own.Knows(36)
        )
        study.optimize(objectives.curve, n_trials=n_trials, n_jobs=1, journal=journal, resume=True)
        assert expected == states(study)
    again = ab.Result.from_journal(journal)
    assert ["COMPLETED"] * 4 + ["STOPPED"] * 2 == [trial.state for trial in again.trials]


def test_a_worker_that_dies_while_it_asks_loses_no_trial() -> None:
    study = ours.create_study(engine="local", sampler=RandomSampler(seed=1), pruner=own.Knows(9))
    study.optimize(objectives.dies_once, n_trials=4, n_jobs=1)
    assert "CPPP" == states(study)
    assert study.result is not None
    assert [2, 1, 1, 1] == [trial.attempts for trial in study.result.trials]
