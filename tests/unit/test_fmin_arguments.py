"""What fmin makes of hyperopt's arguments, objectives and raw values, without a run."""

from __future__ import annotations

import json
import pickle
import traceback
from functools import partial
from typing import Any

import hyperopt
import numpy as np
import pytest
from hyperopt import anneal, hp, rand, tpe
from hyperopt.pyll import scope
from support.results import make_result, make_trial

import asha_bus as ab
from asha_bus.core.space import Space, as_space
from asha_bus.hyperopt_arguments import searcher_of, seed_of, trials_of
from asha_bus.hyperopt_labels import point_of_raw, raw_values
from asha_bus.hyperopt_objective import FminObjective, StatusFail, fail_result, fmin_objective
from asha_bus.hyperopt_trials import document
from asha_bus.objective import Shape, shape_of

S = ab.TrialState
SPACE = {
    "lr": hp.loguniform("lr", -7, 0),
    "depth": scope.int(hp.quniform("depth", 1, 10, 1)),
    "seed": hp.randint("seed", 3, 6),
    "model": hp.choice(
        "model",
        [
            {"kind": "svm", "C": hp.lognormal("C", 0, 1)},
            {"kind": "tree", "rate": 10 ** hp.uniform("rate", -3, 0)},
            "none",
        ],
    ),
}


def never(params: Any) -> float:
    raise AssertionError("nothing is to be run")


# --- algo, rstate, trials -------------------------------------------------------


def test_tpe_has_the_arguments_of_hyperopts() -> None:
    assert ab.TPE(random_share=0) == searcher_of(None) == searcher_of(tpe.suggest)
    given = partial(tpe.suggest, n_startup_jobs=5, gamma=0.3, n_EI_candidates=9, verbose=False)
    assert ab.TPE(n_startup=5, gamma=0.3, n_candidates=9, random_share=0) == searcher_of(given)
    with pytest.raises(ab.InvalidArgument, match="tpe.suggest with linear_forgetting is not"):
        searcher_of(partial(tpe.suggest, linear_forgetting=3))


def test_random_search_and_our_own() -> None:
    assert ab.RandomSearch() == searcher_of(rand.suggest) == searcher_of(partial(rand.suggest))
    own = ab.RandomSearch(seed=3)
    assert searcher_of(own) is own


@pytest.mark.parametrize("algo", [anneal.suggest, tpe, "tpe", ab.RandomSearch, partial(max, 1)])
def test_an_unknown_algo_is_refused(algo: Any) -> None:
    with pytest.raises(ab.InvalidArgument, match="algo unknown: "):
        searcher_of(algo)


def test_rstate_is_a_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYPEROPT_FMIN_SEED", raising=False)
    assert seed_of(None) is None
    assert 7 == seed_of(7)
    assert np.random.default_rng(3).integers(2**31 - 1) == seed_of(np.random.default_rng(3))
    assert seed_of(np.random.RandomState(3)) == seed_of(np.random.RandomState(3))
    assert type(seed_of(np.random.default_rng(3))) is int
    monkeypatch.setenv("HYPEROPT_FMIN_SEED", "12")
    assert 12 == seed_of(None)
    for wrong in (True, -1, "7", 1.5):
        with pytest.raises(ab.InvalidArgument, match="rstate must be"):
            seed_of(wrong)


def test_trials_of_hyperopt_are_taken_where_they_are_empty() -> None:
    theirs = hyperopt.Trials()
    ours, kept = trials_of(theirs)
    assert (ab.Trials, theirs) == (type(ours), kept)
    theirs.insert_trial_docs([document(make_trial(0), Space(x=ab.uniform(0, 1)))])
    theirs.refresh()
    with pytest.raises(ab.InvalidArgument, match="hold 1 trials"):
        trials_of(theirs)
    wrong: Any
    for wrong in ([], "Trials", hyperopt.Trials):
        with pytest.raises(ab.InvalidArgument, match="trials must be"):
            trials_of(wrong)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_evals": 0}, "max_evals must be a whole number above 0, got 0"),
        ({"max_evals": 2.5}, "max_evals must be"),
        ({"max_evals": None}, "needs an end"),
        ({"timeout": 0}, "timeout must be"),
        ({"trials_save_file": "t.pkl"}, "give journal=PATH"),
        ({"pass_expr_memo_ctrl": True}, "not supported"),
        ({"early_stop_fn": 3}, "early_stop_fn must be"),
        ({"max_trials": 3}, "fmin\\(\\) takes no max_trials; give max_evals instead"),
        ({"patience": 3}, "neither fmin\\(\\) nor launch\\(\\) takes 'patience'"),
        ({"fn": 3}, "fn must be a function, got 3"),
        (
            {"points_to_evaluate": [{"x": 0.5}, {"y": 1}]},
            r"points_to_evaluate\[1\]: there is no label 'y' \(there is x\); leave it out, or give",
        ),
        ({"points_to_evaluate": [{}]}, r"points_to_evaluate\[0\]: x is missing: give it a value"),
        (
            {"points_to_evaluate": [{"x": 2}]},
            r"points_to_evaluate\[0\]: x: 2.0 is outside of 0 to 1; give what lies between",
        ),
        ({"algo": "tpe"}, "algo unknown: 'tpe'; give hyperopt's tpe.suggest or rand.suggest, .*"),
        ({"space": {"trial": hp.uniform("t", 0, 1)}}, "a parameter named 'trial'.* another one"),
        ({"space": ab.Space(x=1) + {"y": 2}}, "the space is a union"),
    ],
)
def test_what_fmin_refuses(arguments: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {
        "fn": never,
        "space": {"x": hp.uniform("x", 0, 1)},
        "algo": rand.suggest,
    }
    with pytest.raises(ab.InvalidArgument, match=message):
        ab.fmin(**{**settings, "max_evals": 3, **arguments})


# --- raw values -----------------------------------------------------------------


def test_raw_values_are_those_of_hyperopt() -> None:
    theirs = hyperopt.Trials()
    hyperopt.fmin(
        lambda params: 0.0,
        SPACE,
        algo=rand.suggest,
        max_evals=60,
        trials=theirs,
        rstate=np.random.default_rng(1),
        verbose=False,
    )
    space = as_space(SPACE)
    assert len(theirs.miscs) == 60
    for misc in theirs.miscs:
        raw = {label: values[0] for label, values in misc["vals"].items() if values}
        point = point_of_raw(space, raw)
        found = raw_values(space, point)
        assert raw == pytest.approx(found)
        assert [int if isinstance(raw[label], np.integer) else float for label in found] == [
            type(value) for value in found.values()
        ]
        assert hyperopt.space_eval(SPACE, raw) == ab.space_eval(SPACE, raw)


def test_what_was_not_chosen_is_left_out() -> None:
    space = as_space(SPACE)
    svm = {"lr": 0.5, "depth": 3.0, "seed": 4, "model": 0, "C": 2.0}
    assert svm == raw_values(space, point_of_raw(space, svm))
    assert "rate" not in raw_values(space, point_of_raw(space, {**svm, "rate": -1}))
    with pytest.raises(ab.InvalidArgument, match="C is missing"):
        point_of_raw(space, {label: value for label, value in svm.items() if label != "C"})
    for wrong in (3, 0.5, "svm", None):
        with pytest.raises(ab.InvalidArgument, match="model"):
            point_of_raw(space, {**svm, "model": wrong})


def test_spaces_that_are_no_dict() -> None:
    assert 0.25 == ab.space_eval(hp.uniform("x", 0, 1), {"x": 0.25})
    assert (0.25, "b") == ab.space_eval(
        [hp.uniform("x", 0, 1), hp.choice("c", ["a", "b"])], {"x": 0.25, "c": 1}
    )
    assert {"x": 3} == ab.space_eval({"x": ab.randint(1, 5)}, {"x": np.int64(3)})


# --- objectives -----------------------------------------------------------------


def test_a_dict_of_results_keeps_what_is_plain() -> None:
    given = {"loss": 2, "status": ab.STATUS_OK, "auc": np.float32(0.5), "model": [1], "note": "a"}
    assert (2, {"auc": 0.5, "note": "a"}) == FminObjective(lambda params: given)(x=1)
    assert 0.5 == FminObjective(lambda params: params["x"])(x=0.5)
    assert 3 == FminObjective(lambda first: first[0])((3, 4))
    assert 4 == FminObjective(lambda params, rows: params["x"] + rows, data=["rows"])(x=1, rows=3)
    assert 5 == FminObjective(lambda x, y: x + y, by_name=True)(x=2, y=3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loss": 1}, "status None"),
        ({"loss": 1, "status": "running"}, "status 'running'"),
        ({"status": "ok"}, "without a loss"),
    ],
)
def test_a_wrong_dict_says_what_is_wrong(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ab.ObjectiveError, match=message):
        FminObjective(lambda params: given)(x=1)


def test_a_generator_is_closed_with_its_wrapper() -> None:
    events = []

    def train(params: Any) -> Any:
        try:
            yield {"loss": params["x"], "status": "ok", "epoch": 1}
            yield 0.5
        finally:
            events.append("closed")

    assert Shape.GENERATOR is shape_of(fmin_objective(train))
    assert Shape.FUNCTION is shape_of(fmin_objective(never))
    values = fmin_objective(train)(x=1)
    assert (1, {"epoch": 1}) == next(values)
    assert 0.5 == next(values)
    values.close()
    assert ["closed"] == events


def test_a_status_of_fail_is_told_from_an_exception() -> None:
    def error_of(value: Any) -> str:
        with pytest.raises(StatusFail) as raised:
            FminObjective(lambda params: value)(x=1)
        return "".join(traceback.format_exception(raised.value))

    told = fail_result(error_of({"status": ab.STATUS_FAIL, "why": "two\nlines", "net": [1]}))
    assert {"status": "fail", "why": "two\nlines"} == told
    assert {"status": "fail", "loss": 3} == fail_result(error_of({"status": "fail", "loss": 3}))
    assert {"status": "fail"} == fail_result(error_of({"status": "fail"})[:-4])
    assert fail_result("Traceback ...\nValueError: fail") is None
    assert fail_result(None) is None


# --- trials ---------------------------------------------------------------------


def test_documents_are_those_of_hyperopt() -> None:
    space = Space(x=ab.uniform(0, 1))
    states = [S.COMPLETED, S.STOPPED, S.CANCELLED, S.FAILED, S.LOST, S.COMPLETED]
    ended = [
        make_trial(number, state=state, metric=float(metric), point=(0.25,), extras={"n": number})
        for number, (state, metric) in enumerate(zip(states, [3, 1, 0, 0, 0, 2], strict=True))
    ]
    trials = ab.Trials()
    trials.fill(make_result(*ended, space=space))
    assert [0, 1, 5] == trials.tids
    assert [2, 2, 4, 3, 3, 2] == [one["state"] for one in trials.documents]
    assert ["ok", "suspended", "ok"] == trials.statuses()
    assert [3.0, 1.0, 2.0] == trials.losses()
    assert {"loss": 2.0, "status": "ok", "n": 5} == trials.best_trial["result"]
    assert {"x": 0.25} == trials.argmin
    assert ({"x": [0.25] * 3}, {"x": [0, 1, 5]}) == (trials.vals, trials.idxs)
    theirs = hyperopt.Trials()
    theirs.insert_trial_docs(trials.documents)
    theirs.refresh()
    assert theirs.argmin == trials.argmin
    assert (theirs.tids, theirs.losses(), theirs.vals) == (
        trials.tids,
        trials.losses(),
        trials.vals,
    )
    assert json.loads(json.dumps(theirs.vals)) == theirs.vals


def test_trials_can_be_pickled_without_their_run() -> None:
    trials = ab.SparkTrials(parallelism=3)
    trials.fill(make_result(make_trial(0, metric=1.0)))
    again = pickle.loads(pickle.dumps(trials))
    assert (trials.losses(), 3) == (again.losses(), again.parallelism)
    assert again.result is None
    with pytest.raises(ab.InvalidArgument, match="of a run that is not known here"):
        ab.fmin(never, {"x": ab.uniform(0, 1)}, algo=rand.suggest, max_evals=3, trials=again)


def test_trials_that_are_empty_have_no_best_one() -> None:
    with pytest.raises(ab.AshaBusError, match="no trial with a loss yet"):
        ab.Trials().argmin  # noqa: B018 - a property
