"""Faults while trials have paused in the memory of their workers."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress

from lib.processes import descendants, wait_until

import asha_bus as ab
from asha_bus.core.trial import TrialState
from asha_bus.formats.journal import replay
from asha_bus.testing.simulator.checks import check_rungs
from faults.scenarios import answers, residents
from faults.scenarios.launching import END_S, Setting, ending, finished, kill
from faults.scenarios.outcome import check_journal
from faults.scenarios.program import driver, finish, gone

#: A worker with this many attempts in memory holds at least two paused trials.
_HOLDS = 3
#: Bad luck may hit the same trial several times.
_OPTIONS = ab.BusOptions(max_attempts=20)


def worker_kill(setting: Setting) -> None:
    """Workers that hold paused trials are killed: these are trained again, at no cost."""
    kills = 2 if setting.smoke else 4
    for case, part in _cases(setting):
        killed: set[int] = set()
        with ending(residents.launch(part, case, bus=_OPTIONS)) as run:
            for number in range(kills):
                holders = _wait_for_holders(part)
                victims = holders if number == kills - 1 else [part.random.choice(holders)]
                known = {note.pid for note in residents.read(part.folder)}
                at = min(map(kill, victims))
                killed.update(victims)
                _wait_for_epoch(part, at, lambda pid, known=known: pid not in known)  # type: ignore[misc]
            result = finished(run, part)
        part.outcome.faults += len(killed)
        _check(part, case, result, killed)
        requeued = result.bus.requeued
        part.outcome.expect(
            requeued <= len(killed),
            f"{case}: {len(killed)} kills cost {requeued} attempts, also of paused trials",
        )


def saved_worker_kill(setting: Setting) -> None:
    """Workers are killed after paused trials were saved: others load these, and train no more."""
    folder, random = setting.folder, setting.random
    killed: set[int] = set()
    artifacts = setting.folder / "artifacts"
    artifacts.mkdir()
    with ending(
        residents.launch(setting, "saved", step_s=0.1, bus=_OPTIONS, artifacts=artifacts)
    ) as run:
        for number in range(1, 2 if setting.smoke else 5):
            wait_until(
                lambda number=number: len(list(folder.glob("saved-*"))) >= 3 * number,  # type: ignore[misc]
                "saved states",
            )
            running = sorted(residents.open_attempts(folder))
            victims = running if number % 2 else [random.choice(running)]
            known = {note.pid for note in residents.read(folder)}
            at = min(map(kill, victims))
            killed.update(victims)
            _wait_for_epoch(setting, at, lambda pid, known=known: pid not in known)  # type: ignore[misc]
        result = finished(run, setting)
    outcome = setting.outcome
    outcome.faults += len(killed)
    check_journal(outcome, result, setting.journal)
    states = {str(state) for state, count in result.counts.items() if count}
    outcome.expect(states <= {"COMPLETED", "STOPPED"}, f"trials ended {sorted(states)}")
    _check_rungs(setting, "saved")
    _check_clean_ups(setting, "saved", killed)
    saved, loaded = (len(list(folder.glob(f"{word}-*"))) for word in ("saved", "loaded"))
    outcome.expect(
        0 < result.bus.saved_residents <= saved and 0 < result.bus.loaded_residents <= loaded,
        f"{saved} were saved and {loaded} loaded, the bus counts "
        f"{result.bus.saved_residents} and {result.bus.loaded_residents}",
    )
    outcome.expect(not list(artifacts.rglob("*-*/*")), "states were left behind")
    trained = sum(note.word == "epoch" for note in residents.read(folder))
    planned = sum(trial.resource for trial in result.trials)
    again = result.bus.retrained_resource
    # of a killed worker at most one trial ran and one was in its memory, each for one rung
    most = planned + again + 2 * 8 * len(killed)
    outcome.expect(
        planned + again <= trained <= most,
        f"{trained} epochs were trained, not {planned:g} + {again:g} to {most:g}",
    )
    outcome.notes.append(
        f"{trained} epochs: {planned:g} of the plan, {again:g} trained again; "
        f"{saved} states saved, {loaded} loaded"
    )


def bus_kill(setting: Setting) -> None:
    """The bus is killed while trials have paused; the workers keep them."""
    for case, part in _cases(setting):
        with ending(residents.launch(part, case)) as run:
            for _ in range(2 if setting.smoke else 5):
                _wait_for_holders(part)
                killed = run.bus_pid
                at = kill(killed)
                part.outcome.faults += 1
                wait_until(lambda run=run, killed=killed: run.bus_pid != killed, "another bus")  # type: ignore[misc]
                _wait_for_epoch(part, at)
            result = finished(run, part)
        _check(part, case, result)
        _check_undisturbed(part, case, result)


def driver_kill(setting: Setting) -> None:
    """The driver is killed while trials have paused, and the run resumed each time."""
    for case, part in _cases(setting):
        stages = []
        for number in range(1 if setting.smoke else 3):
            known = {note.pid for note in residents.read(part.folder)}
            with driver(part, case=case, resume=number > 0) as process:
                holders = _wait_for_holders(part)
                part.outcome.expect(known.isdisjoint(holders), f"{case}: a worker was not new")
                orphans = {*descendants("asha_bus.", process.pid), *holders}
                kill(process.pid)
                part.outcome.faults += 1
                process.wait()
            wait_until(lambda orphans=orphans: gone(orphans), "the end of bus and workers", END_S)  # type: ignore[misc]
            stages.append(ab.Result.from_journal(part.journal))
        part.outcome.expect(
            all(_has(stage, TrialState.PAUSED) for stage in stages), f"{case}: no trial had paused"
        )
        _resume(part, case, stages)


def pause(setting: Setting) -> None:
    """All processes, and a worker that holds paused trials, stand still for three leases."""
    limit_s = 2.0 if setting.smoke else 5.0
    for case, part in _cases(setting):
        with driver(part, case=case, lease_s=limit_s, bus_timeout_s=limit_s) as process:
            for is_all in (True, False):
                holder = part.random.choice(_wait_for_holders(part))
                stopped = descendants("") if is_all else [holder]
                for pid in stopped:
                    os.kill(pid, signal.SIGSTOP)
                time.sleep(3 * limit_s)
                for pid in stopped:
                    with suppress(ProcessLookupError):  # a bus that hangs is replaced
                        os.kill(pid, signal.SIGCONT)
                part.outcome.faults += 1
                # whoever stood still goes on, with what it had in memory as far as that counts
                _wait_for_epoch(part, time.monotonic(), lambda pid, back=stopped: pid in back)  # type: ignore[misc]
            answers.hurry(part.folder)
            result = finish(part, process)["result"]
        part.outcome.expect(result.reason == "max_trials", f"the run ended by {result.reason}")
        _check(part, case, result)


def stop(setting: Setting) -> None:
    """Stops in the middle of a rung run the clean-up of all residents; each time a resume."""
    for case, part in _cases(setting):
        stages: list[ab.Result] = []
        for number in range(1 if setting.smoke else 3):
            with ending(residents.launch(part, case, resume=number > 0)) as run:
                _wait_for_holders(part)
                at = time.monotonic()
                run.stop()
                part.outcome.faults += 1
                stages.append(run.result(END_S))
                part.outcome.figures[f"{case} stopped after"] = time.monotonic() - at
            _check_stopped(part, case, stages[-1])
        _resume(part, case, stages)


def _check_stopped(setting: Setting, case: str, result: ab.Result) -> None:
    outcome = setting.outcome
    outcome.expect(result.reason == "stopped", f"the run ended by {result.reason}")
    states = {str(state) for state, count in result.counts.items() if count}
    outcome.expect(
        states <= {"COMPLETED", "STOPPED", "CANCELLED"},
        f"{case}: trials of a stopped run ended {sorted(states)}",
    )
    check_journal(outcome, result, setting.journal)
    _check_rungs(setting, case)
    _check_clean_ups(setting, case)


def _cases(setting: Setting) -> Iterator[tuple[str, Setting]]:
    """Each run to harm, in a folder of its own."""
    for case in list(residents.CASES)[: 1 if setting.smoke else None]:
        yield case, setting.part(case)


def _wait_for_holders(setting: Setting) -> list[int]:
    """The workers that hold paused trials, once there are some, and at a random moment."""
    time.sleep(setting.random.uniform(0, 1 if setting.smoke else 3))
    found: list[int] = []

    def look() -> bool:
        attempts = residents.open_attempts(setting.folder)
        found[:] = [pid for pid, count in attempts.items() if count >= _HOLDS]
        return bool(found)

    wait_until(look, "a worker that holds paused trials", 120)
    return found


def _wait_for_epoch(
    setting: Setting, since: float, is_it: Callable[[int], bool] = lambda pid: True
) -> None:
    """Wait for an epoch after ``since``, of a worker that ``is_it``."""
    found: list[float] = []

    def look() -> bool:
        notes = residents.read(setting.folder)
        found[:] = [n.at for n in notes if n.at > since and n.word == "epoch" and is_it(n.pid)]
        return bool(found)

    wait_until(look, "an epoch after the fault", 60)
    setting.outcome.recoveries.append(found[0] - since)


def _resume(setting: Setting, case: str, stages: list[ab.Result]) -> None:
    """Carry the run to its end, in which what was decided in ``stages`` stands."""
    at = time.monotonic()
    with ending(residents.launch(setting, case, resume=True)) as run:
        _wait_for_epoch(setting, at)
        result = finished(run, setting)
    _check(setting, case, result)
    for stage in stages:
        for old in stage.trials:
            new = result.trials[old.id].rungs[: len(old.rungs)]
            # a verdict that was still to come has come since
            kept = len(old.rungs) == len(new) and all(
                before == after or (before.verdict == "pause" and before.metric == after.metric)
                for before, after in zip(old.rungs, new, strict=False)
            )
            setting.outcome.expect(kept, f"{case}: trial {old.id} was in {old.rungs}, is in {new}")


def _has(result: ab.Result, *states: TrialState) -> bool:
    return any(trial.state in states for trial in result.trials)


def _check(setting: Setting, case: str, result: ab.Result, killed: Collection[int] = ()) -> None:
    """Look whether the plan was carried out, if with more epochs than it needs.

    ``killed``: the workers that could not clean up.
    """
    outcome = setting.outcome
    check_journal(outcome, result, setting.journal)
    states = {str(state) for state, count in result.counts.items() if count}
    outcome.expect(states <= {"COMPLETED", "STOPPED"}, f"{case}: trials ended {sorted(states)}")
    _check_rungs(setting, case)
    _check_clean_ups(setting, case, killed)
    _check_epochs(setting, case, result)


def _check_rungs(setting: Setting, case: str) -> None:
    """Each rung was decided by its rule."""
    experiment = replay(setting.journal.read_bytes(), str(setting.journal)).experiment
    try:
        check_rungs(experiment)
    except AssertionError as error:
        setting.outcome.expect(False, f"{case}: a rung was not decided by its rule: {error!r}")


def _check_clean_ups(setting: Setting, case: str, killed: Collection[int] = ()) -> None:
    """Each attempt cleaned up once, but for those of killed workers."""
    notes = [note for note in residents.read(setting.folder) if note.pid not in killed]
    begun = Counter({(note.pid, note.attempt): 1 for note in notes if note.word == "epoch"})
    ended = Counter((note.pid, note.attempt) for note in notes if note.word == "end")
    setting.outcome.expect(
        begun == ended,
        f"{case}: {len(begun)} attempts began, {ended.total()} clean-ups ran; without: "
        f"{sorted(begun - ended)}, more than once: {sorted(ended - begun)}",
    )


def _check_epochs(setting: Setting, case: str, result: ab.Result) -> None:
    """Beyond the plan only those were trained that were trained again, or not yet told."""
    attempts = residents.attempts(setting.folder)
    untold = 0.0
    for trial in result.trials:
        entered = 0.0
        *lost, _ = attempts[trial.params["x"]]
        for attempt in lost:
            # the bus knows at least of the rungs that this attempt was the first to enter
            told = [0.0, *(r.resource for r in trial.rungs if r.resource <= attempt.reported)][-1]
            untold += attempt.epochs - (told if told > entered else 0.0)
            entered = max(entered, told)
    trained = sum(attempt.epochs for its in attempts.values() for attempt in its)
    planned = sum(trial.resource for trial in result.trials)
    again = result.bus.retrained_resource
    setting.outcome.expect(
        planned + again <= trained <= planned + again + untold,
        f"{case}: {trained} epochs were trained, not {planned:g} + {again:g} to {untold:g} more",
    )
    setting.outcome.notes.append(
        f"{case}: {trained} epochs: {planned:g} of the plan, {again:g} trained again, "
        f"{trained - planned - again:g} of at most {untold:g} untold; "
        f"{result.bus.requeued} attempts lost, {result.bus.dropped_residents} residents dropped"
    )


def _check_undisturbed(setting: Setting, case: str, result: ab.Result) -> None:
    """Nothing was trained again but what a worker had no room for."""
    again, dropped = result.bus.retrained_resource, result.bus.dropped_residents
    kept = not result.bus.requeued and (not again or dropped > 0)
    setting.outcome.expect(kept, f"{case}: {again:g} epochs were trained again for nothing")
