"""What fmin makes of hyperopt's arguments, objectives and raw values, without a run."""

from __future__ import annotations

import json
import math
import pickle
import traceback
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import cloudpickle
import hyperopt
import numpy as np
import pytest
from hyperopt import anneal, hp, mix, rand, tpe
from hyperopt.fmin import generate_trials_to_calculate
from hyperopt.pyll import scope
from support.results import make_result, make_trial

import asha_bus as ab
from asha_bus.core.space import Space
from asha_bus.hyperopt.arguments import (
    points_of,
    remembering,
    searcher_of,
    seed_of,
    trials_of,
)
from asha_bus.hyperopt.documents import document, fail_result
from asha_bus.hyperopt.labels import point_of_raw, raw_values
from asha_bus.hyperopt.objective import FminObjective, fmin_objective
from asha_bus.objective.kinds import Shape, TrialFailed, shape_of

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


async def later(params: Any) -> float:
    return 0.0


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


@pytest.mark.parametrize("algo", [tpe, "tpe", ab.RandomSearch, partial(max, 1)])
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


def test_trials_of_hyperopt_are_taken_with_what_they_hold() -> None:
    theirs = generate_trials_to_calculate([{"x": 0.25}])
    ours, kept = trials_of(theirs)
    assert (ab.Trials, theirs) == (type(ours), kept)
    assert ([{"x": 0.25}], 0) == (points_of(theirs), len(ours))
    theirs = hyperopt.Trials()
    theirs.insert_trial_docs([document(make_trial(0), Space(x=ab.uniform(0, 1)))])
    ours, _ = trials_of(theirs)
    assert ([], [0.5]) == (points_of(theirs), ours.losses())
    wrong: Any
    for wrong in ([], "Trials", hyperopt.Trials):
        with pytest.raises(ab.InvalidArgument, match="trials must be"):
            trials_of(wrong)


def test_the_same_rstate_does_not_try_the_same_again() -> None:
    assert 7 == seed_of(7, 0)
    assert 3 == len({seed_of(7), seed_of(7, 4), seed_of(7, 5)})
    assert seed_of(7, 4) == seed_of(7, 4)


def test_a_searcher_remembers_the_trials_that_fit() -> None:
    space = ab.from_hyperopt({"x": hp.uniform("x", 0, 1)})
    wide = [
        document(make_trial(number, point=(x,), metric=x, state=state), Space(x=ab.uniform(0, 9)))
        for number, (x, state) in enumerate([(0.25, S.COMPLETED), (5.0, S.COMPLETED)])
    ]
    seen = []

    class Last(ab.Searcher):
        def suggest(self, branch: ab.Branch, history: Any) -> Any:
            seen.extend(history)
            return (0.5,)

    searcher = remembering(Last(), wide, space)
    branch = ab.Branch(number=0, space=space, mode="min", trial=0, seed=1)
    assert (0.5,) == searcher.suggest(branch, [make_trial(0)])
    assert [(-2, 0.25), (0, 0.5)] == [(trial.id, trial.metric) for trial in seen]
    assert ab.RandomSearch() == remembering(ab.RandomSearch(), wide, space)


@pytest.mark.parametrize(
    "algo",
    [
        anneal.suggest,
        partial(anneal.suggest, avg_best_idx=3),
        partial(
            mix.suggest, p_suggest=[(0.1, rand.suggest), (0.2, anneal.suggest), (0.7, tpe.suggest)]
        ),
        lambda ids, domain, trials, seed: rand.suggest(ids, domain, trials, seed),
    ],
)
def test_other_algorithms_of_hyperopt(algo: Any) -> None:
    space = ab.from_hyperopt(SPACE)
    searcher = pickle.loads(cloudpickle.dumps(searcher_of(algo, SPACE)))
    history: list[Any] = []
    for number in range(25):
        branch = ab.Branch(number=0, space=space, mode="min", trial=number, seed=number)
        point = searcher.suggest(branch, history)
        assert point == space.checked(point, 0)
        state = (S.COMPLETED, S.FAILED, S.RUNNING)[number % 3]
        metric = float(number) if state is S.COMPLETED else None
        history.append(make_trial(number, point=point, state=state, metric=metric, params={}))
    with pytest.raises(ab.InvalidArgument, match="spaces of hyperopt only"):
        searcher_of(algo, ab.Space(x=ab.uniform(0, 1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_evals": 0}, "max_evals must be a whole number above 0, got 0"),
        ({"max_evals": 2.5}, "max_evals must be"),
        ({"max_evals": True}, "max_evals must be"),
        ({"max_evals": "3"}, "max_evals must be"),
        ({"max_evals": math.inf}, "max_evals must be"),
        ({"max_evals": None}, "needs an end"),
        ({"timeout": 0}, "timeout must be"),
        ({"trials_save_file": "t.pkl"}, "pass journal=PATH"),
        ({"pass_expr_memo_ctrl": True}, "not supported"),
        ({"early_stop_fn": 3}, "early_stop_fn must be"),
        ({"loss_threshold": "low"}, "loss_threshold must be a finite number, got 'low'"),
        ({"max_trials": 3}, "fmin\\(\\) takes no 'max_trials'; use max_evals"),
        ({"patience": 3}, "fmin\\(\\) takes no 'patience'; see help\\(asha_bus.fmin\\)$"),
        ({"max_eval": 3}, "fmin\\(\\) takes no 'max_eval'; did you mean 'max_evals'"),
        ({"max_failure": 3}, "fmin\\(\\) takes no 'max_failure'; did you mean 'max_failures'"),
        ({"block": False}, "fmin\\(\\) takes no 'block'; use start"),
        ({"fn": 3}, "fn must be a function, got 3"),
        (
            {"points_to_evaluate": [{"x": 0.5}, {"y": 1}]},
            r"points_to_evaluate\[1\]: the space has no label 'y'; its labels are x",
        ),
        ({"points_to_evaluate": [{}]}, r"points_to_evaluate\[0\]: x is missing; give it a value"),
        (
            {"points_to_evaluate": [{"x": 2}]},
            r"points_to_evaluate\[0\]: x: 2.0 is outside 0 to 1; give a value in range",
        ),
        ({"algo": "tpe"}, "algo unknown: 'tpe'; give hyperopt's tpe.suggest, rand.suggest .*"),
        (
            {"space": {"trial": hp.uniform("t", 0, 1)}},
            "a parameter named 'trial'.* rename the parameter",
        ),
        ({"fn": later}, "fn later is asynchronous"),
        ({"fn": lambda x, y: x}, r"fn\(params\): missing a required argument: 'y'"),
        ({"data": {"rows": 1}}, r"cannot be called as fn\(params, rows\).*unexpected keyword"),
        ({"fn": lambda rows, p: p, "data": {"rows": 1}}, "the configuration as its first"),
        ({"points_to_evaluate": [{"x": 0.5}, {"y": 1}]}, r"points_to_evaluate\[1\]: the space has"),
        ({"points_to_evaluate": [{"x": 2}]}, "outside"),
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
    space = ab.from_hyperopt(SPACE)
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


def test_values_of_options_not_chosen_are_left_out() -> None:
    space = ab.from_hyperopt(SPACE)
    svm = {"lr": 0.5, "depth": 3.0, "seed": 4, "model": 0, "C": 2.0}
    assert svm == raw_values(space, point_of_raw(space, svm))
    assert "rate" not in raw_values(space, point_of_raw(space, {**svm, "rate": -1}))
    with pytest.raises(ab.InvalidArgument, match="C is missing"):
        point_of_raw(space, {label: value for label, value in svm.items() if label != "C"})
    for wrong in (3, 0.5, "svm", None):
        with pytest.raises(ab.InvalidArgument, match="model"):
            point_of_raw(space, {**svm, "model": wrong})


def test_spaces_that_are_not_a_dict() -> None:
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
def test_a_wrong_dict_is_an_error_that_names_the_mistake(
    given: dict[str, Any], message: str
) -> None:
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


def failed(value: Any) -> Any:
    """A trial whose objective gave ``value`` back, which fails it."""
    with pytest.raises(TrialFailed) as raised:
        FminObjective(lambda params: value)(x=1)
    text = "".join(traceback.format_exception(raised.value))
    return make_trial(0, S.FAILED, None, error=text, extras=raised.value.extras)


def test_a_status_of_fail_is_distinguished_from_an_exception() -> None:
    told = fail_result(failed({"status": ab.STATUS_FAIL, "why": "two\nlines", "net": [1]}))
    assert {"status": "fail", "why": "two\nlines"} == told
    assert {"status": "fail", "loss": 3} == fail_result(failed({"status": "fail", "loss": 3}))
    assert {"status": "fail"} == fail_result(failed({"status": "fail"}))
    assert fail_result(make_trial(0, S.FAILED, error="Traceback ...\nValueError: fail")) is None
    assert fail_result(make_trial(0, S.FAILED)) is None


def test_the_text_of_an_error_says_nothing_of_a_status() -> None:
    given = failed({"status": "fail", "why": "it diverged"})
    assert "it diverged" in given.error
    assert fail_result(replace(given, extras={})) is None
    assert fail_result(replace(given, error="ValueError: no")) == fail_result(given)
    older = 'Traceback ...\nasha_bus.hyperopt.objective.StatusFail: {"why": "x"}\n'
    raised = make_trial(0, S.FAILED, error=older, extras={"n": 1})
    assert fail_result(raised) is None
    assert "new" == document(raised, Space(x=ab.uniform(0, 1)))["result"]["status"]


def test_nothing_that_is_returned_with_a_loss_reads_as_a_status_of_fail() -> None:
    def mimics(params: Any) -> Iterator[Any]:
        yield {"loss": 1.0, "status": "ok", "_status_fail": True, "_more_results": "{", "n": 1}
        raise ValueError("no")

    values = fmin_objective(mimics)(x=1)
    loss, extras = next(values)
    assert (1.0, {"n": 1}) == (loss, extras)
    with pytest.raises(ValueError, match="no"):
        next(values)
    assert fail_result(make_trial(0, S.FAILED, loss, extras=extras)) is None


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


def test_trials_can_be_pickled_without_their_run(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = ab.SparkTrials(parallelism=3)
    trials.fill(make_result(make_trial(0, metric=1.0)))
    again = pickle.loads(pickle.dumps(trials))
    assert (trials.losses(), 3) == (again.losses(), again.parallelism)
    assert again.result is None
    # nothing is run and no session is started, since there are as many trials already
    monkeypatch.setattr("asha_bus.driver.spark.most_slots", never)
    assert {"x": 0.0} == ab.fmin(never, {"x": ab.uniform(0, 1)}, max_evals=1, trials=again)


def test_trials_have_the_words_of_hyperopts() -> None:
    space = Space(x=ab.uniform(0, 1))
    extras = {"loss_variance": 0.5, "true_loss": 7.0}
    ours, theirs = ab.SparkTrials(), hyperopt.Trials()
    ours.fill(
        make_result(
            make_trial(0, metric=1.0, extras=extras),
            make_trial(1, metric=2.0, extras={**extras, "true_loss": 9.0}),
            make_trial(2, S.FAILED, None),
            make_trial(3, S.CANCELLED, None),
            space=space,
        )
    )
    theirs.insert_trial_docs(ours.documents)
    theirs.refresh()
    ours.refresh()
    np.random.seed(0)
    known = theirs.average_best_error()
    np.random.seed(0)
    assert known == ours.average_best_error()
    assert (theirs.specs, theirs.idxs_vals) == (ours.specs, ours.idxs_vals)
    for state in (2, 3, [2, 4]):
        assert theirs.count_by_state_synced(state) == ours.count_by_state_synced(state)
        assert theirs.count_by_state_unsynced(state) == ours.count_by_state_unsynced(state)
    assert (2, 1, 1, 4) == (
        ours.count_successful_trials(),
        ours.count_failed_trials(),
        ours.count_cancelled_trials(),
        ours.count_total_trials(),
    )
    attached = ours.trial_attachments(ours.trials[1])
    attached["net"] = b"1"
    assert (["net"], {"ATTACH::1::net": b"1"}) == (list(attached), ours.attachments)
    assert {} == dict(ours.trial_attachments(ours.trials[0]))
    del attached["net"]
    assert 0 == len(attached)
    ours.delete_all()
    assert (0, [], {}) == (len(ours), ours.documents, ours.vals)
    with pytest.raises(ValueError, match="Empty loss"):
        ours.average_best_error()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parallelism": "2"}, "parallelism must be"),
        ({"timeout": -1}, "timeout must be"),
        ({"timeout": True}, "timeout must be"),
        ({"loss_threshold": "low"}, "loss_threshold must be"),
        ({"resource_profile": object()}, "resource_profile is not supported"),
    ],
)
def test_what_spark_trials_refuse(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ab.InvalidArgument, match=message):
        ab.SparkTrials(**arguments)


def test_trials_that_are_empty_have_no_best_one() -> None:
    with pytest.raises(ab.AshaBusError, match="no trial has a loss yet"):
        ab.Trials().argmin  # noqa: B018 - a property
