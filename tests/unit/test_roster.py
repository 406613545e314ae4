"""The roster of workers."""

from __future__ import annotations

import pytest

from asha_bus.core import messages as m
from asha_bus.core.roster import Roster, WorkerRecord


@pytest.fixture
def roster() -> Roster:
    return Roster(lease_s=60.0, heartbeat_s=5.0)


def join(roster: Roster, name: str, slot: str, now: float = 0.0) -> WorkerRecord:
    return roster.join(name, m.Hello(1, "run", slot, "host", 99), now)


def test_a_worker_is_found_by_name_and_by_slot(roster: Roster) -> None:
    worker = join(roster, "a", "0.1")
    assert worker is roster.get("a")
    assert worker is roster.at("0.1")
    assert (None, None) == (roster.get("b"), roster.at("0.2"))
    assert ("host", 99, 1) == (worker.host, worker.pid, worker.seq)


def test_a_slot_belongs_to_its_last_worker(roster: Roster) -> None:
    join(roster, "a", "0.1")
    second = join(roster, "b", "0.1")
    assert second is roster.at("0.1")
    assert None is not roster.get("a")


def test_a_worker_is_silent_after_three_missed_heartbeats(roster: Roster) -> None:
    worker = join(roster, "a", "0.1", now=10.0)
    assert not roster.is_silent(worker, 24.9)
    assert roster.is_silent(worker, 25.0)
    roster.hear(worker, 25.0)
    assert not roster.is_silent(worker, 26.0)


def test_leaving_ends_the_lease_and_the_next_message_renews_it(roster: Roster) -> None:
    worker = join(roster, "a", "0.1")
    worker.waiting = True
    roster.leave(worker)
    assert (False, False, 0) == (worker.active, worker.waiting, roster.active)
    assert [] == roster.leases.expired(1_000.0)
    roster.hear(worker, 1_000.0)
    assert 1 == roster.active
    assert ["a"] == roster.leases.expired(1_060.0)


def test_time_counts_from_a_workers_first_trial_on(roster: Roster) -> None:
    first, second = join(roster, "a", "0"), join(roster, "b", "1")
    join(roster, "never got one", "2")
    first.first_assigned, first.idle_before_s, first.idle_s = 10.0, 4.0, 6.0
    second.first_assigned, second.idle_before_s, second.idle_s = 20.0, 1.0, 1.5
    assert (2.5, 90.0 + 80.0) == roster.busy(100.0)


def test_a_worker_that_waits_is_idle(roster: Roster) -> None:
    worker = join(roster, "a", "0")
    worker.first_assigned, worker.idle_before_s, worker.idle_s = 10.0, 4.0, 6.0
    worker.waits_since = 70.0
    assert (2.0 + 30.0, 90.0) == roster.busy(100.0)


def test_time_ends_when_a_worker_that_left_was_last_heard(roster: Roster) -> None:
    worker = join(roster, "a", "0")
    worker.first_assigned = 10.0
    roster.hear(worker, 40.0)
    roster.leave(worker)
    assert (0.0, 30.0) == roster.busy(100.0)


@pytest.fixture
def room_for_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asha_bus.core.roster.MAX_WORKERS", 4)


@pytest.mark.usefixtures("room_for_four")
def test_the_worker_gone_for_longest_makes_room_for_a_new_one(roster: Roster) -> None:
    for number, name in enumerate("abcd"):
        assert roster.make_room()
        join(roster, name, f"0.{number}", now=float(number))
    for name in "cb":
        roster.leave(roster.workers[name])
    assert roster.make_room()
    join(roster, "e", "0.4", now=9.0)
    assert (["a", "b", "d", "e"], 5) == (list(roster.workers), roster.joined)
    assert (None, None) == (roster.get("c"), roster.at("0.2"))


@pytest.mark.usefixtures("room_for_four")
def test_a_worker_that_is_present_or_queued_is_never_forgotten(roster: Roster) -> None:
    for name in "abcd":
        join(roster, name, name)
    roster.leave(roster.workers["a"])
    roster.workers["a"].queued = True
    assert not roster.make_room()
    roster.workers["a"].queued = False
    assert roster.make_room()


@pytest.mark.usefixtures("room_for_four")
def test_a_slot_that_was_taken_again_outlives_its_former_worker(roster: Roster) -> None:
    for number, name in enumerate("abcd"):
        join(roster, name, "0.1", now=float(number))
    for name in "abc":
        roster.leave(roster.workers[name])
    assert roster.make_room()
    assert (None, roster.workers["d"]) == (roster.get("a"), roster.at("0.1"))


@pytest.mark.usefixtures("room_for_four")
def test_figures_of_forgotten_workers_still_count(roster: Roster) -> None:
    for name in "abcd":
        worker = join(roster, name, name)
        worker.first_assigned, worker.idle_s, worker.latency = 10.0, 2.0, {3: 1}
        roster.hear(worker, 30.0)
    roster.leave(roster.workers["a"])
    before = roster.busy(40.0), roster.latency()
    assert roster.make_room()
    assert None is roster.get("a")
    assert before == (roster.busy(40.0), roster.latency())
    assert ((8.0, 110.0), {3: 4}) == before
