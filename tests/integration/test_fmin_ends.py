"""How programs of hyperopt end: by exceptions, thresholds and early_stop_fn."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import hyperopt
import pytest
from hyperopt import hp, rand
from hyperopt.early_stop import no_progress_loss
from hyperopt.fmin import generate_trial, generate_trials_to_calculate
from support.fmin_objectives import Diverged, abs_x, curve, diverges, raises_below_0, slow
from support.fmin_runs import new_trials, run, their_run

import asha_bus as ab

# --- exceptions -----------------------------------------------------------------


def test_an_exception_ends_the_run() -> None:
    trials = new_trials()
    points = [{"x": 1.0}, {"x": -1.0}]
    with pytest.raises(KeyError, match="no such thing") as raised:
        run(raises_below_0, max_evals=10**6, points_to_evaluate=points, trials=trials)
    assert isinstance(raised.value.__cause__, ab.ObjectiveError)
    assert "fn raised in trial 1 with {'x': -1.0}" in str(raised.value.__cause__)
    assert [0] == trials.tids  # as in hyperopt
    states = [trial.state for trial in trials.result.trials]
    assert [ab.TrialState.COMPLETED, ab.TrialState.FAILED] == states
    assert "Traceback" in trials.result.trials[1].error


def test_the_first_trial_raises() -> None:
    with pytest.raises(KeyError, match="no such thing"):
        run(raises_below_0, max_evals=1, points_to_evaluate=[{"x": -1.0}])


def test_an_exception_is_caught_on_demand() -> None:
    points = [{"x": 1.0}, {"x": -1.0}, {"x": 0.5}]
    theirs, ours = hyperopt.Trials(), new_trials()
    arguments = {"max_evals": 3, "catch_eval_exceptions": True}
    best = run(raises_below_0, points_to_evaluate=points, trials=ours, **arguments)
    assert {"x": 0.5} == best
    for tid, point in enumerate(points):
        theirs.insert_trial_docs([generate_trial(tid, point)])
    their_run(raises_below_0, trials=theirs, **{**arguments, "max_evals": 4})
    assert theirs.losses()[:2] == [1.0, 0.5] == ours.losses()
    with pytest.raises(ab.AllTrialsFailed, match="no such thing"):
        run(raises_below_0, {"x": hp.uniform("x", -2, -1)}, **arguments)


def test_a_programs_own_exception_can_be_caught() -> None:
    points = [{"x": 1.0}, {"x": -1.0}]
    with pytest.raises(Diverged, match=r"^at -1.0$"):
        run(diverges, max_evals=9, points_to_evaluate=points)

    class Local(Exception):
        pass

    def fn(params: Any) -> Any:
        raise Local("nowhere")

    with pytest.raises(ab.ObjectiveError, match=r"trial 0 with .*[^$]*Local: nowhere"):
        run(fn, max_evals=9)


def test_an_exception_of_an_earlier_launch_is_not_raised_again(tmp_path: Path) -> None:
    points = [{"x": 1.0}, {"x": -1.0}, {"x": 0.5}]
    given: dict[str, Any] = {"points_to_evaluate": points, "journal": str(tmp_path / "journal")}
    with pytest.raises(Diverged):
        run(diverges, max_evals=3, **given)
    resumed = new_trials()
    assert {"x": 0.5} == run(diverges, max_evals=3, trials=resumed, resume=True, **given)
    assert [0, 2] == resumed.tids
    with pytest.raises(Diverged, match=r"^at -1.0$"):
        run(diverges, max_evals=4, resume=True, retry_failed=True, **given)


def test_nothing_is_returned_where_all_trials_raised(caplog: pytest.LogCaptureFixture) -> None:
    settings: dict[str, Any] = {"max_evals": 2, "catch_eval_exceptions": True}
    settings |= {"space": {"x": hp.uniform("x", -2, -1)}, "return_argmin": False}
    ours, theirs = new_trials(), hyperopt.Trials()
    assert their_run(raises_below_0, trials=theirs, **settings) is None
    assert run(raises_below_0, trials=ours, **settings) is None
    assert (0, 2) == (len(ours), len(ours._dynamic_trials))
    assert len(theirs._dynamic_trials) == len(ours._dynamic_trials)
    assert "fmin returns None" in caplog.text


def test_wrong_results_by_hyperopts_names() -> None:
    for fmin in (run, their_run):
        with pytest.raises(hyperopt.exceptions.InvalidResultStatus):
            fmin(lambda params: {"loss": 1, "status": "fine"}, max_evals=2)
        with pytest.raises(hyperopt.exceptions.InvalidLoss):
            fmin(lambda params: {"status": "ok"}, max_evals=2)


def test_all_trials_failed_by_hyperopts_name() -> None:
    for fmin in (run, their_run):
        with pytest.raises(hyperopt.exceptions.AllTrialsFailed):
            fmin(lambda params: {"status": "fail"}, max_evals=2)


# --- ends -----------------------------------------------------------------------


def test_a_loss_that_is_low_enough() -> None:
    trials = new_trials()
    run(abs_x, loss_threshold=2, trials=trials)
    assert trials.losses()[-1] <= 2 < min([9.0, *trials.losses()[:-1]])


def test_the_time_is_up() -> None:
    trials = new_trials()

    def fn(params: Any) -> Any:
        time.sleep(0.05)
        return params["x"]

    run(fn, timeout=1, trials=trials)
    assert "max_time" == trials.result.reason
    assert trials.argmin in [{"x": x} for x in trials.vals["x"]]


def test_early_stop_fn_sees_finished_trials_once() -> None:
    seen = []

    def stop_after(trials: Any, count: int = 0) -> tuple[bool, list[int]]:
        seen.append(list(trials.tids))
        assert trials.best_trial["result"]["loss"] == min(trials.losses())
        return count == 3, [count + 1]

    trials = new_trials()
    run(slow, early_stop_fn=stop_after, trials=trials)
    assert [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]] == seen
    assert "stopped" == trials.result.reason
    assert 4 == len(trials) == len(trials.result.trials)


def stop_at(most: int) -> Any:
    """An early_stop_fn that stops after ``most`` trials."""

    def stop(trials: Any, count: int = 0) -> tuple[bool, list[int]]:
        return count + 1 >= most, [count + 1]

    return stop


def test_no_trial_begins_after_early_stop_fn_has_said_so() -> None:
    ours, theirs = new_trials(), hyperopt.Trials()
    for algo in (rand.suggest, hyperopt.tpe.suggest):
        for trials, fmin in ((ours, run), (theirs, their_run)):
            most = len(trials) + 30
            fmin(abs_x, algo=algo, max_evals=500, trials=trials, early_stop_fn=stop_at(30))
            assert most == len(trials)
    assert "stopped" == ours.result.reason
    assert re.fullmatch(r"early_stop_fn of fmin, after trial \d+", ours.result.message)
    assert f"ended by stopped ({ours.result.message})" in repr(ours.result)


def test_each_worker_has_at_most_one_trial_more() -> None:
    trials = new_trials()
    run(abs_x, max_evals=500, trials=trials, early_stop_fn=stop_at(30), workers=3)
    assert 30 <= len(trials.result.trials) <= 32


def test_early_stop_functions_of_hyperopt_end_the_run() -> None:
    ours, theirs = (generate_trials_to_calculate([{"x": -100.0}]) for _ in range(2))
    arguments: dict[str, Any] = {"early_stop_fn": no_progress_loss(10), "max_evals": 500}
    run(lambda params: params["x"], trials=ours, **arguments)
    their_run(lambda params: params["x"], trials=theirs, **arguments)
    assert 10 == len(ours) == len(theirs)
    assert {"x": -100.0} == ours.argmin == theirs.argmin


@pytest.mark.parametrize("scheduler", [ab.SuccessiveHalving([(1, 4), (2, 2), (6, 1)]), ab.ASHA(9)])
def test_trials_that_pause_keep_no_others_back(scheduler: Any) -> None:
    trials = new_trials()
    run(curve, max_evals=8, trials=trials, scheduler=scheduler, early_stop_fn=stop_at(100))
    assert 8 == len(trials.result.trials) == len(trials)


def test_the_repeats_of_a_configuration_go_through() -> None:
    trials = new_trials()
    run(abs_x, max_evals=500, trials=trials, repeats=3, early_stop_fn=stop_at(7))
    assert 7 <= len(trials.result.trials) <= 9  # the third configuration has all or some


def test_early_stop_fn_raises() -> None:
    def broken(trials: Any, *state: Any) -> Any:
        raise ZeroDivisionError("in early_stop_fn")

    trials = new_trials()
    with pytest.raises(ZeroDivisionError, match="in early_stop_fn"):
        run(slow, early_stop_fn=broken, max_evals=10**6, trials=trials)
    assert trials.losses()


@pytest.mark.parametrize("catch", [True, False])
def test_a_file_is_written_once(catch: bool, tmp_path: Path) -> None:
    path = tmp_path / "lines"

    def fn(params: Any) -> Any:
        with path.open("a") as file:
            file.write(f"{params['x']}\n")
        if params["x"] == 1:
            raise ValueError("after writing")
        return params["x"]

    points = [{"x": 0.0}, {"x": 1.0}]
    try:
        run(fn, max_evals=3, points_to_evaluate=points, catch_eval_exceptions=catch)
    except ValueError:
        assert not catch
    assert ["0.0", "1.0"] == path.read_text().split()[:2]
    assert 1 == path.read_text().split().count("1.0")


@pytest.mark.spark
@pytest.mark.timeout(180)
def test_an_early_stop_on_spark(spark: Any) -> None:
    trials: Any = ab.SparkTrials(parallelism=2, spark_session=spark)
    run(abs_x, max_evals=500, trials=trials, early_stop_fn=stop_at(20))
    assert 20 <= len(trials.result.trials) <= 21
    assert "stopped" == trials.result.reason
