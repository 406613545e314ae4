"""Learning curves of real networks, trained to their end and kept in a file.

500 configurations of a network for scikit-learn's handwritten digits were drawn at random
and trained for 81 epochs each, twice, with two seeds. What another configuration is worth
follows from them by a Gaussian process. Like a real one it also has luck: its loss is as far
from that as those of the two networks of a pair are from each other. So a search takes no
time, meets the same curves each time, and cannot find the same luck once more nearby.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
from lib import ROOT
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

import asha_bus as ab
from asha_bus.bench.demo import data, loss

Array = np.ndarray[Any, Any]

PATH = ROOT / "tests" / "data" / "digits_curves.npz"

EPOCHS = 81
#: One epoch tells too little: of the ten that are best in the end, one is the 163rd then.
FIRST_RUNG = 3
CONFIGURATIONS = 500
SEED = 0

#: The variance of the luck that is left in the mean of a pair, as a share of that of all.
_NOISE = 0.012
#: The luck of a configuration is that of one of this many pairs that are about as good.
_ALIKE = 25
#: The share of the better ones.
_BETTER = 0.4
#: No 1 / loss is less: a network that guesses has 0.43.
_LEAST = 0.1

ACTIVATIONS = ("relu", "tanh", "logistic")
BATCHES = (16, 32, 64, 128)
SPACE = ab.Space(
    learning_rate=ab.loguniform(1e-4, 1.0),
    momentum=ab.uniform(0.0, 0.99),
    alpha=ab.loguniform(1e-6, 1.0),
    units=ab.randint(4, 128),
    batch=ab.choice(*BATCHES),
    activation=ab.choice(*ACTIVATIONS),
)


def losses(params: dict[str, Any], seed: int) -> Iterator[float]:
    """The loss on the validation part after each epoch; NaN from where it diverged."""
    train, valid, _ = data()
    model = MLPClassifier(
        hidden_layer_sizes=(params["units"],),
        activation=params["activation"],
        solver="sgd",
        alpha=params["alpha"],
        learning_rate_init=params["learning_rate"],
        momentum=params["momentum"],
        batch_size=params["batch"],
        random_state=seed,
    )
    for _ in range(EPOCHS):
        try:
            model.partial_fit(train.pixels, train.digits, classes=range(10))
            found = loss(model, valid)
        except ValueError:  # "Solver produced non-finite parameter weights"
            found = math.nan
        yield found


def place(params: dict[str, Any]) -> list[float]:
    """Where a configuration lies, in the units of `_likeness`.

    The scales are those that make the final losses likeliest. With them the mean of a pair
    follows from all others: a rank correlation of 0.94, of 0.91 among the better half, and of
    0.68 in the best quarter. One network of a pair tells as much about the other: 0.97, 0.89
    and 0.68. The first coordinate is the size of a step.
    """
    rate = math.log10(params["learning_rate"])
    inertia = math.log10(1 - params["momentum"])
    batch = math.log10(params["batch"])
    return [
        0.83 * (rate - inertia - batch),
        0.75 * inertia,
        0.30 * batch,
        0.33 * math.log10(params["alpha"]),
        0.51 * math.log10(params["units"]),
        0.45 * (params["activation"] == "tanh"),
        0.83 * (params["activation"] == "logistic"),
    ]


def make_data(configurations: int = CONFIGURATIONS, path: Path = PATH) -> None:
    """Train all pairs, at low priority and in one process, and write the file."""
    os.nice(15)
    points, curves = [], []
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what diverges overflows first
        for number in range(configurations):
            points.append(ab.RandomSearch().draw(SPACE, number, SEED))
            params = SPACE.resolve(points[-1])
            seeds = (number, number + configurations)
            curves.append([list(losses(params, seed)) for seed in seeds])
            if number % 50 == 49:
                print(f"{number + 1} of {configurations} trained", flush=True)
    np.savez_compressed(
        path, points=np.array(points, np.float32), curves=np.array(curves, np.float32)
    )
    print(f"{path}: {path.stat().st_size:,} bytes")


class _Fit(NamedTuple):
    """What follows from the networks that were trained. A row for each pair, or less."""

    places: Array
    #: What is known of 1 / loss by epoch: of all; and of the better ones, above an edge.
    mean: Array
    weights: Array
    edge: Array
    mean_above: Array
    weights_above: Array
    #: Of pairs that agree, by their final 1 / loss: that, and the luck by epoch, log(loss).
    finals: Array
    luck: Array


@cache
def _fit() -> _Fit:
    with np.load(PATH) as file:
        points, curves = file["points"], file["curves"].astype(float)
    places = np.array([place(SPACE.resolve(tuple(point))) for point in points.tolist()])
    # 1 / loss tells good ones apart, and does not care how bad the bad ones are
    values = (1 / curves).mean(axis=1).clip(_LEAST)
    mean = values.mean(axis=0)
    likeness = np.array([_likeness(places, one) for one in places])
    likeness += _NOISE * np.eye(len(places))
    weights = np.linalg.solve(likeness, values - mean)
    # next to a cliff it overshoots: the better ones are separated first
    edge = np.quantile(values, 1 - _BETTER, axis=0)
    above = np.maximum(values, edge)
    mean_above = above.mean(axis=0)
    weights_above = np.linalg.solve(likeness, above - mean_above)
    # if of a pair one diverged, the configuration lies on an edge: no more luck than others'
    agree = np.abs(np.log(curves[:, 0, -1] / curves[:, 1, -1])) < math.log(2)
    order = np.flatnonzero(agree)[np.argsort(values[agree, -1])]
    luck = np.log(curves[order, 0] / curves[order, 1]) / math.sqrt(2)
    finals = values[order, -1]
    return _Fit(places, mean, weights, edge, mean_above, weights_above, finals, luck)


def _likeness(places: Array, to: Sequence[float]) -> Array:
    """How much each place is like another, from 0 to 1: Matern's kernel with nu = 5/2."""
    distance = np.sqrt(5 * ((places - np.array(to)) ** 2).sum(axis=1))
    likeness: Array = (1 + distance + distance**2 / 3) * np.exp(-distance)
    return likeness


def curve(params: dict[str, Any]) -> list[float]:
    """The losses by epoch from the first on; the same each time."""
    fit = _fit()
    likeness = _likeness(fit.places, place(params))
    values = (fit.mean + likeness @ fit.weights).clip(_LEAST)
    above = np.maximum(fit.mean_above + likeness @ fit.weights_above, fit.edge)
    values = np.where(values > fit.edge, above, values)
    random = Random(repr(params))
    first = int(np.searchsorted(fit.finals, values[-1])) - _ALIKE // 2
    first = min(max(first, 0), len(fit.finals) - _ALIKE)
    luck = random.choice((-1, 1)) * fit.luck[first + random.randrange(_ALIKE)]
    found: list[float] = (np.exp(luck) / values).tolist()
    return found
