"""Pauses: processes, one of them or all, stand still for longer than leases and timeouts."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lib.processes import descendants

from faults.scenarios import answers
from faults.scenarios.launching import Setting, first_answer, wait_for_workers, working
from faults.scenarios.outcome import check
from faults.scenarios.program import driver, finish

#: The processes to stop, in a scenario whose driver is the given process.
Victims = Callable[[Setting, int], list[int]]


def _one_worker(setting: Setting, program: int) -> list[int]:
    return working(setting)[:1]


def _workers(setting: Setting, program: int) -> list[int]:
    return working(setting)


def _bus(setting: Setting, program: int) -> list[int]:
    found = descendants("asha_bus.driver", program)
    return [pid for pid in found if pid not in _searcher(setting, program)]


def _searcher(setting: Setting, program: int) -> list[int]:
    return descendants("asha_bus.driver.searcher_process", program)


def _driver(setting: Setting, program: int) -> list[int]:
    return [program]


def _all(setting: Setting, program: int) -> list[int]:
    """The driver, all that it has started, and a cluster's processes."""
    return descendants("")


_VICTIMS: dict[str, Victims] = {
    "all": _all,
    "one worker": _one_worker,
    "bus": _bus,
    "workers": _workers,
    "driver": _driver,
    "searcher": _searcher,
}


def pauses(setting: Setting) -> None:
    """Each process, and all of them, stopped for three times as long as a lease."""
    lease_s = 2.0 if setting.smoke else 5.0
    victims = dict(list(_VICTIMS.items())[:2]) if setting.smoke else _VICTIMS
    _pause(setting, victims, 3 * lease_s, lease_s=lease_s, bus_timeout_s=lease_s)


def long_pause(setting: Setting) -> None:
    """Everything stopped for 70 s, with the default leases and timeouts."""
    _pause(setting, {"all": _all}, 3.0 if setting.smoke else 70.0)


def _pause(setting: Setting, victims: dict[str, Victims], pause_s: float, **options: Any) -> None:
    outcome = setting.outcome
    with driver(setting, max_trials=200, learns=True, pause_s=0.2, **options) as process:
        wait_for_workers(setting)
        for name, victim in victims.items():
            time.sleep(setting.random.uniform(0.5, 1.5))
            stopped = victim(setting, process.pid)
            outcome.expect(bool(stopped), f"there is nobody to stop: {name}")
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(pause_s)
            for pid in stopped:
                with suppress(ProcessLookupError):  # a bus that hangs is replaced
                    os.kill(pid, signal.SIGCONT)
            outcome.faults += 1
            at = time.monotonic()
            again = first_answer(setting, at, lambda _: True, 60.0)
            outcome.recoveries.append(again.ended - at)
            wait_for_workers(setting)
        answers.hurry(setting.folder)
        result = finish(setting, process)["result"]
    check(outcome, result, setting.folder, setting.journal)
    states = {str(state) for state, count in result.counts.items() if count}
    outcome.expect(states <= {"COMPLETED", "STOPPED"}, f"trials ended {sorted(states)}")
    outcome.expect(result.reason == "max_trials", f"the run ended by {result.reason}")
    outcome.notes.append(f"{sum(t.attempts - 1 for t in result.trials)} trials were run again")
