"""The page and the report of a study in Chromium: its columns are the names that trials ask for."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import optuna
import pytest
from lib.browser import Watched
from lib.processes import free_port

import asha_bus.optuna as ours

pytestmark = pytest.mark.slow

TRIALS = 40


def conditional(trial: Any) -> float:
    """Not every trial has every name, and the last name of all is asked for late."""
    rate = trial.suggest_float("learning rate", 1e-5, 1, log=True)
    if trial.suggest_categorical("family", ["svc", None]) is None:
        value = trial.suggest_int("forest/depth", 1, 9)
    else:
        value = trial.suggest_float("c", 0, 9)
    time.sleep(0.05)
    if trial.number > TRIALS - 10:
        value += trial.suggest_float(f"late.{trial.number % 2}", 0, 1)
    return float(value + rate)


@pytest.fixture
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def columns(watched: Watched) -> list[str]:
    """The heads between those that each run has."""
    heads = [text.rstrip(" ▴▾") for text in watched.texts("#heads th")]
    return heads[heads.index("rungs") + 1 : heads.index("seconds")]


def shows(watched: Watched, result: Any) -> None:
    """Each name is a column, an axis and a parameter; each trial has the values it asked for."""
    names = {name for trial in result.trials for name in trial.params}
    watched.page.locator("#trials").scroll_into_view_if_needed()
    watched.wait("drawn.get('trials') === run.version")
    assert names == set(columns(watched))
    held = dict(
        watched.page.evaluate(
            "run.trials.map((t) => [t.id, Object.fromEntries(parametersOf(run, t))])"
        )
    )
    expected = {
        trial.id: {
            name: f"{value:.6g}" if isinstance(value, (int, float)) else str(value)
            for name, value in trial.params.items()
        }
        for trial in result.trials
    }
    assert {n: set(values) for n, values in expected.items()} == {
        number: set(values) for number, values in held.items()
    }
    assert all(
        float(held[number][name]) == float(text)
        for number, values in expected.items()
        for name, text in values.items()
        if name != "family"
    )
    watched.page.locator("#parallel").scroll_into_view_if_needed()
    watched.wait("drawn.get('parallel') === run.version")
    label = watched.page.get_attribute("#parallel-chart", "aria-label")
    assert all(name in label for name in names)
    watched.page.locator("#configuration").scroll_into_view_if_needed()
    watched.wait("drawn.get('configuration') === run.version")
    told = watched.text("#configuration-rows")
    assert "parameter learning rate loguniform(1e-5, 1)" in told
    assert "parameter family choice(svc, None)" in told
    assert "parameter forest/depth randint(1, 9)" in told


def finds(watched: Watched, result: Any) -> None:
    """The filter compares names of any characters; a trial without the name is not found."""
    deep = {t.id for t in result.trials if t.params.get("forest/depth", 0) >= 5}
    slow = {t.id for t in result.trials if t.params["learning rate"] < 0.01}
    for text, expected in (
        ("forest/depth>=5", deep),
        ('"learning rate"<0.01', slow),
        ('forest/depth>=5 "learning rate"<0.01', deep & slow),
        ("forest/depth=", {t.id for t in result.trials if "forest/depth" in t.params}),
    ):
        watched.page.fill("#filter", text)
        watched.wait(f"byId('shown').textContent === '{len(expected)} of {TRIALS} trials'")
        assert expected == set(watched.page.evaluate("table.order.map((t) => t.id)"))
    watched.page.fill("#filter", "")


@pytest.mark.usefixtures("quiet")
def test_a_study_has_a_column_for_each_name_as_soon_as_one_asks(
    browser: Any, tmp_path: Path
) -> None:
    study = ours.create_study(engine="local", sampler=optuna.samplers.TPESampler(seed=2))
    port = free_port()
    with ThreadPoolExecutor(1) as thread:
        ran = thread.submit(
            study.optimize, conditional, TRIALS, n_jobs=2, page=port, monitor=None, seed=1
        )
        watched = Watched(browser)
        for _ in range(200):
            try:
                watched.page.goto(f"http://127.0.0.1:{port}/")
                break
            except Exception:  # nobody listens yet
                time.sleep(0.05)
        watched.wait("run !== null && run.trials.length > 3")
        watched.page.locator("#trials").scroll_into_view_if_needed()
        watched.wait("run.names.includes('learning rate') && drawn.has('trials')")
        early = columns(watched)
        assert not any(name.startswith("late") for name in early)
        ran.result(timeout=60)
    result = study.result
    assert result is not None
    watched.wait("byId('status').textContent === 'ended by max_trials'")
    shows(watched, result)
    assert early == columns(watched)[: len(early)]
    finds(watched, result)
    refused = [text for text in watched.complaints if "ERR_CONNECTION_REFUSED" not in text]
    watched.close()
    assert [] == refused

    report = Watched(browser)
    report.page.goto(result.report(tmp_path / "run.html").as_uri())
    shows(report, result)
    finds(report, result)
    report.page.locator("#importance").scroll_into_view_if_needed()
    report.wait("drawn.get('importance') === run.version")
    rows = [text.rsplit(" ", 3)[0] for text in report.texts("#importance-rows tr")]
    assert {"learning rate", "family", "c", "forest/depth"} <= set(rows)
    report.close()
    assert [] == report.complaints
