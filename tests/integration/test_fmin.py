"""Programs of hyperopt with one line changed, and hyperopt itself beside them."""

from __future__ import annotations

import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import hyperopt
import numpy as np
import pytest
from hyperopt import anneal, hp
from hyperopt.fmin import generate_trials_to_calculate
from support.fmin_objectives import (
    Model,
    abs_x,
    curve,
    fits,
    quarter_fails,
    raises_below_0,
)
from support.fmin_runs import SPACE, X, new_trials, run, their_run

import asha_bus as ab
from asha_bus.hyperopt.documents import DONE, document


def kinds(values: dict[str, Any]) -> dict[str, type]:
    """The types of raw values; numpy's numbers are those of Python."""
    return {label: int if isinstance(v, np.integer) else float for label, v in values.items()}


# --- what fmin returns ----------------------------------------------------------


@pytest.mark.parametrize("option", [0, 1])
def test_argmin_has_the_labels_and_types_of_hyperopts(option: int) -> None:
    wanted = ("C", "gamma")[option]

    def fn(params: Any) -> Any:
        return params["lr"] + (0 if wanted in params["model"] else 100)

    found = run(fn, SPACE, max_evals=30)
    theirs = their_run(fn, SPACE, max_evals=30)
    assert set(theirs) == set(found)
    assert kinds(theirs) == {label: type(value) for label, value in found.items()}
    assert option == found["model"]


def test_return_argmin_false_returns_the_configuration() -> None:
    trials = new_trials()
    best = run(lambda params: params["lr"], SPACE, max_evals=8, trials=trials, return_argmin=False)
    assert trials.best_trial["result"]["loss"] == best["lr"] == min(trials.losses())
    assert ab.space_eval(SPACE, trials.argmin) == best
    assert hyperopt.space_eval(SPACE, trials.argmin) == best


@pytest.mark.parametrize(
    "space", [hp.uniform("x", 0, 1), [hp.uniform("x", 0, 1), 7], hp.choice("x", [(1, 2), (3, 4)])]
)
def test_spaces_that_are_not_a_dict(space: Any) -> None:
    def fn(point: Any) -> float:
        return float(point if isinstance(point, float) else point[0])

    assert set(their_run(fn, space, max_evals=6)) == set(run(fn, space, max_evals=6)) == {"x"}


def test_a_space_in_annotations() -> None:
    def fn(x: hp.uniform("x", 0, 1), y: hp.choice("y", [0, 5])) -> Any:  # type: ignore[valid-type]
        return x + y

    fn.__annotations__ = {"x": hp.uniform("x", 0, 1), "y": hp.choice("y", [0, 5])}
    assert 0 == run(fn, "annotated", max_evals=9)["y"]


def test_the_same_seed_gives_the_same_trials() -> None:
    first, second = new_trials(), new_trials()
    for trials in (first, second):
        rstate = np.random.default_rng(7)
        run(lambda params: params["x"], max_evals=5, trials=trials, rstate=rstate)
    assert first.vals == second.vals


@pytest.mark.parametrize("algo", [None, partial(hyperopt.tpe.suggest, n_startup_jobs=5)])
def test_tpe_learns(algo: Any) -> None:
    trials = new_trials()
    best = run(lambda params: (params["x"] - 2) ** 2, max_evals=30, algo=algo, trials=trials)
    first, last = trials.vals["x"][:5], trials.vals["x"][-5:]
    assert abs(best["x"] - 2) < 1
    assert sum(abs(x - 2) for x in last) < sum(abs(x - 2) for x in first)


# --- what is in the trials ------------------------------------------------------


@pytest.mark.parametrize("theirs", [None, hyperopt.Trials])
def test_a_status_of_fail(theirs: Any) -> None:
    trials = new_trials() if theirs is None else theirs()
    points = [{"x": float(x)} for x in (1, -1, 2, -2, 3, -3, 4, -4)]
    best = run(quarter_fails, max_evals=8, points_to_evaluate=points, trials=trials)
    assert {"x": 1.0} == best == trials.argmin
    assert ["ok", "fail"] * 4 == trials.statuses()
    assert [1, None, 2, None, 3, None, 4, None] == trials.losses()
    assert {"status": "fail", "why": "negative"} == trials.results[1]
    assert {"loss": 1.0, "status": "ok", "note": "fine"} == trials.results[0]
    assert [0, 1, 2, 3, 4, 5, 6, 7] == trials.tids
    assert {"x": [point["x"] for point in points]} == trials.vals
    if theirs is None:
        assert 4 == trials.result.counts[ab.TrialState.FAILED]


def test_all_fail() -> None:
    trials = new_trials()
    with pytest.raises(ab.AllTrialsFailed, match="STATUS_FAIL"):
        run(lambda params: {"status": ab.STATUS_FAIL}, max_evals=8, trials=trials)
    assert ["fail"] * 8 == trials.statuses()


def test_a_status_of_fail_is_kept_in_a_journal_and_when_it_is_resumed(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    points = [{"x": 1.0}, {"x": -1.0}, {"x": 2.0}, {"x": -2.0}]
    given = {"points_to_evaluate": points, "journal": str(journal)}
    run(quarter_fails, max_evals=4, **given)
    read = [document(trial, known) for known, trial in of_journal(journal)]
    resumed = new_trials()
    run(quarter_fails, max_evals=6, trials=resumed, resume=True, **given)
    for results in ([one["result"] for one in read], resumed.results[:4]):
        assert ["ok", "fail", "ok", "fail"] == [result["status"] for result in results]
        assert {"status": "fail", "why": "negative"} == results[1]
    assert [DONE] * 4 == [one["state"] for one in read]


def of_journal(path: Path) -> list[tuple[ab.Space, ab.TrialRecord]]:
    """The trials in a journal, each with the space."""
    result = ab.Result.from_journal(path, ab.from_hyperopt(X))
    return [(result.space, trial) for trial in result.trials]


def test_many_fail_at_first() -> None:
    trials = new_trials()
    points = [{"x": -1.0}] * 9 + [{"x": 0.5}]
    best = run(quarter_fails, max_evals=10, points_to_evaluate=points, trials=trials)
    assert {"x": 0.5} == best
    assert ["fail"] * 9 + ["ok"] == trials.statuses()


def test_points_come_first_and_count() -> None:
    points = [
        {"lr": 0.5, "depth": 3.0, "model": 1, "g": 0.25},
        {"lr": 0.25, "depth": 4, "model": 0, "C": 2.0},
    ]
    trials, theirs = new_trials(), hyperopt.Trials()
    run(lambda params: params["lr"], SPACE, max_evals=4, points_to_evaluate=points, trials=trials)
    assert 4 == len(trials) == len(trials.trials) == len(list(trials))
    got = [{k: v[0] for k, v in misc["vals"].items() if v} for misc in trials.miscs[:2]]
    assert points == got
    their_run(lambda params: params["lr"], SPACE, max_evals=4, trials=theirs)
    assert set(theirs.vals) == set(trials.vals)
    assert set(theirs.trials[0]) <= set(trials.trials[0])
    assert set(theirs.trials[0]["misc"]) == set(trials.trials[0]["misc"])


def test_points_may_be_outside_the_bounds() -> None:
    points = [{"x": -7.5}, {"x": 8.0}]
    their_run(abs_x, max_evals=4, points_to_evaluate=points)
    ours = new_trials()
    run(abs_x, max_evals=30, points_to_evaluate=points, trials=ours, algo=hyperopt.tpe.suggest)
    assert [7.5, 8.0] == ours.losses()[:2]
    assert 30 == len(ours)
    theirs = generate_trials_to_calculate(points)
    run(abs_x, max_evals=4, trials=theirs)
    assert [7.5, 8.0] == theirs.losses()[:2]


def test_best_params_are_what_the_objective_got() -> None:
    space = hp.choice("model", [{"kind": "svm", "C": hp.uniform("C", 1, 2)}, {"kind": "none"}])

    def objective(config: Any) -> Any:
        return config.get("C", 3.0) + len(config)

    cases: list[tuple[Any, Any]] = [
        (objective, space),
        (abs, hp.uniform("x", -1, 1)),
        (sum, [hp.uniform("x", 0, 1), 1]),
    ]
    for fn, one in cases:
        trials = new_trials()
        run(fn, one, max_evals=4, trials=trials)
        for trial in trials.result.trials:
            assert trial.metric == fn(trial.params)
        assert trials.result.best.metric == fn(trials.result.best.params)
        assert 4 == len(trials.result.to_pandas())
        assert "trial" in str(trials.result)
        best = trials.result.best.params
        settings: dict[str, Any] = {"max_trials": 1, "engine": "local", "monitor": None}
        assert [best] == [
            one.params for one in ab.launch(fn, one, initial=[best], **settings).trials
        ]


def test_fmin_continues_the_trials_it_is_given_again() -> None:
    trials = new_trials()
    run(abs_x, max_evals=4, trials=trials)
    first = trials.vals["x"]
    run(abs_x, max_evals=7, trials=trials, timeout=60)
    assert first == trials.vals["x"][:4]
    assert 7 == len(set(trials.vals["x"]))
    assert trials.argmin == run(abs_x, max_evals=7, trials=trials)
    assert 7 == len(trials)


def test_trials_that_were_pickled_go_on() -> None:
    trials = new_trials()
    run(abs_x, max_evals=4, trials=trials)
    again = pickle.loads(pickle.dumps(trials))
    best = run(abs_x, max_evals=len(again) + 3, trials=again, algo=hyperopt.tpe.suggest)
    assert list(range(7)) == again.tids == [misc["tid"] for misc in again.miscs]
    assert trials.vals["x"] == again.vals["x"][:4]
    assert again.idxs == {"x": again.tids}
    assert abs(best["x"]) == min(again.losses())
    assert 3 == len(again.result.trials)


def test_trials_continue_with_another_objective_space_and_algo() -> None:
    trials = new_trials()
    run(abs_x, max_evals=4, trials=trials)
    narrow = {"x": hp.uniform("x", -1, 1)}
    run(raises_below_0, narrow, max_evals=9, trials=trials, catch_eval_exceptions=True)
    assert all(-1 <= x <= 1 for x in trials.vals["x"][4:])
    assert 9 == len(trials.documents)
    # as with hyperopt, those that raised do not count
    ended = len(trials)
    run(abs_x, max_evals=ended + 2, trials=trials, algo=anneal.suggest)
    assert ended + 2 == len(trials) == len(set(trials.vals["x"]))
    assert 11 == len(trials.documents)


def test_trials_of_hyperopt_go_on_and_take_points() -> None:
    theirs = hyperopt.Trials()
    their_run(abs_x, max_evals=4, trials=theirs)
    first = theirs.vals["x"]
    best = run(abs_x, max_evals=6, trials=theirs)
    assert (list(range(6)), first) == (theirs.tids, theirs.vals["x"][:4])
    assert best == theirs.argmin
    points = [{"x": 1.0}, {"x": 0.5}]
    theirs = generate_trials_to_calculate(points)
    run(abs_x, max_evals=3, trials=theirs)
    assert [1.0, 0.5] == theirs.losses()[:2]
    assert [0, 1, 2] == theirs.tids
    # points that were tried are not tried again
    run(abs_x, max_evals=5, trials=theirs, points_to_evaluate=[*points, {"x": 0.25}])
    assert 0.25 == theirs.losses()[3]
    their_run(abs_x, max_evals=7, trials=theirs)
    assert 7 == len(theirs)


@pytest.mark.parametrize("make", [ab.Trials, hyperopt.Trials])
def test_models_arrays_and_attachments(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    trials = make()
    points = [{"x": 0.5}, {"x": -1.0}, {"x": 0.25}]
    run(fits, max_evals=3, points_to_evaluate=points, trials=trials)
    for x, result in zip([0.5, -1.0, 0.25], trials.results, strict=True):
        assert Model is type(result["model"])
        assert (x, 0.5) == (result["model"].x, result["auc"])
        assert [x, 2.0] == result["scores"].tolist()
        assert {"x": x, "layers": [1, 2, {"deep": None}]} == result["params"]
        assert {"loss", "status", "params", "scores", "model", "auc"} == set(result)
    assert 0.25 == trials.best_trial["result"]["model"].x
    assert b"12" == trials.trial_attachments(trials.trials[1])["weights"]
    [told] = [record.message for record in caplog.records if "were lost" in record.message]
    assert "lock" in told
    again = pickle.loads(pickle.dumps(trials))
    assert 0.25 == again.best_trial["result"]["model"].x


def test_an_early_stop_fn_sees_models() -> None:
    seen = []

    def watch(trials: Any) -> tuple[bool, list[Any]]:
        seen.append(trials.results[-1]["model"].x)
        return False, []

    points = [{"x": 1.0}, {"x": 2.0}]
    run(fits, max_evals=2, points_to_evaluate=points, early_stop_fn=watch)
    assert [1.0, 2.0] == seen


def test_losses_that_hyperopt_makes_floats_of() -> None:
    for loss, number in ((True, 1.0), ("0.5", 0.5), (np.float64(3) > 2, 1.0)):
        trials = new_trials()
        run(lambda _, loss=loss: {"loss": loss, "status": "ok"}, max_evals=1, trials=trials)
        assert [number] == trials.losses()
    trials = new_trials()
    run(lambda params: params["x"] > 9, max_evals=np.int64(2), trials=trials)
    assert [0.0, 0.0] == trials.losses()


# --- one word further -----------------------------------------------------------


def test_early_stopping() -> None:
    trials = new_trials()
    best = run(curve, max_evals=20, trials=trials, scheduler=ab.ASHA(9), workers=2)
    assert {"ok", "suspended"} == set(trials.statuses())
    assert 9 == trials.best_trial["result"]["epoch"]
    assert best == trials.argmin
    assert 0 < trials.result.counts[ab.TrialState.STOPPED]


def test_fmin_takes_the_arguments_of_launch() -> None:
    def fn(params: Any, rows: list[int]) -> Any:
        return params["x"] ** 2 + len(rows)

    trials = new_trials()
    run(fn, max_evals=3, trials=trials, data={"rows": [1, 2, 3]}, name="moved")
    assert min(trials.losses()) >= 3
    assert "moved" == trials.result.name


def test_a_program_of_hyperopt_runs_with_another_import(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from hyperopt import hp, rand\n"
        "from asha_bus import fmin, STATUS_OK, Trials, space_eval\n"
        "import asha_bus\n"
        "trials = Trials()\n"
        "best = fmin(lambda p: {'loss': p['x'] ** 2, 'status': STATUS_OK},\n"
        "            {'x': hp.uniform('x', -1, 1)}, algo=rand.suggest,\n"
        "            max_evals=4, trials=trials)\n"
        "assert best == trials.argmin and len(trials) == 4\n"
        "assert callable(asha_bus.launch) and callable(asha_bus.fmin)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr


@pytest.mark.spark
@pytest.mark.timeout(180)
def test_spark_trials(spark: Any, caplog: pytest.LogCaptureFixture) -> None:
    trials: Any = ab.SparkTrials(parallelism=3, spark_session=spark)  # more than there are slots
    points = [{"x": 1.0}, {"x": -1.0}, {"x": 0.5}]
    best = run(raises_below_0, max_evals=8, points_to_evaluate=points, trials=trials)
    assert best == trials.argmin
    assert 0 < best["x"] <= 0.5
    assert 1 not in trials.tids
    assert 8 == len(trials.result.trials)
    assert 8 > len(trials)
    assert (len(trials), 8 - len(trials), 0, 8) == (
        trials.count_successful_trials(),
        trials.count_failed_trials(),
        trials.count_cancelled_trials(),
        trials.count_total_trials(),
    )
    assert "parallelism=3 is more than the 2 task slots" in caplog.text
    fitted: Any = ab.SparkTrials(parallelism=2, spark_session=spark)
    run(fits, {"x": hp.uniform("x", 1, 2)}, max_evals=2, trials=fitted)
    assert fitted.argmin["x"] == fitted.best_trial["result"]["model"].x
    theirs = hyperopt.SparkTrials(parallelism=2, spark_session=spark)
    assert best == run(raises_below_0, max_evals=8, points_to_evaluate=points, trials=theirs)
    assert trials.losses() == theirs.losses()
