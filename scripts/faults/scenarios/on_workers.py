"""Faults of workers: killed, cut off, slow, and the executor under them killed."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable

from lib.processes import descendants, is_alive, wait_until

import asha_bus as ab
from faults.scenarios import answers
from faults.scenarios.answers import Answer
from faults.scenarios.launching import (
    Setting,
    ending,
    finished,
    first_answer,
    kill,
    wait_for_workers,
    working,
)
from faults.scenarios.outcome import Outcome, check

#: Bad luck may hit the same trial several times.
_ATTEMPTS = 20


def worker_kill(setting: Setting) -> None:
    """Worker processes killed at random moments."""
    outcome = setting.outcome
    kills = 2 if setting.smoke else 10
    options = ab.BusOptions(max_attempts=_ATTEMPTS)
    with ending(setting.launch(max_trials=120 if setting.smoke else 1_500, bus=options)) as run:
        wait_for_workers(setting)
        for _ in range(kills):
            time.sleep(setting.random.uniform(0, 1))
            before = working(setting)
            at = kill(setting.random.choice(before))
            outcome.faults += 1
            again = first_answer(setting, at, _of_a_new_one(before))
            outcome.recoveries.append(again.ended - at)
        result = finished(run, setting)
    check(outcome, result, setting.folder, setting.journal)
    _check_attempts(outcome, result)
    # a stop carries the next trial: a worker that was answered once always has one
    _expect_requeued(outcome, result, least=kills, most=kills)


def executor_jvm_kill(setting: Setting) -> None:
    """The JVM of an executor killed, and the Python worker below it with it."""
    outcome = setting.outcome
    kills = 1 if setting.smoke else 3
    options = ab.BusOptions(max_attempts=_ATTEMPTS)
    with ending(setting.launch(max_trials=1_500, bus=options)) as run:
        for _ in range(kills):
            before = wait_for_workers(setting)
            executors = descendants("CoarseGrainedExecutorBackend")
            at = kill(setting.random.choice(executors))
            outcome.faults += 1
            again = first_answer(setting, at, _of_a_new_one(before), timeout_s=60)
            outcome.recoveries.append(again.ended - at)
            wait_until(lambda: len(working(setting)) == setting.workers, "two workers again", 60)
        result = finished(run, setting)
    check(outcome, result, setting.folder, setting.journal)
    _check_attempts(outcome, result)
    _expect_requeued(outcome, result, least=kills, most=2 * kills)


def partition(setting: Setting) -> None:
    """A worker stopped for longer than its lease, which then comes back."""
    outcome = setting.outcome
    times = 1 if setting.smoke else 4
    lease_s = 1.0
    options = ab.BusOptions(lease_s=lease_s, max_attempts=_ATTEMPTS)
    with ending(setting.launch(max_trials=200 if setting.smoke else 800, bus=options)) as run:
        wait_for_workers(setting)
        for _ in range(times):
            time.sleep(setting.random.uniform(0, 1))
            victim = setting.random.choice(working(setting))
            is_taken_over = _of_another_rerun(setting)
            at = time.monotonic()
            os.kill(victim, signal.SIGSTOP)
            again = first_answer(setting, at, is_taken_over)
            outcome.recoveries.append(again.ended - at)
            time.sleep(max(at + 3 * lease_s - time.monotonic(), 0))
            os.kill(victim, signal.SIGCONT)
            outcome.faults += 1
            back = time.monotonic()
            first_answer(setting, back, _of(victim))
        result = finished(run, setting)
    answered = check(outcome, result, setting.folder, setting.journal)
    _check_attempts(outcome, result)
    _expect_requeued(outcome, result, least=times, most=times)
    fenced = result.bus.fenced
    outcome.expect(fenced == times, f"{fenced} late reports were fenced off, not {times}")
    outcome.expect(result.bus.workers == setting.workers, "a worker joined a second time")
    for trial in (trial for trial in result.trials if trial.attempts > 1):
        ran = {(a.attempt, a.pid) for a in answered if a.trial == trial.id}
        outcome.expect(
            len(ran) == len({pid for _, pid in ran}),
            f"trial {trial.id} was run twice by the same worker: {ran}",
        )


def slow_worker(setting: Setting) -> None:
    """One worker takes many times as long for each step."""
    outcome = setting.outcome
    slow_s = 0.3 if setting.smoke else 1.0
    trials = 100 if setting.smoke else 600
    options = ab.BusOptions(lease_s=2.0)  # it sends heartbeats, however slow it is
    with ending(setting.launch(slow_s=slow_s, max_trials=trials, bus=options)) as run:
        wait_for_workers(setting)
        slow = answers.slow_one(setting.folder)
        time.sleep(3.0 if setting.smoke else 20.0)
        outcome.expect(is_alive(slow), "the slow worker has ended")
        outcome.faults = 1
        result = finished(run, setting)
    answered = check(outcome, result, setting.folder, setting.journal)
    _expect_requeued(outcome, result, least=0, most=0)
    reports = Counter(answer.pid for answer in answered)
    fast = sum(reports.values()) - reports[slow]
    outcome.expect(reports[slow] > 0, "the slow worker had no answer")
    outcome.expect(fast > 2 * reports[slow], f"the others were held up: {dict(reports)}")


def _of(pid: int) -> Callable[[Answer], bool]:
    """Whether an answer went to this worker."""
    return lambda answer: answer.pid == pid


def _of_a_new_one(known: list[int]) -> Callable[[Answer], bool]:
    """Whether an answer went to a worker that was not there before."""
    return lambda answer: answer.pid not in known


def _of_another_rerun(setting: Setting) -> Callable[[Answer], bool]:
    """Whether an answer went to a later attempt at a trial that had none until now."""
    known = {answer.trial for answer in answers.read(setting.folder) if answer.attempt > 1}
    return lambda answer: answer.attempt > 1 and answer.trial not in known


def _check_attempts(outcome: Outcome, result: ab.Result) -> None:
    """Each attempt beyond the first stands for one restart of a trial."""
    again = sum(trial.attempts - 1 for trial in result.trials)
    requeued = result.bus.requeued
    outcome.expect(again == requeued, f"{requeued} restarts of trials led to {again} attempts")
    states = {str(state) for state, count in result.counts.items() if count}
    outcome.expect(states <= {"COMPLETED", "STOPPED"}, f"trials ended {sorted(states)}")


def _expect_requeued(outcome: Outcome, result: ab.Result, least: int, most: int) -> None:
    requeued = result.bus.requeued
    outcome.expect(
        least <= requeued <= most,
        f"{requeued} trials were restarted; expected {least} to {most}",
    )
