"""Learning curves of real networks, trained once to their end and kept in a file.

500 configurations of a network for scikit-learn's handwritten digits were drawn at random
and trained for 81 epochs each. Whoever asks for another configuration gets the curve of
the nearest one, so a search over them takes no time and always meets the same curves.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

import asha_bus as ab
from asha_bus.demo import data, loss

PATH = Path(__file__).resolve().parents[2] / "tests" / "data" / "digits_curves.npz"

EPOCHS = 81
CONFIGURATIONS = 500
SEED = 0

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
    """Where a configuration lies in a cube; another option of a choice is a third away."""
    activation = ACTIVATIONS.index(params["activation"])
    return [
        math.log10(params["learning_rate"]) / 4,
        params["momentum"] / 0.99,
        math.log10(params["alpha"]) / 6,
        params["units"] / 124,
        BATCHES.index(params["batch"]) / 3,
        *(float(i == activation) / math.sqrt(18) for i in range(len(ACTIVATIONS))),
    ]


def make_data(configurations: int = CONFIGURATIONS, path: Path = PATH) -> None:
    """Train all of them, at low priority and in one process, and write the file."""
    os.nice(15)
    places, curves = [], []
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what diverges overflows first
        for number in range(configurations):
            params = SPACE.resolve(ab.RandomSearch().draw(SPACE, number, SEED))
            places.append(place(params))
            curves.append(list(losses(params, number)))
            if number % 50 == 49:
                print(f"{number + 1} of {configurations} trained", flush=True)
    np.savez_compressed(
        path, places=np.array(places, np.float32), curves=np.array(curves, np.float32)
    )
    print(f"{path}: {path.stat().st_size:,} bytes")


@cache
def _table() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    with np.load(PATH) as file:
        return file["places"], file["curves"]


def curve(params: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The losses of the nearest configuration that was trained, by epoch from the first on."""
    places, curves = _table()
    found: np.ndarray[Any, Any] = curves[np.argmin(((places - place(params)) ** 2).sum(axis=1))]
    return found
