"""The space: what a point of it becomes, and what cannot be defined."""

from __future__ import annotations

import itertools
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest

from asha_bus import (
    Space,
    choice,
    func,
    grid,
    lognormal,
    loguniform,
    normal,
    option,
    ordinal,
    randint,
    uniform,
)
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import MAX_GRID_POINTS, as_space


def draws(space: Space, count: int = 200) -> list[dict[str, Any]]:
    """Some configurations of ``space``, its branches in turn."""
    random = Random(3)
    return [space.resolve(space.draw_point(random, n % space.branches)) for n in range(count)]


def test_a_configuration_is_shaped_as_it_was_written() -> None:
    space = Space(
        lr=uniform(0, 1),
        net={"layers": [randint(8, 8), (choice("a"), 2)], "bias": None},
        constant="c",
    )
    [params] = draws(space, 1)
    assert {"net": {"layers": [8, ("a", 2)], "bias": None}, "constant": "c"} == {
        name: value for name, value in params.items() if name != "lr"
    }
    assert list(params) == ["lr", "net", "constant"]
    assert isinstance(params["lr"], float)


def test_parameters_are_named_by_their_path() -> None:
    space = Space(lr=uniform(0, 1), net={"layers": [randint(1, 2), (choice("a"),)]})
    assert ["lr", "net.layers[0]", "net.layers[1][0]"] == list(space.parameters)
    assert ("lr", "net") == space.names


def test_a_plain_dict_is_a_space_and_a_space_is_itself() -> None:
    space = as_space({"x": uniform(0, 1)})
    assert ("x",) == space.names
    assert space is as_space(space)
    assert ("x", "y") == Space({"x": uniform(0, 1)}, y=2).names


@pytest.mark.parametrize(
    "write",
    [
        lambda: Space(trial=uniform(0, 1)),
        lambda: Space({"x": 1, "trial": "a constant"}),
        lambda: as_space({"trial": grid(1, 2)}),
        lambda: Space(x=1) * {"trial": uniform(0, 1)},
        lambda: {"trial": uniform(0, 1)} + Space(x=1),
    ],
)
def test_a_parameter_named_trial_is_refused(write: Callable[[], Any]) -> None:
    words = "the space has a parameter named 'trial', got .* gets its Trial under this name; rename"
    with pytest.raises(InvalidArgument, match=words):
        write()


def test_below_the_top_a_parameter_may_be_called_trial() -> None:
    space = Space(m=choice({"trial": uniform(0, 1)}), net={"trial": randint(3, 3)})
    [params] = draws(space, 1)
    assert ({"trial"}, {"trial": 3}) == (set(params["m"]), params["net"])


def test_each_configuration_is_a_structure_of_its_own() -> None:
    space = Space(net={"layers": [1, grid(2)]})
    first, second = space.resolve((0,)), space.resolve((0,))
    first["net"]["layers"].append("spoiled")
    assert {"net": {"layers": [1, 2]}} == second


@pytest.mark.parametrize(
    ("parameter", "low", "high"),
    [
        (uniform(-2, 3), -2, 3),
        (uniform(5, 5), 5, 5),
        (uniform(-1.7e308, 1.7e308), -1.7e308, 1.7e308),
        (loguniform(1e-8, 0.5), 1e-8, 0.5),
        (loguniform(3, 3), 3, 3),
        (loguniform(1e-300, 1e300), 1e-300, 1e300),
        (randint(-3, 4), -3, 4),
        (randint(2**62 - 1, 2**62), 2**62 - 1, 2**62),
    ],
)
def test_values_lie_within_their_bounds(parameter: Any, low: float, high: float) -> None:
    values = [params["p"] for params in draws(Space(p=parameter))]
    assert low <= min(values)
    assert max(values) <= high
    assert low == high or len(set(values)) > 1


def test_uniform_values_are_spread_evenly() -> None:
    values = [params["p"] for params in draws(Space(p=uniform(0, 10)), 2_000)]
    assert all(120 < sum(k <= value < k + 1 for value in values) < 280 for k in range(10))


def test_loguniform_values_are_spread_evenly_over_the_orders_of_magnitude() -> None:
    values = [params["p"] for params in draws(Space(p=loguniform(1e-4, 1)), 2_000)]
    assert all(400 < sum(10**k <= v < 10 ** (k + 1) for v in values) < 600 for k in range(-4, 0))


def test_whole_numbers_are_built_in_ints_with_both_ends() -> None:
    values = [params["p"] for params in draws(Space(p=randint(1, 3)))]
    assert {1, 2, 3} == set(values)
    assert {int} == {type(value) for value in values}


@pytest.mark.parametrize(
    ("low", "high"),
    [(np.int64(1), np.float32(3)), (Decimal(1), Decimal(3)), (1.0, 3.0)],
)
def test_bounds_may_be_numbers_of_any_kind(low: Any, high: Any) -> None:
    assert {1, 2, 3} == {params["p"] for params in draws(Space(p=randint(low, high)))}
    assert {float} == {type(params["p"]) for params in draws(Space(p=uniform(low, high)))}


class Frame:
    """Stands for a data frame: comparing two of them gives no truth value."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value is ambiguous")

    __hash__ = None  # type: ignore[assignment]


OPTIONS: tuple[Any, ...]
OPTIONS = (1, "1", True, 1.0, None, {"a": [1]}, test_a_plain_dict_is_a_space_and_a_space_is_itself)
OPTIONS = (*OPTIONS, Frame(), [0, 1], (100, 10), {"k": [1, 2], "n": None}, math.nan)


@pytest.mark.parametrize("make", [choice, grid])
def test_options_are_handed_over_as_they_are(make: Callable[..., Any]) -> None:
    space = Space(p=make(*OPTIONS))
    for index, one in enumerate(OPTIONS):
        found = space.resolve((index,))["p"]
        is_copied = type(one) in (list, dict)
        assert type(one) is type(found)
        assert one == found if is_copied else one is found
    assert {repr(one) for one in OPTIONS} == {repr(p["p"]) for p in draws(space, 500)}


def test_an_option_is_drawn_as_its_index() -> None:
    random = Random(1)
    assert {0, 1, 2} == {Space(p=choice("a", "b", "c")).draw_point(random, 0)[0] for _ in range(50)}


def test_options_keep_their_type_on_the_way_to_a_worker() -> None:
    space = Space(a=choice([0, 1], 1), b=choice((100, 10), 1), c=choice({"k": [1, 2], "n": None}))
    expected = {"a": [0, 1], "b": (100, 10), "c": {"k": [1, 2], "n": None}}
    assert expected == pickle.loads(pickle.dumps(space)).resolve((0, 0, 0))


@pytest.mark.parametrize(
    ("axes", "branches"),
    [
        ({"a": grid(1, 2), "b": grid(3, 4)}, 4),
        ({"a": grid(5)}, 1),
        ({"a": grid(0, math.nan)}, 2),
        ({"a": grid(1, 1)}, 2),
        ({"a": grid(1, 2), "b": [grid(1, 2, 3), {"c": grid(1, 2)}]}, 12),
        ({"a": grid(k for k in range(3))}, 3),
        ({"a": grid(range(4))}, 4),
        ({"a": grid(option([1, 2]))}, 1),  # one value that is a list
        ({"a": 5}, 1),
    ],
)
def test_grids_span_their_combinations(axes: dict[str, Any], branches: int) -> None:
    space = Space(axes)
    assert space.is_finite
    assert branches == space.branches == len(list(space))
    points = {space.draw_point(Random(1), number) for number in range(branches)}
    assert branches == len(points)


def test_the_last_grid_varies_fastest() -> None:
    space = Space(a=grid(1, 2), b=grid("x", "y"))
    expected = [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]
    assert expected == list(space)
    assert expected == [space.resolve(space.draw_point(Random(1), n)) for n in range(4)]


def test_two_parameters_may_share_an_axis() -> None:
    axis = grid(1, 2, 3)
    space = Space(a=axis, b={"c": axis}, d=grid("x", "y"))
    assert 6 == space.branches
    points = [space.draw_point(Random(1), number) for number in range(6)]
    assert list(space) == [space.resolve(point) for point in points]
    assert {(1, 1), (2, 2), (3, 3)} == {(p["a"], p["b"]["c"]) for p in space}


def test_a_generator_is_read_once() -> None:
    values = iter([1, 2, 3])
    axis = grid(values)
    assert [] == list(values)
    assert [[1, 2, 3], [1, 2, 3]] == [[p["a"] for p in Space(a=axis)] for _ in range(2)]


def test_a_stochastic_space_is_infinite() -> None:
    space = Space(a=grid(1, 2), b=uniform(0, 1))
    assert (2, False) == (space.branches, space.is_finite)
    with pytest.raises(TypeError, match="cannot be listed, because b is stochastic"):
        list(space)
    with pytest.raises(TypeError, match=r"has no length, because b is .*; use \.sample\(n\)"):
        len(space)
    assert space


def test_a_space_reads_as_it_was_written() -> None:
    space = Space(a=uniform(0, 1), b=[loguniform(1, 2), randint(1, 2)], c=choice("x", 1))
    text = "Space(a=uniform(0.0, 1.0), b=[loguniform(1.0, 2.0), randint(1, 2)], c=choice('x', 1))"
    assert text == repr(space)
    assert "Space(a=grid(1, None))" == repr(Space(a=grid(1, None)))


def test_a_point_of_another_space_is_an_error() -> None:
    with pytest.raises(InvalidArgument, match=r"has 1 numbers, got 2: \(0, 1\)"):
        Space(a=uniform(0, 1)).resolve((0, 1))


BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: Space(), r"the space is empty; .* Space\(lr=uniform\(0, 1\)\)"),
    (lambda: Space({}), "the space is empty"),
    (lambda: as_space({}), "the space is empty"),
    (lambda: as_space(5), "space must be a Space or a dict of parameters, got 5 of type int"),
    (lambda: Space([uniform(0, 1)]), r"must be a dict of parameters, got \[.* of type list"),  # type: ignore[arg-type]
    (lambda: Space({1: uniform(0, 1)}), "a parameter named 1 of type int; names .* are strings"),  # type: ignore[dict-item]
    (
        lambda: Space(a={"b": Space(c=1)}),
        r"^a\.b: a Space cannot be inside a Space; use a plain dict",
    ),
    (lambda: Space(a=[uniform]), r"^a\[0\]: uniform was not called; write uniform\(\.\.\.\)"),
    (
        lambda: Space(a={"b": {uniform(0, 1)}}),
        r"^a\.b: parameters inside a set are not .* a plain dict",
    ),
    (lambda: Space(a=OrderedDict(b=uniform(0, 1))), "^a: parameters inside a OrderedDict are not"),
    (lambda: Space(a=choice(1, {uniform(0, 1)})), "^a:1: parameters inside a set are not"),
    (
        lambda: Space(a=[choice(1, {"b": grid(1, 2)})]),
        r"^a\[0\]:1\.b: a grid\(\) within option 1 of",
    ),
    (lambda: Space(a=grid(1, {"b": grid(1, 2)})), r"write a union such as Space.* \+ Space"),
    (lambda: uniform(1, 0), r"uniform\(1, 0\): low is greater than high; swap the two"),
    (lambda: uniform("0", 1), "uniform: low must be a number, got '0' of type str"),  # type: ignore[arg-type]
    (lambda: uniform(0, None), "uniform: high must be a number, got None of type NoneType"),  # type: ignore[arg-type]
    (lambda: uniform(False, 1), "uniform: low must be a number, got False of type bool"),
    (lambda: uniform(0, math.inf), "uniform: high must be finite, got inf"),
    (lambda: uniform(math.nan, 1), "uniform: low must be finite, got nan"),
    (lambda: uniform(0, 10**400), "uniform: high must be finite, got 1000"),
    (lambda: uniform(np.array([1, 2]), 3), "uniform: low must be a number, got array"),  # type: ignore[arg-type]
    (lambda: uniform(0, Decimal("sNaN")), "uniform: high must be a number, got Decimal"),  # type: ignore[arg-type]
    (lambda: loguniform(0, 1), r"loguniform\(0, 1\): low must be above 0, .* 1e-6, or uniform"),
    (lambda: loguniform(-5, 1), r"loguniform\(-5, 1\): low must be above 0"),
    (lambda: loguniform(1, 1e-4), r"loguniform\(1, 0.0001\): low is greater than high"),
    (lambda: randint(3, 1), r"randint\(3, 1\): low is greater than high; swap the two"),
    (lambda: randint(1, 2.5), "randint: high must be a whole number, got 2.5"),  # type: ignore[arg-type]
    (lambda: randint(0, 2**63), r"randint: high must lie within \+-2\*\*62, got 9223"),
    (lambda: uniform(0, 1, q=0), "uniform: q must be above 0, or None for any number, got 0"),
    (lambda: uniform(0, 1, q="1"), "uniform: q must be a number, got '1'"),  # type: ignore[arg-type]
    (
        lambda: uniform(0, 1e9, q=1e-9),
        r"q=1e-09\): q is too small for the range, which would have 1e\+18",
    ),
    (lambda: loguniform(1, 2, q=-1), "loguniform: q must be above 0"),
    (lambda: randint(1, 9, q=0), "randint: q must be at least 1, got 0"),
    (lambda: randint(1, 9, q=1.5), "randint: q must be a whole number, got 1.5"),  # type: ignore[arg-type]
    (lambda: randint(0, 9, log=True), r"randint\(0, 9, log=True\): low must be at least 1"),
    (lambda: randint(1, 9, log=1), "randint: log must be True or False, got 1"),  # type: ignore[arg-type]
    (lambda: normal(0, 0), "normal: sigma must be above 0, got 0"),
    (lambda: lognormal(math.nan, 1), "lognormal: mu must be finite, got nan"),
    (lambda: normal(0, 1, q=0), "normal: q must be above 0"),
    (lambda: ordinal(), r"ordinal\(\): no options given; write ordinal\('a', 'b'\)"),
    (lambda: func(3), r"func\(\): the first argument must be a function, got 3 of type int"),  # type: ignore[arg-type]
    (lambda: func(uniform(0, 1)), r"must be a function, got uniform\(0.0, 1.0\)"),  # type: ignore[arg-type]
    (lambda: Space(a=func), r"^a: func was not called; write func\(\.\.\.\)"),
    (
        lambda: Space(a=func(abs, {uniform(0, 1)})),
        r"^a\.args\[0\]: parameters inside a set are not",
    ),
    (lambda: choice(), r"choice\(\): no options given; write choice\('a', 'b'\)"),
    (lambda: grid(), r"grid\(\): no values given; write grid\(1, 2, 3\)"),
    (lambda: grid(iter(())), r"grid\(\): no values given"),
    (lambda: grid(itertools.count()), f"more than {MAX_GRID_POINTS} values; use randint"),
]


@pytest.mark.parametrize(("define", "message"), BAD)
def test_an_invalid_definition_is_an_error(define: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        define()


def test_a_grid_of_many_points_is_not_built() -> None:
    space = Space(a=grid(range(1_001)), b=[grid(range(1_000)), grid(range(10**6))])
    assert len(space) == 1_001 * 10**9
    assert {"a": 1_000, "b": [999, 999_999]} == space.resolve(
        space.draw_point(Random(1), len(space) - 1)
    )
    assert {"a": 0, "b": [0, 0]} == next(iter(space))


def test_the_same_seed_tries_what_it_tried_in_earlier_versions() -> None:
    space = Space(
        lr=loguniform(1e-4, 1),
        net={"u": [randint(1, 9), randint(-5, 2**40)], "k": (choice("a", None, [1]), 3)},
        g=grid(1, 2, 3),
        d=uniform(-1, 2),
        h=[grid("x", "y"), grid(range(4))],
    )
    assert {
        0: (0.00010785772497075294, 8, 539016989942, 0, 0, 1.7034348823645682, 0, 0),
        1: (0.25963115281447086, 7, 765786653442, 0, 0, 1.6115140410932476, 0, 1),
        7: (0.00038358727145335265, 3, 207377355875, 0, 0, 1.2305867105305326, 1, 3),
    } == {number: RandomSearch().draw(space, number, 42) for number in (0, 1, 7)}


def test_a_range_below_one_is_fine_for_a_logarithm() -> None:
    values = [params["p"] for params in draws(Space(p=loguniform(1e-6, 1e-5)))]
    assert 1e-6 <= min(values) <= max(values) <= 1e-5
