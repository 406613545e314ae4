"""Runs ``asha-bus demo``: tunes a real model on real data by ASHA.

It trains a neural network on scikit-learn's handwritten digits, epoch by epoch. The closing table
shows what was measured in that run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from asha_bus import launch
from asha_bus.core.schedulers import ASHA
from asha_bus.core.space import Space, choice, loguniform, randint
from asha_bus.launching.arguments import EngineName
from asha_bus.objective.kinds import Trial
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import Result

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MAX_EPOCHS = 27
DEFAULT_TRIALS = 81

SPACE = Space(
    learning_rate=loguniform(1e-4, 1e-1),
    alpha=loguniform(1e-6, 1e-1),
    units=randint(32, 256),
    activation=choice("relu", "tanh", "logistic"),
    batch=choice(16, 32, 64),
)


class Part(NamedTuple):
    """One part of the data: pixels scaled to 0..1, and digits."""

    pixels: np.ndarray[Any, Any]
    digits: np.ndarray[Any, Any]


@cache
def data() -> tuple[Part, Part, Part]:
    """The training, validation and test parts: 60, 20 and 20 %. Loaded once per process."""
    pixels, digits = load_digits(return_X_y=True)
    pixels = pixels / 16.0
    rest, test, rest_digits, test_digits = train_test_split(
        pixels, digits, test_size=0.2, random_state=0, stratify=digits
    )
    train, valid, train_digits, valid_digits = train_test_split(
        rest, rest_digits, test_size=0.25, random_state=0, stratify=rest_digits
    )
    return Part(train, train_digits), Part(valid, valid_digits), Part(test, test_digits)


def fit(params: dict[str, Any], seed: int) -> Iterator[MLPClassifier]:
    """Train without end, and yield the same model after each epoch."""
    train = data()[0]
    model = MLPClassifier(
        hidden_layer_sizes=(params["units"],),
        activation=params["activation"],
        alpha=params["alpha"],
        learning_rate_init=params["learning_rate"],
        batch_size=params["batch"],
        random_state=seed,
    )
    # one thread, so that an epoch gives the same numbers in every process
    with threadpool_limits(limits=1):
        while True:
            model.partial_fit(train.pixels, train.digits, classes=range(10))
            yield model


def loss(model: MLPClassifier, part: Part) -> float:
    """The mean cross-entropy on ``part``."""
    return float(log_loss(part.digits, model.predict_proba(part.pixels), labels=range(10)))


def objective(trial: Trial) -> None:
    """Report the loss on the validation part after each epoch."""
    valid = data()[1]
    for model in fit(trial.params, trial.seed):
        accuracy = float(model.score(valid.pixels, valid.digits))
        if not trial.report(loss(model, valid), accuracy=accuracy):
            return


def run(
    *,
    engine: EngineName = "spark",
    workers: int | None = None,
    trials: int = DEFAULT_TRIALS,
    seed: int | None = 0,
) -> str:
    """Run the demo and return the closing table."""
    print(
        f"tuning a network on {len(data()[0].digits)} handwritten digits: {trials} trials of up "
        f"to {MAX_EPOCHS} epochs, engine {engine}",
        flush=True,
    )
    began = time.monotonic()
    spark = _start_spark(workers or 2) if engine == "spark" else None
    try:
        result = launch(
            objective,
            SPACE,
            scheduler=ASHA(max_resource=MAX_EPOCHS, reduction_factor=3),
            max_trials=trials,
            spark=spark,
            engine=engine,
            workers=workers,
            seed=seed,
            name="demo",
        )
    finally:
        if spark is not None:
            spark.stop()
    return show(result, time.monotonic() - began)


def _start_spark(cores: int) -> SparkSession:
    """Start a local session without progress output."""
    from pyspark.sql import SparkSession

    # tasks need the packages of this Python, even if its environment is not activated
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    return (
        SparkSession.builder.master(f"local[{cores}]")
        .appName("asha-bus demo")
        .config("spark.log.level", "ERROR")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )


def show(result: Result, wall_s: float) -> str:
    """Format the figures that were measured in the run."""
    best = result.best
    if best is None or best.metric is None:
        return f"no best trial: {result.best_reason}"
    params = ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in best.params.items()
    )
    trained = sum(int(trial.resource) for trial in result.trials)
    full = len(result.trials) * MAX_EPOCHS
    states = ", ".join(
        f"{count} {state.lower()}" for state, count in result.counts.items() if count
    )
    bus = result.bus
    rows = [
        ("best configuration", f"trial {best.id}: {params}"),
        ("its validation loss", f"{best.metric:.4f} (accuracy {best.extras['accuracy']:.2%})"),
        ("on held-out test data", _test(best)),
        ("epochs trained", f"{trained:,} of {full:,} without stopping ({trained / full:.0%})"),
        ("trials", states),
        *(
            (f"rung {number} at {resource:g} epochs", f"{entries} entered, {passed} went on")
            for number, resource, entries, passed in result.rung_table()
        ),
        (
            "decision over the bus",
            f"p50 {bus.latency_p50_s * 1e3:.2f} ms, p99 {bus.latency_p99_s * 1e3:.2f} ms "
            f"({bus.decisions} decisions)",
        ),
        ("workers busy", f"{bus.busy_share:.1%} of the time, until the last trial was assigned"),
        ("time", f"{result.elapsed_s:.1f} s for the run, {wall_s:.1f} s with start and end"),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n" + "\n".join(f"{name.ljust(width)}  {value}" for name, value in rows)


def _test(best: TrialRecord) -> str:
    """Train the best configuration again here, and score it on the test part."""
    _, valid, test = data()
    model = next(islice(fit(best.params, best.seed), int(best.resource) - 1, None))
    again = loss(model, valid)
    text = f"loss {loss(model, test):.4f} (accuracy {model.score(test.pixels, test.digits):.2%})"
    if best.metric is not None and abs(again - best.metric) > 1e-6:
        text += f"; trained again, its validation loss was {again:.4f}"
    return text
