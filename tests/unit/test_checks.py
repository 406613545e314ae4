"""What an argument must be, and the error where it is not."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest

from asha_bus.core.checks import (
    ABOVE_0,
    PATH,
    SECONDS,
    SHARE,
    SWITCH,
    Rule,
    check,
    check_names,
    one_of,
    shortened,
    text,
    whole,
)
from asha_bus.core.errors import InvalidArgument


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (1, whole(1)),
        (2**63 - 1, whole(0)),
        (7, whole(7, 7)),
        (1e-300, ABOVE_0),
        (5, ABOVE_0),
        (0, SHARE),
        (1.0, SHARE),
        (1e9, SECONDS),
        (False, SWITCH),
        ("b", one_of(Literal["a", "b"])),
        ("a", text("a word")),
        ("", PATH),
    ],
)
def test_valid_arguments_pass(value: object, rule: Rule) -> None:
    check("it", value, rule)


@pytest.mark.parametrize(
    ("value", "rule", "message"),
    [
        (0, whole(1), "it must be a whole number of at least 1, got 0"),
        (2**63, whole(1), "it must be a whole number of at least 1, got 9223372036854775808"),
        (8, whole(1, 7), "it must be a whole number from 1 to 7, got 8"),
        (1.0, whole(1), "it must be a whole number of at least 1, got 1.0 of type float"),
        (True, whole(0), "it must be a whole number of at least 0, got True of type bool"),
        (None, whole(0), "it must be a whole number of at least 0, got None"),
        (math.inf, ABOVE_0, "it must be a number above 0, got inf"),
        (True, ABOVE_0, "it must be a number above 0, got True of type bool"),
        (math.nan, SHARE, "it must be a number from 0 to 1, got nan"),
        ("5", SECONDS, "it must be a number of seconds above 0 and at most 1e9, got '5' of type"),
        (0, SWITCH, "it must be True or False, got 0 of type int"),
        ("c", one_of(Literal["a", "b", "c d"]), "it must be 'a', 'b' or 'c d', got 'c'"),
        (["a"], one_of(Literal["a", "b"]), "it must be 'a' or 'b', got ['a'] of type list"),
        ("", text("a word"), "it must be a word, got ''"),
        (5, PATH, "it must be the path of a file, got 5"),
        (Broken, PATH, "it must be the path of a file, got the class Broken: give Broken(...)"),
        (Broken(), SWITCH, "got <Broken whose repr raised RuntimeError> of type Broken"),
    ],
)
def test_a_wrong_argument_is_named_and_shown(value: object, rule: Rule, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check("it", value, rule)
    assert message in str(caught.value)


def test_a_numpy_number_is_distinguished_from_a_built_in_one() -> None:
    with pytest.raises(InvalidArgument, match="of type int64"):
        check("it", np.int64(5), whole(1))


@pytest.mark.parametrize(
    "value", ["x" * 10_000, list(range(10_000)), 10**100_000, Broken()], ids=type
)
def test_shown_values_are_short(value: Any) -> None:
    assert len(shortened(value)) <= 203
    with pytest.raises(InvalidArgument) as caught:
        check("it", value, SWITCH)
    assert len(str(caught.value)) < 260


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("size", "f() takes no 'size'"),
        ("colour", "f() takes no 'colour'; did you mean 'color'?"),
        ("tint", "f() takes no tint; use color"),
    ],
)
def test_an_unknown_argument_is_answered(name: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_names("f()", ["color", name], ["color", "shape"], {"tint": "color"})
    assert message == str(caught.value)
