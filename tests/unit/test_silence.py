"""How long a process was silent: time in which nobody ran does not count."""

from __future__ import annotations

import pytest

from asha_bus.driver import silence
from asha_bus.driver.restarts import MAX_FRUITLESS, Restarts


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_a_pause_of_this_process_counts_for_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(silence, "time", clock)
    waiting = silence.Silence()
    for _ in range(8):
        clock.now += 0.25
        found = waiting.look()
    assert 2.0 == found
    clock.now += 3_600  # the lid was closed
    assert 3.0 == waiting.look()
    waiting.end()
    clock.now += 0.25
    assert 0.25 == waiting.look()


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
