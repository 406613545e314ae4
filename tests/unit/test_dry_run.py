"""A dry run: the worker's own code in this process, on a copy that has travelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support import objectives

import asha_bus as ab

SPACE = {"x": ab.uniform(0, 1)}


def quiet(objective: Any, space: Any = SPACE, **arguments: Any) -> Any:
    return ab.dry_run(objective, space, quiet=True, **arguments)


def test_a_generator_is_stopped_after_its_steps_and_its_clean_up_runs() -> None:
    def train(x: float) -> Iterator[tuple[float, dict[str, Any]]]:
        try:
            for step in range(100):
                time.sleep(0.01)
                yield x + step, {"step": step}
        finally:
            print("cleaned up")

    [trial] = quiet(train, steps=3).trials
    x = trial.params["x"]
    assert [(1, x, 0), (2, x + 1, 1), (3, x + 2, 2)] == [
        (step.resource, step.metric, step.extras["step"]) for step in trial.steps
    ]
    assert ("stopped", None) == (trial.outcome, trial.error)
    assert all(step.seconds >= 0.01 for step in trial.steps)


def test_the_clean_up_is_run_here_once_for_each_trial(capsys: pytest.CaptureFixture[str]) -> None:
    def train(x: float) -> Iterator[float]:
        try:
            while True:
                yield x
        finally:
            print("cleaned up")

    assert 4 == len(quiet(train, n=4).trials)
    assert ["cleaned up"] * 4 == capsys.readouterr().out.split("\n")[:-1]


def test_configurations_are_those_of_random_search_for_that_seed() -> None:
    first, again, other = (quiet(objectives.square, n=3, seed=seed) for seed in (1, 1, 2))
    assert [t.params for t in first.trials] == [t.params for t in again.trials]
    assert [t.params for t in first.trials] != [t.params for t in other.trials]
    assert ["completed"] * 3 == [trial.outcome for trial in first.trials]


def test_a_trial_object_reports_by_hand_and_logs() -> None:
    def train(trial: ab.Trial) -> None:
        trial.log("begun")
        for step in trial:
            trial.report(trial.params["x"], 2 * step + 2)

    [trial] = quiet(train).trials
    assert [2, 4] == [step.resource for step in trial.steps]
    assert ["begun"] == trial.log


def test_steps_from_zero_are_shown_as_resource_from_one() -> None:
    def objective(trial: ab.Trial) -> None:
        for step in trial:
            trial.report(0.5, step)

    found = ab.dry_run(objective, SPACE, steps=3, quiet=True)
    assert [1, 2, 3] == [step.resource for step in found.trials[0].steps]
    assert ("stopped", [], ()) == (found.trials[0].outcome, found.trials[0].log, found.problems)


def test_a_failed_trial_is_shown_with_its_traceback_as_a_problem() -> None:
    def train(x: float) -> Iterator[float]:
        yield x
        raise ValueError("no more data")

    found = quiet(train, n=2)
    assert ["failed"] * 2 == [trial.outcome for trial in found.trials]
    assert "ValueError: no more data" in found.trials[0].error
    assert ("2 of 2 trials failed",) == found.problems
    assert "no more data" in str(found)


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (lambda x: None, "returned None"),
        (lambda x: "0.5", "at resource 1"),
        (lambda x: True, "at resource 1"),
    ],
)
def test_an_invalid_metric_is_reported(objective: Any, words: str) -> None:
    [trial] = quiet(objective).trials
    assert "failed" == trial.outcome
    assert words in trial.error


def test_the_objective_runs_as_a_copy() -> None:
    seen: list[float] = []

    def train(x: float) -> float:
        seen.append(x)
        return x

    quiet(train)
    assert [] == seen


def test_arguments_that_launch_refuses_are_refused() -> None:
    lock = threading.Lock()

    def holds(x: float) -> float:
        with lock:
            return x

    with pytest.raises(ab.InvalidArgument, match="'lock' is a lock, which cannot be pickled"):
        quiet(holds)
    with pytest.raises(ab.InvalidArgument, match="y"):
        quiet(lambda x, y: x)
    for name, value in (("n", 0), ("steps", 0), ("n", True), ("steps", 1.5)):
        with pytest.raises(ab.InvalidArgument, match=f"dry_run: {name} must be a whole number"):
            quiet(objectives.square, **{name: value})


def test_a_module_that_stays_behind_is_named() -> None:
    [problem] = quiet(objectives.square).problems
    assert "the module 'support.objectives' is not sent along" in problem
    assert "objectives.py" in problem
    assert () == quiet(lambda x: x).problems


def test_a_module_that_is_a_global_or_imported_inside_is_named() -> None:
    def imports(x: float) -> float:
        import support.objectives

        return float(support.objectives.square(x))

    def calls(x: float) -> float:
        return imports(x)

    for objective in (lambda x: objectives.square(x), imports, calls):
        [*_, problem] = quiet(objective).problems
        assert "the module 'support" in problem


def test_spark_inside_the_objective_is_named() -> None:
    pyspark = pytest.importorskip("pyspark.sql")
    session = pyspark.SparkSession

    def asks(x: float) -> float:
        return x if session is not None else 0

    [problem] = quiet(asks).problems
    assert "the objective uses SparkSession, which lives on the driver only" in problem


def test_a_metric_that_is_never_the_best_is_named() -> None:
    [problem] = quiet(lambda x: float("nan"), n=2).problems
    assert "2 of 2 trials reported NaN" in problem


def test_data_are_those_of_a_launch() -> None:
    given = [1]

    def changes(x: float, train: Any) -> float:
        train.append(2)
        return float(len(train))

    assert 2 == quiet(changes, data={"train": given}).trials[0].steps[0].metric
    assert [1] == given
    with pytest.raises(ab.InvalidArgument, match=r"data\['train'\] cannot be sent"):
        quiet(changes, data={"train": threading.Lock()})


def test_a_large_closure_is_named() -> None:
    data = bytes(11 << 20)
    [problem] = quiet(lambda x: x + len(data)).problems
    assert "the objective has 11.5 MB" in problem


def test_it_prints_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    found = ab.dry_run(lambda x: (x, {"n": 1}), SPACE)
    assert f"{found}\n" == capsys.readouterr().out
    assert "resource" in str(found)
    assert "n=1" in str(found)
    assert f"{found.objective_bytes:,} bytes" in str(found)


def test_its_repr_is_a_line_and_its_text_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    def train(x: float) -> float:
        return x

    found = ab.dry_run(train, SPACE, n=2)
    assert repr(found).endswith("train: 2 trials, no problems")
    assert f"{found}\n" == capsys.readouterr().out
    assert "completed, and ended 0.000 s after its last report" in str(found)


def test_a_trial_without_a_report_is_shown_to_have_none() -> None:
    found = quiet(objectives.fails)
    assert "\nfailed without a report\n" in str(found)
    assert "DryRun of fails: 1 trial, 2 problems" == repr(found)
