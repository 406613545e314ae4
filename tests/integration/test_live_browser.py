"""The live page in Chromium: it follows real runs to their end, and outlives its server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lib.browser import Watched
from lib.results import simulated
from support.live import ScriptedPage, start, watch
from support.processes import wait_until

from asha_bus import Result, TrialState
from asha_bus.page.document import run_document
from asha_bus.page.server import PageServer

#: The same run at three moments.
EARLY, LATER, ENDED = (simulated(200, until=until) for until in (60.0, 200.0, float("inf")))
DONE = (TrialState.COMPLETED, TrialState.STOPPED, TrialState.FAILED, TrialState.LOST)


def opened_at(browser: Any, url: str | None) -> Watched:
    """The live page at ``url``, with its table in sight."""
    assert url is not None
    watched = Watched(browser)
    watched.page.goto(url)
    watched.page.locator("#trials").scroll_into_view_if_needed()
    watched.wait("document.querySelectorAll('#body tr[data-id]').length > 5")
    return watched


def states(result: Result) -> set[str]:
    return {f"{state} {count}" for state, count in result.counts.items() if count}


def shows(watched: Watched, result: Result) -> None:
    """The page shows ``result``: head, table, what the charts are drawn of, and rungs."""
    watched.page.locator("#trials").scroll_into_view_if_needed()
    watched.wait(f"byId('shown').textContent.startsWith('{len(result.trials)} of')")
    watched.wait("drawn.get('trials') === run.version")
    assert states(result) == set(watched.texts("#states li"))
    assert result.best is not None
    assert str(result.best.id) == watched.column("id")[0]
    figures = dict(zip(watched.texts("#figures dt"), watched.texts("#figures dd"), strict=True))
    assert f"trial {result.best.id}" == figures["best trial"]
    assert float(f"{result.best.metric:.6g}") == float(figures["best metric"])
    done = sum(result.counts[state] for state in DONE)
    assert result.settings is not None
    assert f"{done} of {result.settings.max_trials}" == figures["trials"]
    assert watched.page.evaluate("isLive") == ("time left, about" in figures)
    held = watched.page.evaluate("run.trials.map((t) => [t.id, t.state, t.metric, t.resource])")
    assert [[t.id, str(t.state), t.metric, t.resource] for t in result.trials] == sorted(held)
    watched.page.locator("#rungs").scroll_into_view_if_needed()
    watched.wait("drawn.get('rungs') === run.version")
    rows = [text.split()[:4] for text in watched.texts("#rungs-rows tr")]
    assert [[str(n), f"{r:g}", str(e), str(p)] for n, r, e, p in result.rung_table()] == rows


def curves(watched: Watched) -> dict[int, set[tuple[float, float]]]:
    """What the page draws of each trial."""
    held = watched.page.evaluate("run.trials.map((t) => [t.id, t.points])")
    return {number: set(zip(flat[::2], flat[1::2], strict=True)) for number, flat in held}


def clicked(watched: Watched, number: int) -> list[str]:
    """What is shown of a trial whose row is clicked."""
    watched.page.fill("#filter", f"id={number}")
    watched.page.click("#body tr[data-id]")
    watched.wait(f"byId('detail').innerText.includes('trial {number} ended')")
    return watched.texts("#detail .explain li")


# --- real runs ---------------------------------------------------------------


def test_it_follows_a_real_run_whose_bus_dies(browser: Any) -> None:
    run = start(max_trials=100)
    watched = opened_at(browser, run.page_url)
    assert "running" == watched.text("#status")
    begun = watched.page.evaluate("run.trials.length")
    os.kill(run.bus_pid, signal.SIGKILL)
    watched.wait(f"run.trials.length > {begun}")
    assert begun < 100
    result = run.result(timeout=60)
    watched.wait("byId('status').textContent === 'ended by max_trials'")
    shows(watched, result)
    drawn = curves(watched)
    for trial in result.trials:
        at_rungs = {(record.resource, record.metric) for record in trial.rungs}
        assert at_rungs | {(trial.resource, trial.metric)} <= drawn[trial.id]
    number = next(t.id for t in result.trials if t.state is TrialState.STOPPED)
    assert result.explain(number).split("\n") == clicked(watched, number)
    assert [run.page_url] == [url for url in watched.requests if url == run.page_url]
    watched.page.reload()
    watched.wait("run !== null && run.trials.length === 100")
    assert {t.id: {(r, float(f"{m:.6g}")) for r, m in t.curve} for t in result.trials} == {
        number: {(r, float(f"{m:.6g}")) for r, m in points}
        for number, points in curves(watched).items()
    }
    watched.close()
    assert all(url.startswith(run.page_url or "no page") for url in watched.requests)
    assert [] == watched.complaints


def test_it_follows_a_journal(browser: Any, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    run = start(page=False, journal=journal, name="watched", max_trials=60)
    wait_until(journal.exists)
    with watch(journal) as watching:
        assert watching.stdout is not None
        url = watching.stdout.readline().split()[1]
        watched = opened_at(browser, url)
        result = run.result(timeout=60)
        watched.wait("byId('status').textContent === 'ended by max_trials'")
        shows(watched, result)
        assert "watched" == watched.text("#name")
        number = result.trials[-1].id
        assert result.explain(number).split("\n") == clicked(watched, number)
        watched.close()
    assert {url, f"{url}events", f"{url}explain/{number}"} == set(watched.requests)
    assert [] == watched.complaints


# --- a server that does what a test says -------------------------------------


@pytest.fixture
def explained() -> dict[int, str]:
    """What the server tells of trials."""
    return {}


@pytest.fixture
def live(explained: dict[int, str]) -> Iterator[ScriptedPage]:
    page = ScriptedPage(EARLY, explained)
    yield page
    page.die()


@pytest.fixture
def opened(browser: Any, live: ScriptedPage) -> Iterator[Watched]:
    watched = opened_at(browser, live.server.url)
    yield watched
    watched.close()


def test_it_follows_each_change_and_lets_go_at_the_end(opened: Watched, live: ScriptedPage) -> None:
    shows(opened, EARLY)
    live.show(LATER)
    shows(opened, LATER)
    live.show(ENDED, is_over=True)
    opened.wait("byId('status').textContent === 'ended by max_trials'")
    shows(opened, ENDED)
    live.die()
    live.come_again()
    opened.page.wait_for_timeout(1_500)  # by then it would have asked
    assert 1 == live.asked
    assert opened.page.is_hidden("#banner")
    assert [] == opened.complaints


def test_the_filter_and_the_chosen_trial_stay_when_the_run_ends(
    opened: Watched, live: ScriptedPage, explained: dict[int, str]
) -> None:
    stopped = next(trial for trial in EARLY.trials if trial.state is TrialState.STOPPED)
    explained[stopped.id] = "the only telling"
    opened.page.fill("#filter", f"id={stopped.id}")
    opened.page.click("#body tr[data-id]")
    opened.wait("byId('detail').innerText.includes('the only telling')")
    live.show(ENDED)
    opened.wait("byId('shown').textContent === '1 of 200 trials'")
    assert f"Trial {stopped.id}" == opened.text("#detail h3 >> nth=0")
    assert 1 == sum("/explain/" in url for url in opened.requests)
    assert [] == opened.complaints


def test_the_chosen_trial_is_redrawn_when_it_changes(
    opened: Watched, live: ScriptedPage, explained: dict[int, str]
) -> None:
    running = next(trial for trial in EARLY.trials if trial.state is TrialState.RUNNING)
    explained[running.id] = "it runs"
    opened.page.fill("#filter", f"id={running.id}")
    opened.page.click("#body tr[data-id]")
    opened.wait("byId('detail').innerText.includes('it runs')")
    explained[running.id] = "it ended"
    live.show(ENDED)
    opened.wait("byId('detail').innerText.includes('it ended')")


@pytest.mark.parametrize("button", ["#detail", "#state-filters", "#figures", "#heads"])
def test_the_keyboard_stays_where_it_was(opened: Watched, live: ScriptedPage, button: str) -> None:
    opened.page.click("#body tr[data-id]")
    opened.page.focus(f"{button} button")
    text = opened.page.evaluate("document.activeElement.textContent")
    live.show(LATER)
    shows(opened, LATER)
    found = opened.page.evaluate("document.activeElement.textContent")
    assert text.split()[0] == found.split()[0]


def test_a_run_that_has_not_begun_is_awaited(browser: Any) -> None:
    begun: list[dict[str, Any]] = []
    server = PageServer("early", lambda: begun[0] if begun else None, lambda number: None)
    watched = Watched(browser)
    watched.page.goto(server.url)
    assert "early · asha-bus" == watched.text("#name")
    assert "waiting for the run to begin …" == watched.text("#status")
    begun.append(run_document(EARLY))
    watched.wait("byId('status').textContent === 'running'")
    assert "digits" == watched.text("#name")
    assert watched.page.is_hidden("#importance")
    watched.close()
    server.close()
    assert [] == watched.complaints


def test_a_server_that_was_gone_or_refuses_is_asked_again(
    opened: Watched, live: ScriptedPage
) -> None:
    live.die()
    opened.wait("!byId('banner').hidden")
    assert "The connection to the run is lost" in opened.text("#banner")
    live.result = LATER
    live.refusals = 1
    live.come_again()
    opened.wait(f"run.trials.length === {len(LATER.trials)}")
    shows(opened, LATER)
    assert opened.page.is_hidden("#banner")
    assert 3 == live.asked


def test_a_missing_explanation_is_reported(opened: Watched, live: ScriptedPage) -> None:
    for what in ("the server answered 404", "the process that served this page is gone"):
        opened.page.fill("#filter", "id=1")
        opened.page.click("#body tr[data-id]")
        opened.wait(f"byId('detail').innerText.includes('{what}')")
        live.die()
        opened.page.click("#detail button")
