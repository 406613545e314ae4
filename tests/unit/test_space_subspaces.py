"""Sub-spaces within options, values computed from others, and parameters in several places."""

from __future__ import annotations

import pickle
from random import Random
from typing import Any

import pytest

from asha_bus import (
    InvalidArgument,
    Space,
    choice,
    func,
    grid,
    loguniform,
    ordinal,
    randint,
    uniform,
)
from asha_bus.core.space import Dimension

MODEL = Space(
    model=choice(
        None,
        {"name": "svm", "C": loguniform(1e-3, 1)},
        {"name": "forest", "depth": randint(1, 9), "more": [uniform(0, 1)]},
    ),
    lr=uniform(0, 1),
)


def points_of(space: Space, count: int = 200) -> list[tuple[float, ...]]:
    return [space.draw_point(Random(n), n % space.branches) for n in range(count)]


def test_only_the_chosen_options_parameters_are_drawn() -> None:
    points = points_of(MODEL)
    assert {0: 2, 1: 3, 2: 4} == {point[0]: len(point) for point in points}
    keys = {tuple(model) for model in (MODEL.resolve(p)["model"] for p in points) if model}
    assert {("name", "C"), ("name", "depth", "more")} == keys
    assert {"name": "forest", "depth": 3, "more": [0.5]} == MODEL.resolve((2, 3, 0.5, 0.1))["model"]
    assert 4 == MODEL.most_numbers


def test_paths_name_the_option() -> None:
    assert ["model", "model:1.C", "model:2.depth", "model:2.more[0]", "lr"] == list(
        MODEL.parameters
    )
    assert {"model": None, "lr": 0.1} == MODEL.values((0, 0.1))
    assert {"model": "option 1", "model:1.C": 0.5, "lr": 0.1} == MODEL.values((1, 0.5, 0.1))


def test_a_point_that_does_not_fit_its_option_is_an_error() -> None:
    with pytest.raises(InvalidArgument, match=r"more than 2 numbers, got 2: \(2, 3\)"):
        MODEL.resolve((2, 3))
    with pytest.raises(InvalidArgument, match="has 2 numbers, got 3"):
        MODEL.resolve((0, 3, 4))
    with pytest.raises(InvalidArgument, match="model: 7 is not one of 3 options"):
        MODEL.resolve((7, 3, 4))


def test_a_dimension_has_the_conditions_of_its_parameter() -> None:
    model, c, depth, more, lr = MODEL.level2(0)
    assert (("model", ((),)), ("lr", ((),))) == ((model.path, model.when), (lr.path, lr.when))
    assert Dimension("model:1.C", c.parameter, ((("model", 1),),)) == c
    assert ((("model", 2),),) == depth.when == more.when


def test_conditions_within_conditions() -> None:
    inner = choice("x", {"q": uniform(0, 1)})
    space = Space(a=ordinal({"b": inner}, 3))
    assert [
        ("a", ((),)),
        ("a:0.b", ((("a", 0),),)),
        ("a:0.b:1.q", ((("a", 0), ("a:0.b", 1)),)),
    ] == [(dimension.path, dimension.when) for dimension in space.level2(0)]
    assert {"a": {"b": {"q": 0.5}}} == space.resolve((0, 1, 0.5))


def test_one_label_in_two_branches_is_one_value_in_each() -> None:  # hyperopt #380, #796, #838
    rate = uniform(0, 1)
    space = Space(model=choice({"a": rate}, {"b": rate}, {"c": 1}))
    assert {"model": {"b": 0.25}} == space.resolve((1, 0.25))
    assert {2, 1} == {len(point) for point in points_of(space)}
    assert ((("model", 0),), (("model", 1),)) == space.level2(0)[1].when
    assert [0.25, 0.25] == [
        space.point_of(params)[1] for params in ({"model": {"a": 0.25}}, {"model": {"b": 0.25}})
    ]


@pytest.mark.parametrize("conditional_first", [True, False])
def test_a_parameter_within_and_without_an_option(conditional_first: bool) -> None:
    rate = uniform(0, 1)
    parts = [("m", choice({"a": rate}, 1)), ("rate", rate)]
    space = Space(dict(parts if conditional_first else parts[::-1]))
    for point in points_of(space, 20):
        assert 2 == len(point)
        params = space.resolve(point)
        assert params["m"] in ({"a": params["rate"]}, 1)
        assert point == space.point_of(params)
    assert ((),) == next(d.when for d in space.level2(0) if d.parameter is rate)


def test_one_parameter_in_several_places_has_one_value() -> None:
    width = randint(1, 1_000)
    space = Space(a=width, b=[width, {"c": width}], d=randint(1, 1_000))
    point = space.draw_point(Random(1), 0)
    assert 2 == len(point)
    params = space.resolve(point)
    assert [params["a"]] * 2 == [params["b"][0], params["b"][1]["c"]]
    with pytest.raises(InvalidArgument, match=r"b\[0\] is 4, but the same parameter is 3"):
        space.point_of({"a": 3, "b": [4, {"c": 3}], "d": 1})


def test_parameters_written_alike_are_two() -> None:
    space = Space(layers=[randint(1, 1_000), randint(1, 1_000)])
    assert any(len(set(point)) == 2 for point in points_of(space))


# --- grids of sub-spaces -----------------------------------------------------


def test_an_option_of_a_grid_is_a_branch_with_parameters_of_its_own() -> None:
    space = Space(model=grid({"C": loguniform(1e-3, 1)}, {"depth": randint(1, 9)}, "none"), x=2)
    assert (3, False) == (space.branches, space.is_finite)
    assert [["C"], ["depth"], []] == [
        [dimension.path.partition(".")[2] for dimension in space.level2(branch)]
        for branch in range(3)
    ]
    assert {((),)} == {d.when for branch in range(3) for d in space.level2(branch)}
    assert [0, 1, 2] == [space.branch_of(space.draw_point(Random(1), n)) for n in range(3)]
    assert {"model": "none", "x": 2} == space.resolve((2,))


def test_a_grid_at_the_top_may_also_stand_in_an_option() -> None:
    axis = grid(1, 2)
    space = Space(a=axis, b=choice({"c": axis}, None))
    assert {"a": 2, "b": {"c": 2}} == space.resolve((1, 0))


def test_a_space_may_be_an_option() -> None:
    assert {"m": {"x": 5}} == Space(m=choice(Space(x=randint(5, 5)), 1)).resolve((0, 5))
    for many in (Space(x=1) + Space(y=2), Space(x=uniform(0, 1)).sample(2)):
        with pytest.raises(
            InvalidArgument, match="cannot be an option; write each member of a union as"
        ):
            choice(many, 1)


# --- func ----------------------------------------------------------------------


def add(*numbers: float) -> float:
    return sum(numbers)


def test_a_value_is_computed_from_others() -> None:
    a, b = randint(1, 9), randint(10, 90)
    double = func(add, a, a)
    space = Space(total=func(add, double, b, 100), a=a, nested=[func(max, [a, b])])
    params = space.resolve((3, 20))
    assert {"total": 126, "a": 3, "nested": [20]} == params
    assert ["total", "a", "nested[0]"] == list(space.parameters)
    assert "func(add, func(add, randint(1, 9), randint(1, 9)), randint(10, 90), 100)" == repr(
        space.parameters["total"]
    )


def test_a_parameter_that_only_a_func_sees_is_drawn() -> None:
    space = Space(total=func(add, uniform(0, 1), uniform(5, 6)), x=uniform(0, 1))
    assert ["total.args[0]", "total.args[1]", "x"] == [d.path for d in space.level2(0)]
    assert {"total": 5.75, "x": 0.1} == space.resolve((0.25, 5.5, 0.1))
    point = space.point_of({"x": 0.1, "total.args[0]": 0.25, "total.args[1]": 5.5})
    assert (0.25, 5.5, 0.1) == point
    with pytest.raises(InvalidArgument, match=r"total\.args\[0\] is missing"):
        space.point_of({"x": 0.1, "total": 5.75})


def test_a_func_is_called_once_for_two_places() -> None:
    calls = []
    made = func(lambda x: calls.append(x) or [x], uniform(0, 1))  # type: ignore[func-returns-value]
    params = Space(a=made, b={"c": made}).resolve((0.5,))
    assert [0.5] == calls
    assert params["a"] is params["b"]["c"]


def test_a_func_within_an_option_and_of_a_grid() -> None:
    axis = grid(1, 2)
    space = Space(a=func(add, axis, 10), m=choice({"f": func(add, axis, uniform(0, 1))}, None))
    assert 2 == space.branches
    assert {"a": 12, "m": {"f": 2.5}} == space.resolve((1, 0, 0.5))


def test_a_func_that_raises_is_shown_as_its_error() -> None:
    space = Space(x=func(lambda y: 1 / y, grid(0, 4)))
    with pytest.raises(ZeroDivisionError):
        space.resolve((0,))
    assert "raised ZeroDivisionError: division by zero" in space.shown((0,))["x"]
    assert {"x": 0.25} == space.shown((1,)) == space.values((1,))


def test_sub_spaces_travel() -> None:
    again: Any = pickle.loads(pickle.dumps(MODEL))
    for point in points_of(MODEL, 20):
        assert MODEL.resolve(point) == again.resolve(point)
        assert point == again.point_of(MODEL.resolve(point))
