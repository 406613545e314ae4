"""Parameters as axes: places are shares of draws, and numbers come back from them."""

from __future__ import annotations

import math
from random import Random

import pytest

import asha_bus as ab
from asha_bus.core.space import Choice, LogNormal, LogUniform, Normal, Number, Parameter, Uniform
from asha_bus.searchers.axes import Axis, axes_of, drawn, places_of, point_at
from asha_bus.searchers.base import Branch

NUMBERS: list[Parameter] = [
    ab.uniform(-3, 5),
    ab.uniform(0, 1, q=0.25),
    ab.uniform(2, 2),
    ab.uniform(-1e308, 1e308),
    Uniform(0.0, 10.0, 4.0, rounds=True),
    ab.loguniform(1e-4, 1e2),
    ab.loguniform(1, 100, q=3),
    LogUniform(1.0, 100.0, 5.0, rounds=True),
    ab.randint(-5, 5),
    ab.randint(1, 99, q=7),
    ab.randint(1, 1000, log=True),
    ab.randint(2, 100, q=7, log=True),
    ab.normal(10, 2),
    ab.normal(0, 3, q=1),
    Normal(0.5, 2.0, 0.3, rounds=True),
    ab.lognormal(0, 1),
    ab.lognormal(0, 1, q=0.5),
    LogNormal(0.0, 1.0, 2.0, rounds=True),
]


def axis(parameter: Parameter) -> Axis:
    return Axis("p", parameter, ((),))


def branch_of(space: ab.Space, number: int = 0, trial: int = 0) -> Branch:
    return Branch(number, space, "min", trial, seed=5)


@pytest.mark.parametrize("parameter", NUMBERS, ids=repr)
def test_a_number_comes_back_from_its_place(parameter: Parameter) -> None:
    random = Random(1)
    for _ in range(200):
        number = parameter.draw(random)
        for within in (0.001, 0.5, 0.999):
            place = axis(parameter).place(number, within)
            assert 0 <= place <= 1
            assert number == pytest.approx(axis(parameter).number(place), rel=1e-6)


@pytest.mark.parametrize("parameter", NUMBERS, ids=repr)
def test_equally_likely_places_give_what_a_draw_gives(parameter: Parameter) -> None:
    random = Random(2)
    count = 2_000
    drawn_ones = sorted(parameter.draw(random) for _ in range(count))
    placed = sorted(axis(parameter).number((i + 0.5) / count) for i in range(count))
    # where the two distributions differ most; 5 % of draws of one kind go beyond 0.03
    both = sorted(set(placed))
    gaps = [
        _share_below(placed, x) - _share_below(drawn_ones, x) for x in both[:: len(both) // 50 + 1]
    ]
    assert max(map(abs, gaps)) < 0.05


def _share_below(ordered: list[float], number: float) -> float:
    return sum(one <= number * (1 + math.copysign(1e-9, number)) for one in ordered) / len(ordered)


@pytest.mark.parametrize("parameter", NUMBERS, ids=repr)
def test_the_ends_of_an_axis_are_possible_numbers(parameter: Parameter) -> None:
    for place in (0.0, 1.0):
        parameter.check(axis(parameter).number(place))
    assert isinstance(parameter, Number)
    for beyond in (-1.5e308, 1.5e308):
        assert 0 <= parameter.share(beyond) <= 1


def test_options_have_equal_stretches_where_their_order_counts_and_an_index_else() -> None:
    ordered = axis(ab.ordinal("a", "b", "c", "d"))
    assert () == ordered.weights
    assert [0, 0, 1, 3, 3] == [ordered.number(place) for place in (0.0, 0.24, 0.26, 0.99, 1.0)]
    assert 0.875 == ordered.place(3)
    unordered = axis(ab.choice("a", "b", "c", "d"))
    assert (0.25, 0.25, 0.25, 0.25) == unordered.weights
    assert (2, 2) == (unordered.place(2), unordered.number(2))
    assert (0.75, 0.25) == axis(Choice(("a", "b"), (3.0, 1.0))).weights


def test_a_point_of_a_branch_lies_on_those_axes_that_it_has() -> None:
    space = ab.Space(
        fold=ab.grid("a", "b"),
        x=ab.uniform(0, 1),
        model=ab.choice("none", {"depth": ab.randint(1, 9)}),
    )
    branch = branch_of(space, number=1)
    axes = axes_of(branch)
    assert ["x", "model", "model:1.depth"] == [one.path for one in axes]
    point = space.point_of({"fold": "b", "x": 0.25, "model": {"depth": 3}})
    places = places_of(branch, axes, point, trial=4)
    assert {"x": 0.25, "model": 1} == {path: places[path] for path in ("x", "model")}
    assert 2 / 9 <= places["model:1.depth"] <= 3 / 9
    numbers = {one.path: one.number(places[one.path]) for one in axes}
    assert point == point_at(branch, numbers)
    assert not axes[2].is_active({"x": 0.1, "model": 0})
    assert {"x", "model"} == set(places_of(branch, axes, (1, 0.5, 0), trial=0))


def test_quantised_numbers_of_several_trials_are_spread_over_their_stretch() -> None:
    space = ab.Space(n=ab.randint(0, 1))
    branch = branch_of(space)
    places = [places_of(branch, axes_of(branch), (1,), trial)["n"] for trial in range(100)]
    assert 100 == len(set(places))
    assert 0.5 <= min(places) < 0.52 < 0.98 < max(places) <= 1


def test_params_that_a_condition_refuses_are_not_a_point() -> None:
    space = ab.Space(a=ab.uniform(0, 1), b=ab.uniform(0, 1)).where(lambda a, b: a < b)
    branch = branch_of(space)
    assert (0.1, 0.2) == point_at(branch, {"a": 0.1, "b": 0.2})
    assert point_at(branch, {"a": 0.2, "b": 0.1}) is None
    with pytest.raises(ab.InvalidArgument, match="b is missing"):
        point_at(branch, {"a": 0.2})


def test_a_draw_depends_on_the_seed_and_the_branch_alone() -> None:
    space = ab.Space(fold=ab.grid(1, 2), x=ab.uniform(0, 1))
    first = drawn(branch_of(space, 1), 3)
    assert first == drawn(branch_of(space, 1, trial=9), 3)
    assert 1 == first[0]
    assert first[1] != drawn(branch_of(space, 1), 4)[1]
