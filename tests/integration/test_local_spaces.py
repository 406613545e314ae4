"""Runs over every kind of space, with real processes: the objective's arguments and reports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hyperopt import hp
from hyperopt.pyll import scope
from support import objectives

import asha_bus as ab

S = ab.TrialState


def run(objective: Any, space: Any, **arguments: Any) -> ab.Result:
    """Launch on two local workers, quietly."""
    settings: dict[str, Any] = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    result: ab.Result = ab.launch(objective, space, **{**settings, **arguments})
    return result


def assert_told(result: ab.Result) -> None:
    """Every trial's params are what its objective got."""
    for trial in result.trials:
        assert trial.extras == {"got": repr(trial.params)}


def test_a_sweep_of_models() -> None:
    space = (
        ab.Space(model="svm", c=ab.loguniform(1e-3, 1)).sample(3)
        + ab.Space(model="tree", depth=ab.grid(1, 2, 3)).where(lambda depth: depth != 2)
        + {"model": "none"}
    )
    result = run(objectives.echo_params, space)
    assert_told(result)
    assert ("exhausted", 6) == (result.reason, len(result.trials))
    assert sorted(map(repr, space)) == sorted(repr(trial.params) for trial in result.trials)


def test_stochastic_parameters_are_drawn_in_each_branch() -> None:
    width = ab.randint(8, 64, q=8)
    space = ab.Space(
        fold=ab.grid(0, 1),
        width=width,
        doubled=ab.func(lambda width: 2 * width, width),
        head=ab.choice(None, {"rate": ab.uniform(0, 1, q=0.25)}),
        options=ab.ordinal([0, 1], (100, 10), {"k": [1, 2], "n": None}),
    )
    result = run(objectives.echo_params, space, max_trials=30, journal=None)
    assert_told(result)
    assert [trial.id % 2 for trial in result.trials] == [t.params["fold"] for t in result.trials]
    assert all(t.params["doubled"] == 2 * t.params["width"] for t in result.trials)
    assert {list, tuple, dict} == {type(trial.params["options"]) for trial in result.trials}
    again = run(objectives.echo_params, space, max_trials=30)
    assert [t.params for t in again.trials] == [t.params for t in result.trials]


def test_a_func_that_raises_fails_its_trial_alone() -> None:
    x = ab.grid(0, 1, 2, 4)
    result = run(objectives.echo_params, ab.Space(x=x, inverse=ab.func(lambda x: 1 / x, x)))
    assert [S.FAILED, S.COMPLETED, S.COMPLETED, S.COMPLETED] == [t.state for t in result.trials]
    assert "ZeroDivisionError" in str(result.trials[0].error)
    assert "raised ZeroDivisionError" in result.trials[0].params["inverse"]
    assert 0.5 == result.trials[2].params["inverse"]


def test_a_union_is_resumed_and_read(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    options = ({"x": ab.uniform(0, 1)}, [0, 1], (100, 10), {"k": [1, 2], "n": None}, None)
    space = ab.Space(m=ab.choice(*options)) + ab.Space(y=ab.normal(0, 1))
    first = run(objectives.echo_params, space, max_trials=60, journal=path)
    assert {list, tuple, dict, type(None)} == {type(t.params.get("m")) for t in first.trials}
    longer = run(objectives.echo_params, space, max_trials=80, journal=path, resume=True)
    assert_told(longer)
    assert [t.params for t in first.trials] == [t.params for t in longer.trials[:60]]
    read = ab.Result.from_journal(path)
    assert [t.params for t in longer.trials] == [t.params for t in read.trials]
    with pytest.raises(ab.InvalidArgument, match="belongs to another run: space was"):
        run(objectives.echo_params, space + {"z": 1}, max_trials=80, journal=path, resume=True)


def test_spaces_of_hyperopt_are_launched_as_they_are() -> None:
    space = {"x": hp.uniform("x", 0, 1), "depth": scope.int(hp.quniform("d", 1, 10, 1))}
    result = run(objectives.added, space, max_trials=8)
    assert {S.COMPLETED} == {trial.state for trial in result.trials}
    assert [sum(trial.params.values()) for trial in result.trials] == [
        trial.metric for trial in result.trials
    ]
    listed = run(objectives.first_of, [hp.uniform("x", 0, 1), 7], max_trials=4)
    assert [trial.params[0] + 2 for trial in listed.trials] == [
        trial.metric for trial in listed.trials
    ]


def test_an_option_that_is_no_utf_8_travels_by_its_index(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    space = ab.Space(file=ab.grid(name, "ok"), kind=ab.grid(1, "1"))
    journal = tmp_path / "journal"
    arguments: dict[str, Any] = {"journal": journal, "monitor": ["text", "progress"], "page": True}
    result = run(objectives.echo_params, space, **arguments)
    assert_told(result)
    assert {(name, 1), (name, "1"), ("ok", 1), ("ok", "1")} == {
        (trial.params["file"], trial.params["kind"]) for trial in result.trials
    }
    read = ab.Result.from_journal(journal)
    assert [one.params for one in result.trials] == [one.params for one in read.trials]
    again = run(objectives.echo_params, space, resume=True, journal=journal)
    assert ("exhausted", 4) == (again.reason, len(again.trials))
    done = subprocess.run(
        [sys.executable, "-m", "asha_bus.cli", "report", str(journal)],
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert b"caf\\udce9.csv" in done.stdout


@pytest.mark.parametrize("settings", [{"retries": 1}, {"retries": 1, "repeats": 3}])
def test_an_objective_may_change_the_lists_that_it_gets(settings: dict[str, int]) -> None:
    space = {"widths": ab.grid([64, 64], [128], ([32], 1)), "fixed": {"names": ["a"]}}
    result = run(objectives.changes_params, space, workers=1, **settings)
    assert 3 * settings.get("repeats", 1) == result.counts[S.COMPLETED]
    assert_told(result)
    assert result.best is not None
    assert {"widths": [64, 64], "fixed": {"names": ["a"]}} == result.best.params
