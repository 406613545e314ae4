"""The best keys in two heaps, against a sorted list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asha_bus.core.schedulers.best import Best
from asha_bus.core.schedulers.configuration import Configuration, Key
from asha_bus.core.schedulers.plan import PlanRung

#: Few distinct metrics: often the lots decide.
METRICS = st.sampled_from([-1.0, 0.0, 0.5, 1.0, float("inf")])


@given(st.lists(st.tuples(METRICS, st.integers(0, 3), st.integers(0, 8)), max_size=60))
def test_the_kept_ones_are_those_of_the_sorted_list(steps: list[tuple[float, int, int]]) -> None:
    best = Best()
    keys: list[Key] = []
    places = 0
    for number, (metric, lot, more_or_less) in enumerate(steps):
        key = (metric, lot, number)
        before = sorted(keys)[:places]
        keys.append(key)
        out = best.enter(key)
        assert out == sorted([*before, key])[-1], "the worst of those with a place, or the new one"
        places = min(more_or_less, len(keys))
        kept = sorted([*before, key])[:-1]
        gained = best.keep(places)
        expected = sorted(keys)[:places]
        assert [one for one in expected if one not in kept] == gained
        assert set(expected) == best.all_kept()
        assert (expected[-1] if expected else None) == best.worst
        assert [one in expected for one in keys] == [one in best for one in keys]
        assert places == len(best)
        best.validate(len(keys))


@given(
    st.lists(st.tuples(METRICS, st.integers(0, 3), st.booleans(), st.booleans()), max_size=40),
    st.integers(0, 12),
    st.integers(0, 12),
)
def test_a_rung_decides_by_rank(
    steps: list[tuple[float, int, bool, bool]], keep: int, more: int
) -> None:
    rung = PlanRung(1.0, keep)
    keys: list[Key] = []
    undecided: set[Key] = set()
    for number, (metric, lot, frees, decides) in enumerate(steps):
        key = (metric, lot, number)
        keys.append(key)
        undecided.add(key)
        rung.rank(key, Configuration(number, (number,)))
        if frees:
            rung.free()
        last = sorted(keys)[: rung.places][-1:]
        assert rung.cutoff == (last[0][0] if last else float("inf"))
        if not decides:
            continue
        outstanding = len(steps) + more - len(keys)
        rank = {one: place for place, one in enumerate(sorted(keys))}
        stops = [one for one in sorted(undecided) if rank[one] >= rung.places]
        goes_on = [one for one in sorted(undecided) if rank[one] + outstanding < rung.places]
        undecided -= {*stops, *goes_on}
        stopped, going_on = rung.decide(outstanding)
        assert [one[2] for one in reversed(stops)] == [one.number for one in stopped]
        assert [one[2] for one in goes_on] == [one.number for one in going_on]
        assert undecided == set(rung.undecided)
        rung.validate()


def test_a_rung_that_expects_any_number_lets_nobody_go_on_yet() -> None:
    rung = PlanRung(1.0, 1)
    rung.rank((0.5, 0, 0), Configuration(0, (0,)))
    assert ([], []) == rung.decide(float("inf"))
    assert [0] == [one.number for one in rung.decide(0)[1]]


def test_validate_finds_a_key_in_the_wrong_heap() -> None:
    best = Best()
    best.enter((0.5, 0, 0))
    with pytest.raises(AssertionError):
        best.validate(2)
    best.keep(1)
    best._rest.append((0.25, 0, 1))
    with pytest.raises(AssertionError):
        best.validate(2)
