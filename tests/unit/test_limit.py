"""The limit of one attempt, and the interrupt that it causes; the clock is moved by hand."""

from __future__ import annotations

import threading

import pytest

from asha_bus.core.messages import Interrupt
from asha_bus.executor.interrupt import Interrupter, TrialInterrupted
from asha_bus.executor.limit import GRACE_S, TimeLimit


def limit_of(trial: int = 0, began: float = 100.0) -> TimeLimit:
    return TimeLimit(trial, 1, 10.0, began)


def test_a_limit_is_over_after_its_seconds_and_ignored_after_the_grace() -> None:
    limit = limit_of()
    assert not limit.wants_interrupt(109.9)
    assert not limit.is_ignored(109.9)
    assert limit.wants_interrupt(110.0)
    assert not limit.is_ignored(110.0 + GRACE_S - 0.1)
    assert limit.is_ignored(110.0 + GRACE_S)


def test_the_grace_begins_with_the_interrupt_that_was_tried_last() -> None:
    limit = limit_of()
    assert limit.wants_interrupt(110.0)
    limit.missed()
    assert not limit.is_ignored(500.0)
    assert limit.wants_interrupt(500.0)
    assert not limit.is_ignored(500.0)
    assert limit.is_ignored(500.0 + GRACE_S)


def test_an_objective_is_interrupted_once() -> None:
    with Interrupter() as interrupter:
        interrupter.limit = limit_of()
        interrupter.armed = True
        interrupter.tick(109.0)
        with pytest.raises(TrialInterrupted, match="trial_timeout"):
            interrupter.tick(110.0)
        assert interrupter.limit.is_over
        assert not interrupter.armed
        interrupter.armed = True  # its clean-up reported
        interrupter.tick(111.0)
        assert interrupter.limit.is_ignored(110.0 + GRACE_S)


def test_a_trial_that_talks_to_the_bus_is_interrupted_afterwards() -> None:
    with Interrupter() as interrupter:
        interrupter.limit = limit_of()
        interrupter.tick(110.0)  # not armed
        assert not interrupter.limit.is_over
        interrupter.armed = True
        with pytest.raises(TrialInterrupted):
            interrupter.tick(111.0)


def test_a_late_interrupt_does_not_affect_the_next_trial() -> None:
    with Interrupter() as interrupter:
        late, following = limit_of(0), limit_of(1, began=110.0)
        interrupter.limit, interrupter.armed = following, True
        interrupter._interrupt(late)
        assert interrupter.armed
        assert not late.is_over
        assert not following.is_over


def test_the_end_of_the_run_interrupts_whatever_the_limit() -> None:
    with Interrupter() as interrupter:
        interrupter.limit, interrupter.armed = limit_of(), True
        interrupter.order(Interrupt(1.0, 1e6), 100.0)
        with pytest.raises(TrialInterrupted, match="the run has ended"):
            interrupter.tick(101.0)
        assert not interrupter.limit.is_over


def test_a_thread_other_than_the_main_one_is_interrupted() -> None:
    caught: list[BaseException] = []
    ready, due = threading.Event(), threading.Event()
    interrupters: list[Interrupter] = []

    def objective() -> None:
        interrupter = Interrupter()
        interrupter.limit, interrupter.armed = limit_of(), True
        interrupters.append(interrupter)
        ready.set()
        try:
            due.wait(60)
            for _ in range(1_000):
                pass
        except TrialInterrupted as error:
            caught.append(error)

    thread = threading.Thread(target=objective)
    thread.start()
    assert ready.wait(60)
    interrupters[0].tick(110.0)
    due.set()
    thread.join(60)
    assert [TrialInterrupted] == [type(error) for error in caught]
    assert interrupters[0].limit is not None
    assert interrupters[0].limit.is_over


def test_the_failure_says_where_the_objective_was_and_what_to_do() -> None:
    text = limit_of().failure_of(threading.get_ident())
    assert "test_the_failure_says_where_the_objective_was" in text
    last = text.splitlines()[-1]
    assert "ran longer than trial_timeout=10 s; raise trial_timeout, or have" in last
    assert "did not end within 5 s of its interrupt" in last
