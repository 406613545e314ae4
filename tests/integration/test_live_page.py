"""The live page of real runs: what its server sends, to whom, and what happens at the end."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from lib.processes import free_port
from lib.results import simulated
from support import objectives
from support.live import ScriptedPage, start, watch
from support.processes import wait_until

import asha_bus as ab
from asha_bus.monitors.page import Page
from asha_bus.page.document import TRIAL_FIELDS, trial_document


class Event(NamedTuple):
    name: str
    data: Any


class Browser:
    """Reads what a browser would be sent."""

    def __init__(self, url: str | None, host: str | None = None) -> None:
        assert url is not None
        self.netloc = urlsplit(url).netloc
        self.headers = {"Host": host or self.netloc}
        self._open: list[tuple[http.client.HTTPConnection, http.client.HTTPResponse]] = []

    def get(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.netloc, timeout=20)
        connection.request("GET", path, headers=self.headers)
        answer = connection.getresponse()
        self._open.append((connection, answer))
        return answer

    def events(self) -> Iterator[Event]:
        """Until the server ends the stream."""
        answer = self.get("/events")
        assert (200, "text/event-stream") == (answer.status, answer.headers["Content-Type"])
        name = ""
        for line in answer:
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                name = text.removeprefix("event: ")
            elif text.startswith("data: "):
                yield Event(name, json.loads(text.removeprefix("data: ")))

    def close(self) -> None:
        for connection, answer in self._open:
            answer.close()
            connection.close()
        self._open.clear()


Browse = Callable[..., Browser]


@pytest.fixture
def browse() -> Iterator[Browse]:
    """Opens browsers that are closed at the end."""
    with ExitStack() as opened:

        def browse(url: str | None, host: str | None = None) -> Browser:
            return opened.enter_context(closing(Browser(url, host)))

        yield browse


def held_at_the_end(events: list[Event]) -> dict[int, list[Any]]:
    """The documents of the trials that a page holds after ``events``, by number."""
    held = {row[0]: row for row in events[0].data["trials"]}
    for event in events[1:]:
        if event.name == "trials":
            held.update((row[0], row) for row in event.data)
    return held


def test_the_events_describe_the_whole_run(browse: Browse) -> None:
    run = start()
    browser = browse(run.page_url)
    events = list(browser.events())
    result = run.result(timeout=60)
    assert "run" == events[0].name
    assert "end" == events[-1].name
    held = held_at_the_end(events)
    expected = {t.id: trial_document(t, result.space) for t in result.trials}
    where = TRIAL_FIELDS.index("curve")  # the page keeps what it has seen of that
    assert without(expected, where) == without(held, where)
    summary = events[-1].data
    assert "max_trials" == summary["reason"]
    assert {str(state): count for state, count in result.counts.items()} == summary["states"]
    assert result.best is not None
    assert result.best.id == summary["best"]
    assert any(event.name == "summary" for event in events)


def without(rows: dict[int, list[Any]], field: int) -> dict[int, list[Any]]:
    plain = json.loads(json.dumps(list(rows.values())))
    return {row[0]: [value for at, value in enumerate(row) if at != field] for row in plain}


def test_the_page_can_be_opened_after_the_end_and_explains(browse: Browse) -> None:
    run = start(objectives.slope)
    result = run.result(timeout=60)
    browser = browse(run.page_url)
    page = browser.get("/").read().decode()
    assert "<title>" in page
    assert run.name in page
    names = [event.name for event in browser.events()]
    assert ["run", "end"] == names
    answer = browser.get("/explain/3")
    assert result.explain(3) == answer.read().decode()
    assert 404 == browser.get("/explain/999").status
    assert 404 == browser.get("/nothing").status


def test_only_this_machines_own_names_are_answered(browse: Browse) -> None:
    run = start(objectives.slope)
    run.result(timeout=60)
    for path in ("/", "/events", "/explain/0"):
        assert 403 == browse(run.page_url, host="tuning.example.org").get(path).status
    port = urlsplit(run.page_url or "").port
    assert 200 == browse(run.page_url, host=f"localhost:{port}").get("/").status


def test_a_browser_that_goes_away_harms_nobody(browse: Browse) -> None:
    run = start()
    gone, stays = browse(run.page_url), browse(run.page_url)
    stream = gone.events()
    next(stream)
    events = stays.events()
    next(events)
    gone.close()
    assert "end" == list(events)[-1].name
    assert 30 == len(run.result(timeout=60).trials)


def test_a_page_that_ended_makes_room_for_the_next(browse: Browse) -> None:
    first = start(objectives.slope)
    first.result(timeout=60)
    port = urlsplit(first.page_url or "").port
    second = start(objectives.slope, page=port)
    assert first.page_url == second.page_url
    second.result(timeout=60)
    third = start(objectives.slope)
    third.result(timeout=60)
    with pytest.raises(OSError, match="refused"):
        browse(second.page_url).get("/")
    assert 200 == browse(third.page_url).get("/").status


def test_a_port_that_is_taken_or_none_is_an_error_that_names_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ab.InvalidArgument, match=rf"page={port}: cannot listen"):
            start(page=port)
    for value in (65_536, -1, "yes", None):
        with pytest.raises(ab.InvalidArgument, match="page must be True, False or a port"):
            start(page=value)


def test_a_launch_that_fails_leaves_no_page() -> None:
    port = free_port()
    with pytest.raises(ab.BusError, match="could not listen"):
        start(page=port, bus=ab.BusOptions(host="203.0.113.1"))
    Page("again", port).close()


def test_a_page_that_is_closed_lets_its_browsers_go(browse: Browse) -> None:
    page = ScriptedPage(simulated(20), {})
    events = browse(page.server.url).events()
    assert "run" == next(events).name
    page.die()
    assert "run" not in [event.name for event in events]  # it comes to an end
    assert not [t for t in threading.enumerate() if t.name == "asha-bus-page-scripted"]


# --- asha-bus watch ----------------------------------------------------------


def test_a_journal_is_watched_while_its_run_goes_on(tmp_path: Path, browse: Browse) -> None:
    journal = tmp_path / "journal"
    run = start(page=False, journal=journal, name="watched", max_trials=10_000)
    wait_until(lambda: run.status()["trials"] > 6)
    with watch(journal) as watching:
        assert watching.stdout is not None
        url = watching.stdout.readline().split()[1]
        os.kill(run.bus_pid, signal.SIGKILL)
        browser = browse(url)
        run.stop()
        events = list(browser.events())
        result = run.result(timeout=60)
        held = held_at_the_end(events)
        state = TRIAL_FIELDS.index("state")
        assert {t.id: str(t.state) for t in result.trials} == {n: r[state] for n, r in held.items()}
        assert ("end", "stopped") == (events[-1].name, events[-1].data["reason"])
        assert result.explain(5) == browser.get("/explain/5").read().decode()
        assert "has ended" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert 0 == watching.wait(10)


def test_a_journal_that_cannot_be_watched_is_reported(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    start(objectives.slope, page=False, journal=journal).result(timeout=60)
    data = bytearray(journal.read_bytes())
    damaged = tmp_path / "damaged"
    data[len(data) // 2] ^= 0xFF
    damaged.write_bytes(data)
    for path, status, words in (
        (tmp_path / "none", 2, "cannot be read: No such file"),
        (damaged, 1, "is damaged"),
        (Path(__file__), 1, "is not an asha-bus journal"),
    ):
        with watch(path) as watching:
            _, errors = watching.communicate(timeout=30)
        assert status == watching.returncode, errors
        assert words in errors
