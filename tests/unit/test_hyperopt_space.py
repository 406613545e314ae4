"""Spaces of hyperopt: what they give is what hyperopt's own sampler gives."""

from __future__ import annotations

import math
import pickle
import sys
from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest
from hyperopt import hp
from hyperopt.pyll import as_apply, scope
from hyperopt.pyll.stochastic import sample
from scipy.stats import chi2_contingency, ks_2samp

from asha_bus import InvalidArgument, Space, from_hyperopt, grid, uniform
from asha_bus.core.space import POSITIONAL, Choice, LogUniform, Uniform, as_space
from asha_bus.hyperopt.space import if_hyperopt

DRAWS = 2_000


def theirs(expression: Any, count: int = DRAWS) -> list[Any]:
    random = np.random.default_rng(11)
    return [sample(expression, random) for _ in range(count)]


def ours(expression: Any, count: int = DRAWS) -> list[Any]:
    space, random = from_hyperopt(expression), Random(12)
    return [space.resolve(space.draw_point(random, 0)) for _ in range(count)]


def types_of(value: Any) -> Any:
    """The types in ``value``; hyperopt's numpy floats are floats."""
    if isinstance(value, dict):
        return {key: types_of(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return (type(value), *map(types_of, value))
    return float if isinstance(value, float) else type(value)


CONTINUOUS = {
    "uniform": hp.uniform("x", -2, 3),
    "loguniform": hp.loguniform("x", -7, 1.5),
    "loguniform, bounds below 1": hp.loguniform("x", math.log(1e-5), math.log(1e-4)),
    "normal": hp.normal("x", 5, 2),
    "lognormal": hp.lognormal("x", -1, 0.7),
    "arithmetic": (hp.uniform("x", 0, 1) * 2 - hp.normal("y", 0, 1)) / 3 + 1,
    "power": 10 ** hp.uniform("x", -3, 0),
    "negative": -hp.uniform("x", 0, 1),
    "right hand": 1 - hp.uniform("x", 0, 1),
    "numpy": scope.exp(hp.uniform("x", 0, 1)),
}

DISCRETE = {
    "quniform": hp.quniform("x", 1, 10, 1),
    "quniform beyond its bounds": hp.quniform("x", 0.2, 1.2, 0.5),
    "qloguniform": hp.qloguniform("x", 0, 2.5, 1),
    "qnormal": hp.qnormal("x", 0, 2, 1),
    "qlognormal": hp.qlognormal("x", 0, 1, 2),
    "randint": hp.randint("x", 6),
    "randint of two": hp.randint("x", 3, 9),
    "uniformint": hp.uniformint("x", 1, 7),
    "scope.int": scope.int(hp.quniform("x", 1, 10, 1)),
    "scope.int of steps": scope.int(hp.quniform("x", 0, 10, 2.5)),
    "choice": hp.choice("x", ["a", None, (1, 2), [3]]),
    "pchoice": hp.pchoice("x", [(0.1, "a"), (0.6, "b"), (0.3, "c")]),
    "item": hp.choice("x", [(1, 2), (3, 4)])[1],
    "item by a parameter": as_apply((10, 20, 30))[hp.randint("x", 3)],
    "shared index": as_apply([hp.randint("x", 3), hp.randint("y", 2) + 1]),
}


def _text(value: Any) -> str:
    """The text of a value; hyperopt rounds to a negative zero."""
    return str(value + 0 if isinstance(value, float) else value)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_values_have_the_same_distribution(name: str) -> None:
    expression = CONTINUOUS[name]
    expected, found = theirs(expression), ours(expression)
    assert ks_2samp(expected, found).pvalue > 0.01
    assert {float} == {types_of(value) for value in expected} == {types_of(v) for v in found}


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete_values_have_the_same_counts(name: str) -> None:
    expression = DISCRETE[name]
    expected, found = theirs(expression), ours(expression)
    assert set(map(str, map(types_of, expected))) == set(map(str, map(types_of, found)))
    counts = [Counter(map(_text, values)) for values in (expected, found)]
    often = [value for value in {**counts[0], **counts[1]} if counts[0][value] >= 10]
    table = [[count[value] for value in often] for count in counts]
    assert chi2_contingency(table).pvalue > 0.01


def test_the_tests_above_distinguish_distributions() -> None:
    assert ks_2samp(theirs(hp.uniform("x", -2, 3)), ours(hp.uniform("x", -2, 3.3))).pvalue < 0.01
    counts = [
        Counter(theirs(hp.quniform("x", 1, 10, 1))),
        Counter(map(float, ours(hp.uniformint("x", 1, 10)))),
        Counter(Space(x=uniform(1, 10, q=1)).draw(seed)["x"] for seed in range(DRAWS)),
    ]
    tables = [[[c[k] for k in range(1, 11)] for c in (counts[0], other)] for other in counts[1:]]
    assert chi2_contingency(tables[0]).pvalue > 0.01
    assert chi2_contingency(tables[1]).pvalue < 0.01  # ours has whole ends, hyperopt's half ones


WHOLE = {
    "lr": hp.loguniform("lr", -7, 0),
    "layers": [scope.int(hp.quniform("l1", 8, 64, 8)), hp.uniformint("l2", 1, 4)],
    "model": hp.choice(
        "model",
        [
            {"name": "svm", "C": hp.lognormal("C", 0, 1), "kernel": hp.choice("k", ["rbf", "lin"])},
            {"name": "forest", "depth": hp.randint("depth", 1, 9)},
            None,
            hp.uniform("bare", 5, 6),
        ],
    ),
    "constant": "c",
}


def test_a_whole_space_gives_what_hyperopt_gives() -> None:
    expected, found = theirs(WHOLE, 400), ours(WHOLE, 400)
    assert {str(types_of(value)) for value in expected} == {str(types_of(v)) for v in found}
    assert list(expected[0]) == list(found[0])
    kinds = [Counter(str(types_of(params["model"])) for params in x) for x in (expected, found)]
    assert chi2_contingency([[c[k] for k in kinds[0]] for c in kinds]).pvalue > 0.01


def test_conditions_are_those_of_the_space() -> None:
    space = from_hyperopt(WHOLE)
    assert ["constant", "layers", "lr", "model"] == list(space.names)
    assert {
        "model:0.C": ((("model", 0),),),
        "model:0.kernel": ((("model", 0),),),
        "model:1.depth": ((("model", 1),),),
        "model:3": ((("model", 3),),),
    } == {d.path: d.when for d in space.level2(0) if d.when != ((),)}
    labels = {d.parameter.label for d in space.level2(0)}
    assert {"lr", "l1", "l2", "model", "C", "k", "depth", "bare"} == labels
    for number in range(50):
        point = space.draw_point(Random(number), 0)
        assert point == space.point_of(space.resolve(point))


def test_one_expression_in_several_places_is_one_value() -> None:
    rate = hp.uniform("rate", 0, 1)
    whole = hp.quniform("q", 1, 9, 1)
    shared = {
        "a": rate,
        "b": rate * 2,
        "m": hp.choice("m", [{"r": rate}, {"s": rate}]),
        "f": whole,
        "i": scope.int(whole),
    }
    for params in (*theirs(shared, 30), *ours(shared, 30)):
        assert params["a"] * 2 == params["b"]
        assert [params["a"]] == list(params["m"].values())
        assert (float, int, params["f"]) == (types_of(params["f"]), type(params["i"]), params["i"])
    assert 3 == len(from_hyperopt(shared).level2(0))


def test_an_index_that_serves_twice_is_one_parameter() -> None:
    index = scope.hyperopt_param("i", scope.randint(2))
    both = {"a": scope.switch(index, "x", "y"), "b": scope.switch(index, 10, 20)}
    assert {("x", 10), ("y", 20)} == {tuple(params.values()) for params in ours(both, 40)}


def test_a_value_that_is_not_a_dict_is_one_argument() -> None:
    for expression in (hp.uniform("x", 0, 1), [hp.uniform("x", 0, 1), 3], hp.choice("c", [{}, 1])):
        space = from_hyperopt(expression)
        assert space.is_positional
        assert (POSITIONAL,) == space.names
    assert [0.5, 3] == list(from_hyperopt([hp.uniform("x", 0, 1), 3]).resolve((0.5,)))
    assert not from_hyperopt({"x": hp.uniform("x", 0, 1)}).is_positional
    with pytest.raises(InvalidArgument, match="one of them is not a dict, so no objective could"):
        from_hyperopt(hp.uniform("x", 0, 1)) + {"y": 1}
    with pytest.raises(InvalidArgument, match="one of them is not a dict, so it has no names"):
        from_hyperopt(hp.uniform("x", 0, 1)) * {"y": 1}


def test_the_algebra_applies_to_a_converted_space() -> None:
    space = from_hyperopt({"x": hp.uniform("x", 0, 1)}) * Space(y=grid(1, 2))
    assert 2 == space.branches
    assert 7 == len(from_hyperopt({"x": hp.uniform("x", 0, 1)}).where(lambda x: x > 0.5).sample(7))


def test_the_algebra_names_what_reads_a_space_of_hyperopt() -> None:
    with pytest.raises(InvalidArgument, match=r"^x is a .* pass the whole space to asha_bus.from_"):
        {"x": hp.uniform("x", 0, 1)} * Space(y=grid(1, 2))
    with pytest.raises(AttributeError, match=r"is now asha_bus\.from_hyperopt\(space\)"):
        Space.from_hyperopt({"x": hp.uniform("x", 0, 1)})


def test_the_converter_leaves_alone_what_is_not_of_hyperopt() -> None:
    for space in (Space(x=1), {"x": uniform(0, 1)}, {}, 5, [1, {"x": 2}]):
        assert if_hyperopt(space) is None
    found = if_hyperopt([1, {"x": hp.uniform("x", 0, 1)}])
    assert found is not None
    assert found.is_positional
    mine = Space(x=1)
    assert mine is as_space(mine, [if_hyperopt])
    assert ("x",) == as_space({"x": 1}, [if_hyperopt]).names


def test_a_space_of_hyperopt_travels_without_hyperopt() -> None:
    space = from_hyperopt({"x": hp.uniform("x", 0, 1) * 2 + 1, "m": WHOLE["model"]})
    assert b"hyperopt." not in pickle.dumps(space)


BAD: list[tuple[Any, str]] = [
    ({"x": scope.uniform(0, 1)}, r"'uniform' has no label, .* use hp\.uniform\(label, \.\.\.\)"),
    (
        {"a": hp.uniform("x", 0, 1), "b": hp.uniform("x", 0, 1)},
        "two parameters have the label 'x'; give each its own label, or use the same",
    ),
    ({"a": hp.uniform("x", 0, 1), "b": uniform(0, 1)}, "is inside a space of hyperopt; write the"),
    ({"a": hp.uniform("x", 0, hp.uniform("y", 0, 1))}, "high must be a number, not an expr"),
    ({"a": hp.loguniform("x", -900, 0)}, r"hp.loguniform\('x', low=-900, high=0\): low is the log"),
    ({"a": hp.loguniform("x", 0, 900)}, r"hp.loguniform\('x', low=0, high=900\): math range error"),
    ({"a": hp.randint("x", 0)}, r"hp.randint\('x', low=0\): its range is empty"),
    ({"a": hp.quniform("x", 0, 1, 0)}, "q must be above 0"),
    ({"a": hp.normal("x", 0, 0)}, "sigma must be above 0"),
    (
        {"a": scope.hyperopt_param("x", scope.randint_via_categorical([0.5, 0.5]))},
        "'randint_via_categorical' of 'x' is not supported; use one of cat",
    ),
    (
        {"trial": hp.uniform("trial", 0, 1)},
        "the space has a parameter named 'trial', got uniform.*; rename the parameter",
    ),
]


@pytest.mark.parametrize(("space", "message"), BAD)
def test_an_unsupported_expression_is_named(space: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        from_hyperopt(space)


def test_an_unknown_node_is_named() -> None:
    @scope.define  # type: ignore[untyped-decorator]
    def of_this_test(x: float) -> float:
        return x + 1

    space = {"a": scope.of_this_test(hp.uniform("x", 0, 1))}
    try:
        assert 1 < ours(space, 1)[0]["a"] < 2
    finally:
        scope.undefine(of_this_test)
    for read in (from_hyperopt, lambda space: as_space(space, [if_hyperopt])):
        with pytest.raises(
            InvalidArgument,
            match="hyperopt's node 'of_this_test' is not known; define it by .* or compute it in",
        ):
            read(space)


def test_a_label_may_be_called_trial() -> None:
    space = from_hyperopt(
        {"t": hp.uniform("trial", 0, 1), "c": hp.choice("c", [{"trial": hp.uniform("u", 0, 1)}])}
    )
    params = space.draw(1)
    assert {"t", "c"} == set(params)
    assert {"trial"} == set(params["c"])


def test_an_expression_within_a_space_of_ours_is_an_error() -> None:
    with pytest.raises(InvalidArgument, match=r"^a\.b is a hyperopt expression; pass the whole"):
        Space(a={"b": hp.uniform("x", 0, 1)})


def test_without_hyperopt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "hyperopt"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'asha-bus\[hyperopt\]'"):
        from_hyperopt({"x": 1})


def test_kinds_are_those_of_the_expressions() -> None:
    space = from_hyperopt(
        {
            "u": hp.uniform("u", 0, 1),
            "q": hp.qloguniform("q", 0, 1, 0.5),
            "p": hp.pchoice("p", [(0.25, 1), (0.75, 2)]),
        }
    )
    leaves = space.parameters
    assert isinstance(leaves["u"], Uniform)
    assert isinstance(leaves["q"], LogUniform)
    assert (1, math.e, 0.5) == (leaves["q"].low, leaves["q"].high, leaves["q"].q)
    assert isinstance(leaves["p"], Choice)
    assert (0.25, 0.75) == leaves["p"].weights
