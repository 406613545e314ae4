"""A run seen by its user: what it says at any time, and what there is on it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import objectives
from support.processes import wait_until

import asha_bus as ab

S = ab.TrialState
SPACE = {"x": ab.uniform(0, 1)}
STATUS = {
    *("trials", "max_trials", "states", "workers", "awaited"),
    *("reports", "best_metric", "elapsed_s", "reason"),
}


def start(objective: Any, **arguments: Any) -> ab.Run:
    """A run on two local workers, quietly."""
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    return ab.start(objective, SPACE, **{**settings, **arguments})


@contextmanager
def polled(ask: Callable[[], Any], threads: int = 1) -> Iterator[list[Any]]:
    """Meanwhile ``ask`` is called every 20 ms by each of some threads; what came of it."""
    is_over = threading.Event()
    found: list[Any] = []

    def poll() -> None:
        while not is_over.wait(0.02):
            try:
                found.append(ask())
            except Exception as error:
                found.append(error)

    pollers = [threading.Thread(target=poll) for _ in range(threads)]
    for poller in pollers:
        poller.start()
    try:
        yield found
    finally:
        is_over.set()
        for poller in pollers:
            poller.join()


class SlowToFinish(ab.Monitor):
    """Takes a while when the run is over."""

    follows_trials = False

    def on_finish(self, result: ab.Result | None) -> None:
        """Take a while."""
        time.sleep(2.0)


def test_all_lines_of_the_trials_are_logged_whoever_polls(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO", logger="asha_bus.polled"):
        run = start(objectives.talks, max_trials=40, name="polled")
        with polled(run.status) as found:
            run.result(timeout=60)
    lines = [record.getMessage() for record in caplog.records if "logged" in record.getMessage()]
    assert sorted(f"trial {number}: logged {number}" for number in range(40)) == sorted(lines)
    assert found


@pytest.mark.parametrize("kills", [1, 2])
def test_a_line_is_logged_once_though_the_bus_is_restarted(
    kills: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="asha_bus.once"):
        run = start(says_its_steps, max_trials=6, name="once")
        for kill in range(kills):
            least = 2 * kill + 2
            wait_until(lambda: len(logged(caplog)) >= least)  # noqa: B023 - at once
            os.kill(run.bus_pid, signal.SIGKILL)
        run.result(timeout=60)
    expected = [f"trial {number}: step {step}" for number in range(6) for step in range(4)]
    assert expected == sorted(logged(caplog))


def test_a_resumed_run_logs_only_what_is_new(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = {"name": "resumed", "journal": tmp_path / "journal"}
    start(says_its_steps, max_trials=2, **journal).result(timeout=60)
    with caplog.at_level("INFO", logger="asha_bus.resumed"):
        start(says_its_steps, max_trials=3, resume=True, **journal).result(timeout=60)
    assert [f"trial 2: step {step}" for step in range(4)] == sorted(logged(caplog))


def says_its_steps(trial: ab.Trial) -> None:
    """Logs a line at each of four steps."""
    for step in range(4):
        trial.log(f"step {step}")
        time.sleep(0.2)
        trial.report(trial.params["x"])


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines about trials so far."""
    messages = [record.getMessage() for record in caplog.records]
    return [message for message in messages if message.startswith("trial ")]


def test_the_status_is_there_from_the_start_until_long_after_the_end() -> None:
    run = start(
        objectives.slow_slope,
        max_trials=12,
        scheduler=ab.ASHA(max_resource=9),
        monitor=SlowToFinish(),
    )
    with polled(run.status, threads=4) as found:
        first = run.status()
        result = run.result(timeout=60)
    assert 0 <= first["trials"] <= 12
    assert [] == [one for one in found if not isinstance(one, dict) or STATUS != one.keys()]
    assert {12} == {one["trials"] for one in found[-200:]}  # during about 2 s of finishing
    assert result.best is not None
    expected = {
        "trials": 12,
        "max_trials": 12,
        "states": {str(state): count for state, count in result.counts.items()},
        "workers": 0,
        "awaited": 0,
        "reports": result.bus.reports,
        "best_metric": result.best.metric,
        "elapsed_s": result.elapsed_s,
        "reason": "max_trials",
    }
    assert expected == run.status()
    assert {**expected, "reason": found[-1]["reason"]} == found[-1]
    assert result.bus == run.bus_report()


def test_a_failed_run_still_reports_its_status() -> None:
    run = start(objectives.fails, max_trials=4)
    with pytest.raises(ab.AllTrialsFailed):
        run.result(timeout=60)
    assert (4, 4, 0) == (
        run.status()["trials"],
        run.status()["states"]["FAILED"],
        run.status()["workers"],
    )


def test_a_run_whose_bus_is_gone_for_good_reports_its_last_status() -> None:
    run = start(objectives.deaf, max_time=600)  # nobody reports
    wait_until(lambda: run.status()["states"]["RUNNING"] == 2)
    with polled(run.status) as found:
        killed: list[int] = []
        for _ in range(6):
            wait_until(lambda: run.bus_pid not in killed)
            killed.append(run.bus_pid)
            os.kill(run.bus_pid, signal.SIGKILL)
        with pytest.raises(ab.BusError, match="ended with status -9"):
            run.result(timeout=30)
    assert [] == [one for one in found if not isinstance(one, dict)]
    assert (2, 0) == (run.status()["trials"], run.status()["workers"])
    assert 0 == run.bus_report().reports


def test_a_run_shows_what_its_user_may_call_and_nothing_else() -> None:
    run = start(objectives.square, max_trials=1)
    public = {name for name in dir(run) if not name.startswith("_")}
    assert {
        *("name", "seed", "bus_address", "bus_pid", "metrics_url", "page_url"),
        *("result", "status", "snapshot", "done", "bus_report", "stop"),
    } == public
    assert (None, None) == (run.metrics_url, run.page_url)
    with pytest.raises(AttributeError, match=r"use Run\.bus_address"):
        run.address  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="a Run has no attribute 'resutl'"):
        run.resutl  # type: ignore[attr-defined]  # noqa: B018
    run.stop()
    run.result(timeout=60)


def test_a_run_says_whether_it_is_over() -> None:
    run = start(objectives.deaf, max_trials=10, name="shown")
    wait_until(lambda: run.status()["states"]["RUNNING"] == 2)
    assert not run.done
    status = run.status()
    assert (10, None, None) == (status["max_trials"], status["best_metric"], status["reason"])
    assert "<Run shown: 0 of 10 trials, running>" == repr(run)
    run.stop(now=True)
    assert "stopped" == run.result(timeout=60).reason == run.status()["reason"]
    assert run.done
    assert "<Run shown: 2 of 10 trials, ended by stopped>" == repr(run)


def sleeps_in_the_third(trial: ab.Trial) -> None:
    """The first two trials report."""
    while trial.id == 2 or trial.report(trial.params["x"]):
        time.sleep(0.05)


def test_a_trial_that_has_paused_is_not_over() -> None:
    plan = ab.SuccessiveHalving([(1, 1), (8, 0)])
    run = start(sleeps_in_the_third, scheduler=plan, max_trials=3, workers=1, name="pausing")
    names = ("STOPPED", "PAUSED", "RUNNING")  # one of the first two keeps its place
    wait_until(lambda: [1, 1, 1] == [run.status()["states"][name] for name in names])
    assert repr(run).startswith("<Run pausing: 1 of 3 trials, running")
    run.stop(now=True)
    run.result(timeout=60)


def waits_after_two(trial: ab.Trial) -> None:
    """The first two trials end; the others report once and go on."""
    trial.log("begun")
    while trial.report(trial.params["x"], loss=1.0) and trial.id >= 2:
        time.sleep(0.05)


def test_a_snapshot_is_the_result_so_far_and_ends_nothing() -> None:
    run = start(waits_after_two, max_trials=5, name="half")
    wait_until(lambda: run.status()["states"]["COMPLETED"] == 2)
    wait_until(lambda: run.status()["states"]["RUNNING"] == 2)
    seen = run.snapshot()
    assert ("half", "unfinished", 7) == (seen.name, seen.reason, seen.seed)
    assert (2, 2) == (seen.counts[S.COMPLETED], seen.counts[S.RUNNING])
    assert seen.best is not None
    assert seen.best.metric == seen.best.params["x"]
    assert seen.best.metric == min(trial.params["x"] for trial in seen.trials[:2])
    assert "begun" in seen.trials[0].log
    assert f"<Run half: 2 of 5 trials, running, best {seen.best.metric:.6g}>" == repr(run)
    assert not run.done
    assert 2 == run.status()["states"]["RUNNING"]
    run.stop()
    result = run.result(timeout=60)
    assert "stopped" == result.reason
    assert result is run.snapshot()


def test_snapshots_are_there_from_the_start_through_the_end() -> None:
    run = start(objectives.square, max_trials=30, monitor=SlowToFinish())
    with polled(run.snapshot, threads=2) as found:
        result = run.result(timeout=60)
    assert [] == [one for one in found if not isinstance(one, ab.Result)]
    counts = [len(one.trials) for one in found]
    assert 30 == counts[-1] == len(result.trials)
    assert {"unfinished", "max_trials"} >= {one.reason for one in found}


def test_a_snapshot_of_a_failed_run_raises_its_error() -> None:
    run = start(objectives.fails, max_trials=2)
    with pytest.raises(ab.AllTrialsFailed):
        run.result(timeout=60)
    with pytest.raises(ab.AllTrialsFailed):
        run.snapshot()


def test_a_run_of_failed_trials_ends_for_the_reason_of_its_result() -> None:
    run = start(objectives.fails, max_trials=2)
    with pytest.raises(ab.AllTrialsFailed) as caught:
        run.result(timeout=60)
    assert "max_trials" == caught.value.result.reason == run.status()["reason"]


@pytest.mark.parametrize("waits", [False, True])
def test_a_program_that_ends_before_its_run_is_warned(waits: bool, tmp_path: Path) -> None:
    program = """
import asha_bus as ab
settings = {"max_trials": 1 if WAITS else 10**6, "engine": "local", "workers": 1}
run = ab.start(lambda x: x, {"x": ab.uniform(0, 1)}, name="early", monitor=None, **settings)
if WAITS:
    run.result()
"""
    path = tmp_path / "program.py"
    path.write_text(program.replace("WAITS", str(waits)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    warning = "early was still running when the program ended; call run.result() to wait for it"
    assert (0, not waits) == (done.returncode, warning in done.stderr), done.stderr


def test_a_run_whose_first_five_trials_failed_names_max_failures() -> None:
    run = start(objectives.fails, max_trials=100)
    with pytest.raises(ab.AllTrialsFailed, match=r"the first \d trials that .* max_failures"):
        run.result(timeout=60)
