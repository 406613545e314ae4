"""Whatever reads a space: the plan, the journal, results, charts and pages."""

from __future__ import annotations

import logging
import math
from random import Random
from typing import Any

import matplotlib
import numpy as np
import pandas
import pytest
from matplotlib import pyplot
from support.plans import plan_for
from support.results import make_result, make_trial

from asha_bus import (
    InvalidArgument,
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
from asha_bus.core.space import POSITIONAL, Plain
from asha_bus.formats.space_form import comparable, describe, parts_of, space_from
from asha_bus.page.document import TRIAL_FIELDS, run_document
from asha_bus.page.report import importance_document
from asha_bus.results.parameters import Axis, axes, columns, constants

matplotlib.use("Agg")

SVM = Space(model="svm", lr=uniform(0, 1), data="d")
FOREST = Space(
    model="forest", lr=uniform(0, 1), depth=choice(None, {"most": randint(1, 9)}), data="d"
)
UNION = SVM + FOREST
X = uniform(0, 1)
POSITIONAL_SPACE = Space.of_parts([Plain({POSITIONAL: X})], is_positional=True)


def takes_all(**params: Any) -> float:
    return 0.0


def result_of(space: Space, *points: tuple[float, ...]) -> Any:
    trials = [
        make_trial(i, params=space.resolve(point), point=point) for i, point in enumerate(points)
    ]
    return make_result(*trials, space=space)


# --- the plan --------------------------------------------------------------------


def test_an_objective_takes_what_each_member_has() -> None:
    def both(model: str, lr: float, data: str, depth: Any = None) -> float:
        return lr

    plan_for(both, UNION, max_trials=3)
    plan_for(takes_all, UNION, max_trials=3)

    def one(model: str, lr: float, data: str) -> float:
        return lr

    with pytest.raises(InvalidArgument, match="member 1 of the space has depth, which objective"):
        plan_for(one, UNION, max_trials=3)

    def needs(model: str, lr: float, data: str, depth: Any) -> float:
        return lr

    with pytest.raises(
        InvalidArgument,
        match=r"requires depth, which member 0 of the space lacks \(it has model, lr, data\)",
    ):
        plan_for(needs, UNION, max_trials=3)


def one_argument(config: Any) -> float:
    return 0.0


def with_default(config: Any, other: int = 1) -> float:
    return 0.0


def of_a_trial(trial: Any) -> None: ...


@pytest.mark.parametrize(
    "objective", [one_argument, with_default, of_a_trial, math.sqrt, lambda *a: 0, lambda a, /: 0]
)
def test_one_argument_by_position_is_taken(objective: Any) -> None:
    plan_for(objective, POSITIONAL_SPACE, max_trials=3)


def two_arguments(a: Any, b: Any) -> float:
    return 0.0


@pytest.mark.parametrize(
    ("objective", "taken"),
    [
        (two_arguments, "a, b"),
        (takes_all, "params"),
        (lambda: 0, "nothing"),
        (lambda *, a: 0, "a"),
        (lambda a, *, b: 0, "a, b"),
    ],
)
def test_an_objective_that_takes_no_single_argument_is_refused(objective: Any, taken: str) -> None:
    with pytest.raises(InvalidArgument, match=f"one argument by position, .*it takes {taken}$"):
        plan_for(objective, POSITIONAL_SPACE, max_trials=3)


def test_a_finite_union_ends_by_itself() -> None:
    space = Space(x=grid(1, 2)) + Space(y=uniform(0, 1)).sample(3)
    settings = plan_for(takes_all, space).settings
    assert (5, "exhausted") == (settings.max_trials, settings.limit_reason)
    huge = Space(a=grid(range(2_000)), b=grid(range(1_000)))
    with pytest.raises(
        InvalidArgument, match="has 2000000 configurations, so the run needs another"
    ):
        plan_for(takes_all, huge)
    assert 10 == plan_for(takes_all, huge, max_trials=10).settings.max_trials


def test_a_point_must_fit_into_a_message() -> None:
    space = Space(x=[uniform(0, 1) for _ in range(10_001)])
    with pytest.raises(InvalidArgument, match="up to 10001 parameters .*, more than 10000"):
        plan_for(takes_all, space, max_trials=1)
    plan_for(takes_all, Space(x=choice(*space.tree["x"][:6])), max_trials=1)


def test_a_value_a_grid_lists_twice_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "asha_bus"):
        plan = plan_for(takes_all, Space(x=grid(1, 1, 1), y=grid(1, True)))
    assert ["x lists 1 twice; both are kept"] == [record.message for record in caplog.records]
    assert 6 == plan.settings.max_trials


# --- the journal -------------------------------------------------------------------


def named(a: float) -> bool:
    return a > 0


def other(a: float) -> bool:
    return a > 0


BASE: dict[str, Any] = {"a": uniform(0, 1), "b": grid(1, 2)}


@pytest.mark.parametrize(
    ("space", "another", "same"),
    [
        (Space(BASE) + SVM, Space(BASE) + SVM, True),
        (Space(BASE) + SVM, SVM + Space(BASE), False),
        (Space(BASE).sample(3), Space(a=uniform(0, 1), b=grid(1, 2)).sample(3), True),
        (Space(BASE).sample(3), Space(BASE).sample(4), False),
        (Space(BASE).sample(3), Space(BASE).sample(3, seed=1), False),
        (Space(BASE).where(named), Space(BASE).where(named), True),
        (Space(BASE).where(named), Space(BASE).where(other), False),
        (Space(BASE).where(named), Space(BASE), False),
        (Space(f=func(abs, X)), Space(f=func(abs, uniform(0, 1))), True),
        (Space(f=func(abs, X)), Space(f=func(len, X)), False),
        (Space(f=func(abs, X), x=X), Space(f=func(abs, X), x=uniform(0, 1)), False),
        (Space(a=uniform(0, 1, q=0.5)), Space(a=uniform(0, 1)), False),
        (Space(a=randint(1, 9, log=True)), Space(a=randint(1, 9)), False),
        (Space(a=normal(0, 1)), Space(a=lognormal(0, 1)), False),
        (Space(a=choice(1, 2)), Space(a=ordinal(1, 2)), False),
        (Space(a=choice({"x": X}, 1)), Space(a=choice({"x": uniform(0, 1)}, 1)), True),
        (Space(a=choice({"x": X}, 1)), Space(a=choice({"y": X}, 1)), False),
        (POSITIONAL_SPACE, Space({POSITIONAL: X}), False),
    ],
)
def test_spaces_are_compared(space: Space, another: Space, same: bool) -> None:
    assert same is (comparable(describe(space)) == comparable(describe(another)))
    assert same is (parts_of(describe(space)) == parts_of(describe(another)))


def test_descriptions_of_plain_spaces_stay_as_they_were() -> None:
    shared = grid(1, 2)
    space = Space(
        a=uniform(0, 1),
        b=loguniform(1, 2),
        c=randint(1, 2),
        d=choice("x", option([None])),
        e=shared,
    )
    assert (
        "dict",
        (
            ("a", ("uniform", (0.0, 1.0))),
            ("b", ("loguniform", (1.0, 2.0))),
            ("c", ("randint", (1, 2))),
            ("d", ("choice", (("value", "x"), ("list", (("value", None),))))),
            ("e", ("grid", (0, ("value", 1), ("value", 2)))),
        ),
    ) == describe(space)
    assert ["space['a']", "space['b']"] == list(parts_of(describe(space)))[:2]


def test_a_shared_axis_of_an_old_journal_is_read() -> None:
    axis = ("grid", (0, ("value", "x"), ("value", "y")))
    space = space_from(("dict", (("a", axis), ("b", axis))))
    assert {"a": "y", "b": "y"} == space.resolve((1, 1))


def test_a_func_without_its_function_is_shown_by_name() -> None:
    space = space_from(describe(Space(x=X, f=func(named, X))))
    assert repr(space.resolve((0.5,))["f"]).endswith("test_space_readers.named(0.5)")
    assert (("positional",) * 2, True) == (
        (describe(POSITIONAL_SPACE)[0], "positional"),
        space_from(describe(POSITIONAL_SPACE)).is_positional,
    )


# --- columns -------------------------------------------------------------------------


def test_columns_of_a_union_are_those_of_its_members() -> None:
    assert ["model", "lr", "depth", "depth:1.most"] == [c.name for c in columns(UNION)]
    assert {"data": "d"} == constants(UNION)
    model, lr, *_ = columns(UNION)
    assert (("svm", "forest"), None) == (model.nodes, model.leaf)
    assert lr.leaf is SVM.parameters["lr"]


def test_a_trial_has_no_value_where_its_member_has_none() -> None:
    found = axes(UNION, result_of(UNION, (0, 0.5), (1, 0.25, 0), (1, 0.75, 1, 3)).trials)
    assert [Axis("model", (0.0, 1.0, 1.0), ("svm", "forest"), False)] == found[:1]
    assert Axis("lr", (0.5, 0.25, 0.75), None, False) == found[1]
    assert ("None", "option 1") == found[2].labels
    np.testing.assert_equal((math.nan, 0.0, 1.0), found[2].numbers)
    np.testing.assert_equal((math.nan, math.nan, 3.0), found[3].numbers)


def test_logarithmic_ranges_are_recognized() -> None:
    space = Space(a=lognormal(0, 1), b=normal(1e6, 1))
    (a, b) = axes(space, result_of(space, (1.0, 1.0), (2.0, 1e6)).trials)
    assert (True, False) == (a.is_log, b.is_log)


def test_a_page_of_a_union() -> None:
    space = UNION + Space(model="f", lr=func(abs, normal(0, 1)), data="d")
    result = result_of(space, (0, 0.5), (1, 0.25, 1, 3), (2, -2.0))
    document = run_document(result)
    assert [
        {"name": "model", "kind": "one of", "options": ["svm", "forest", "f"]},
        {
            "name": "lr",
            "kind": "one of",
            "options": ["uniform(0.0, 1.0)", "func(abs, normal(0.0, 1.0))"],
        },
        {
            "name": "depth",
            "kind": "choice",
            "options": [None, {"most": "randint(1, 9)"}],
        },
        {"name": "depth:1.most", "kind": "randint", "range": [1, 9]},
    ] == document["parameters"]
    assert [
        ["svm", 0.5, None, None],
        ["forest", 0.25, "option 1", 3],
        ["f", 2.0, None, None],
    ] == [trial[TRIAL_FIELDS.index("params")] for trial in document["trials"]]
    assert {"data": "d"} == document["constants"]


def test_a_page_of_all_kinds() -> None:
    space = Space(n=normal(0, 2), o=ordinal("s", "l"), f=func(max, X, 0.5), q=uniform(0, 9, q=3))
    assert [
        {"name": "n", "kind": "normal", "range": [0.0, 2.0]},
        {"name": "o", "kind": "ordinal", "options": ["s", "l"]},
        {"name": "f", "kind": "func", "options": ["max", "uniform(0.0, 1.0)", 0.5]},
        {"name": "q", "kind": "uniform", "range": [0.0, 9.0]},
    ] == run_document(result_of(space, (0.5, 1, 0.75, 3)))["parameters"]


def test_a_table_of_a_union_has_a_column_for_each_name() -> None:
    frame = result_of(UNION, (0, 0.5), (1, 0.25, 1, 3)).to_pandas()
    assert ["params.model", "params.lr", "params.data", "params.depth"] == [
        name for name in frame.columns if name.startswith("params.")
    ]
    assert [None, {"most": 3}] == list(frame["params.depth"])
    wide = Space(a=uniform(0, 1)) + Space(b=uniform(0, 1))
    numbers = result_of(wide, (0, 0.5), (1, 0.25)).to_pandas()
    assert [False, True] == list(pandas.isna(numbers["params.a"]))


def test_charts_and_importance_do_without_a_value() -> None:
    x = uniform(0, 1)
    space = Space(kind="a", x=x, f=func(abs, x)) + Space(kind="b", y=uniform(5, 6))
    points = [space.draw_point(Random(n), n % 2) for n in range(60)]
    trials = [
        make_trial(i, metric=p[1], params=space.resolve(p), point=p) for i, p in enumerate(points)
    ]
    result = make_result(*trials, space=space)
    found = importance_document(result)
    assert {"kind", "x", "y"} == {name for name, _, _ in found["rows"]}
    axs = result.plot_params()
    assert ["kind", "x", "f", "y"] == [ax.get_xlabel() for ax in axs]
    assert [30, 30] == [np.shape(ax.collections[0].get_offsets())[0] for ax in (axs[1], axs[3])]
    pyplot.close("all")
