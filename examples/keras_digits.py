"""Tune a Keras model by one training spec, with three schedulers.

Run it with a name, such as ``keras_digits.py hyperband``, or without one for all. The spec is
checked in this process before anything is spent. ``--smoke`` takes a minute. Keras uses the
backend in ``KERAS_BACKEND``, here torch if nothing is set.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")  # before Keras is imported; workers inherit it

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import asha_bus as ab
from asha_bus.integrations.keras import TrainingSpec

SPACE = ab.Space(
    units=ab.randint(4, 64, log=True),
    dropout=ab.uniform(0, 0.5),
    rate=ab.loguniform(1e-4, 1e-1),
)


class Digits(TrainingSpec):
    """A network with one hidden layer, which reads digits."""

    metric = "val_accuracy"

    def sort_metric(self, value: float) -> float:
        """The error: smaller is better."""
        return 1 - value

    def model(self, units: int, dropout: float, **_: Any) -> Any:
        """The network."""
        return keras.Sequential(
            [
                keras.layers.Dense(units, activation="relu"),
                keras.layers.Dropout(dropout),
                keras.layers.Dense(10),
            ]
        )

    def compile(self, model: Any, rate: float, **_: Any) -> None:
        """How it learns."""
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])

    def fit(self, model: Any, callbacks: list[Any], split: list[Any], **_: Any) -> None:
        """Train; a scheduler ends it before the last of these epochs."""
        x, x_val, y, y_val = split
        held_out = (x_val, y_val)
        model.fit(x, y, 64, 81, 0, callbacks=callbacks, validation_data=held_out)


def halving(smoke: bool, **launch: Any) -> ab.Result:
    """Successive halving: an epoch for all, two more for the best third, six for the best."""
    plan = [(1, 3), (2, 1), (6, 1)]
    n = 9 if smoke else 27
    return ab.launch(Digits(), SPACE, scheduler=ab.SuccessiveHalving(plan, n=n), **launch)


def hyperband(smoke: bool, **launch: Any) -> ab.Result:
    """Hyperband, as in the paper."""
    scheduler = ab.Hyperband.classic(4, 2) if smoke else ab.Hyperband.classic(27)
    return ab.launch(Digits(), SPACE, scheduler=scheduler, **launch)


def asha(smoke: bool, **launch: Any) -> ab.Result:
    """Continuous ASHA: nobody waits, and nothing is stopped in the first 2 epochs."""
    scheduler = ab.ASHA(max_resource=9 if smoke else 27, warmup=2)
    trials = 8 if smoke else 60
    return ab.launch(Digits(), SPACE, scheduler=scheduler, max_trials=trials, **launch)


PLANS = {plan.__name__: plan for plan in (halving, hyperband, asha)}


def main() -> None:
    """Check the spec, run what was named, and print the best of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", nargs="?", choices=PLANS, help="default: all of them")
    parser.add_argument("--smoke", action="store_true", help="few trials")
    given = parser.parse_args()
    images, digits = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    data = {"split": train_test_split(images, digits, random_state=0)}
    print(Digits().check(data, units=16, dropout=0.1, rate=0.01))
    for name in [given.plan] if given.plan else PLANS:
        result = PLANS[name](
            given.smoke, data=data, engine="local", monitor="rungs", workers=2, seed=1
        )
        assert result.best is not None
        error = result.best.metric
        print(f"{name}: {len(result.trials)} trials, best error {error:.4f}, {result.best.params}")


if __name__ == "__main__":
    main()
