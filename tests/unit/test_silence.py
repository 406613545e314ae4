"""How long a process was silent: time in which nobody ran does not count."""

from __future__ import annotations

from typing import cast

import pytest

from asha_bus.driver import silence
from asha_bus.driver.bus_process import BusProcess
from asha_bus.driver.restarts import APART_S, MAX_FRUITLESS, Restarts


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


class Bus:
    pid = 7
    kills = 0

    def kill(self) -> None:
        self.kills += 1


def test_a_pause_of_this_process_counts_for_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, bus = Clock(), Bus()
    monkeypatch.setattr(silence, "time", clock)
    watchdog = silence.Watchdog(8.0)  # it has four seconds
    for _ in range(8):
        clock.now += 0.25
        assert not watchdog.look(cast(BusProcess, bus), 0.0, waits=True)
    clock.now += 3_600  # the lid was closed
    assert not watchdog.look(cast(BusProcess, bus), 0.0, waits=True)
    assert (0, 3.0) == (bus.kills, watchdog.running_s)
    for _ in range(5):
        clock.now += 0.25
        assert not watchdog.look(cast(BusProcess, bus), 0.0, waits=True)
    assert 1 == bus.kills


def test_only_fruitless_restarts_in_a_row_are_in_vain() -> None:
    restarts = Restarts()
    for _ in range(10 * MAX_FRUITLESS):
        assert 0.1 == restarts.next_pause_s()
        assert not restarts.is_in_vain
        restarts.of_use()
    pauses = [restarts.next_pause_s() for _ in range(MAX_FRUITLESS)]
    assert [0.1, 0.2, 0.4, 0.8, 1.6] == pytest.approx(pauses)
    assert not restarts.is_in_vain
    restarts.next_pause_s()
    assert restarts.is_in_vain
    assert 10.0 == [restarts.next_pause_s() for _ in range(2_000)][-1]


def test_ends_that_are_far_apart_do_not_add_up() -> None:
    restarts = Restarts()
    for number in range(10 * MAX_FRUITLESS):
        restarts.next_pause_s(number * (APART_S + 1.0))
        assert not restarts.is_in_vain
    for _ in range(MAX_FRUITLESS + 1):
        restarts.next_pause_s(number * (APART_S + 1.0) + APART_S)
    assert restarts.is_in_vain
