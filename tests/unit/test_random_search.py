"""Random search: what a trial tries depends on the seed and its number only."""

from __future__ import annotations

from typing import Any

import pytest
from support.plans import plan_for

from asha_bus import RandomSearch, Space, choice, grid, loguniform, randint, uniform
from asha_bus.core.errors import InvalidArgument
from asha_bus.searchers.adapter import SearcherAdapter

SPACE = Space(a=uniform(0, 1), b=[loguniform(1e-4, 1), randint(1, 100)], c=choice("x", "y", "z"))


def points(search: RandomSearch, count: int = 20, space: Space = SPACE) -> list[Any]:
    return [search.draw(space, number, 7) for number in range(count)]


def test_the_same_seed_and_number_give_the_same_point_in_any_order() -> None:
    search = RandomSearch()
    backwards = [search.draw(SPACE, number, 7) for number in reversed(range(20))]
    assert points(search) == list(reversed(backwards))


def test_points_differ_from_each_other() -> None:
    assert 20 == len(set(points(RandomSearch())))


def test_the_runs_seed_counts_unless_there_is_one_of_its_own() -> None:
    search = RandomSearch()
    assert search.draw(SPACE, 0, 7) != search.draw(SPACE, 0, 8)
    assert RandomSearch(7).draw(SPACE, 0, 1) == RandomSearch(7).draw(SPACE, 0, 2)
    assert RandomSearch(0).draw(SPACE, 3, 1) == search.draw(SPACE, 3, 0)


@pytest.mark.parametrize("seed", [0, -1, 2**100])
def test_any_whole_number_is_a_seed(seed: int) -> None:
    assert points(RandomSearch(seed)) == points(RandomSearch(seed))


def test_a_point_is_fixed_for_ever() -> None:
    # others would change what a seed means from one release to the next
    space = Space(a=uniform(0, 1), b=loguniform(1e-4, 1), c=randint(1, 100), d=choice(*"xyz"))
    expected = [(0.9130448744, 0.1073588574, 43, 1), (0.1213904747, 0.0303615664, 41, 1)]
    assert [pytest.approx(point) for point in expected] == points(RandomSearch(1), 2, space)


def test_level_1_takes_turns_and_level_2_is_drawn_for_each() -> None:
    space = Space(model=grid("tree", "forest", "net"), lr=uniform(0, 1))
    tried = [space.resolve(point) for point in points(RandomSearch(), 9, space)]
    assert ["tree", "forest", "net"] * 3 == [params["model"] for params in tried]
    assert 9 == len({params["lr"] for params in tried})


def test_batches_change_nothing() -> None:
    plan = plan_for(lambda **params: 0.0, SPACE, max_trials=50, seed=3)
    drawn = SearcherAdapter(plan.search)
    batches = [point for first in range(0, 50, 10) for point in drawn.points(first, 10)[0]]
    assert (batches, False) == drawn.points(0, 50)


@pytest.mark.parametrize("seed", [1.5, "7", True])
def test_a_seed_that_is_no_whole_number_is_an_error(seed: Any) -> None:
    with pytest.raises(InvalidArgument, match=f"RandomSearch: seed must be .* got {seed!r}"):
        RandomSearch(seed)
