"""Pauses: processes, one of them or all, stand still for longer than leases and timeouts."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from lib.processes import descendants

from faults.scenarios import answers
from faults.scenarios.launching import Setting, first_answer
from faults.scenarios.outcome import check
from faults.scenarios.program import driver, finish


def _workers(program: int) -> list[int]:
    return descendants("asha_bus.executor", program)


def _one_worker(program: int) -> list[int]:
    return _workers(program)[:1]


def _bus(program: int) -> list[int]:
    return [pid for pid in descendants("asha_bus.driver", program) if pid not in _searcher(program)]


def _searcher(program: int) -> list[int]:
    return descendants("asha_bus.driver.searcher_process", program)


def _driver(program: int) -> list[int]:
    return [program]


def _all(program: int) -> list[int]:
    return [program, *descendants("asha_bus.", program)]


_VICTIMS: tuple[Callable[[int], list[int]], ...] = (
    *(_all, _one_worker, _bus, _workers, _driver, _searcher),
)


def pauses(setting: Setting) -> None:
    """Each process, and all of them, stopped for three times as long as a lease."""
    outcome = setting.outcome
    lease_s = 2.0 if setting.smoke else 5.0
    victims = _VICTIMS[:2] if setting.smoke else _VICTIMS
    options: dict[str, Any] = {"lease_s": lease_s, "bus_timeout_s": lease_s}
    with driver(setting, max_trials=200, learns=True, pause_s=0.2, **options) as process:
        first_answer(setting, time.monotonic(), lambda _: True)
        for victim in victims:
            time.sleep(setting.random.uniform(0.5, 1.5))
            stopped = victim(process.pid)
            outcome.expect(bool(stopped), f"there is nobody to stop: {victim.__name__}")
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(3 * lease_s)
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            outcome.faults += 1
            at = time.monotonic()
            outcome.recoveries.append(first_answer(setting, at, lambda _: True).ended - at)
        answers.hurry(setting.folder)
        result = finish(setting, process)["result"]
    check(outcome, result, setting.folder, setting.journal)
    states = {str(state) for state, count in result.counts.items() if count}
    outcome.expect(states <= {"COMPLETED", "STOPPED"}, f"trials ended {sorted(states)}")
    outcome.expect(result.reason == "max_trials", f"the run ended by {result.reason}")
