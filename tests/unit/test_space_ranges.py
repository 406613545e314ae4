"""Parameters whose values are numbers: what they draw, and what is a value of theirs."""

from __future__ import annotations

import math
import sys
from random import Random
from statistics import fmean, median, stdev
from typing import Any

import numpy as np
import pytest

from asha_bus import InvalidArgument, lognormal, loguniform, normal, randint, uniform
from asha_bus.core.space import LogUniform, Normal, Uniform


def values_of(parameter: Any, count: int = 2_000) -> list[Any]:
    random = Random(5)
    return [parameter.resolve(parameter.draw(random)) for _ in range(count)]


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (uniform(0, 1, q=0.25), {0.0, 0.25, 0.5, 0.75, 1.0}),
        (uniform(0.1, 0.75, q=0.2), {0.1, 0.3, 0.5, 0.7}),  # exact in decimals
        (uniform(0.05, 1, q=0.5), {0.05, 0.55}),  # multiples start at low
        (uniform(-3, 4, q=3), {-3, 0, 3}),
        (uniform(2, 2, q=5), {2}),
        (uniform(0, 1e-300, q=5e-301), {0.0, 5e-301, 1e-300}),
        (loguniform(1, 4, q=1), {1, 2, 3, 4}),
        (loguniform(0.5, 2, q=0.5), {0.5, 1.0, 1.5, 2.0}),
        (randint(1, 10, q=4), {1, 5, 9}),
        (randint(1, 4, log=True), {1, 2, 3, 4}),
        (randint(2, 9, q=3, log=True), {2, 5, 8}),
        (randint(5, 5, log=True), {5}),
    ],
)
def test_quantised_values_are_steps_from_low(parameter: Any, expected: set[Any]) -> None:
    found = values_of(parameter)
    assert expected == set(found)
    assert {type(value) for value in expected} == {type(value) for value in found}


def test_steps_are_equally_likely() -> None:
    found = values_of(uniform(0, 1, q=0.25), 5_000)
    assert all(850 < found.count(value) < 1_150 for value in (0.0, 0.25, 0.5, 0.75, 1.0))


def test_logarithmic_steps_have_the_share_of_what_is_nearest() -> None:
    found = values_of(randint(1, 1_000, log=True), 6_000)
    assert all(1_800 < sum(10**k <= v < 10 ** (k + 1) for v in found) for k in range(2))
    assert 1 <= min(found) <= max(found) <= 1_000
    assert 300 < found.count(1) < 1_200  # log(1.5 / 0.5) of log(1000.5 / 0.5) is 14 %
    coarse = values_of(loguniform(10, 1_000, q=10), 6_000)
    assert 1_000 < sum(value < 20 for value in coarse) < 2_200


@pytest.mark.parametrize("bound", [2**62, 2**62 - 7, 10**15])
def test_logarithms_of_long_whole_numbers_stay_within_the_bounds(bound: int) -> None:
    found = values_of(randint(bound - 5, bound, log=True), 200)
    assert {*range(bound - 5, bound + 1)} >= set(found)
    assert {int} == set(map(type, found))


def test_normal_values_have_their_moments() -> None:
    found = values_of(normal(3, 2))
    assert [3, 2] == pytest.approx([fmean(found), stdev(found)], abs=0.2)
    logs = [math.log(value) for value in values_of(lognormal(-1, 0.5))]
    assert [-1, 0.5] == pytest.approx([fmean(logs), stdev(logs)], abs=0.05)


def test_quantised_normal_values_are_multiples_of_q() -> None:
    found = values_of(normal(0.3, 1, q=0.1))
    assert found == [round(value, 1) for value in found]
    assert 0.3 == median(found)
    whole = values_of(normal(10, 3, q=2))
    assert {int} == set(map(type, whole))
    assert {0} == {value % 2 for value in whole}
    assert {0, 1} <= set(values_of(lognormal(0, 1, q=1)))


def test_values_far_out_are_finite_numbers() -> None:
    found = values_of(lognormal(700, 50, q=1), 500) + values_of(lognormal(1e300, 1e300), 500)
    assert all(0 <= value <= sys.float_info.max for value in found)


def test_hyperopt_rounds_to_multiples_from_zero() -> None:
    low = Uniform(0.2, 1.2, 0.5, rounds=True)
    assert {0.0, 0.5, 1.0} == set(values_of(low))
    assert {float} == set(map(type, values_of(Uniform(1, 10, 1, rounds=True))))
    assert {int} == set(map(type, values_of(Uniform(1, 10, 1, rounds=True, is_whole=True))))
    assert {0.0, 0.25} >= set(values_of(LogUniform(0.01, 0.3, 0.25, rounds=True)))
    assert {float} == set(map(type, values_of(Normal(0, 1, 1, rounds=True))))
    assert "uniform(0.2, 1.2, q=0.5, as hyperopt)" == repr(low)


@pytest.mark.parametrize(
    ("parameter", "value", "number"),
    [
        (uniform(0, 1), 1, 1.0),
        (uniform(0, 1), np.float32(0.5), 0.5),
        (uniform(0, 1), 1 + 1e-12, 1.0),  # a rounding error
        (uniform(0, 1, q=0.1), 0.1 + 0.2, 0.3),
        (uniform(0, 10, q=2), np.int64(4), 4),
        (loguniform(0.1, 1), 0.1, 0.1),
        (randint(1, 9), 3.0, 3),
        (randint(0, 2**62), 2**62 - 1, 2**62 - 1),
        (randint(1, 9, q=4), 5, 5),
        (normal(0, 1), -1e9, -1e9),
        (normal(0, 1, q=0.5), 1.5, 1.5),
        (lognormal(0, 1, q=1), 0, 0),
        (Uniform(0.2, 1.2, 0.5, rounds=True), 0.0, 0.0),
    ],
)
def test_a_value_has_a_number(parameter: Any, value: Any, number: float) -> None:
    found = parameter.number_of(value)
    assert (number, type(number)) == (found, type(found))


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        (uniform(0, 1), 1.1, "1.1 is outside 0 to 1; give a value in range"),
        (uniform(0, 1), "0.5", "'0.5' is not a finite number"),
        (uniform(0, 1), True, "True is not a finite number"),
        (uniform(0, 1), math.nan, "nan is not a finite number"),
        (uniform(0, 1, q=0.1), 0.25, "0.25 is not 0 plus a multiple of 0.1; the nearest is 0.2"),
        (uniform(0, 1, q=0.3), 1.2, "1.2 is outside 0 to 1"),
        (randint(1, 9), 2.5, "2.5 is not a whole number"),
        (randint(1, 9), 10, "10 is outside 1 to 9; give a value in range"),
        (randint(1, 9, q=4), 4, "4 is not 1 plus a multiple of 4"),
        (lognormal(0, 1), 0, "0.0 is not above 0"),
        (
            Uniform(0.2, 1, 0.5, rounds=True),
            0.2,
            "0.2 is not a multiple of 0.5; the nearest is 0.0",
        ),
        (Uniform(0.2, 1, 0.5, rounds=True), 1.5, "1.5 is outside 0 to 1"),
    ],
)
def test_an_invalid_value_is_an_error(parameter: Any, value: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        parameter.number_of(value)


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (uniform(0, 1, q=0.5), "uniform(0.0, 1.0, q=0.5)"),
        (randint(1, 9, q=2), "randint(1, 9, q=2)"),
        (randint(1, 9, log=True), "randint(1, 9, log=True)"),
        (normal(0, 2), "normal(0.0, 2.0)"),
        (lognormal(0, 2, q=1), "lognormal(0.0, 2.0, q=1)"),
    ],
)
def test_a_parameter_reads_as_it_was_written(parameter: Any, text: str) -> None:
    assert text == repr(parameter)
