"""Faults of helper processes: they hang for good, end with status 0, or cannot be started."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from lib.processes import descendants, is_alive, wait_until

import asha_bus as ab
from faults.scenarios import answers
from faults.scenarios.launching import (
    END_S,
    Setting,
    ending,
    finished,
    first_answer,
    kill,
    wait_for_workers,
    working,
)
from faults.scenarios.outcome import check

_SEARCHER = "asha_bus.driver.searcher_process"
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
    """The user stops the run at once while the bus, the searcher, all workers or all hang."""
    for name, victims in list(_HANGING.items())[: 1 if setting.smoke else None]:
        _stop_while(setting.part(name), name, victims)
    setting.outcome.recovered_within(STOPPED_S)


def _bus(setting: Setting, run: ab.Run) -> list[int]:
    return [run.bus_pid]


def _searcher(setting: Setting, run: ab.Run) -> list[int]:
    return descendants(_SEARCHER)


def _workers(setting: Setting, run: ab.Run) -> list[int]:
    return working(setting)


def _all(setting: Setting, run: ab.Run) -> list[int]:
    return [run.bus_pid, *descendants(_SEARCHER), *working(setting)]


_HANGING = {"all": _all, "bus": _bus, "searcher": _searcher, "workers": _workers}


def _stop_while(
    setting: Setting, name: str, victims: Callable[[Setting, ab.Run], list[int]]
) -> None:
    outcome = setting.outcome
    with ending(setting.launch(max_trials=2_500, searcher=ab.TPE())) as run:
        wait_for_workers(setting)
        before = run.status()["trials"]
        stopped = victims(setting, run)
        bus_hangs = run.bus_pid in stopped
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
            outcome.faults += 1
        at = time.monotonic()
        run.stop(now=True)
        try:
            result = run.result(END_S)
        finally:
            seconds = time.monotonic() - at
            outcome.recoveries.append(seconds)
            outcome.figures[name] = seconds
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
    outcome.trials = (outcome.trials or 0) + len(result.trials)
    outcome.expect(result.reason == "stopped", f"{name}: the run ended by {result.reason}")
    if bus_hangs:
        outcome.expect("partial" in result.message, f"{name}: the message is {result.message!r}")
    found = len(result.trials)
    outcome.expect(before <= found, f"{name}: {before} trials became {found}")


def searcher_kill(setting: Setting) -> None:
    """The searcher's process killed more often than a run without progress would bear."""
    outcome = setting.outcome
    kills = 8 if setting.smoke else 12
    with ending(setting.launch(max_trials=400, searcher=ab.TPE(n_startup=1_000))) as run:
        wait_for_workers(setting)
        for _ in range(kills):
            before = len(answers.read(setting.folder))
            (searcher,) = descendants(_SEARCHER)
            at = kill(searcher)
            outcome.faults += 1
            wait_until(
                lambda before=before: len(answers.read(setting.folder)) > before + 12,  # type: ignore[misc]
                "more trials",
            )
            outcome.recoveries.append(first_answer(setting, at, lambda _: True).ended - at)
            wait_until(lambda: len(descendants(_SEARCHER)) == 1, "a searcher")
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
