"""Whole runs with real sockets and real processes, without a JVM."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from support import objectives

import asha_bus as ab
from asha_bus.core.trial import TrialState

ASHA = ab.ASHA(max_resource=9)
SPACE = {"x": ab.uniform(0, 1)}


def run(objective: Any, space: Any = SPACE, launch: Any = ab.launch, **arguments: Any) -> Any:
    """Launch on two local workers, quietly."""
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    return launch(objective, space, **{**settings, **arguments})


def test_a_generator_is_tuned_by_asha() -> None:
    result = run(objectives.slope, scheduler=ASHA, max_trials=40)
    assert result.reason == "max_trials"
    assert len(result.trials) == 40
    counts = result.counts
    assert counts[TrialState.COMPLETED] + counts[TrialState.STOPPED] == 40
    assert counts[TrialState.STOPPED] > 0
    assert result.best is not None
    assert result.best.resource == 9
    assert result.best.metric == pytest.approx(result.best.params["x"] + 1 / 9)
    assert result.rung_table()[0][2] == 40
    assert result.bus.decisions >= 40


def test_a_function_is_evaluated_once_per_trial() -> None:
    result = run(objectives.square, max_trials=10)
    assert {trial.state for trial in result.trials} == {TrialState.COMPLETED}
    assert [trial.params["x"] ** 2 for trial in result.trials] == [t.metric for t in result.trials]


def test_a_trial_reports_by_hand_with_extras() -> None:
    result = run(objectives.by_hand, scheduler=ASHA, max_trials=12)
    assert result.best is not None
    assert result.best.resource == 9
    assert result.best.extras == {"step": 8}


def test_max_mode_prefers_the_greatest() -> None:
    result = run(objectives.square, max_trials=10, mode="max")
    assert result.best is not None
    assert result.best.metric == max(trial.metric or 0 for trial in result.trials)


def test_a_finite_space_is_run_once_each_and_exhausted() -> None:
    space = {"x": ab.grid(1, 2, 3), "folder": ab.grid("a", "b")}

    def objective(x: int, folder: str) -> tuple[float, dict[str, str]]:
        return x, {"folder": folder}

    result = run(objective, space)
    assert result.reason == "exhausted"
    tried = [(trial.params["x"], trial.params["folder"]) for trial in result.trials]
    assert tried == [(x, folder) for x in (1, 2, 3) for folder in "ab"]


def test_options_of_any_kind_reach_the_objective_unchanged() -> None:
    options = [1, "1", True, 1.0, None, {"a": [1]}, (100, 10), [0, 1], len]

    def kind(value: object) -> tuple[float, dict[str, str]]:
        return 0.0, {"seen": f"{type(value).__name__} {value!r}"}

    result = run(kind, {"value": ab.grid(*options)})
    seen = [trial.extras["seen"] for trial in result.trials]
    assert seen == [f"{type(option).__name__} {option!r}" for option in options]
    assert [trial.params["value"] for trial in result.trials] == options


def test_the_same_seed_tries_the_same_whatever_the_workers() -> None:
    one = run(objectives.slope, scheduler=ASHA, max_trials=20, workers=1)
    again = run(objectives.slope, scheduler=ASHA, max_trials=20, workers=1)
    three = run(objectives.slope, scheduler=ASHA, max_trials=20, workers=3)
    assert [t.params for t in three.trials] == [t.params for t in one.trials]
    assert [t.rungs for t in again.trials] == [t.rungs for t in one.trials]


def test_a_stop_closes_the_generator_before_the_next_trial(tmp_path: Path) -> None:
    space = {"x": ab.uniform(0, 1), "folder": str(tmp_path)}
    run(objectives.marks, space, scheduler=ASHA, max_trials=20, workers=1)
    (log,) = tmp_path.iterdir()
    lines = [line.split() for line in log.read_text().splitlines()]
    assert len(lines) == 40
    for begin, end in zip(lines[::2], lines[1::2], strict=True):
        assert (begin[0], end[0]) == ("begin", "end")
        assert begin[1] == end[1]


def test_stop_at_ends_the_run_with_the_trial_that_reached_it() -> None:
    result = run(objectives.slope, scheduler=ab.ASHA(max_resource=900), max_trials=500, stop_at=0.2)
    assert result.reason == "stop_at"
    assert result.best is not None
    assert result.best.metric is not None
    assert result.best.metric <= 0.2
    assert result.best.state is TrialState.COMPLETED


def test_a_failing_trial_fails_alone() -> None:
    result = run(objectives.fails_on_odd, max_trials=8)
    assert result.counts[TrialState.COMPLETED] == 4
    assert result.counts[TrialState.FAILED] == 4
    errors = {trial.id: trial.error or "" for trial in result.trials}
    assert "SystemExit: 3" in errors[1]
    assert "ValueError: no luck with" in errors[3]
    assert "objectives.py" in errors[3]
    assert "runner.py" not in errors[3]


def test_if_all_fail_the_first_traceback_is_raised() -> None:
    def broken(x: float) -> float:
        raise KeyError("missing column")

    with pytest.raises(ab.AllTrialsFailed, match="missing column") as caught:
        run(broken, max_trials=100)
    assert caught.value.result.reason == "failed"
    assert 5 <= len(caught.value.result.trials) <= 7


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "returned None"),
        ("0.5", "'0.5' of type str"),
        (True, "True of type bool"),
        (10**400, "of type int"),
        ([1, 2], "[1, 2] of type list"),
    ],
)
def test_a_metric_that_is_not_a_number_fails_the_trial(value: object, said: str) -> None:
    with pytest.raises(ab.AllTrialsFailed) as caught:
        run(objectives.reports_what, {"value": ab.grid(ab.option(value))}, workers=1)
    assert said in (caught.value.result.trials[0].error or "")


def test_nan_and_infinities_are_kept_but_never_best() -> None:
    values = (float("nan"), float("inf"), float("-inf"), 2.0)
    result = run(objectives.reports_what, {"value": ab.grid(*values)})
    assert result.counts[TrialState.COMPLETED] == 4
    assert result.best is not None
    assert result.best.metric == 2.0


def test_a_generator_that_never_yields_fails() -> None:
    def empty(x: float):
        return
        yield x

    with pytest.raises(ab.AllTrialsFailed, match="without yielding"):
        run(empty, max_trials=1)


def test_two_launches_at_once_do_not_mix() -> None:
    results: dict[int, ab.Result] = {}

    def one(number: int) -> None:
        space = {"x": ab.uniform(number, number + 0.5)}
        results[number] = run(objectives.slope, space, scheduler=ASHA, max_trials=20, workers=1)

    threads = [threading.Thread(target=one, args=(number,)) for number in (10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for number, result in results.items():
        assert len(result.trials) == 20
        assert all(number <= trial.params["x"] <= number + 0.5 for trial in result.trials)
    assert len(results) == 2


def test_a_launch_within_an_objective_is_refused() -> None:
    with pytest.raises(ab.AllTrialsFailed, match="inside a running objective"):
        run(objectives.nested, max_trials=1)


def test_reporting_from_a_forked_child_is_an_error() -> None:
    result = run(objectives.forks, max_trials=2)
    assert all("a child of worker" in trial.extras["said"] for trial in result.trials)


def test_local_workers_get_their_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    result = run(objectives.environment, max_trials=4)
    share = str(max(len(os.sched_getaffinity(0)) // 2, 1))
    assert {trial.extras["threads"] for trial in result.trials} == {share}
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    result = run(objectives.environment, max_trials=2)
    assert {trial.extras["threads"] for trial in result.trials} == {"3"}


def test_output_of_workers_appears_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    run(objectives.prints, max_trials=4, scheduler=ab.NoStopping(max_resource=50))
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if re.match(r"trial \d: line \d+ of", line)]) == 200


def test_trial_log_reaches_the_runs_logger(caplog: pytest.LogCaptureFixture) -> None:
    def talks(trial: ab.Trial) -> None:
        trial.log("hello from here")
        trial.report(1.0, 2)
        trial.report(2.0, 2)

    with caplog.at_level("INFO", logger="asha_bus.talks"):
        result = run(talks, max_trials=1, name="talks", scheduler=ASHA)
    said = [record.getMessage() for record in caplog.records if record.name == "asha_bus.talks"]
    assert "trial 0: hello from here" in said
    assert any("reported again" in line for line in said)
    assert result.trials[0].metric == 1.0


def test_a_run_in_the_background_reports_its_status() -> None:
    handle = run(objectives.slow_slope, scheduler=ASHA, max_trials=30, launch=ab.start)
    assert handle.bus_address.startswith("tcp://127.0.0.1:")
    os.kill(handle.bus_pid, 0)
    with pytest.raises(TimeoutError, match="still running"):
        handle.result(timeout=0.01)
    assert handle.status()["trials"] <= 30
    result = handle.result(timeout=60)
    assert handle.status()["trials"] == len(result.trials) == 30
    with pytest.raises(ProcessLookupError):
        os.kill(handle.bus_pid, 0)


def test_configurations_that_were_given_come_first_and_repeats_are_counted() -> None:
    space = {"x": ab.choice(1, 2, 3)}
    initial = [{"x": 3}, {"x": 2}]
    result = run(objectives.square, space, max_trials=6, initial=initial)
    assert [3, 2] == [trial.params["x"] for trial in result.trials[:2]]
    assert (6, 3) == (len(result.trials), result.repeated)


@pytest.mark.parametrize("workers", [1, 4])
def test_a_run_that_tries_nothing_twice_ends_when_there_is_no_more(workers: int) -> None:
    space = {"x": ab.choice(1, 2, 3)}
    result = run(objectives.square, space, max_trials=6, unique=True, workers=workers)
    assert ("exhausted", 3, 0) == (result.reason, len(result.trials), result.repeated)
    assert {1, 2, 3} == {trial.params["x"] for trial in result.trials}


def test_the_bus_listens_at_an_address_of_ipv6() -> None:
    bus = ab.BusOptions(host="::1")
    handle = run(objectives.square, max_trials=6, bus=bus, launch=ab.start)
    assert handle.bus_address.startswith("tcp://[::1]:")
    assert 6 == len(handle.result(timeout=60).trials)
