"""The algebra of spaces: union, product, samples, conditions, and what can be listed."""

from __future__ import annotations

import functools
import math
import pickle
from collections.abc import Callable
from random import Random
from typing import Any

import cloudpickle
import pytest

from asha_bus import InvalidArgument, Space, choice, func, grid, loguniform, randint, uniform

SVM = Space(model="svm", c=grid(0.1, 1, 10))
FOREST = Space(model="forest", depth=grid(1, 2), trees=randint(10, 99))


def configurations(space: Space) -> list[dict[str, Any]]:
    return [space.resolve(space.draw_point(Random(n), n)) for n in range(space.branches)]


# --- union ---------------------------------------------------------------------


def test_a_union_lists_its_members_one_after_the_other() -> None:
    space = SVM + FOREST
    assert (5, 2, False) == (space.branches, len(space.members), space.is_finite)
    names = [list(params) for params in configurations(space)]
    assert [["model", "c"]] * 3 + [["model", "depth", "trees"]] * 2 == names
    points = [space.draw_point(Random(n), n) for n in range(5)]
    assert [(0, 0), (0, 1), (0, 2)] == points[:3]
    assert [0, 0, 0, 1, 1] == [space.member_of(point) for point in points]
    assert [0, 1, 2, 3, 4] == [space.branch_of(point) for point in points]
    assert [[], ["trees"]] == [[d.path for d in space.level2(branch)] for branch in (2, 3)]


def test_names_of_a_union_are_those_of_all_members() -> None:
    assert ("model", "c", "depth", "trees") == (SVM + FOREST).names
    assert ["c", "depth", "trees"] == list((SVM + FOREST).parameters)
    with pytest.raises(InvalidArgument, match="a union has no tree of its own"):
        _ = (SVM + FOREST).tree
    assert SVM.members == (SVM,)


def test_a_union_of_unions_is_one_list() -> None:
    space = (SVM + {"model": "none"}) + (FOREST + SVM)
    assert [3, 1, 2, 3] == [member.branches for member in space.members]
    assert [3, 2] == [len(m.parameters) + 1 for m in (space.members[2], space.members[0])]


def test_a_dict_may_stand_on_either_side() -> None:
    assert [{"x": 1}, {"y": 2}, {"y": 3}] == list({"x": 1} + Space(y=grid(2, 3)))
    assert [{"x": 1, "y": 2}, {"x": 1, "y": 3}] == list({"x": 1} * Space(y=grid(2, 3)))
    assert [{"y": 2, "x": 1}, {"y": 3, "x": 1}] == list(Space(y=grid(2, 3)) * {"x": 1})


def test_a_point_of_no_member_is_an_error() -> None:
    for point in ((2, 0), (), (0.5, 1), (-1, 0)):
        with pytest.raises(InvalidArgument, match="begins with the number of one of its 2 members"):
            (SVM + FOREST).resolve(point)


# --- product -------------------------------------------------------------------


def test_a_product_has_the_names_of_both() -> None:
    space = Space(a=grid(1, 2)) * Space(b=grid("x", "y"), c=3)
    assert [
        {"a": 1, "b": "x", "c": 3},
        {"a": 1, "b": "y", "c": 3},
        {"a": 2, "b": "x", "c": 3},
        {"a": 2, "b": "y", "c": 3},
    ] == list(space)
    assert "Space(a=grid(1, 2), b=grid('x', 'y'), c=3)" == repr(space)


def test_a_product_distributes_over_unions() -> None:
    space = (SVM + {"model": "none"}) * (Space(seed=grid(1, 2)) + Space(fold=grid(1, 2, 3)))
    assert [6, 9, 2, 3] == [member.branches for member in space.members]
    assert {"model": "none", "fold": 3} == list(space)[-1]


def test_a_clash_of_names_is_an_error() -> None:
    with pytest.raises(InvalidArgument, match=r"both sides of \* have 'c'; rename it or remove it"):
        SVM * {"c": 1}
    with pytest.raises(InvalidArgument, match=r"both sides of \* have 'depth'"):
        (SVM + FOREST) * Space(depth=uniform(0, 1)).sample(2)


def test_a_shared_axis_is_one_axis_in_a_product_of_dicts() -> None:
    axis = grid(1, 2)
    assert [{"a": 1, "b": 1}, {"a": 2, "b": 2}] == list(Space(a=axis) * Space(b=axis))
    rate = uniform(0, 1)
    with pytest.raises(
        InvalidArgument, match="b: the same parameter is on both sides of .* multiply first"
    ):
        Space(a=rate).sample(2) * Space(b=rate)


# --- sample --------------------------------------------------------------------


def test_samples_are_level_1() -> None:
    space = Space(lr=loguniform(1e-3, 1), net=[randint(1, 99)], c="x").sample(4, seed=3)
    assert (4, True) == (len(space), space.is_finite)
    found = list(space)
    assert found == list(space)
    assert 4 == len({params["lr"] for params in found})
    assert [] == space.level2(0)
    points = [space.draw_point(Random(n), n) for n in range(4)]
    assert [0, 1, 2, 3] == [space.branch_of(point) for point in points]
    assert found == [space.resolve(point) for point in points]


def test_samples_depend_on_the_seed_alone() -> None:
    space = Space(x=uniform(0, 1))
    assert list(space.sample(5, seed=1))[:3] == list(space.sample(3, seed=1))
    assert list(space.sample(3, seed=1)) != list(space.sample(3, seed=2))
    assert list(space.sample(3)) == list(space.sample(3, seed=0))


def test_each_combination_of_the_grids_gets_the_same_samples() -> None:
    space = Space(a=grid("x", "y"), b=uniform(0, 1)).sample(3)
    found = list(space)
    assert ["x"] * 3 + ["y"] * 3 == [params["a"] for params in found]
    assert [params["b"] for params in found[:3]] == [params["b"] for params in found[3:]]


def test_a_million_samples_are_not_built() -> None:
    space = Space(x=uniform(0, 1), y=choice("a", "b")).sample(10**6, seed=2) * {"z": grid(1, 2)}
    assert 2 * 10**6 == len(space)
    point = space.draw_point(Random(1), 1_999_999)
    assert (1_999_999, 2) == (space.branch_of(point), space.resolve(point)["z"])
    assert len(pickle.dumps(space)) < 10_000


def test_a_finite_space_is_unchanged() -> None:
    assert list(SVM) == list(SVM.sample(7))
    assert [3, 14] == [member.branches for member in (SVM + FOREST).sample(7).members]


def test_samples_beside_what_stays_stochastic() -> None:
    space = Space(a=uniform(0, 1)).sample(3, seed=1) * Space(b=uniform(0, 1), c=grid(1, 2))
    assert (6, False) == (space.branches, space.is_finite)
    assert [["b"]] * 6 == [[d.path for d in space.level2(branch)] for branch in range(6)]
    first, second = (space.resolve(space.draw_point(Random(n), 4)) for n in range(2))
    assert (first["a"], first["c"]) == (second["a"], second["c"])
    assert first["b"] != second["b"]
    assert [{**first, "c": 1}["a"]] == [list(Space(a=uniform(0, 1)).sample(3, seed=1))[2]["a"]]


def test_samples_of_sub_spaces() -> None:
    space = Space(m=choice({"x": uniform(0, 1)}, {"y": uniform(5, 6)}, None)).sample(30, seed=4)
    assert {("x",), ("y",), None} == {p["m"] and tuple(p["m"]) for p in space}
    assert list(range(30)) == [space.branch_of(space.point_of(p, n)) for n, p in enumerate(space)]


@pytest.mark.parametrize("arguments", [(0,), (1.5,), (True,), (1, -1), (1, "a"), ("3",)])
def test_bad_arguments_of_sample_are_named(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidArgument, match=r"sample\(\): (n|seed) must be a whole number"):
        Space(x=uniform(0, 1)).sample(*arguments)


# --- where ---------------------------------------------------------------------


def test_a_condition_filters_level_1() -> None:
    space = Space(a=grid(1, 2, 3), b=grid(1, 2, 3)).where(lambda a, b: a < b)
    assert [{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 2, "b": 3}] == list(space)
    points = [space.draw_point(Random(1), n) for n in range(3)]
    assert [0, 1, 2] == [space.branch_of(point) for point in points]
    with pytest.raises(InvalidArgument, match=r"is false for \{'a': 3, 'b': 1\}"):
        space.branch_of((2, 0))


def test_a_condition_receives_the_arguments_it_takes() -> None:
    space = Space(a=grid(1, 2), b=grid(3, 4), c={"d": 5})
    told: list[Any] = []

    def with_all(**params: Any) -> bool:
        told.append(params)
        return True

    def with_dict(params: dict[str, Any]) -> bool:
        told.append(params)
        return params["a"] == 2

    def with_default(b: int, other: int = 7) -> bool:
        told.append((b, other))
        return True

    space.where(with_all)
    assert {"a": 1, "b": 3, "c": {"d": 5}} == told[0]
    assert 2 == len(space.where(with_dict))
    assert {"a": 1, "b": 3, "c": {"d": 5}} == told[4]
    space.where(with_default)
    assert (3, 7) == told[-4]
    assert 2 == len(space.where(functools.partial(lambda low, b: b > low, 3)))


def test_a_parameter_named_params_is_meant_itself() -> None:
    assert [{"params": 2}] == list(Space(params=grid(1, 2)).where(lambda params: params == 2))


def test_a_condition_on_what_is_drawn_draws_again() -> None:
    space = Space(a=grid(1, 2), x=uniform(0, 1), y=uniform(0, 1)).where(lambda x, y: x < y)
    assert (2, False) == (space.branches, space.is_finite)
    found = [space.resolve(space.draw_point(Random(n), n % 2)) for n in range(100)]
    assert all(params["x"] < params["y"] for params in found)
    assert {1, 2} == {params["a"] for params in found}
    assert [d.path for d in space.level2(0)] == ["x", "y"]


def test_a_condition_on_grids_alone_filters_them_beside_what_is_drawn() -> None:
    space = Space(a=grid(1, 2, 3), x=uniform(0, 1)).where(lambda a: a != 2)
    assert 2 == space.branches
    assert [1, 3] == [params["a"] for params in configurations(space)]
    assert ["x"] == [dimension.path for dimension in space.level2(1)]


def test_conditions_follow_each_other_and_go_with_the_algebra() -> None:
    few = Space(a=grid(range(10))).where(lambda a: a % 2 == 0).where(lambda a: a > 3)
    assert [4, 6, 8] == [params["a"] for params in few]
    both = few * Space(b=uniform(0, 1)).where(lambda b: b > 0.5).sample(2, seed=1) + few
    assert [6, 3] == [member.branches for member in both.members]
    assert all(params["b"] > 0.5 for params in both.members[0])
    assert [{"a": 4}, {"a": 6}, {"a": 8}] == list(both)[6:]


def test_a_member_of_which_nothing_is_left_is_left_out() -> None:
    space = (SVM + {"model": "none"}).where(lambda model, c=1: model == "none" and c == 1)
    assert [{"model": "none"}] == list(space)
    assert 1 == len(space.members)


def raising(a: int) -> bool:
    return 1 / (a - 2) > 0


BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: SVM.where(lambda c: c > 99), "true for none of 3 configurations; relax it, or"),
    (lambda: SVM.where(lambda d: True), "requires d, which the space lacks .it has model, c"),
    (lambda: (SVM + FOREST).where(lambda c: True), "requires c, which .*; filter the members of a"),
    (lambda: Space(a=grid(1, 2)).where(raising), r"raising raised ZeroDiv.* for \{'a': 2\}"),
    (lambda: Space(a=uniform(2, 2)).where(raising), r"raised ZeroDivisionError.*\{'a': 2\.0\}"),
    (lambda: SVM.where(3), r"where\(\) needs a function of the parameters, got 3"),  # type: ignore[arg-type]
    (lambda: SVM.where(lambda a, /: a), "takes a by position only"),
    (
        lambda: Space(x=uniform(0, 1)).where(lambda x: x > 1),
        r"was true for none of 1000 draws, the last being \{'x': 0\..*; relax it, or narrow the",
    ),
    (
        lambda: Space(x=grid(range(2_000)), y=grid(range(2_000))).where(lambda x, y: True),
        "there are 4000000 configurations to try, more than 1000000; filter the factors before",
    ),
]


@pytest.mark.parametrize(("define", "message"), BAD)
def test_conditions_that_cannot_be_are_errors(define: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        define()


def test_a_filtered_space_travels_without_its_list() -> None:
    space = Space(a=grid(range(1_000)), b=grid(range(100))).where(lambda a, b: a > b)
    sent = cloudpickle.dumps(space)
    assert len(sent) < 20_000
    again: Space = pickle.loads(sent)
    point = space.draw_point(Random(1), 777)
    assert space.resolve(point) == again.resolve(point)
    assert 777 == again.branch_of(point)
    assert len(space) == len(again)


# --- lists, draws, texts -------------------------------------------------------


def test_a_finite_space_is_a_list() -> None:
    space = SVM + Space(x=grid(math.nan, None)) + {"y": 1}
    assert 6 == len(space) == len(list(space))
    assert 3 == len(Space(a=grid(1, 2)) * {"b": 1} + {"c": 1})


def test_a_draw_is_one_configuration() -> None:
    space = SVM + FOREST
    assert space.draw(3) == space.draw(3)
    drawn = [space.draw(seed) for seed in range(40)]
    assert {"svm", "forest"} == {params["model"] for params in drawn}
    assert {0.1, 1, 10} == {params["c"] for params in drawn if "c" in params}


def test_repeated_values_are_found() -> None:
    space = Space(a=grid(1, True, 1.0, 1), b=choice([1], [1]), c=[choice("x", math.nan, "x")])
    assert {"a": 1, "b": [1], "c[0]": "x"} == space.repetitions
    assert 4 == len(Space(a=grid(1, True, 1.0, 1)))
    assert {} == Space(a=grid([1], [True], {"k": {1}}, {"k": {2}}, {1}, [{1}])).repetitions
    assert {"a": {"k": {1}}} == Space(a=grid({"k": {1}}, [1], {"k": {1}})).repetitions
    width = uniform(0, 1)
    assert {} == Space(a=choice([width, uniform(0, 1)], [width, uniform(0, 1)])).repetitions


def test_spaces_read_as_they_were_written() -> None:
    space = (Space(x=uniform(0, 1)) * Space(y=grid(1, 2)).where(raising_not)).sample(2, seed=5)
    assert (
        "(Space(x=uniform(0.0, 1.0)) * Space(y=grid(1, 2)).where(raising_not)).sample(2, seed=5) + "
        "Space(z=1)"
    ) == repr(space + {"z": 1})


def test_a_long_list_of_options_is_shortened() -> None:
    space = Space(x=grid(range(1_000)), y=choice(*range(20)))
    text, table = repr(space), space._repr_html_()
    assert "17, 18, 19, and 980 more), y=choice(0, 1" in text
    assert text.endswith("18, 19))")
    assert "18, 19 and 980 more<" in table
    assert "18, 19<" in table


def raising_not(y: int) -> bool:
    return True


def test_a_notebook_shows_a_table() -> None:
    space = Space(lr=loguniform(1e-3, 1), m=choice({"a<b": uniform(0, 1)}, None), k="fixed")
    shown = space._repr_html_()
    assert "<td>lr</td><td>loguniform</td><td>0.001, 1.0</td>" in shown
    assert "<td>m:0.a&lt;b</td><td>uniform</td><td>0.0, 1.0</td>" in shown
    assert "<td>k</td><td>constant</td><td>&#x27;fixed&#x27;</td>" in shown
    assert "1 level-1 configuration; the rest is stochastic" in shown
    assert "<th>member</th>" in (SVM + FOREST)._repr_html_()
    many = Space({f"p{i}": func(abs, uniform(-1, 1)) for i in range(500)})._repr_html_()
    assert many.count("<tr>") < 210
