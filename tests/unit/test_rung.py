"""The rung: who may go on, worked out by hand."""

from __future__ import annotations

from math import inf

import pytest

from asha_bus.core.pseudorandom import mix
from asha_bus.core.schedulers.rung import Entry, Rung


def enter_all(rung: Rung, *keys: tuple[float, int] | float) -> list[bool]:
    """Enter metrics (with lots, where they matter); who goes on."""
    verdicts = []
    for number, key in enumerate(keys):
        metric, lot = key if isinstance(key, tuple) else (key, number)
        verdicts.append(rung.enter(metric, lot).goes_on)
        rung.validate()
    return verdicts


def test_the_first_goes_on_and_sets_the_cutoff() -> None:
    assert Entry(n=1, keep=1, cutoff=0.7, goes_on=True) == Rung(1, eta=3).enter(0.7, lot=0)


def test_an_entry_goes_on_only_among_the_best_third() -> None:
    rung = Rung(1, eta=3)
    entries = [rung.enter(metric, lot=0) for metric in (0.5, 0.4, 0.6, 0.45, 0.3, 0.42, 0.41)]
    assert [
        Entry(1, 1, 0.5, True),
        Entry(2, 1, 0.4, True),  # better than the only one kept
        Entry(3, 1, 0.4, False),
        Entry(4, 1, 0.4, False),
        Entry(5, 1, 0.3, True),
        Entry(6, 2, 0.4, False),  # two go on now: 0.3 and 0.4
        Entry(7, 2, 0.4, False),
    ] == entries


def test_a_free_place_goes_to_the_best_of_the_rest() -> None:
    rung = Rung(1, eta=2)
    assert [True, False, False] == enter_all(rung, 0.1, 0.2, 0.3)
    # four entries keep two: 0.2, stopped long ago, holds the second place
    assert Entry(4, 2, 0.2, False) == rung.enter(0.25, lot=0)


def test_the_entry_that_brings_a_free_place_may_take_it() -> None:
    rung = Rung(1, eta=2)
    enter_all(rung, 0.1, 0.3, 0.4)
    assert Entry(4, 2, 0.2, True) == rung.enter(0.2, lot=0)


@pytest.mark.parametrize(("lot", "goes_on"), [(4, True), (6, False)])
def test_a_tie_is_broken_by_the_smaller_lot(lot: int, goes_on: bool) -> None:
    rung = Rung(1, eta=3)
    rung.enter(0.5, lot=5)
    assert goes_on is rung.enter(0.5, lot).goes_on


def test_on_a_plateau_about_one_in_eta_goes_on() -> None:
    rung = Rung(1, eta=3)
    went_on = sum(rung.enter(0.5, mix(1, trial, 0)).goes_on for trial in range(3_000))
    assert 900 <= went_on <= 1_100


def test_the_quorum_lets_the_first_arrivals_go_on() -> None:
    assert [True, True, True, False] == enter_all(Rung(1, eta=3, quorum=3), 0.1, 0.2, 0.3, 0.4)


def test_a_metric_that_is_not_finite_never_continues_but_counts() -> None:
    rung = Rung(1, eta=2, quorum=5)
    assert Entry(n=1, keep=1, cutoff=inf, goes_on=False) == rung.enter(inf, lot=0)
    assert Entry(n=2, keep=1, cutoff=0.5, goes_on=True) == rung.enter(0.5, lot=1)


def test_a_failed_measure_among_numbers_moves_nobody() -> None:
    rung = Rung(1, eta=2)
    assert [True, False, False] == enter_all(rung, 1.0, inf, 2.0)
    worse, better = Rung(1, eta=2), Rung(1, eta=2)
    for metric in (1.0, inf, 2.0):
        worse.enter(metric, lot=0)
        better.enter(metric, lot=0)
    assert Entry(4, 2, 2.0, False) == worse.enter(10.0, lot=0)
    assert Entry(4, 2, 1.0, True) == better.enter(0.5, lot=0)


def test_minus_zero_ties_with_zero() -> None:
    rung = Rung(1, eta=2)
    rung.enter(0.0, lot=1)
    assert rung.enter(-0.0, lot=0).goes_on
    assert not rung.enter(-0.0, lot=2).goes_on


def test_mix_is_fixed_for_ever() -> None:
    # other numbers would give other lots and draws to a run that is resumed
    assert [0xE220A8397B1DCDAF, 0x910A2DEC89025CC1] == [mix(0), mix(1)]
    assert mix(7, 3, 1) == mix(7, 3, 1)


def test_mix_distinguishes_order_and_length() -> None:
    assert 4 == len({mix(1, 2), mix(2, 1), mix(1, 2, 0), mix(12)})


@pytest.mark.parametrize("number", [-1, 2**64 - 1, 10**40])
def test_mix_takes_any_whole_number(number: int) -> None:
    assert 0 <= mix(number, 5) < 2**64
