"""Studies: what they refuse, and in which words; pruners, attributes, and what became of trials."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState as OptunaState
from support.results import make_result, make_trial

import asha_bus as ab
import asha_bus.optuna as ours
from asha_bus.core.schedulers import AskPruner
from asha_bus.core.trial import RungRecord, Trial
from asha_bus.core.trial import TrialState as S
from asha_bus.formats.named import BY_NAME, values_of
from asha_bus.optuna.attributes import attributes_of, packed
from asha_bus.optuna.outcomes import outcome_of, steps_of
from asha_bus.optuna.schedulers import scheduler_of
from asha_bus.page.document import TRIAL_FIELDS, run_document
from asha_bus.results.parameters import axes
from asha_bus.results.records import TrialRecord

# --- create_study -------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"storage": "sqlite:///a.db"}, "storage='sqlite:///a.db' is not supported.*journal=PATH"),
        ({"directions": ["minimize", "maximize"]}, "directions=.*several objectives are not"),
        ({"engine": "ray"}, "engine must be 'spark' or 'local', got 'ray'"),
        ({"pruner": 3}, "pruner=3 of type int is not a pruner; give one of Optuna"),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ab.InvalidArgument, match=message):
        ours.create_study(**{"engine": "local", **given})


def test_loading_a_study_is_refused_since_its_trials_would_not_run_on_spark() -> None:
    with pytest.raises(ab.InvalidArgument, match=r"load_study\(study_name, storage\) is not supp"):
        ours.load_study(study_name="mine", storage="sqlite:///a.db")


def test_constraints_are_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.TPESampler(constraints_func=lambda _: (0.0,))
    with pytest.raises(ab.InvalidArgument, match="constraints_func is not supported"):
        ours.create_study(sampler=sampler)


def test_a_sampler_belongs_to_one_study() -> None:
    sampler = optuna.samplers.TPESampler()
    study = ours.create_study(sampler=sampler, study_name="first")
    with pytest.raises(ab.InvalidArgument, match="belongs to study 'first'"):
        ours.create_study(sampler=sampler)
    assert study.sampler is sampler
    del study
    ours.create_study(sampler=sampler)


def test_the_engine_may_be_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "spark" == ours.create_study()._engine
    monkeypatch.setenv("ASHA_BUS_ENGINE", "local")
    assert "local" == ours.create_study()._engine
    assert "spark" == ours.create_study(engine="spark")._engine
    monkeypatch.setenv("ASHA_BUS_ENGINE", "dask")
    with pytest.raises(ab.InvalidArgument, match="environment's ASHA_BUS_ENGINE.*'dask'"):
        ours.create_study()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_trials": -1}, "n_trials must be"),
        ({"n_trials": 1.5}, "n_trials must be"),
        ({"n_jobs": 0}, "n_jobs must be"),
        ({"n_jobs": -2}, "n_jobs must be"),
        ({"max_trials": 3}, "n_trials"),
        ({"searcher": None}, r"create_study\(sampler="),
        ({"n_trial": 3}, "n_trials"),
    ],
)
def test_bad_arguments_of_optimize_are_refused(given: dict[str, Any], message: str) -> None:
    study = ours.create_study(engine="local")
    with pytest.raises((ab.InvalidArgument, TypeError), match=message):
        study.optimize(lambda trial: 1.0, **{"n_trials": 1, **given})
    with pytest.raises(ab.InvalidArgument, match="func must be a function, got 3"):
        study.optimize(3, n_trials=1)  # type: ignore[arg-type]
    assert [] == study.trials


def test_mlflows_study_takes_the_arguments_of_its_programs() -> None:
    sampler = optuna.samplers.RandomSampler(seed=1)
    study = ours.MlflowSparkStudy("tuning", sampler=sampler, engine="local")
    assert isinstance(study, optuna.Study)
    assert ("tuning", sampler) == (study.study_name, study.sampler)
    with pytest.raises(ab.InvalidArgument, match="storage=.*leave it out"):
        ours.MlflowSparkStudy("tuning", object())
    assert study.mlflow is None


def test_mlflows_study_writes_to_the_experiment_of_its_storage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class MlflowStorage:
        _experiment_id = "17"

    for given in ({"storage": MlflowStorage()}, {"mlflow_tracking_uri": "http://127.0.0.1:1"}):
        monkeypatch.setattr("asha_bus.monitors.mlflow.find_spec", lambda name: None)
        with pytest.raises(ImportError, match=r"pip install 'asha-bus\[mlflow\]'"):
            ours.MlflowSparkStudy("my tuning", engine="local", **given)
        monkeypatch.setattr("asha_bus.monitors.mlflow.find_spec", lambda name: object())
        study = ours.MlflowSparkStudy("my tuning", engine="local", **given)
        assert study._make_mlflow is not None
        monitor = study._make_mlflow()
        assert ("my tuning", given.get("mlflow_tracking_uri")) == (
            monitor._run_name,
            monitor._tracking_uri,
        )
        assert monitor._given_id == ("17" if "storage" in given else None)
        assert "storage" in given or "my tuning" == monitor._experiment


def test_every_other_name_is_optunas() -> None:
    assert ours.TrialPruned is optuna.TrialPruned
    assert ours.samplers is optuna.samplers
    assert ours.pruners is optuna.pruners
    assert ours.trial is optuna.trial
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(ours, "no_such_name")  # noqa: B009 - it is looked up on use


class Started(Exception):
    """In place of a run."""


@pytest.mark.parametrize(
    ("sampler", "options", "is_gated"),
    [
        (optuna.samplers.RandomSampler, {}, False),
        (optuna.samplers.TPESampler, {}, True),  # it learns from each trial
        (optuna.samplers.RandomSampler, {"callbacks": [lambda study, trial: None]}, True),
        (optuna.samplers.RandomSampler, {"catch": (ValueError,)}, True),
        (optuna.samplers.RandomSampler, {"journal": "run.journal"}, True),
    ],
    ids=["random", "learns", "calls back", "catches", "has a journal"],
)
def test_workers_wait_for_the_study_only_where_somebody_looks(
    sampler: Any, options: Any, is_gated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def start(arguments: Any, after: Any, function: str) -> Any:
        seen.append((after is not None, not arguments.fail_fast))
        raise Started

    monkeypatch.setattr("asha_bus.optuna._study.start_gated", start)
    study = ours.create_study(engine="local", sampler=sampler())
    with pytest.raises(Started):
        study.optimize(lambda trial: 1.0, n_trials=2, **options)
    assert [(is_gated, is_gated)] == seen


# --- pruners ------------------------------------------------------------------


def test_pruners_become_schedulers_with_the_same_rungs() -> None:
    p = optuna.pruners
    assert ab.NoStopping() == scheduler_of(p.NopPruner())
    assert ab.ASHA(None, reduction_factor=4) == scheduler_of(p.SuccessiveHalvingPruner())
    given = p.SuccessiveHalvingPruner(2, 3, min_early_stopping_rate=2)
    assert ab.ASHA(None, min_resource=18) == scheduler_of(given)
    found = scheduler_of(p.HyperbandPruner(1, 81, 3))
    assert isinstance(found, ab.ASHA)
    assert ((1, 3, 9, 27, 81), 5) == (found.levels, found.brackets)  # Hyperband's s_max + 1
    median = scheduler_of(p.MedianPruner(7, 2, 3))
    # without an end, since nobody knows what a pruned trial would have needed
    assert ab.MedianStopping(None, grace=3, min_samples=7, interval=3) == median


class Mine(optuna.pruners.BasePruner):
    def prune(self, study: Any, trial: Any) -> bool:
        return False


@pytest.mark.parametrize(
    "pruner",
    [
        optuna.pruners.ThresholdPruner(upper=1.0),
        optuna.pruners.PercentilePruner(25.0),
        optuna.pruners.HyperbandPruner(),  # its brackets follow from the first trial
        optuna.pruners.HyperbandPruner(1, 81, 3, bootstrap_count=2),
        optuna.pruners.SuccessiveHalvingPruner(1, bootstrap_count=2),
        Mine(),
    ],
    ids=lambda one: type(one).__name__,
)
def test_any_other_pruner_is_asked(pruner: Any) -> None:
    assert AskPruner(type(pruner).__name__) == scheduler_of(pruner)


# --- user attributes ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("a", 1), ("a", None), ("a", "text"), ("a", [1, {"b": None}]), ("step", 3), ("json:a", 1)],
)
def test_attributes_come_back_from_extras(name: str, value: Any) -> None:
    assert {name: value} == attributes_of({**dict([packed(name, value)]), "step": 7})


def test_attributes_of_numpy_come_back_as_plain_values() -> None:
    value = {"epoch": np.int64(3), "scores": np.array([1.0, 2.0])}
    sent = dict([packed("a", np.int64(2)), packed("b", value)])
    assert {"a": 2, "b": {"epoch": 3, "scores": [1.0, 2.0]}} == attributes_of(sent)


@pytest.mark.parametrize(
    ("value", "message"), [(object(), "is not JSON"), (["x" * 5_000], "characters of JSON")]
)
def test_attributes_that_cannot_travel_are_refused(value: Any, message: str) -> None:
    with pytest.raises(ab.ObjectiveError, match=rf"set_user_attr\('a'\): .*{message}"):
        packed("a", value)


# --- what became of a trial ------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "metric", "extras", "expected"),
    [
        (S.COMPLETED, 0.5, {}, (OptunaState.COMPLETE, 0.5)),
        (S.COMPLETED, 0.5, {"_pruned": True}, (OptunaState.PRUNED, None)),
        (S.STOPPED, 0.5, {}, (OptunaState.PRUNED, None)),
        (S.CANCELLED, 0.5, {}, (OptunaState.PRUNED, None)),
        (S.CANCELLED, None, {}, (OptunaState.FAIL, None)),
        (S.FAILED, None, {}, (OptunaState.FAIL, None)),
        (S.FAILED, None, {"_pruned": True}, (OptunaState.PRUNED, None)),
        (S.LOST, 0.5, {}, (OptunaState.FAIL, None)),
    ],
)
def test_states_are_optunas(state: S, metric: Any, extras: Any, expected: Any) -> None:
    assert expected == outcome_of(make_trial(0, state, metric, extras=extras))


@pytest.mark.parametrize("first", [0, 1])
def test_steps_are_counted_as_the_objective_counts(first: int) -> None:
    rung = RungRecord(0, 1, 0.5, 1, 1, 0.5, "continue")
    trial = make_trial(0, S.STOPPED, 0.25, rung, resource=3, extras={"step": 2 + first})
    assert {first: 0.5, first + 2: 0.25} == steps_of(trial)
    assert {} == steps_of(make_trial(0, S.COMPLETED, 0.25))


def test_steps_that_were_left_out_are_not_those_of_rungs() -> None:
    rungs = [RungRecord(n, 1 + n, 0.5 / (n + 1), 1, 1, 0.5, "continue") for n in range(2)]
    extras = {"step": 20, "_steps": "[[10,0.5],[20,0.25]]"}
    trial = make_trial(0, S.COMPLETED, 9.0, *rungs, resource=20, extras=extras)
    assert {10: 0.5, 20: 0.25} == steps_of(trial)


# --- a result as a study -----------------------------------------------------------


def test_any_result_becomes_a_study() -> None:
    space = ab.Space(
        lr=ab.loguniform(1e-3, 1),
        n=ab.randint(1, 9),
        act=ab.choice("relu", None, print),
        w=ab.normal(0, 1),
    )
    rung = RungRecord(0, 1, 0.5, 1, 1, 0.5, "stop")
    points = [(0.1, 3, 0, -2.5), (0.01, 9, 2, 4.0), (5.0, 1, 1, 0.0)]
    trials = [
        make_trial(0, S.COMPLETED, 0.25, point=points[0], extras={"a": 1}),
        make_trial(1, S.STOPPED, 0.5, rung, point=points[1]),
        make_trial(2, S.FAILED, None, point=points[2]),
        make_trial(3, S.RUNNING, 0.1, point=points[2]),
    ]
    study = make_result(*trials, space=space).to_optuna()
    assert ["COMPLETE", "PRUNED", "FAIL"] == [trial.state.name for trial in study.trials]
    assert {"lr": 0.1, "n": 3, "act": "relu", "w": -2.5} == study.best_params
    assert {"a": 1} == study.best_trial.user_attrs
    assert (0.5, repr(print)) == (study.trials[1].value, study.trials[1].params["act"])
    assert 3 == len(study.trials_dataframe())


def test_a_missing_optuna_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "asha_bus.optuna.exporting", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"needs Optuna: pip install 'asha-bus\[optuna\]'"):
        make_result(make_trial(0)).to_optuna()


def test_the_front_door_names_a_missing_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("asha_bus.optuna.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(ours.__dict__, "create_study", raising=False)
    monkeypatch.delitem(ours.__dict__, "_study", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"asha_bus.optuna needs Optuna: pip install"):
        getattr(ours, "create_study")  # noqa: B009 - it is looked up on use


# --- views of a result whose parameters have names only ------------------------------

FLOAT = optuna.distributions.distribution_to_json(optuna.distributions.FloatDistribution(0, 9))
KIND = optuna.distributions.distribution_to_json(
    optuna.distributions.CategoricalDistribution(["a", "b"])
)


def by_name_result() -> ab.Result:
    trials = []
    for number in range(40):
        name = "x" if number % 2 else "y"
        named = (("kind", KIND, number % 2), (name, FLOAT, float(number % 9)))
        trials.append(
            make_trial(
                number,
                S.COMPLETED,
                float(number % 9),
                params=values_of(named),
                point=(0.5,),
                named=named,
            )
        )
    return make_result(*trials, space=ab.Space({BY_NAME: ab.uniform(0, 1)}))


def test_charts_and_documents_have_the_names_that_trials_asked_for() -> None:
    result = by_name_result()
    document = run_document(result)
    assert ["kind", "y", "x"] == [one["name"] for one in document["parameters"]]
    values = [row[TRIAL_FIELDS.index("params")] for row in document["trials"][:2]]
    assert ["a", "b"] == [row[0] for row in values]
    assert (None, None) == (values[0][2], values[1][1])
    assert ["kind", "y", "x"] == [axis.name for axis in axes(result.space, result.trials)]
    assert BY_NAME not in str(result.importance())
    assert BY_NAME not in repr(result)
    assert {"kind", "x"} == set(result.to_optuna().trials[1].params)


def test_a_row_without_names_has_no_parameters() -> None:
    trial = Trial(0, (0.5,), seed=1)
    space = ab.Space({BY_NAME: ab.uniform(0, 1)})
    assert {} == TrialRecord.from_row(trial.to_row(), space).params
