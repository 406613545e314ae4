"""Estimators and callbacks report to a trial, with the real libraries."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

import asha_bus as ab
from asha_bus.integrations.reporting import Reporter
from asha_bus.integrations.sklearn import iterate

CONSTANT = ab.Space(seed=1)


def halves(*, two: bool = False) -> list[Any]:
    """Iris: X, y, X_val, y_val; ``two``: of two kinds only."""
    x, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(100 if two else 150)
    return [x[order][::2], y[order][::2], x[order][1::2], y[order][1::2]]


def reported(objective: Any, steps: int = 3) -> Any:
    """What ``objective`` reports until it is stopped after ``steps`` reports."""
    (trial,) = ab.dry_run(objective, CONSTANT, steps=steps, quiet=True).trials
    return trial


# --- scikit-learn ------------------------------------------------------------


def losses(estimator: Any, steps: int, data: list[Any] | None = None, **how: Any) -> list[float]:
    values = iterate(estimator, *(data or halves()), **how)
    found = []
    for _ in range(steps):
        loss, extras = next(values)
        assert ["score"] == list(extras)
        found.append(loss)
    return found


def test_partial_fit_trains_an_epoch_in_each_step() -> None:
    x, y, x_val, y_val = halves()
    expected = []
    model = SGDClassifier(random_state=0)
    for _ in range(4):
        model.partial_fit(x, y, classes=[0, 1, 2])
        expected.append(1 - model.score(x_val, y_val))
    assert expected == losses(SGDClassifier(random_state=0), 4)


def test_a_regressor_and_several_passes_in_a_step() -> None:
    data = halves()
    fine = losses(SGDRegressor(random_state=0, eta0=1e-4), 4, data)
    coarse = losses(SGDRegressor(random_state=0, eta0=1e-4), 2, data, step=2)
    assert fine[1::2] == coarse


def test_a_forest_grows_by_a_step() -> None:
    x, y, x_val, y_val = halves()
    expected = []
    for trees in (5, 10, 15):
        model = RandomForestClassifier(trees, random_state=0).fit(x, y)
        expected.append(1 - model.score(x_val, y_val))
    assert expected == losses(RandomForestClassifier(random_state=0), 3, step=5)


@pytest.mark.parametrize(
    "estimator",
    [
        GradientBoostingRegressor(random_state=0, learning_rate=0.3),
        HistGradientBoostingClassifier(random_state=0, min_samples_leaf=2),
        LogisticRegression(),
        MLPClassifier(4, solver="lbfgs", random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_a_warm_start_continues(estimator: Any) -> None:
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("error")
        found = losses(estimator, 12, step=2)
    assert min(found[6:]) < found[0]


def test_the_estimator_itself_is_not_trained() -> None:
    estimator = SGDClassifier(random_state=0)
    assert losses(estimator, 3) == losses(estimator, 3)
    assert not hasattr(estimator, "coef_")


def test_a_score_by_name_is_reported_as_a_loss() -> None:
    found = losses(LogisticRegression(), 20, scoring="neg_log_loss")
    assert 0 < found[-1] < found[0]


@pytest.mark.parametrize(
    ("estimator", "how", "message"),
    [
        (SVC(), {}, "estimator SVC.. cannot be trained step by step"),
        (LogisticRegression(solver="liblinear"), {}, "cannot be trained step by step"),
        (SGDClassifier(), {"step": 0}, "iterate: step must be a whole number of at least 1, got 0"),
        (SGDClassifier(), {"scoring": 3}, "iterate: scoring is 3; pass a name"),
    ],
)
def test_what_cannot_be_iterated_is_refused(estimator: Any, how: Any, message: str) -> None:
    with pytest.raises(ab.InvalidArgument, match=message):
        losses(estimator, 1, **how)


def test_a_stop_ends_the_training_of_an_estimator() -> None:
    def train(seed: int) -> Any:
        yield from iterate(SGDClassifier(random_state=seed), *halves())

    trial = reported(train, steps=5)
    assert ("stopped", None) == (trial.outcome, trial.error)
    assert losses(SGDClassifier(random_state=1), 5) == [step.metric for step in trial.steps]


# --- boosting ----------------------------------------------------------------


def xgboost_rounds(trial: Any) -> None:
    import xgboost

    from asha_bus.integrations.xgboost import ReportCallback

    x, y, x_val, y_val = halves(two=True)
    booster = xgboost.train(
        {"objective": "binary:logistic", "eval_metric": ["error", "logloss"]},
        xgboost.DMatrix(x, y),
        50,
        evals=[(xgboost.DMatrix(x_val, y_val), "val")],
        callbacks=[ReportCallback(trial, "val-logloss")],
        verbose_eval=False,
    )
    trial.log(f"{booster.num_boosted_rounds()} rounds")


def xgboost_estimator(trial: Any) -> None:
    import xgboost

    from asha_bus.integrations.xgboost import ReportCallback

    x, y, x_val, y_val = halves(two=True)
    model = xgboost.XGBClassifier(
        n_estimators=50, callbacks=[ReportCallback(trial, "validation_0-logloss")]
    )
    model.fit(x, y, eval_set=[(x_val, y_val)], verbose=False)
    trial.log(f"{model.get_booster().num_boosted_rounds()} rounds")


def xgboost_folds(trial: Any) -> None:
    import xgboost

    from asha_bus.integrations.xgboost import ReportCallback

    x, y, *_ = halves(two=True)
    found = xgboost.cv(
        {"objective": "binary:logistic"},
        xgboost.DMatrix(x, y),
        50,
        nfold=3,
        callbacks=[ReportCallback(trial, "test-logloss")],
    )
    trial.log(f"{len(found)} rounds")


def lightgbm_rounds(trial: Any) -> None:
    import lightgbm

    from asha_bus.integrations.lightgbm import ReportCallback

    x, y, x_val, y_val = halves(two=True)
    data = lightgbm.Dataset(x, y)
    booster = lightgbm.train(
        {"objective": "binary", "metric": ["auc", "binary_logloss"], "verbosity": -1},
        data,
        50,
        valid_sets=[lightgbm.Dataset(x_val, y_val, reference=data)],
        callbacks=[ReportCallback(trial, "valid_0-binary_logloss")],
    )
    trial.log(f"{booster.current_iteration()} rounds")


def lightgbm_estimator(trial: Any) -> None:
    import lightgbm

    from asha_bus.integrations.lightgbm import ReportCallback

    x, y, x_val, y_val = halves(two=True)
    model = lightgbm.LGBMClassifier(n_estimators=50, verbosity=-1)
    report = ReportCallback(trial, "valid_0-binary_logloss")
    model.fit(x, y, eval_X=(x_val,), eval_y=(y_val,), callbacks=[report])
    trial.log(f"{model.n_iter_} rounds")


def lightgbm_folds(trial: Any) -> None:
    import lightgbm

    from asha_bus.integrations.lightgbm import ReportCallback

    x, y, *_ = halves(two=True)
    found: Any = lightgbm.cv(
        {"objective": "binary", "verbosity": -1, "min_data_in_leaf": 2},
        lightgbm.Dataset(x, y),
        50,
        nfold=3,
        callbacks=[ReportCallback(trial, "valid-binary_logloss")],
    )
    trial.log(f"{len(found['valid binary_logloss-mean'])} rounds")


BOOSTING = [
    xgboost_rounds,
    xgboost_estimator,
    xgboost_folds,
    lightgbm_rounds,
    lightgbm_estimator,
    lightgbm_folds,
]


@pytest.mark.parametrize("train", BOOSTING, ids=lambda train: train.__name__)
def test_each_round_is_reported_until_the_trial_is_stopped(train: Any) -> None:
    pytest.importorskip(train.__name__.partition("_")[0])
    trial = reported(train, steps=4)
    assert ("stopped", None) == (trial.outcome, trial.error)
    assert [1, 2, 3, 4] == [step.resource for step in trial.steps]
    assert trial.steps[-1].metric < trial.steps[0].metric
    assert ["4 rounds"] == trial.log


@pytest.mark.parametrize(
    ("train", "other"),
    [(xgboost_rounds, "val-error"), (lightgbm_rounds, "valid_0-auc")],
    ids=["xgboost", "lightgbm"],
)
def test_the_other_measures_are_extras(train: Any, other: str) -> None:
    pytest.importorskip(train.__name__.partition("_")[0])
    assert {(other,)} == {tuple(step.extras) for step in reported(train).steps}


def wrong_xgboost(trial: Any) -> None:
    import xgboost

    from asha_bus.integrations.xgboost import ReportCallback

    x, y, *_ = halves(two=True)
    data = xgboost.DMatrix(x, y)
    report = ReportCallback(trial, "fit-auc")
    xgboost.train({}, data, 5, evals=[(data, "fit")], callbacks=[report], verbose_eval=False)


def wrong_lightgbm(trial: Any) -> None:
    import lightgbm

    from asha_bus.integrations.lightgbm import ReportCallback

    x, y, *_ = halves(two=True)
    report = ReportCallback(trial, "valid_0-auc")
    lightgbm.train({"verbosity": -1}, lightgbm.Dataset(x, y), 5, callbacks=[report])


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (wrong_xgboost, "metric 'fit-auc' is not among what was measured: fit-rmse; use one of"),
        (wrong_lightgbm, "metric 'valid_0-auc' is not among what was measured: nothing; use one"),
    ],
    ids=["xgboost", "lightgbm"],
)
def test_a_metric_that_is_not_measured_fails_the_trial_in_words(train: Any, message: str) -> None:
    pytest.importorskip(train.__name__.partition("_")[2])
    trial = reported(train)
    assert "failed" == trial.outcome
    assert message in trial.error


# --- all ---------------------------------------------------------------------


def test_at_most_64_other_numbers_are_extras_and_none_takes_the_place_of_the_resource() -> None:
    def train(trial: Any) -> None:
        measured = {"resource": 7.0, "loss": 0.5, **{f"loss of {n}": float(n) for n in range(70)}}
        reporter = Reporter(trial, "loss")
        while reporter.goes_on(measured):
            pass

    first, second = reported(train, steps=2).steps
    assert [(1, 0.5), (2, 0.5)] == [(step.resource, step.metric) for step in (first, second)]
    assert {f"loss of {n}": n for n in range(64)} == first.extras


def test_a_sort_metric_is_reported_and_the_metric_is_kept() -> None:
    def train(trial: Any) -> None:
        Reporter(trial, "accuracy", lambda value: 1 - value).goes_on({"accuracy": 0.75})

    (step,) = reported(train, steps=1).steps
    assert (0.25, {"accuracy": 0.75}) == (step.metric, step.extras)


@pytest.mark.parametrize("name", ["xgboost", "lightgbm"])
def test_a_callback_refuses_what_is_not_a_trial(name: str) -> None:
    pytest.importorskip(name)
    module = importlib.import_module(f"asha_bus.integrations.{name}")
    with pytest.raises(ab.InvalidArgument, match="trial is 'loss'; pass the trial"):
        module.ReportCallback("loss", "loss")


@pytest.mark.parametrize(
    ("module", "framework", "imported"),
    [
        ("sklearn", "scikit-learn", "sklearn.base"),
        ("xgboost", "XGBoost", "xgboost.callback"),
        ("lightgbm", "LightGBM", "lightgbm"),
        ("keras", "Keras", "keras"),
        ("lightning", "Lightning", "lightning.pytorch"),
        ("transformers", "Transformers", "transformers"),
        ("spark_ml", "PySpark", "pyspark"),
    ],
)
def test_a_missing_framework_names_its_extra(
    module: str, framework: str, imported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, imported, None)
    monkeypatch.delitem(sys.modules, f"asha_bus.integrations.{module}", raising=False)
    extra = "spark" if module == "spark_ml" else module
    message = rf"integrations.{module} needs {framework}: pip install 'asha-bus\[{extra}\]'"
    with pytest.raises(ImportError, match=message):
        importlib.import_module(f"asha_bus.integrations.{module}")
