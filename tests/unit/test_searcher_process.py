"""The process of a searcher that learns: in which order it takes what it is sent."""

from __future__ import annotations

import os
import pickle
from typing import Any

import pytest

from asha_bus import TPE, Space, uniform
from asha_bus.core.events import RequestValue
from asha_bus.core.trial import Trial
from asha_bus.driver.searcher_client import AskProcess
from asha_bus.driver.searcher_process import frames_of
from asha_bus.formats import pipe
from asha_bus.formats.named import BY_NAME
from asha_bus.formats.pipe import Given, Observe, Suggest
from asha_bus.searchers.adapter import Search


def test_given_points_are_read_before_waiting_requests() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as source, open(writing, "wb", buffering=0) as sink:

        def send(*frames: Any) -> None:
            for frame in frames:
                sink.write(pipe.encode(frame))

        frames = frames_of(source)
        told = Observe(Trial(0, (0.5,), 1).to_row())
        send(Suggest(0, 1), told, Suggest(1, 1), Given(0, (0.5,)))
        assert Given(0, (0.5,)) == next(frames)
        assert Suggest(0, 1) == next(frames)
        send(Given(1, (0.25,)), Suggest(2, 1))
        found = [type(next(frames)) for _ in range(4)]
        assert [Given, Observe, Suggest, Suggest] == found
        sink.close()
        assert [] == list(frames)


def test_questions_of_trials_come_before_suggestions_and_after_what_was_observed() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as source, open(writing, "wb", buffering=0) as sink:
        told = Observe(Trial(0, (0.5,), 1).to_row())
        asked = RequestValue(0, "lr", "{}")
        for frame in (Suggest(0, 1), told, Suggest(1, 1), asked):
            sink.write(pipe.encode(frame))
        frames = frames_of(source)
        found = [type(next(frames)) for _ in range(4)]
    assert [Observe, RequestValue, Suggest, Suggest] == found


def test_a_frame_of_any_size_is_read_whole() -> None:
    setup = pipe.SearcherSetup(b"x" * 3_000_000, ())
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        with open(writing, "wb") as sink:
            sink.write(pipe.encode(setup))
        os._exit(0)
    os.close(writing)
    with open(reading, "rb", buffering=0) as source:
        assert setup == pipe.read(source)
    os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("name", "words"),
    [("x", "gets a random configuration"), (BY_NAME, "begins without values, and asks for each")],
)
def test_a_late_searcher_is_warned_of_once(
    name: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    search = Search(TPE(), Space({name: uniform(0, 1)}), 1, "min")
    asked = AskProcess(search, pickle.dumps(search))
    asked.open(lambda drawn: None, pytest.fail)
    try:
        assert asked.fallback(3) is not None
        assert asked.fallback(4) is not None
    finally:
        asked.close()
    (record,) = caplog.records
    assert f"the searcher is late: trial 3 {words}" in record.getMessage()
