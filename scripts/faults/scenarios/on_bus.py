"""Faults of the bus: it is killed, or stands still."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from lib.processes import wait_until

import asha_bus as ab
from faults.scenarios.answers import ASKED, Answer
from faults.scenarios.launching import (
    END_S,
    Setting,
    ending,
    finished,
    first_answer,
    kill,
    wait_for_workers,
)
from faults.scenarios.long_journal import lengthen
from faults.scenarios.outcome import Outcome, check

#: What was answered before a bus died is written down within this time; no other bus
#: comes up as fast.
_BEFORE_S = 0.05
#: Long journals: with more than 4 MiB another bus stands by.
_LONG_BYTES, _SMOKE_BYTES = 13_500_000, 4_500_000
#: The promise.
RECOVERY_S = 2.0


def bus_kill(setting: Setting) -> None:
    """The bus killed again and again, now and then while it comes up."""
    outcome = setting.outcome
    kills = 3 if setting.smoke else 20
    with ending(setting.launch(max_trials=150 if setting.smoke else 2_500)) as run:
        wait_for_workers(setting)
        while outcome.faults < kills:
            time.sleep(setting.random.uniform(0, 1))
            at, killed = kill(run.bus_pid), run.bus_pid
            outcome.faults += 1
            if outcome.faults < kills and setting.random.random() < 0.2:
                _wait_for_another(run, killed)
                time.sleep(setting.random.uniform(0, 0.3))
                at = kill(run.bus_pid)
                outcome.faults += 1
            outcome.recoveries.append(_recovery(setting, at))
        result = finished(run, setting)
        outcome.expect(
            run._supervisor.restarts == kills,
            f"{kills} kills made {run._supervisor.restarts} restarts",
        )
    answered = check(outcome, result, setting.folder, setting.journal)
    _check_all_counted(outcome, result, answered)
    outcome.recovered_within(RECOVERY_S)
    # a request that died with the bus is sent again after half a second
    longest = max(answer.ended - answer.asked for answer in answered)
    outcome.notes.append(f"the report that waited longest was answered after {longest:.2f} s")


def long_kill(setting: Setting) -> None:
    """The bus of a long run killed, and killed again each time as soon as decisions go on."""
    outcome = setting.outcome
    setting.launch(max_trials=2).result(END_S)
    length = _SMOKE_BYTES if setting.smoke else _LONG_BYTES
    trials = lengthen(setting.journal, length, setting.seed)
    with ending(setting.launch(max_trials=trials + 400, resume=True)) as run:
        wait_for_workers(setting)
        supervisor = run._supervisor
        wait_until(lambda: supervisor._standby.is_ready, "a bus that stands by", END_S)
        for _ in range(3):
            at = kill(run.bus_pid)
            outcome.faults += 1
            outcome.recoveries.append(_recovery(setting, at))
        result = finished(run, setting)
        outcome.expect(supervisor.restarts == 3, f"{supervisor.restarts} restarts for 3 kills")
    check(outcome, result, setting.folder, setting.journal)
    outcome.recovered_within(RECOVERY_S)
    times = ", ".join(f"{seconds:.2f}" for seconds in outcome.recoveries)
    outcome.notes.append(f"{length / 1e6:.1f} MB of journal; seconds after each kill: {times}")


def bus_stop(setting: Setting) -> None:
    """The bus stands still for longer than a lease, and goes on before it is replaced."""
    outcome = setting.outcome
    pause_s, lease_s = (3.0, 1.5) if setting.smoke else (7.5, 5.0)
    options = ab.BusOptions(lease_s=lease_s, bus_timeout_s=60)
    with ending(setting.launch(max_trials=150, bus=options)) as run:
        wait_for_workers(setting)
        os.kill(run.bus_pid, signal.SIGSTOP)
        time.sleep(pause_s)
        at = time.monotonic()
        os.kill(run.bus_pid, signal.SIGCONT)
        outcome.faults = 1
        outcome.recoveries.append(_recovery(setting, at, before_s=0.0))
        result = finished(run, setting)
    _check_all_counted(outcome, result, check(outcome, result, setting.folder, setting.journal))
    outcome.expect(result.bus.workers == setting.workers, "a worker joined a second time")


def bus_kill_start(setting: Setting) -> None:
    """The bus killed just after the start of a run, again and again."""
    outcome = setting.outcome
    for number in range(1 if setting.smoke else 6):
        part = setting.part(f"{number}")
        with ending(part.launch(max_trials=30)) as run:
            time.sleep(setting.random.uniform(0, 0.4) if number else 0.0)
            at = kill(run.bus_pid)
            outcome.faults += 1
            wait_for_workers(part)
            outcome.figures["first answer after"] = time.monotonic() - at
            result = finished(run, part)
        answered = check(outcome, result, part.folder, part.journal)
        _check_all_counted(outcome, result, answered)


def bus_kill_workers(setting: Setting) -> None:
    """The bus and all workers killed at once."""
    outcome = setting.outcome
    options = ab.BusOptions(max_attempts=20)
    with ending(setting.launch(max_trials=800, bus=options)) as run:
        for _ in range(1 if setting.smoke else 5):
            workers = wait_for_workers(setting)
            time.sleep(setting.random.uniform(0, 1))
            at = kill(run.bus_pid)
            for pid in workers:
                kill(pid)
            outcome.faults += 1 + len(workers)
            again = first_answer(setting, at, lambda a, w=workers: a.pid not in w, 60.0)  # type: ignore[misc]
            outcome.recoveries.append(again.ended - at)
        result = finished(run, setting)
    check(outcome, result, setting.folder, setting.journal)
    states = {str(state) for state, count in result.counts.items() if count}
    outcome.expect(states <= {"COMPLETED", "STOPPED"}, f"trials ended {sorted(states)}")


def bus_kill_end(setting: Setting) -> None:
    """The bus killed at the very end of 40 runs, about their last decision."""
    outcome = setting.outcome
    total = 8
    for number in range(2 if setting.smoke else 40):
        part = setting.part(f"{number}")
        with ending(part.launch(max_trials=total, pause_s=0.01)) as run:
            done = total - 1 - number % 2
            wait_until(lambda run=run, done=done: _ended(run) >= done, "the last trial")  # type: ignore[misc]
            time.sleep(setting.random.uniform(0, 0.12))
            at = time.monotonic()
            with suppress(ProcessLookupError):  # it has ended
                at = kill(run.bus_pid)
                outcome.faults += 1
            result = finished(run, part)
            outcome.recoveries.append(time.monotonic() - at)
        answered = check(outcome, result, part.folder, part.journal)
        _check_all_counted(outcome, result, answered)
        outcome.expect(len(result.trials) == total, f"{len(result.trials)} trials, not {total}")


def _ended(run: ab.Run) -> int:
    states = run.status()["states"]
    return int(states["STOPPED"] + states["COMPLETED"])


def _wait_for_another(run: ab.Run, killed: int) -> None:
    wait_until(lambda: run.bus_pid != killed, "another bus")


def _recovery(setting: Setting, at: float, before_s: float = _BEFORE_S) -> float:
    """Seconds from ``at`` until a worker was answered again."""

    def is_new(answer: Answer) -> bool:
        return answer.asked > at or answer.ended > at + before_s

    return first_answer(setting, at, is_new).ended - at


def _check_all_counted(outcome: Outcome, result: ab.Result, answered: list[Answer]) -> None:
    """Where no worker dies, the workers notice nothing, and each decision was answered."""
    again = sorted(trial.id for trial in result.trials if trial.attempts != 1)
    outcome.expect(not again and not result.bus.requeued, f"trials {again} were run again")
    asked = sum(answer.step in ASKED for answer in answered)
    decided = result.bus.decisions
    outcome.expect(decided == asked, f"{decided} decisions were made for {asked} reports")
