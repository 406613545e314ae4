"""The page in Chromium on server-sent events: it follows a run, and outlives its server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.browser import Watched, chromium, require_chromium
from support.live_page import LivePage, live_page
from support.simulated import simulated

from asha_bus import Result, TrialState
from asha_bus.page.document import run_document, summary_document, trial_document

#: The same run at three moments.
EARLY, LATER, ENDED = (simulated(200, until=until) for until in (60.0, 200.0, float("inf")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    require_chromium()
    with chromium() as found:
        yield found


@pytest.fixture
def live() -> Iterator[LivePage]:
    with live_page() as server:
        server.greeting = [
            ("run", run_document(EARLY)),
            ("summary", summary_document(EARLY, workers=8)),
        ]
        yield server


@pytest.fixture
def opened(browser: Any, live: LivePage) -> Iterator[Watched]:
    watched = Watched(browser)
    watched.page.goto(live.url)
    watched.page.locator("#trials").scroll_into_view_if_needed()
    watched.wait("document.querySelectorAll('#body tr[data-id]').length > 5")
    yield watched
    watched.close()
    assert {live.url, f"{live.url}events"} >= {
        url for url in watched.requests if "/explain/" not in url
    }


def changed(before: Result, after: Result) -> list[Any]:
    """The documents of the trials that differ."""
    old = {trial.id: trial for trial in before.trials}
    return [
        trial_document(trial, after.space) for trial in after.trials if old.get(trial.id) != trial
    ]


def update(live: LivePage, before: Result, after: Result) -> None:
    live.send("trials", changed(before, after))
    live.send("summary", summary_document(after, workers=8))


def states(result: Result) -> set[str]:
    return {f"{state} {count}" for state, count in result.counts.items() if count}


def shows(watched: Watched, result: Result) -> None:
    """The page shows ``result``: head, table and what the charts are drawn of."""
    watched.wait(f"byId('shown').textContent.startsWith('{len(result.trials)} of')")
    assert states(result) == set(watched.texts("#states li"))
    assert result.best is not None
    assert str(result.best.id) == watched.column("id")[0]
    held = watched.page.evaluate("run.trials.map((t) => [t.id, t.state, t.points])")
    assert [
        [trial.id, str(trial.state), [x for point in trial.curve for x in point]]
        for trial in result.trials
    ] == held


def test_it_follows_the_run_to_its_end(opened: Watched, live: LivePage) -> None:
    shows(opened, EARLY)
    assert "going on" == opened.text("#status")
    update(live, EARLY, LATER)
    shows(opened, LATER)
    update(live, LATER, ENDED)
    live.send("end", summary_document(ENDED))
    opened.wait("byId('status').textContent === 'ended by max_trials'")
    shows(opened, ENDED)
    live.drop()
    opened.page.wait_for_timeout(500)  # it would come again within 100 ms
    assert 1 == live.connections
    assert opened.page.is_hidden("#banner")
    assert [] == opened.complaints


def test_what_the_user_chose_stays(opened: Watched, live: LivePage) -> None:
    stopped = next(trial for trial in EARLY.trials if trial.state is TrialState.STOPPED)
    live.explained = {stopped.id: "the only telling"}
    opened.page.fill("#filter", f"id={stopped.id}")
    opened.page.click("#body tr[data-id]")
    opened.wait("byId('detail').innerText.includes('the only telling')")
    update(live, EARLY, ENDED)
    opened.wait("byId('shown').textContent === '1 of 200 trials'")
    assert f"Trial {stopped.id}" == opened.text("#detail h3 >> nth=0")
    assert 1 == sum("/explain/" in url for url in opened.requests)
    assert [] == opened.complaints


def test_the_chosen_trial_is_told_anew_when_it_changes(opened: Watched, live: LivePage) -> None:
    running = next(trial for trial in EARLY.trials if trial.state is TrialState.RUNNING)
    live.explained = {running.id: "it runs"}
    opened.page.fill("#filter", f"id={running.id}")
    opened.page.click("#body tr[data-id]")
    opened.wait("byId('detail').innerText.includes('it runs')")
    live.explained = {running.id: "it ended"}
    update(live, EARLY, ENDED)
    opened.wait("byId('detail').innerText.includes('it ended')")


def test_a_lost_connection_is_said_and_comes_back(opened: Watched, live: LivePage) -> None:
    live.greeting = [("run", run_document(LATER)), ("summary", summary_document(LATER))]
    opened.page.evaluate(
        "void new MutationObserver("
        "() => { window.said = byId('banner').textContent || window.said; }"
        ").observe(byId('banner'), { childList: true })"
    )
    live.drop()
    opened.wait(f"run.trials.length === {len(LATER.trials)}")
    shows(opened, LATER)
    assert "The connection to the run is lost" in opened.page.evaluate("window.said")
    assert opened.page.is_hidden("#banner")
    assert 2 == live.connections


def test_a_server_that_refuses_is_asked_again(opened: Watched, live: LivePage) -> None:
    live.greeting = [("run", run_document(LATER))]
    live.refusals = 1  # which the browser takes as final
    live.drop()
    opened.wait(f"run.trials.length === {len(LATER.trials)}")
    assert 3 == live.connections


def test_an_explanation_that_is_not_there_is_said(opened: Watched, live: LivePage) -> None:
    opened.page.fill("#filter", "id=1")
    opened.page.click("#body tr[data-id]")
    opened.wait("byId('detail').innerText.includes('the server answered 500')")
