"""Time that a process ran, as opposed to time that passed."""

from __future__ import annotations

import threading

from asha_bus.core.running import LONGEST_STEP_S, RunningTime
from asha_bus.driver import patience
from asha_bus.executor.interrupt import Interrupter
from asha_bus.executor.limit import TimeLimit


def test_short_steps_count_in_full() -> None:
    running = RunningTime(100.0)
    assert [0.5, 1.0, 1.0] == [running.tick(now) for now in (100.5, 101.0, 101.0)]


def test_a_pause_counts_as_one_step() -> None:
    running = RunningTime(100.0)
    assert 0.5 == running.tick(100.5)
    assert 0.5 + LONGEST_STEP_S == running.tick(4_000.0)
    assert 0.75 + LONGEST_STEP_S == running.tick(4_000.25)


def test_a_long_step_in_which_the_process_computed_counts() -> None:
    running = RunningTime(100.0, 5.0)
    assert 70.0 == running.tick(170.0, 75.0)
    assert 70.0 + LONGEST_STEP_S == running.tick(270.0, 75.2)
    # eight threads use more processor time than passes
    assert 81.0 == running.tick(280.0, 155.2)


def test_a_pause_leaves_a_trial_its_time() -> None:
    interrupter = Interrupter()
    limit = TimeLimit(0, 1, 10.0, interrupter.now())
    interrupter._running = RunningTime(0.0)
    interrupter._running.tick(1_000_000.0)
    assert not limit.wants_interrupt(interrupter._running.seconds)


def test_a_wait_ends_with_its_event_or_its_time() -> None:
    event = threading.Event()
    assert not patience.wait_for(event, 0.05)
    threading.Timer(0.05, event.set).start()
    assert patience.wait_for(event, 60.0)


def test_a_wait_does_not_count_a_pause() -> None:
    class Paused(threading.Event):
        """The process stands still in the first wait; what it waits for comes right after."""

        waits = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.waits += 1
            return self.waits > 3

    assert patience.wait_for(Paused(), 30.0)
