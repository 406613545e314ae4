"""Objectives and options that are objects: named, resumed and shown without what they hold."""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any

import pytest
from support import objectives

import asha_bus as ab

SECRET = "correct horse battery staple"


def run(objective: Any, space: Any, **arguments: Any) -> ab.Result:
    """Launch on one local worker, quietly."""
    settings: dict[str, Any] = {"engine": "local", "workers": 1, "monitor": None, "seed": 7}
    result: ab.Result = ab.launch(objective, space, **{**settings, **arguments})
    return result


def scaled(x: float, secret: str = "", table: object = None) -> float:
    return x


class Scaled:
    """An objective that is an object."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __call__(self, x: float) -> float:
        return x


class NoRepr:
    """An option, or an objective, that cannot be shown."""

    def __call__(self, **params: Any) -> float:
        return 0.5

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class LargeRepr:
    """An option whose repr is long."""

    def __repr__(self) -> str:
        return "long " * 1_000_000


@pytest.mark.parametrize(
    "make",
    [
        lambda: functools.partial(scaled, secret=SECRET, table=object()),
        lambda: functools.partial(Scaled(SECRET)),
        lambda: Scaled(SECRET),
        lambda: Scaled(SECRET).__call__,
    ],
)
def test_an_objective_that_is_an_object_is_resumed(make: Any, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    space = {"x": ab.uniform(0, 1)}
    run(make(), space, max_trials=2, journal=journal)
    result = run(make(), space, max_trials=4, journal=journal, resume=True)
    assert [0, 1, 2, 3] == [trial.id for trial in result.trials]
    assert SECRET.encode() not in journal.read_bytes()
    with pytest.raises(ab.InvalidArgument, match="objective was 's?S?caled.*' and is 'square'"):
        run(objectives.square, space, max_trials=9, journal=journal, resume=True)


def test_options_that_cannot_be_shown_harm_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    space = ab.Space(
        x=ab.grid(NoRepr(), LargeRepr(), [LargeRepr()]), y=NoRepr(), z=["word" * 10**6]
    )
    journal, file = tmp_path / "journal", tmp_path / "file"
    monitors = ["progress", ab.FileMonitor(file)]
    with caplog.at_level(logging.DEBUG, "asha_bus"):
        result = run(NoRepr(), space, journal=journal, monitor=monitors)
    assert result.best is not None
    assert 3 == len(result.trials)
    result.report(tmp_path / "report.html")
    shown = [repr(result), str(result), result._repr_html_(), caplog.text]
    shown += [*capsys.readouterr(), *(result.explain(trial.id) for trial in result.trials)]
    assert all(len(text) < 20_000 for text in shown)
    assert any("<NoRepr whose repr raised RuntimeError>" in text for text in shown)
    assert 3 == len(ab.Result.from_journal(journal).trials)


def test_a_failure_shows_its_parameters_in_short(caplog: pytest.LogCaptureFixture) -> None:
    space = ab.Space(x=ab.grid(LargeRepr(), NoRepr()), y=["word" * 10**6])
    with pytest.raises(ab.AllTrialsFailed) as caught:
        run(objectives.fails_with_anything, space)
    assert len(str(caught.value)) < 5_000
    assert all(len(record.getMessage()) < 20_000 for record in caplog.records)
