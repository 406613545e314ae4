"""Which values are metrics, resources and extras."""

from __future__ import annotations

import math
from collections import OrderedDict
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from asha_bus.core.errors import ObjectiveError
from asha_bus.objective.values import to_extras, to_metric, to_metric_and_extras, to_resource


class Tensor:
    """Stands for a tensor: ``item()`` gives its one element, or fails."""

    def __init__(self, *elements: Any) -> None:
        self._elements = elements

    def item(self) -> Any:
        if len(self._elements) != 1:
            raise RuntimeError(f"a tensor with {len(self._elements)} elements has no item")
        return self._elements[0]


class Measure:
    """A number type of the user's own."""

    def __float__(self) -> float:
        return 0.5


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        np.float64(0.5),
        np.float32(0.5),
        np.float16(0.5),
        np.array(0.5),
        np.array([0.5]),
        np.array([[0.5]]),
        Tensor(0.5),
        Decimal("0.5"),
        Fraction(1, 2),
        Measure(),
    ],
)
def test_numbers_of_every_kind_are_metrics(value: Any) -> None:
    metric = to_metric(value)
    assert 0.5 == metric
    assert float is type(metric)


@pytest.mark.parametrize("value", [1, np.int64(1), np.uint8(1), np.array(1), Tensor(1)])
def test_whole_numbers_become_floats(value: Any) -> None:
    metric = to_metric(value)
    assert 1.0 == metric
    assert float is type(metric)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, np.float32("nan"), Decimal("-inf")]
)
def test_non_finite_metrics_are_kept_unchanged(value: Any) -> None:
    assert str(float(value)) == str(to_metric(value))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "^True of type bool is not a number; return one number"),
        (np.bool_(True), "of type bool.* is not a number"),
        (None, "^None of type NoneType is not a number"),
        ("0.5", "^'0.5' of type str is not a number"),
        (b"0.5", "^b'0.5' of type bytes is not a number"),
        (np.array(["a"]), "of type ndarray is not a number"),
        (np.str_("0.5"), "of type str_ is not a number"),
        (10**400, "^1000.* of type int is not a number: int too large"),
        (Fraction(10**400), "of type Fraction is not a number"),
        (np.array([1, 2]), r"^array\(\[1, 2\]\) of type ndarray is not a number"),
        (np.array([]), "of type ndarray is not a number"),
        (Tensor(1, 2), "of type Tensor is not a number: a tensor with 2 elements"),
        ((0.5, "model"), r"^\(0.5, 'model'\) of type tuple is not a number"),
        ([0.5], r"^\[0.5\] of type list is not a number"),
        ({"loss": 0.5}, r"^\{'loss': 0.5\} of type dict is not a number"),
        (1j, "^1j of type complex is not a number"),
        (np.complex128(1j), "of type complex128 is not a number"),
        (Decimal("sNaN"), r"^Decimal\('sNaN'\) of type Decimal is not a number"),
        (object, "^<class 'object'> of type type is not a number"),
    ],
)
def test_anything_else_is_an_error_that_shows_it(value: Any, message: str) -> None:
    with pytest.raises(ObjectiveError, match=message):
        to_metric(value)


def test_a_long_value_is_shown_in_short() -> None:
    with pytest.raises(ObjectiveError) as caught:
        to_metric("x" * 10_000)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("value", "resource"),
    [
        (None, None),
        (3, 3),
        (3.0, 3),
        (np.int64(3), 3),
        (np.array([3]), 3),
        (-1, -1),
        (0.5, 0.5),
        (Decimal("0.5"), 0.5),
        (1e6, 1_000_000),
        (2.0**53, 2.0**53),
        (1e300, 1e300),
        (math.inf, math.inf),
    ],
)
def test_a_whole_resource_becomes_an_int_where_that_is_exact(value: Any, resource: Any) -> None:
    converted = to_resource(value)
    assert resource == converted
    assert type(resource) is type(converted)


@pytest.mark.parametrize(
    ("value", "shown"), [("3", "'3' of type str"), (True, "True of type bool"), ([3], r"\[3\] of")]
)
def test_a_resource_that_is_not_a_number_is_an_error(value: Any, shown: str) -> None:
    with pytest.raises(
        ObjectiveError, match=rf"report\(resource={shown}.*: a resource is a number"
    ):
        to_resource(value)


class Level(IntEnum):
    LOW = 1


class Phase(str, Enum):
    WARM_UP = "warm up"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.bool_(True), True),
        (np.array(False), False),
        (np.array([True]), True),
        (np.int64(3), 3),
        (np.uint8(255), 255),
        (np.float32(0.5), 0.5),
        (np.str_("adam"), "adam"),
        (Phase.WARM_UP, "warm up"),
        (Level.LOW, 1),
        (Decimal("0.5"), 0.5),
        (np.float64("nan"), math.nan),
    ],
    ids=repr,
)
def test_a_scalar_of_any_kind_is_a_plain_extra(value: Any, plain: Any) -> None:
    [found] = to_extras({"x": value}).values()
    assert type(plain) is type(found)
    assert plain == found or (plain != plain and found != found)


def test_a_name_of_an_extra_is_a_text() -> None:
    assert ["a", "warm up"] == list(to_extras({np.str_("a"): 1, Phase.WARM_UP: np.bool_(1)}))
    names: list[Any] = [1, None, ("a",), b"a", 1.5, ""]
    for name in names:
        with pytest.raises(ObjectiveError, match="is not a name of an extra; use a string of 1 to"):
            to_extras({"a": 1, name: 2})


def test_extras_are_those_of_the_moment() -> None:
    info = {"epoch": 1}
    _, kept = to_metric_and_extras((0.5, info))
    info["epoch"] = 2
    assert {"epoch": 1} == kept


def test_extras_come_beside_the_metric() -> None:
    assert (0.5, {}) == to_metric_and_extras(0.5)
    assert (0.5, {"a": 1}) == to_metric_and_extras((np.float32(0.5), {"a": 1}))


@pytest.mark.parametrize("value", [(0.5,), (0.5, {}, 1), [0.5, {}], (0.5, None), ({}, 0.5)])
def test_other_pairs_are_not_metrics(value: Any) -> None:
    with pytest.raises(ObjectiveError, match="is not a number"):
        to_metric_and_extras(value)


def test_plain_extras_are_kept_and_other_numbers_become_floats() -> None:
    plain = {"i": 1, "f": 0.5, "b": True, "t": "text", "n": None, "nan": math.inf}
    assert plain == to_extras(plain)
    assert {"i": 1, "x": 0.5} == to_extras({"i": 1, "x": np.float32(0.5)})
    assert {"x": 0.5} == to_extras(OrderedDict(x=Fraction(1, 2)))
    assert {} == to_extras({})


def test_a_whole_number_too_large_for_the_wire_becomes_a_float() -> None:
    extras = to_extras({"n": 2**70})
    assert {"n": 2.0**70} == extras
    assert float is type(extras["n"])


@pytest.mark.parametrize(
    ("extras", "message"),
    [
        ({"a": [1]}, r"extra 'a' is \[1\] of type list; use a number, a string"),
        ({"a": {}}, "extra 'a' is .* of type dict"),
        ({"a": 10**400}, "extra 'a' is 1000.* of type int"),
        ({"a": "x" * 100_000}, "extra 'a' is 'xxx.* of type str; .* a string of at most"),
        ({0: 0.5}, "0 of type int is not a name of an extra"),
        ({"": 0.5}, "'' of type str is not a name of an extra; use a string of 1 to"),
        ({"x" * 1_000: 1}, "is not a name of an extra"),
        ({str(number): number for number in range(65)}, "65 extras are more than 64"),
    ],
)
def test_extras_that_cannot_travel_are_an_error(extras: dict[Any, Any], message: str) -> None:
    with pytest.raises(ObjectiveError, match=message):
        to_extras(extras)


@pytest.mark.parametrize("value", [{"loss": 0.5}, (0.5, 3), (0.5, {"a": 1}, 2)])
def test_the_error_of_nearly_a_pair_says_what_a_pair_is(value: Any) -> None:
    with pytest.raises(ObjectiveError, match=r"is not a number; return one, or a pair \(metric, {"):
        to_metric_and_extras(value)


def test_an_array_of_two_is_one_error() -> None:
    with pytest.raises(ObjectiveError, match="is not a number") as caught:
        to_metric(np.array([1.0, 2.0]))
    assert caught.value.__suppress_context__
