"""Faults of helper processes: they hang for good, end with status 0, or cannot be started."""

from __future__ import annotations

import os
import resource
import signal
import time
from typing import Any

from lib.processes import descendants, is_alive, wait_until

import asha_bus as ab
from asha_bus.core.trial import TrialState
from faults.scenarios import answers
from faults.scenarios.launching import (
    END_S,
    Setting,
    ending,
    finished,
    first_answer,
    kill,
    wait_for_workers,
)
from faults.scenarios.outcome import check

#: A helper process that hangs is noticed within this time.
NOTICED_S = 15.0
#: ``stop(now=True)`` returns within this time, whatever hangs.
STOPPED_S = 5.0


def bus_hang(setting: Setting) -> None:
    """The bus stands still for good, again and again: each time it is replaced."""
    outcome = setting.outcome
    hangs = 1 if setting.smoke else 3
    with ending(setting.launch(max_trials=150 if setting.smoke else 2_500)) as run:
        for _ in range(hangs):
            wait_for_workers(setting)
            stopped = run.bus_pid
            at = time.monotonic()
            os.kill(stopped, signal.SIGSTOP)
            outcome.faults += 1
            wait_until(lambda stopped=stopped: run.bus_pid != stopped, "another bus")  # type: ignore[misc]
            outcome.recoveries.append(first_answer(setting, at + 1.0, lambda _: True).ended - at)
            outcome.expect(not is_alive(stopped), "the bus that hung was left behind")
        result = finished(run, setting)
    check(outcome, result, setting.folder, setting.journal)
    again = [trial.id for trial in result.trials if trial.attempts != 1]
    outcome.expect(not again, f"trials {again} were run again")
    outcome.recovered_within(NOTICED_S)


def stop_now(setting: Setting) -> None:
    """Everything hangs, and the user stops the run at once."""
    outcome = setting.outcome
    with ending(setting.launch(max_trials=2_500)) as run:
        wait_for_workers(setting)
        before = run.status()["trials"]
        stopped = [run.bus_pid, *descendants("asha_bus.executor")]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
            outcome.faults += 1
        at = time.monotonic()
        run.stop(now=True)
        try:
            result = run.result(END_S)
        finally:
            outcome.recoveries.append(time.monotonic() - at)
    outcome.trials = len(result.trials)
    outcome.expect(result.reason == "stopped", f"the run ended by {result.reason}")
    outcome.expect("partial" in result.message, f"the message is {result.message!r}")
    outcome.expect(before <= len(result.trials), f"{before} trials became {len(result.trials)}")
    outcome.recovered_within(STOPPED_S)


def quiet_exit(setting: Setting) -> None:
    """Objectives that end their process with status 0, more often than there are workers."""
    outcome = setting.outcome
    settings: dict[str, Any] = {"engine": outcome.engine}
    if setting.spark is not None:
        settings["spark"] = setting.spark
    run = ab.start(
        _exits_at_first,
        {"x": ab.uniform(0, 1)},
        workers=setting.workers,
        max_trials=12,
        journal=setting.journal,
        monitor=None,
        **settings,
    )
    with ending(run):
        result = run.result(END_S)
    outcome.trials = len(result.trials)
    outcome.faults = result.bus.requeued
    outcome.expect(result.reason == "max_trials", f"the run ended by {result.reason}")
    states = result.counts
    outcome.expect(states[TrialState.COMPLETED] == 12, f"the trials ended as {states}")
    outcome.expect(outcome.faults == 4, f"{outcome.faults} attempts were lost, not 4")


def _exits_at_first(trial: ab.Trial) -> None:
    """Ends its process in the first attempt at each third trial, as if all were well."""
    if trial.id % 3 == 1 and trial.attempt == 1:
        os._exit(0)
    trial.report(trial.params["x"])


def searcher_kill(setting: Setting) -> None:
    """The searcher's process killed more often than a run without progress would bear."""
    outcome = setting.outcome
    kills = 8 if setting.smoke else 12
    with ending(setting.launch(max_trials=400, searcher=ab.TPE(n_startup=1_000))) as run:
        wait_for_workers(setting)
        for _ in range(kills):
            before = len(answers.read(setting.folder))
            (searcher,) = descendants("asha_bus.driver.searcher_process")
            at = kill(searcher)
            outcome.faults += 1
            wait_until(
                lambda before=before: len(answers.read(setting.folder)) > before + 12,  # type: ignore[misc]
                "more trials",
            )
            outcome.recoveries.append(first_answer(setting, at, lambda _: True).ended - at)
            wait_until(
                lambda: len(descendants("asha_bus.driver.searcher_process")) == 1, "a searcher"
            )
        result = finished(run, setting)
    check(outcome, result, setting.folder, setting.journal)


def no_descriptors(setting: Setting) -> None:
    """The driver has no descriptors left while a worker and the bus are to be replaced."""
    outcome = setting.outcome
    options = ab.BusOptions(max_attempts=20)
    with ending(setting.launch(max_trials=300, bus=options)) as run:
        workers = wait_for_workers(setting)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            os.kill(workers[0], signal.SIGKILL)
            at = kill(run.bus_pid)
            outcome.faults = 2
            time.sleep(3.0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        outcome.recoveries.append(first_answer(setting, at + 1.0, lambda _: True).ended - at)
        result = finished(run, setting)
    check(outcome, result, setting.folder, setting.journal)
    again = [trial.id for trial in result.trials if trial.attempts > 2]
    outcome.expect(not again, f"trials {again} were run again more than once")
