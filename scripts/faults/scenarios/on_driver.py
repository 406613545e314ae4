"""Faults around the driver: killed, its clock jumps, its disk is full or read-only."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

from lib.processes import descendants, wait_until

import asha_bus as ab
from asha_bus.core.trial import TrialState
from faults.scenarios import answers
from faults.scenarios.launching import Setting, ending, finished, first_answer, kill, working
from faults.scenarios.outcome import Outcome, check
from faults.scenarios.program import driver, finish, gone

#: Enough for any number of kills; the last launch has a total of its own.
_NO_END = 100_000
_OPEN = (TrialState.RUNNING, TrialState.PENDING)

#: How far the wall clock jumps, one after the other, in seconds.
_JUMPS = (86_400.0, -2 * 86_400.0, 3_600.0)


def driver_kill_resume(setting: Setting) -> None:
    """The driver killed at random moments, and the run resumed each time.

    Every other time that is at once, while the bus and the workers of before still are
    about to notice that their driver is gone.
    """
    outcome = setting.outcome
    kills = 10
    if setting.smoke or setting.spark is not None:  # where each start takes ten seconds
        kills = 3
    stages: list[ab.Result] = []
    orphans: set[int] = set()
    at = 0.0
    for number in range(kills):
        with driver(setting, max_trials=_NO_END, resume=number > 0) as process:
            _wait_for_new_workers(setting, at, orphans)
            time.sleep(setting.random.uniform(0, 1.5))
            orphans.update(descendants("asha_bus.", process.pid), working(setting))
            at = kill(process.pid)
            outcome.faults += 1
            process.wait()
        if number % 2 == 0 or number == kills - 1:
            wait_until(lambda: gone(orphans), "the end of bus and workers", 90)
            stages.append(ab.Result.from_journal(setting.journal))
            at = time.monotonic()
    total = len(stages[-1].trials) + 20
    with ending(setting.launch(max_trials=total, resume=True)) as run:
        _wait_for_new_workers(setting, at, orphans)
        result = finished(run, setting)
    check(outcome, result, setting.folder, setting.journal)
    outcome.expect(len(result.trials) == total, f"{len(result.trials)} trials, not {total}")
    for before, after in itertools.pairwise([*stages, result]):
        _check_stands(outcome, before, after)
    _check_configurations(setting, result)


def _wait_for_new_workers(setting: Setting, at: float, orphans: set[int]) -> None:
    """Wait for an answer to a worker that is none of ``orphans``."""
    again = first_answer(setting, at, lambda answer: answer.pid not in orphans, 90)
    if orphans:
        setting.outcome.recoveries.append(again.ended - at)


def _check_stands(outcome: Outcome, before: ab.Result, after: ab.Result) -> None:
    """What had ended is as it was, rungs have only grown, and the best is as good."""
    for old in before.trials:
        new = after.trials[old.id]
        kept = new.rungs[: len(old.rungs)] == old.rungs and new.params["x"] == old.params["x"]
        if old.state in _OPEN:
            kept = kept and new.attempts > old.attempts - (old.attempts == 0)
        else:
            kept = kept and _ended(old) == _ended(new)
        outcome.expect(kept, f"trial {old.id} was\n{old}\nand is\n{new}")
    best, later = before.best, after.best
    if best is not None and best.state is TrialState.COMPLETED:
        assert best.metric is not None
        found = None if later is None else later.metric
        outcome.expect(
            found is not None and found <= best.metric, f"the best was {best.metric}, is {found}"
        )


def _ended(trial: ab.TrialRecord) -> tuple[object, ...]:
    return trial.state, trial.metric, trial.attempts, trial.rungs, trial.start_time, trial.end_time


def _check_configurations(setting: Setting, result: ab.Result) -> None:
    """A run with the same seed that nobody interrupts tries the same configurations."""
    setting.folder = setting.folder / "whole"
    setting.folder.mkdir()
    answers.hurry(setting.folder)
    with ending(setting.launch(pause_s=0.0, max_trials=len(result.trials))) as run:
        whole = finished(run, setting)
    different = [
        trial.id
        for trial, other in zip(result.trials, whole.trials, strict=True)
        if (trial.params["x"], trial.seed) != (other.params["x"], other.seed)
    ]
    setting.outcome.expect(not different, f"trials {different} had other configurations")


def clock_jump(setting: Setting) -> None:
    """The wall clock jumps forwards and back, in the driver, the bus and the workers."""
    outcome = setting.outcome
    apart_s = 1.0 if setting.smoke else 4.0
    now = time.monotonic()
    jumps = [(now + 2 + number * apart_s, jump) for number, jump in enumerate(_JUMPS, 1)]
    env = {
        "PYTHONPATH": str(Path(__file__).parent / "clock"),
        "FAULT_CLOCK": ",".join(f"{at}:{jump}" for at, jump in jumps),
    }
    began = time.time()
    with driver(setting, env, max_trials=400, lease_s=2.0) as process:
        for at, _ in jumps:
            time.sleep(max(at - time.monotonic(), 0))
            outcome.faults += 1
            outcome.recoveries.append(first_answer(setting, at, lambda _: True).ended - at)
        answers.hurry(setting.folder)
        told = finish(setting, process)
    result = told["result"]
    answered = check(outcome, result, setting.folder, setting.journal)
    _check_undisturbed(outcome, result)
    shifts = {round((a.wall - a.ended - (began - now)) / 60) * 60.0 for a in answered}
    seen = {0.0, *itertools.accumulate(_JUMPS)}
    outcome.expect(shifts == seen, f"the workers' clock was off by {shifts}, not {seen}")
    outcome.expect(abs(told["shift_s"] - sum(_JUMPS)) < 60, "the driver's clock did not jump")
    took = time.time() - began
    times = [t for trial in result.trials for t in (trial.start_time, trial.end_time)]
    outcome.expect(
        all(0 < t - began < took for t in times), "times of trials jumped along with the clock"
    )


def _check_undisturbed(outcome: Outcome, result: ab.Result) -> None:
    requeued = result.bus.requeued
    outcome.expect(not requeued, f"{requeued} trials were restarted")
    outcome.expect(result.reason == "max_trials", f"the run ended by {result.reason}")


def disk_full(setting: Setting) -> None:
    """The journal's disk is full in the middle of a run, which is resumed later."""
    outcome = setting.outcome
    with driver(setting, max_trials=2_000, fsize=20_000) as process:
        full: ab.Result = finish(setting, process)["result"]
        outcome.faults = 1
    at = time.monotonic()
    outcome.expect(
        full.reason == "failed"
        and f"the journal {setting.journal} cannot be written: File too large" in full.message,
        f"the run ended by {full.reason}: {full.message}",
    )
    outcome.expect(setting.journal.stat().st_size <= 20_000, "the journal is larger than it may be")
    before = ab.Result.from_journal(setting.journal)
    total = len(before.trials) + 50
    with ending(setting.launch(max_trials=total, resume=True)) as run:
        outcome.recoveries.append(first_answer(setting, at, lambda _: True).ended - at)
        result = finished(run, setting)
    check(outcome, result, setting.folder, setting.journal)
    _check_stands(outcome, before, result)


def streams(setting: Setting) -> None:
    """The driver's standard streams are closed, one or all, or take nothing."""
    outcome = setting.outcome
    ways = {"all": "0<&- 1>&- 2>&-", "stdin": "0<&-", "stdout": "1>&-", "stderr": "2>&-"}
    ways |= {"full": "1>/dev/full 2>/dev/full"}
    for name, redirections in list(ways.items())[: 1 if setting.smoke else None]:
        part = setting.part(name)
        began = time.monotonic()
        with driver(
            part, redirections=redirections, max_trials=12, learns=True, monitor="progress"
        ) as process:
            result: ab.Result = finish(part, process)["result"]
        outcome.faults += 1
        outcome.figures[name] = time.monotonic() - began
        check(outcome, result, part.folder, part.journal)
        _check_undisturbed(outcome, result)
        outcome.expect(not result.bus.fallbacks, f"{name}: the searcher did not answer")


def read_only_journal(setting: Setting) -> None:
    """A journal that cannot be written is a clear error, and nothing is started."""
    outcome = setting.outcome
    (setting.folder / "file").touch(mode=0o400)
    (setting.folder / "closed").mkdir(mode=0o500)
    paths = {
        setting.folder / "missing" / "journal": "No such file or directory",
        setting.folder: "Is a directory",
        Path("/sys/journal"): "cannot be opened",
    }
    if os.geteuid() != 0:  # to whom everything is open
        paths[setting.folder / "file"] = "Permission denied"
        paths[setting.folder / "closed" / "journal"] = "Permission denied"
    for path, words in paths.items():
        outcome.faults += 1
        try:
            with ending(setting.launch(journal=path, max_trials=2)):
                outcome.expect(False, f"a run began with its journal at {path}")
        except ab.InvalidArgument as error:
            outcome.expect(
                f"journal={str(path)!r}" in str(error) and words in str(error),
                f"the error for {path} does not say what is wrong: {error}",
            )
        outcome.expect(not descendants("asha_bus."), f"something was started for {path}")
    outcome.expect(not answers.read(setting.folder), "a trial was run")
