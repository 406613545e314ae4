"""Leases: who has been heard of lately."""

from __future__ import annotations

from asha_bus.core.lease import Leases


def test_a_lease_ends_after_its_duration() -> None:
    leases = Leases(60.0)
    leases.renew("a", 100.0)
    assert 160.0 == leases.next_deadline()
    assert [] == leases.expired(159.9)
    assert ["a"] == leases.expired(160.0)
    assert [] == leases.expired(1_000.0)  # told once


def test_a_renewed_lease_has_its_full_duration() -> None:
    leases = Leases(60.0)
    leases.renew("a", 0.0)
    leases.renew("a", 50.0)
    assert [] == leases.expired(60.0)
    assert 110.0 == leases.next_deadline()
    assert ["a"] == leases.expired(110.0)


def test_the_earliest_expire_first() -> None:
    leases = Leases(10.0)
    for holder, now in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
        leases.renew(holder, now)
    assert ["a", "b"] == leases.expired(12.0)
    assert 13.0 == leases.next_deadline()


def test_a_dropped_lease_never_expires() -> None:
    leases = Leases(10.0)
    leases.renew("a", 0.0)
    leases.drop("a")
    assert [] == leases.expired(100.0)


def test_dropping_an_unknown_holder_is_no_error() -> None:
    leases = Leases(10.0)
    leases.drop("nobody")
    assert None is leases.next_deadline()


def test_a_holder_that_comes_back_expires_once() -> None:
    leases = Leases(10.0)
    leases.renew("a", 0.0)
    leases.drop("a")
    leases.renew("a", 5.0)
    assert [] == leases.expired(10.0)
    assert ["a"] == leases.expired(15.0)
    assert [] == leases.expired(100.0)
    leases.renew("a", 200.0)
    assert ["a"] == leases.expired(210.0)


def test_leases_do_not_expire_while_the_bus_is_suspended() -> None:
    leases = Leases(60.0)
    leases.renew("a", 0.0)
    leases.stalled(100.0)
    assert 160.0 == leases.next_deadline()
    assert [] == leases.expired(159.9)
    leases.renew("b", 120.0)  # whoever is heard after the stall gets no more for it
    assert ["a"] == leases.expired(160.0)
    assert [] == leases.expired(179.9)
    assert ["b"] == leases.expired(180.0)


def test_coming_and_going_leaves_nothing_behind() -> None:
    leases = Leases(10.0)
    for _ in range(100):
        leases.renew("a", 0.0)
        leases.drop("a")
    assert 1 == len(leases._heap)
    assert [] == leases.expired(10.0)
    assert (0, set()) == (len(leases._heap), leases._in_heap)
