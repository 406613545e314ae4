"""Which configurations may be drawn before the user's process has seen how trials ended."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.plans import plan_for
from support.processes import wait_until

import asha_bus as ab
from asha_bus.core.events import FallbackDrawn, RequestSuggestions, RequestValue, Suggested
from asha_bus.core.trial import Trial, TrialRow, TrialState
from asha_bus.driver.gate import Gate
from asha_bus.driver.searcher_client import DrawHere, Drawn

S = TrialState


def row(number: int, state: TrialState = S.COMPLETED) -> TrialRow:
    trial = Trial(number, (0.25,), 1, state=state)
    trial.metric, trial.resource = 0.5, 1
    return trial.to_row()


class Opened:
    """A gate, what it gave to the bus, and the trials that wait for a word on them."""

    def __init__(self, **settings: int) -> None:
        self.given: list[Drawn] = []
        self.failures: list[str] = []
        self.seen: list[int] = []
        #: What `after` returns, one for each trial that has ended.
        self.words: queue.SimpleQueue[bool] = queue.SimpleQueue()
        plan = plan_for(lambda x: x, ab.Space(x=ab.uniform(0, 1)), max_trials=50)
        self.workers = settings.get("workers", 1)
        self.gate = Gate(
            DrawHere(plan.search),
            self._after,
            workers=lambda: self.workers,
            repeats=settings.get("repeats", 1),
        )

    def _after(self, row: TrialRow) -> bool:
        self.seen.append(row.id)
        return self.words.get(timeout=30)

    @property
    def numbers(self) -> list[int]:
        """The configurations that the bus has got."""
        return [one.first for one in self.given if isinstance(one, Suggested)]

    def end(self, number: int, word: bool = False) -> None:
        """A trial ends, of which `after` says ``word``."""
        self.gate.observe(row(number))
        self.words.put(word)


@contextmanager
def opened(**settings: int) -> Iterator[Opened]:
    one = Opened(**settings)
    one.gate.open(one.given.append, one.failures.append)
    try:
        yield one
    finally:
        one.words.put(True)  # nothing waits any more
        one.gate.close()
    assert [] == one.failures


def settle(one: Opened) -> None:
    """Wait until the gate has dealt with all its news."""
    one.gate._rows.put(None)
    assert one.gate._thread is not None
    one.gate._thread.join(30)
    assert not one.gate._thread.is_alive()


def test_each_worker_is_one_trial_ahead() -> None:
    with opened(workers=2) as one:
        one.gate.request(RequestSuggestions(0, 40))
        assert [0, 1] == one.numbers
        one.end(1)
        one.end(0)
        one.end(2)
        settle(one)
        assert [0, 1, 2, 3, 4] == one.numbers
        assert [1, 0, 2] == one.seen


def test_workers_that_come_and_go_change_how_many_may_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("asha_bus.driver.gate._POLL_S", 0.001)
    with opened() as one:
        one.gate.request(RequestSuggestions(0, 9))
        assert [0] == one.numbers
        one.workers = 3  # while no trial ends
        wait_until(lambda: [0, 1, 2] == one.numbers)
        one.workers = 1
        one.end(0)
        one.end(1)
        settle(one)
        assert [0, 1, 2] == one.numbers


def test_the_gate_stays_shut() -> None:
    with opened() as one:
        one.gate.request(RequestSuggestions(0, 40))
        one.end(0)
        one.end(1, word=True)
        one.end(2)
        settle(one)
        assert [0, 1] == one.seen == one.numbers


def test_a_request_that_comes_later_is_let_through_at_once() -> None:
    with opened() as one:
        one.gate.request(RequestSuggestions(0, 1))
        one.end(0)
        settle(one)
        assert [0] == one.numbers
        one.gate.request(RequestSuggestions(1, 1))
        assert [0, 1] == one.numbers


def test_a_bus_that_tells_and_asks_again_changes_nothing() -> None:
    with opened() as one:
        one.gate.request(RequestSuggestions(0, 3))
        one.end(0)
        one.gate.observe(row(0))
        settle(one)
        one.gate.request(RequestSuggestions(1, 2))  # of which 1 was lost on its way
        assert [0, 1, 1] == one.numbers
        assert [0] == one.seen


def test_trials_that_run_or_pause_are_not_shown() -> None:
    with opened() as one:
        one.gate.request(RequestSuggestions(0, 9))
        one.gate.observe(row(0, S.RUNNING))
        one.gate.observe(row(0, S.PAUSED))
        one.gate.observe(row(1, S.PAUSED))
        one.end(0)  # which let another one begin when it paused
        settle(one)
        assert [0, 1, 2] == one.numbers
        assert [0] == one.seen


def test_the_repeats_of_a_configuration_count() -> None:
    with opened(repeats=3, workers=2) as one:
        one.gate.request(RequestSuggestions(0, 9))
        assert [0] == one.numbers
        one.end(0)
        one.end(1)
        settle(one)
        assert [0, 1] == one.numbers


def test_nobody_is_late_while_the_gate_is_shut() -> None:
    with opened() as one:
        one.gate.request(RequestSuggestions(0, 2))
        one.gate.request(RequestSuggestions(1, 1, is_fallback=True))
        one.gate.request(RequestSuggestions(0, 1, is_fallback=True))
        kinds: list[Any] = [(type(given), given) for given in one.given]
        assert [Suggested, FallbackDrawn] == [kind for kind, _ in kinds]
        assert 0 == kinds[1][1].number


def test_what_was_drawn_is_counted() -> None:
    with opened(workers=2) as one:
        one.gate.request(RequestSuggestions(0, 9))
        assert (2, 2) == one.gate.tally[:2]


def test_a_failure_of_after_ends_the_run() -> None:
    one = Opened()

    def broken(row: TrialRow) -> bool:
        raise ZeroDivisionError("in after")

    gate = Gate(one.gate._suggester, broken, workers=lambda: 1, repeats=1)
    gate.open(one.given.append, one.failures.append)
    gate.observe(row(0))
    assert gate._thread is not None
    gate._thread.join(30)
    gate.close()
    [why] = one.failures
    assert "in after" in why


def test_a_request_of_a_trial_that_runs_is_never_held_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[RequestValue] = []
    one = Opened()
    monkeypatch.setattr(one.gate._suggester, "draw", asked.append)
    one.gate.draw(RequestValue(0, "lr", "{}"))
    assert [RequestValue(0, "lr", "{}")] == asked


def test_a_searcher_without_names_says_so() -> None:
    with opened() as one:
        one.gate.draw(RequestValue(3, "lr", "{}"))
        assert ["trial 3 asks for 'lr', but this searcher draws no values by name"] == one.failures
        one.failures.clear()
