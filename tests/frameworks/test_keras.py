"""A Keras training reports to a trial, on the backend torch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import asha_bus as ab
from asha_bus.integrations.keras import ReportCallback, TrainingSpec

X = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
Y = X.sum(axis=1)
SPACE = ab.Space(units=4)


class Sums(TrainingSpec):
    """Learns to add."""

    metric = "val_loss"

    def model(self, units: int, **_: Any) -> Any:
        return keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])

    def compile(self, model: Any, **_: Any) -> None:
        model.compile("sgd", "mse", metrics=["mae"])

    def fit(self, model: Any, callbacks: list[Any], **_: Any) -> None:
        model.fit(X, Y, validation_split=0.5, epochs=50, verbose=0, callbacks=callbacks)


class WithoutMetric(Sums):
    metric = None  # type: ignore[assignment]


class OtherMetric(Sums):
    metric = "val_accuracy"


class WithoutCallbacks(Sums):
    def fit(self, model: Any, callbacks: list[Any], **_: Any) -> None:
        model.fit(X, Y, epochs=1, verbose=0)


class WithoutModel(Sums):
    def model(self, units: int, **_: Any) -> Any:
        return None


class Squared(Sums):
    """Reports what it makes of the metric, and gets data."""

    def sort_metric(self, value: float) -> float:
        return -value

    def fit(self, model: Any, callbacks: list[Any], x: Any = X, **_: Any) -> None:
        model.fit(x, Y, validation_split=0.5, epochs=50, verbose=0, callbacks=callbacks)


def reported(objective: Any, steps: int = 3) -> Any:
    (trial,) = ab.dry_run(objective, SPACE, steps=steps, quiet=True).trials
    return trial


def test_a_callback_reports_each_epoch_until_the_trial_is_stopped() -> None:
    def train(trial: Any) -> None:
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        report = ReportCallback(trial, "loss")
        history = model.fit(X, Y, epochs=50, verbose=0, callbacks=[report])
        trial.log(f"{len(history.epoch)} epochs")

    trial = reported(train)
    assert ("stopped", None, ["3 epochs"]) == (trial.outcome, trial.error, trial.log)
    assert [1, 2, 3] == [step.resource for step in trial.steps]
    assert trial.steps[2].metric < trial.steps[0].metric


def test_a_spec_is_an_objective() -> None:
    trial = reported(Sums())
    assert ("stopped", None) == (trial.outcome, trial.error)
    assert {"loss", "mae", "val_loss", "val_mae"} == set(trial.steps[0].extras)


def test_a_spec_trains_the_same_for_the_same_seed() -> None:
    first, second = (reported(Sums()) for _ in range(2))
    assert [s.metric for s in first.steps] == [s.metric for s in second.steps]


def test_a_spec_reports_the_sort_metric_and_keeps_the_metric() -> None:
    for step in reported(Squared()).steps:
        assert -step.metric == step.extras["val_loss"] > 0


def test_a_spec_is_checked_end_to_end_in_this_process() -> None:
    found = Squared().check({"x": X}, units=3)
    (trial,) = found.trials
    assert ({"units": 3}, 2, "stopped") == (trial.params, len(trial.steps), trial.outcome)
    assert 2 == str(found).count("val_loss=")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (WithoutMetric, "WithoutMetric has no metric; set metric in the class to a name in"),
        (
            OtherMetric,
            "metric 'val_accuracy' is not among what was measured: loss, mae, val_loss, val_mae; ",
        ),
        (WithoutCallbacks, "WithoutCallbacks.fit reported no epoch; call model.fit with callbacks"),
        (WithoutModel, "WithoutModel.model returned None; return a keras.Model"),
    ],
)
def test_a_check_says_what_is_wrong_with_a_spec(spec: Any, message: str) -> None:
    with pytest.raises(ab.ObjectiveError) as raised:
        spec().check(units=3)
    assert f"{spec.__name__} fails with {{'units': 3}}:" in str(raised.value)
    assert message in str(raised.value)


def test_a_spec_without_a_method_cannot_be_made() -> None:
    class Nothing(TrainingSpec):
        metric = "loss"

    with pytest.raises(TypeError, match="compile.*fit.*model"):
        Nothing()  # type: ignore[abstract]
