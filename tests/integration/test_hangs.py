"""A process that hangs for good: it is noticed and replaced, and no stop waits for it."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from support import objectives
from support.processes import children_of, is_alive, wait_until

import asha_bus as ab
from asha_bus.core.trial import TrialState
from asha_bus.driver import standby
from asha_bus.monitors.base import Monitor

SPACE = {"x": ab.uniform(0, 1)}
#: A bus that is silent for half of this is taken to hang.
QUICK = ab.BusOptions(bus_timeout_s=5, lease_s=5)
#: The promise is five seconds; a busy machine needs more.
STOPPED_S = 20.0


def start(objective: Any, space: Any = SPACE, **arguments: Any) -> ab.Run:
    settings: dict[str, Any] = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    return ab.start(objective, space, **{**settings, **arguments})


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def decided(run: ab.Run, number: int = 3) -> None:
    wait_until(lambda: run.bus_report().decisions > number)


@pytest.mark.slow
def test_a_bus_that_hangs_is_replaced_and_no_trial_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    space = {"x": ab.uniform(0, 1), "folder": str(tmp_path)}
    run = start(
        objectives.acknowledged,
        space,
        scheduler=ab.ASHA(max_resource=9),
        max_trials=40,
        bus=QUICK,
    )
    decided(run)
    first = run.bus_pid
    with frozen(first):
        result = run.result(timeout=60)
    assert not is_alive(first)
    assert "max_trials" == result.reason
    assert {1} == {trial.attempts for trial in result.trials}
    assert f"the bus process {first} did not answer for" in caplog.text


def counts(trial: ab.Trial) -> float:
    """Logs a number every twentieth of a second, and never calls the bus."""
    for number in range(160):
        trial.log(f"line {number}")
        time.sleep(0.05)
    return 0.0


@pytest.mark.slow
def test_a_bus_that_hangs_loses_half_a_second_of_lines_at_most() -> None:
    run = start(counts, workers=1, max_trials=1, bus=QUICK)
    wait_until(lambda: run.bus_report().workers == 1)
    time.sleep(2.0)  # into the lines
    with frozen(run.bus_pid):
        result = run.result(timeout=60)
    (trial,) = result.trials
    assert 1 == trial.attempts
    arrived = [int(line.split()[1]) for line in trial.log.splitlines()]
    assert sorted(set(arrived)) == arrived  # none twice, and in order
    assert 160 - len(arrived) <= 15  # the bus hung for two seconds and a half, or fifty lines
    assert 159 == arrived[-1]


@pytest.mark.slow
def test_a_bus_that_hangs_does_not_keep_max_time_from_ending_the_run() -> None:
    run = start(objectives.slow_slope, scheduler=ab.ASHA(900), max_time=4, bus=QUICK)
    decided(run)
    with frozen(run.bus_pid):
        result = run.result(timeout=60)
    assert "max_time" == result.reason
    assert not children_of(os.getpid(), "asha_bus.")


@pytest.mark.slow
def test_a_standby_that_hangs_is_replaced_when_its_turn_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standby, "STANDBY_BYTES", 3_000)
    run = start(objectives.slow_slope, scheduler=ab.ASHA(9), max_trials=150, bus=QUICK)
    wait_until(lambda: len(children_of(os.getpid(), "asha_bus.driver")) == 2)
    first = run.bus_pid
    (second,) = set(children_of(os.getpid(), "asha_bus.driver")) - {first}
    with frozen(second):
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: run.bus_pid not in (first, second))
        result = run.result(timeout=60)
    assert "max_trials" == result.reason
    assert {1} == {trial.attempts for trial in result.trials}


@pytest.mark.slow
@pytest.mark.parametrize("has_journal", [True, False])
def test_a_stop_returns_what_the_journal_has_where_the_bus_hangs(
    has_journal: bool, tmp_path: Path
) -> None:
    journal = tmp_path / "journal" if has_journal else None
    run = start(objectives.slow_slope, scheduler=ab.ASHA(900), max_trials=900, journal=journal)
    decided(run)
    before = run.status()["trials"]
    with frozen(run.bus_pid):
        run.stop(now=True)
        result = run.result(timeout=STOPPED_S)
        assert not children_of(os.getpid(), "asha_bus.")
    assert "stopped" == result.reason
    assert "partial, since the bus did not answer: what its journal has" == result.message
    assert "partial" in repr(result)
    assert before <= len(result.trials)
    assert TrialState.RUNNING not in {trial.state for trial in result.trials}


@pytest.mark.slow
def test_a_stop_returns_what_was_seen_where_the_journal_cannot_be_read_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hang(*_: Any) -> None:
        time.sleep(60)

    monkeypatch.setattr(ab.Result, "_of_open_journal", hang)
    run = start(objectives.slow_slope, scheduler=ab.ASHA(900), max_trials=900)
    decided(run)
    with frozen(run.bus_pid):
        run.stop(now=True)
        result = run.result(timeout=STOPPED_S)
    assert "stopped" == result.reason
    assert "partial, since the bus did not answer: what was seen last" in result.message
    assert 1 == len(result.trials)  # the leader


class Stuck(Monitor):
    """Returns only when it is released."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def on_refresh(self, snapshot: ab.Snapshot) -> None:
        self.release.wait(600)


@pytest.mark.slow
def test_a_stop_waits_for_no_worker_and_no_monitor_that_hangs() -> None:
    stuck = Stuck()
    run = start(objectives.slow_slope, scheduler=ab.ASHA(900), max_trials=900, monitor=stuck)
    decided(run)
    workers = children_of(os.getpid(), "asha_bus.executor")
    with frozen(workers[0]), frozen(workers[1]):
        run.stop(now=True)
        result = run.result(timeout=STOPPED_S)
    stuck.release.set()
    wait_until(lambda: not any("Stuck" in thread.name for thread in threading.enumerate()))
    assert ("stopped", "") == (result.reason, result.message)
    assert not children_of(os.getpid(), "asha_bus.")


@pytest.mark.slow
def test_a_bus_that_hangs_in_a_run_without_progress_still_ends_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A hang counts as a death, so that a machine on which each bus hangs is given up."""
    run = start(objectives.deaf, max_time=600, bus=ab.BusOptions(bus_timeout_s=60))
    wait_until(lambda: run.status()["states"]["RUNNING"] == 2)
    run._supervisor._watchdog.hang_s = 1.0
    caplog.set_level(logging.CRITICAL)
    stopped: list[int] = []
    for _ in range(6):
        wait_until(lambda: run.bus_pid not in stopped)
        wait_until(lambda: run._supervisor._ready.is_set())
        stopped.append(run.bus_pid)
        os.kill(run.bus_pid, signal.SIGSTOP)
    with pytest.raises(ab.BusError, match=r"status -9, 6 times in a row"):
        run.result(timeout=60)
