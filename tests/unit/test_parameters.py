"""Parameters as numbers: which are, which get an index, and by which path."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from support.results import make_trial

from asha_bus import Space, TrialRecord, choice, grid, loguniform, randint, uniform
from asha_bus.formats.named import BY_NAME, values_of
from asha_bus.results.parameters import Axis, as_number, axes, column_values, columns, constants

NESTED = Space(lr=loguniform(1e-3, 1), net={"units": [randint(1, 9), 5], "act": "relu"}, fixed=(1,))


def trials_of(space: Space, *points: tuple[float, ...]) -> list[TrialRecord]:
    return [
        make_trial(i, params=space.resolve(point), point=point) for i, point in enumerate(points)
    ]


def axis_of(parameter: Any, *numbers: float) -> Axis:
    space = Space(x=parameter)
    (axis,) = axes(space, trials_of(space, *((number,) for number in numbers)))
    return axis


def test_values_stand_in_the_order_of_the_paths() -> None:
    assert ["lr", "net.units[0]"] == list(NESTED.parameters)
    assert (0.5, 7) == column_values(NESTED, *trials_of(NESTED, (0.5, 7)))


def test_an_option_that_is_a_container_is_one_value() -> None:
    space = Space(layers=choice([8], [8, 16]))
    assert ([8, 16],) == column_values(space, *trials_of(space, (1,)))


def test_constants_hold_no_parameter() -> None:
    assert {"fixed": (1,)} == constants(NESTED)
    assert {"b": [{"c": 1}]} == constants(Space({"a.b": uniform(0, 1), "b": [{"c": 1}]}))


def test_numbers_stand_for_themselves() -> None:
    assert Axis("x", (0.25, 0.5), None, False) == axis_of(uniform(0, 1), 0.25, 0.5)
    assert Axis("x", (16.0, 64.0), None, False) == axis_of(choice(16, 32, 64), 0, 2)
    assert Axis("x", (0.5, 2.0), None, False) == axis_of(choice(np.float32(0.5), np.int8(2)), 0, 1)


def test_values_that_span_orders_of_magnitude_get_a_logarithmic_axis() -> None:
    assert axis_of(loguniform(0.1, 0.2), 0.1, 0.2).is_log
    assert axis_of(grid(1e-5, 1e-1), 0, 1).is_log
    assert axis_of(randint(1, 10**6), 1, 10**6).is_log
    assert not axis_of(uniform(0, 1), 1e-9, 1.0).is_log
    assert not axis_of(grid(-1, 10**6), 0, 1).is_log


def test_options_stand_by_their_index() -> None:
    assert Axis("x", (0.0, 1.0, 0.0), ("tanh", "relu"), False) == (
        axis_of(choice("relu", "tanh"), 1, 0, 1)
    )
    assert Axis("x", (0.0, 1.0, 2.0), ("None", "1", "[1]"), False) == (
        axis_of(choice(None, 1, [1]), 0, 1, 2)
    )


@pytest.mark.parametrize("odd", [math.nan, math.inf, 10**400, True])
def test_values_that_no_axis_can_hold_are_options(odd: Any) -> None:
    axis = axis_of(choice(odd, 2), 0, 1)
    assert axis.labels is not None
    assert (2, (0.0, 1.0)) == (len(axis.labels), axis.numbers)


def test_there_are_no_axes_without_trials() -> None:
    assert [] == axes(NESTED, [])


def test_texts_and_booleans_are_not_numbers() -> None:
    assert [None, None, None, 1, 0.5] == [as_number(v) for v in ("1", True, None, 1, 0.5)]


# --- names that objectives ask for ----------------------------------------------


def drawn_from(name: str, **attributes: Any) -> str:
    """The JSON that Optuna makes of a distribution."""
    return json.dumps({"name": f"{name}Distribution", "attributes": attributes})


def asked(number: int, **drawn: str) -> TrialRecord:
    """A trial that asked for these names, each with the JSON of its distribution."""
    named = tuple((name, text, 1.0) for name, text in drawn.items())
    return make_trial(number, params=values_of(named), named=named)


def test_a_name_is_the_parameter_that_all_trials_drew_it_from() -> None:
    trials = [
        asked(
            0,
            rate=drawn_from("Float", low=0.1, high=1, log=True),
        ),
        asked(1, n=drawn_from("Int", low=1, high=4)),
        asked(2, n=drawn_from("Int", low=3, high=9)),
        asked(3, kind=drawn_from("Categorical", choices=[1, "1", None])),
        asked(4, one=drawn_from("Int", low=3, high=3)),
        asked(5, foreign="{"),
    ]
    found = {column.name: column for column in columns(Space({BY_NAME: uniform(0, 1)}), trials)}
    assert ["rate", "n", "kind", "one", "foreign"] == list(found)
    kinds = {name: None if c.leaf is None else str(c.leaf) for name, c in found.items()}
    assert "loguniform(0.1, 1.0)" == kinds["rate"]
    assert "randint(1, 9)" == kinds["n"]
    assert found["kind"].is_ambiguous
    assert kinds["foreign"] is None


def test_a_name_that_was_drawn_from_two_kinds_has_both() -> None:
    trials = [
        asked(0, x=drawn_from("Float", low=0, high=1)),
        asked(1, x=drawn_from("Int", low=0, high=9)),
    ]
    (column,) = columns(Space({BY_NAME: uniform(0, 1)}), trials)
    assert column.leaf is None
    assert ["uniform(0.0, 1.0)", "randint(0, 9)"] == list(map(str, column.nodes))
