"""From parameters to the point that they are of."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

from asha_bus import InvalidArgument, Space, choice, func, grid, loguniform, randint, uniform
from asha_bus.core.space import POSITIONAL, Plain

NESTED = Space(
    lr=loguniform(1e-3, 1),
    net={"units": [randint(1, 9, q=2), 5], "act": choice("relu", None)},
    model=choice({"name": "svm", "C": uniform(0, 1)}, {"name": "forest"}, "none"),
    seed=grid(1, 2),
)


def given(**changes: Any) -> dict[str, Any]:
    return {
        "lr": 0.1,
        "net": {"units": [3, 5], "act": None},
        "model": {"name": "svm", "C": 0.5},
        "seed": 2,
        **changes,
    }


def test_parameters_become_their_point() -> None:
    assert (0.1, 3, 1, 0, 0.5, 1) == NESTED.point_of(given())
    assert (0.1, 3, 1, 1, 1) == NESTED.point_of(given(model={"name": "forest"}))
    assert (0.1, 3, 1, 2, 1) == NESTED.point_of(given(model="none"))


def test_constants_need_not_be_given() -> None:
    assert (0.1, 3, 1, 0, 0.5, 1) == NESTED.point_of(given(model={"C": 0.5}))
    assert (0.5,) == Space(x=uniform(0, 1), c="c", net={"d": 1}).point_of({"x": 0.5})


def test_values_a_branch_fixes_need_not_be_given() -> None:
    params = given()
    del params["seed"]
    assert (0.1, 3, 1, 0, 0.5, 1) == NESTED.point_of(params, branch=1)
    assert (0.1, 3, 1, 0, 0.5, 1) == NESTED.point_of(given(), branch=1)
    with pytest.raises(InvalidArgument, match="seed is 2, but the same parameter is 1"):
        NESTED.point_of(given(), branch=0)
    with pytest.raises(InvalidArgument, match="branch must be a whole number from 0 to 1, got 2"):
        NESTED.point_of(given(), branch=2)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (given(lr=2), "lr: 2.0 is outside 0.001 to 1"),
        (
            given(other=1),
            r"the space has no 'other' \(it has lr, net, model, seed\); remove it, or use",
        ),
        ({"lr": 0.1}, r"net\.units\[0\] is missing; give it a value of randint\(1, 9, q=2\)"),
        (
            given(net={"units": [4, 5], "act": None}),
            r"net\.units\[0\]: 4 is not 1 plus a multiple of 2",
        ),
        (given(net={"units": [3], "act": None}), r"net\.units must be a list of 2, got \[3\]"),
        (given(net={"units": [3, 6], "act": None}), r"net\.units\[1\] is 5 in this space, got 6"),
        (given(net=3), "net must be a dict, got 3"),
        (given(net={"units": [3, 5], "act": 1, "b": 2}), r"net has no 'b' \(it has units, act\)"),
        (
            given(net={"units": [3, 5], "act": "tanh"}),
            r"net\.act: 'tanh' is not an option of choice",
        ),
        (given(seed=3), r"seed: 3 is not an option of grid"),
        (given(model=7), "model: 7 matches no option: model:0 must be a dict, got 7"),
        (given(model={"name": "svm", "C": 2}), "model:0.C: 2.0 is outside"),
        (
            given(model={"name": "svm"}),
            r"\{.name.: .svm.\} matches no option: model:0\.C is missing",
        ),
        (5, "params must be a dict of parameters, got 5"),
    ],
)
def test_params_that_do_not_fit_are_named(params: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        NESTED.point_of(params)


class Frame:
    """Stands for a data frame: comparing two of them gives no truth value."""

    def __eq__(self, other: object) -> Any:
        return np.array([True, True])

    __hash__ = None  # type: ignore[assignment]


def test_options_are_found_by_identity_then_by_equality_in_kind() -> None:
    def function() -> None: ...

    options = (1, "1", True, 1.0, None, {"a": [1]}, function, Frame(), [np.arange(2)], math.nan)
    space = Space(p=choice(*options))
    assert [(i,) for i in range(len(options))] == [space.point_of({"p": one}) for one in options]
    assert [(0,), (2,), (3,), (5,), (9,)] == [
        space.point_of({"p": one})
        for one in (int("1"), bool("1"), float("1"), {"a": [1]}, float("nan"))
    ]
    assert (0,) == space.point_of({"p": np.int64(1)})
    for other in (Frame(), [np.arange(2)], 2):
        with pytest.raises(InvalidArgument, match=r"is not an option of choice\(\)"):
            space.point_of({"p": other})


def test_the_member_of_a_union_is_the_one_that_fits() -> None:
    space = Space(m="a", x=uniform(0, 1)) + Space(m="b", x=uniform(5, 6)) + Space(y=grid(1, 2))
    assert (0, 0.5) == space.point_of({"m": "a", "x": 0.5})
    assert (1, 5.5) == space.point_of({"m": "b", "x": 5.5})
    assert (1, 5.5) == space.point_of({"x": 5.5})
    assert (2, 1) == space.point_of({"y": 2})
    assert (2, 1) == space.point_of({}, branch=3)
    with pytest.raises(
        InvalidArgument,
        match="matches no member of the space: member 0: x: 7.0 .*; member 1: .*; mem",
    ):
        space.point_of({"x": 7})


def test_samples_are_found_by_their_values() -> None:
    space = Space(a=grid(1, 2), x=uniform(0, 1), y=choice("u", "v")).sample(5, seed=1)
    for branch, params in enumerate(space):
        assert branch == space.branch_of(space.point_of(params))
        assert branch == space.branch_of(space.point_of({"a": params["a"]}, branch))
    with pytest.raises(InvalidArgument, match="the values match none of the 5 samples"):
        space.point_of({"a": 1, "x": 0.5, "y": "u"})
    with pytest.raises(InvalidArgument, match="x is missing"):
        space.point_of({"a": 1, "y": next(iter(space))["y"]})
    with pytest.raises(InvalidArgument, match="a is missing"):
        space.point_of({"x": 0.5, "y": "u"})


def test_a_condition_holds_of_what_is_given() -> None:
    space = Space(x=uniform(0, 1), y=uniform(0, 1)).where(lambda x, y: x < y)
    assert (0.25, 0.5) == space.point_of({"x": 0.25, "y": 0.5})
    with pytest.raises(InvalidArgument, match=r"is false for \{'x': 0.5, 'y': 0.25\}"):
        space.point_of({"x": 0.5, "y": 0.25})
    listed = Space(x=grid(1, 2), y=grid(1, 2)).where(lambda x, y: x < y)
    with pytest.raises(InvalidArgument, match=r"is false for \{'x': 2, 'y': 1\}"):
        listed.point_of({"x": 2, "y": 1})


def test_a_computed_value_need_not_be_given_and_must_be_right() -> None:
    x = uniform(0, 1)
    space = Space(x=x, double=func(lambda x: 2 * x, x), thing=func(lambda x: object(), x))
    assert (0.5,) == space.point_of({"x": 0.5})
    assert (0.5,) == space.point_of({"x": 0.5, "double": 1.0, "thing": object()})
    with pytest.raises(InvalidArgument, match="double is computed as 1.0, but 3 was"):
        space.point_of({"x": 0.5, "double": 3})


def test_values_that_stand_twice_keep_their_branch() -> None:
    space = Space(x=grid(1, 1))
    assert [(0,), (1,)] == [space.point_of({"x": 1}, branch) for branch in (0, 1)]
    assert (0,) == space.point_of({"x": 1})


def test_a_space_that_is_not_a_dict_takes_the_value_itself() -> None:
    space = Space.of_parts([Plain({POSITIONAL: uniform(0, 1)})], is_positional=True)
    assert (0.5,) == space.point_of(0.5) == space.point_of({POSITIONAL: 0.5})


@pytest.mark.parametrize(
    "space",
    [
        NESTED,
        NESTED.sample(4),
        NESTED * {"extra": uniform(0, 1)},
        NESTED + Space(a=NESTED.parameters["lr"]).where(lambda a: a > 0.01),
    ],
    ids=["plain", "sampled", "product", "union"],
)
def test_a_point_comes_back(space: Space) -> None:
    find: Callable[..., Any] = space.point_of
    for number in range(60):
        point = space.draw_point(Random(number), number % space.branches)
        params = space.resolve(point)
        assert point == find(params) == find(params, number % space.branches)


def test_equal_numbers_are_distinguished_by_type() -> None:
    nested = Space(
        x=choice(uniform(0, 9), randint(0, 9), {"k": uniform(0, 9)}, {"k": randint(0, 9)})
    )
    union = Space(x=uniform(0, 9)) + Space(x=randint(0, 9))
    for space in (nested, union):
        assert [(0, 3.0), (1, 3)] == [space.point_of({"x": x}) for x in (3.0, 3)]
        assert float is type(space.resolve(space.point_of({"x": 3.0}))["x"])
    assert [(2, 3.0), (3, 3)] == [nested.point_of({"x": {"k": x}}) for x in (3.0, 3)]
    assert (0, 3.0) == Space(x=choice(uniform(0, 9), "a")).point_of({"x": 3})
