"""Processes that stand still and go on, and workers that freeze for good."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lib.objectives import freezes, keeps_the_lock
from support.processes import children_of, wait_until

import asha_bus as ab

#: Short, so that a pause of three times as long does not take long.
LEASE_S = 2.0
OPTIONS = ab.BusOptions(lease_s=LEASE_S, bus_timeout_s=LEASE_S)
SPACE = {"x": ab.uniform(0, 1)}

PROGRAM = textwrap.dedent(
    """
    import json, sys, time
    import asha_bus as ab

    def train(x):
        for step in range(10):
            time.sleep(0.1)
            yield x / (step + 1)

    options = ab.BusOptions(lease_s=float(sys.argv[1]), bus_timeout_s=float(sys.argv[1]))
    result = ab.launch(
        train, {"x": ab.uniform(0, 1)}, engine="local", workers=2, max_trials=8, monitor=None,
        searcher=ab.TPE(), scheduler=ab.NoStopping(max_resource=10), bus=options, seed=7,
    )
    print(json.dumps([[str(t.state), t.attempts, t.error] for t in result.trials]))
    """
)


def workers(driver: int) -> list[int]:
    return children_of(driver, "asha_bus.executor")


def one_worker(driver: int) -> list[int]:
    return workers(driver)[:1]


def the_bus(driver: int) -> list[int]:
    found = children_of(driver, "asha_bus.driver")
    return [pid for pid in found if pid not in the_searcher(driver)]


def the_searcher(driver: int) -> list[int]:
    return children_of(driver, "searcher_process")


def the_driver(driver: int) -> list[int]:
    return [driver]


def all_of_them(driver: int) -> list[int]:
    return [driver, *children_of(driver, "asha_bus.")]


def go_on(paused: list[int]) -> None:
    for pid in paused:
        with contextlib.suppress(ProcessLookupError):  # a bus that hangs is replaced
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "who", [one_worker, workers, the_bus, the_searcher, the_driver, all_of_them]
)
def test_a_pause_loses_no_trial(who: Callable[[int], list[int]], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), str(LEASE_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as driver:
        paused: list[int] = []
        try:
            wait_until(lambda: len(workers(driver.pid)) == 2 and bool(the_searcher(driver.pid)))
            time.sleep(1.5)  # in the middle of a trial
            paused = who(driver.pid)
            assert paused
            for pid in paused:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(3 * LEASE_S)
            go_on(paused)
            output, _ = driver.communicate(timeout=90)
        finally:
            if driver.poll() is None:
                driver.kill()
                go_on(paused)
    trials = json.loads(output.splitlines()[-1])  # workers log above
    assert [["COMPLETED", None]] * 8 == [[state, error] for state, _, error in trials]
    if who is all_of_them:
        assert {1} == {attempts for _, attempts, _ in trials}


def test_native_code_that_keeps_the_interpreters_lock_costs_no_other_trial() -> None:
    result = ab.launch(
        keeps_the_lock,
        {"freeze_s": ab.uniform(3 * LEASE_S, 3 * LEASE_S + 0.1)},
        engine="local",
        workers=2,
        max_trials=40,
        monitor=None,
        bus=OPTIONS,
    )
    assert {"COMPLETED"} == {str(trial.state) for trial in result.trials}
    assert {1} == {trial.attempts for trial in result.trials if trial.id != 3}
    assert 2 == result.bus.workers  # none ended and was started again


def frozen(**settings: Any) -> ab.Result:
    options = ab.BusOptions(lease_s=1.0, hang_timeout_s=1.0, max_attempts=2)
    run = ab.start(
        freezes, SPACE, workers=1, max_trials=3, monitor=None, bus=options,
        **settings,
    )  # fmt: skip
    return run.result(timeout=150)


def assert_only_the_frozen_one_is_lost(result: ab.Result) -> None:
    assert ["COMPLETED", "LOST", "COMPLETED"] == [str(trial.state) for trial in result.trials]
    assert [1, 2, 1] == [trial.attempts for trial in result.trials]
    assert "keeps the interpreter's lock" in (result.trials[1].error or "")


def test_a_worker_that_freezes_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        result = frozen(engine="local")
    assert_only_the_frozen_one_is_lost(result)
    told = [message for message in caplog.messages if "is ended and replaced" in message]
    assert 2 == len(told)
    assert "worker local-0.1 (slot 0.1, process " in told[0]
    assert not children_of(os.getpid(), "asha_bus.")


@pytest.mark.spark
@pytest.mark.slow
def test_a_task_of_spark_that_freezes_is_replaced(spark) -> None:
    assert_only_the_frozen_one_is_lost(frozen(spark=spark))


def sleeps(x: float) -> float:
    time.sleep(4.5)
    return x


@pytest.mark.parametrize("options", [{"lease_s": 3.0}, {"bus_timeout_s": 3.0}])
def test_a_short_lease_is_kept_from_the_first_heartbeat_on(options: dict[str, Any]) -> None:
    result = ab.launch(
        sleeps, SPACE, engine="local", workers=2, max_trials=2, monitor=None,
        bus=ab.BusOptions(**options),
    )  # fmt: skip
    assert [("COMPLETED", 1)] * 2 == [(str(t.state), t.attempts) for t in result.trials]
    assert (2, 0, 0) == (result.bus.workers, result.bus.requeued, result.bus.fenced)
