"""The networks that searchers are compared on: what a configuration is worth, and its luck."""

from __future__ import annotations

import math
from statistics import median, pstdev

import numpy as np
from bench.tuning import networks

import asha_bus as ab

GOOD = {
    "learning_rate": 0.1,
    "momentum": 0.7,
    "alpha": 0.01,
    "units": 90,
    "batch": 32,
    "activation": "relu",
}


def test_a_configuration_has_the_same_curve_each_time() -> None:
    assert networks.curve(GOOD) == networks.curve(dict(GOOD))
    assert networks.EPOCHS == len(networks.curve(GOOD))


def test_those_nearby_are_worth_the_same_and_have_luck_of_their_own() -> None:
    finals = [math.log(networks.curve({**GOOD, "momentum": 0.7 + i / 1e6})[-1]) for i in range(200)]
    # two trainings of a good network end five percent apart
    assert 0.03 < pstdev(finals) < 0.08
    assert 0.10 < math.exp(median(finals)) < 0.13


def test_random_ones_are_as_good_as_those_that_were_trained() -> None:
    with np.load(networks.PATH) as file:
        trained = file["curves"][:, :, -1].ravel()
    points = [ab.RandomSearch().draw(networks.SPACE, i, 1) for i in range(1_000)]
    found = [networks.curve(networks.SPACE.resolve(point))[-1] for point in points]
    for share in (0.02, 0.1, 0.25):
        expected, actual = np.quantile(trained, share), np.quantile(found, share)
        assert abs(math.log(expected / actual)) < 0.1
