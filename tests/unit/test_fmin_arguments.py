"""What fmin makes of hyperopt's arguments and raw values, without a run."""

from __future__ import annotations

import math
import pickle
from functools import partial
from typing import Any

import cloudpickle
import hyperopt
import numpy as np
import optuna
import pytest
from hyperopt import anneal, hp, mix, rand, tpe
from hyperopt.fmin import generate_trials_to_calculate
from hyperopt.pyll import scope
from support.results import make_trial

import asha_bus as ab
from asha_bus.core.space import Space
from asha_bus.hyperopt.arguments import (
    points_of,
    remembering,
    searcher_of,
    seed_of,
    trials_of,
)
from asha_bus.hyperopt.documents import document
from asha_bus.hyperopt.labels import point_of_raw, raw_values

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
            {"points_to_evaluate": [{"x": math.inf}]},
            r"points_to_evaluate\[0\]: x: inf is not a finite number",
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
        ({"timeout": -1}, "timeout must be a number of seconds above 0 .*, got -1$"),
        ({"timeout": True}, "timeout must be .*, got True of type bool"),
        ({"timeout": "5"}, "timeout must be .*, got '5' of type str"),
        ({"loss_threshold": True}, "loss_threshold must be a finite number, got True"),
        ({"loss_threshold": math.nan}, "loss_threshold must be a finite number, got nan"),
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


def test_raw_values_may_be_outside_the_bounds() -> None:
    space = ab.from_hyperopt(SPACE)
    far = {"lr": -3.0, "depth": 25.5, "seed": 99, "model": 1, "rate": 7.0}
    point = point_of_raw(space, far, is_bounded=False)
    assert far == raw_values(space, point)
    assert hyperopt.space_eval(SPACE, far) == ab.space_eval(SPACE, far) == space.resolve(point)
    with pytest.raises(ab.InvalidArgument, match="lr: -3.0 is outside"):
        point_of_raw(space, far)
    with pytest.raises(ab.InvalidArgument, match="seed: 2.5 is not a whole number"):
        ab.space_eval(SPACE, {**far, "seed": 2.5})
    with pytest.raises(ab.InvalidArgument, match="model must be the index of one of 3 options"):
        ab.space_eval(SPACE, {**far, "model": 3})


@pytest.mark.parametrize("x", [-2.0, 0.0, 5e9])
def test_searchers_learn_from_points_outside_the_bounds(x: float) -> None:
    space = ab.from_hyperopt(
        {
            "x": hp.uniform("x", 0, 1),
            "lr": hp.loguniform("lr", -7, 0),
            "depth": scope.int(hp.quniform("depth", 1, 10, 1)),
            "seed": hp.randint("seed", 3, 6),
            "width": hp.lognormal("width", 0, 1),
            "steps": hp.qloguniform("steps", 0, 3, 2),
        }
    )
    values = dict.fromkeys(["x", "lr", "depth", "seed", "width", "steps"], x)
    point = point_of_raw(space, values, is_bounded=False)
    history = [make_trial(n, point=point, metric=float(n), params={}) for n in range(25)]
    branch = ab.Branch(number=0, space=space, mode="min", trial=25, seed=1)
    for searcher in (ab.TPE(), ab.OptunaSearcher(optuna.samplers.TPESampler(seed=1))):
        found = searcher.suggest(branch, history)
        assert found is not None
        assert found == space.checked(found, 0)


@pytest.mark.parametrize("number", [np.int64(5), np.float32(5), 5])
def test_limits_may_be_numbers_of_numpy(number: Any) -> None:
    trials = ab.SparkTrials(timeout=number, loss_threshold=number)
    assert (5, 5) == (trials.timeout, trials.loss_threshold)
    with pytest.raises(ab.InvalidArgument, match="max_evals must be"):  # which is checked last
        ab.fmin(never, hp.uniform("x", 0, 1), timeout=number, loss_threshold=number, max_evals=0)


def test_hyperopts_exceptions_can_be_caught_by_their_names() -> None:
    twice = [hp.uniform("x", 0, 1), hp.uniform("x", 0, 1)]
    with pytest.raises(hyperopt.exceptions.DuplicateLabel, match="label 'x'") as raised:
        ab.fmin(never, twice, max_evals=3)
    assert isinstance(raised.value, ab.InvalidArgument)
    with pytest.raises(hyperopt.exceptions.BadSearchSpace):
        ab.from_hyperopt(twice)

    def fn(x, y):
        raise AssertionError("nothing is to be run")

    fn.__annotations__ = {"x": hp.uniform("x", -1, 1), "y": float, "return": float}
    with pytest.raises(
        hyperopt.exceptions.InvalidAnnotatedParameter, match="y has <class 'float'>"
    ):
        ab.fmin(fn, "annotated", max_evals=3)


def test_a_parameter_without_an_expression_is_refused() -> None:
    def fn(x, y):
        raise AssertionError("nothing is to be run")

    fn.__annotations__ = {"x": hp.uniform("x", -1, 1)}
    with pytest.raises(ab.InvalidArgument, match="y has no annotation"):
        ab.fmin(fn, "annotated", max_evals=3)
