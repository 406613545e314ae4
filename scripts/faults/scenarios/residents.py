"""Objectives of the scenarios whose trials pause, and what these wrote down of their epochs."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lib.processes import is_alive

import asha_bus as ab
from faults.scenarios import answers
from faults.scenarios.launching import Setting


class Note(NamedTuple):
    """What an attempt did: ``epoch`` or ``end``."""

    pid: int
    word: str
    #: When the attempt began, in nanoseconds: no two of a process are the same.
    attempt: int
    x: float
    step: int
    #: On the monotonic clock.
    at: float


class _Notebook:
    """Writes down what one attempt does, so that nothing is lost with its process."""

    def __init__(self, x: float, folder: str) -> None:
        self._folder = Path(folder)
        self._began, self._x = time.monotonic_ns(), x

    def write(self, word: str, step: int = 0) -> None:
        with (self._folder / f"notes-{os.getpid()}").open("a") as file:
            print(word, self._began, self._x, step, time.monotonic(), file=file)


def by_yield(x: float, folder: str, step_s: float) -> Iterator[float]:
    """Notes each epoch before its report, and its end; a smaller x is better."""
    notebook = _Notebook(x, folder)
    try:
        for step in range(1, 1_000):
            notebook.write("epoch", step)
            answers.pace(Path(folder), step_s)
            yield x + 1 / step
    finally:
        notebook.write("end")


def by_report(trial: ab.Trial) -> None:
    """The same by hand."""
    x, folder, step_s = (trial.params[name] for name in ("x", "folder", "step_s"))
    notebook = _Notebook(x, folder)
    try:
        for step in range(1, 1_000):
            notebook.write("epoch", step)
            answers.pace(Path(folder), step_s)
            if not trial.report(x + 1 / step):
                return
    finally:
        notebook.write("end")


def by_checkpoint(trial: ab.Trial) -> None:
    """The same, with hooks that save and load it; fails where an epoch does not follow on."""
    x, folder, step_s = (trial.params[name] for name in ("x", "folder", "step_s"))
    notebook = _Notebook(x, folder)
    done = 0

    def save(path: str) -> None:
        Path(path).write_text(str(done))
        (Path(folder) / f"saved-{x}-{done}").touch()

    def load(path: str) -> None:
        nonlocal done
        done = int(Path(path).read_text())
        (Path(folder) / f"loaded-{x}-{time.monotonic_ns()}").touch()

    trial.checkpoint(save, load)
    try:
        for step in trial:
            if step != done:
                raise ValueError(f"epoch {step} follows on {done} epochs")
            notebook.write("epoch", step + 1)
            answers.pace(Path(folder), step_s)
            done = step + 1
            trial.report(x + 1 / done)
    finally:
        notebook.write("end")


class Case(NamedTuple):
    """A run whose trials pause."""

    scheduler: Any
    objective: Any
    #: None: as many as the plans are made for.
    trials: int | None


CASES = {
    "halving": Case(ab.SuccessiveHalving([(2, 30), (4, 12), (6, 4)]), by_yield, 60),
    "hyperband": Case(ab.Hyperband.classic(27), by_report, None),
    "promotion": Case(ab.PromotionASHA(max_resource=27), by_yield, 100),
}
#: A run whose workers have room for one paused trial, so that the others are saved.
SAVED = Case(ab.SuccessiveHalving([(4, 20), (4, 8), (8, 2)], max_resident=1), by_checkpoint, 40)


def launch(setting: Setting, case: str, *, step_s: float = 0.2, **arguments: Any) -> ab.Run:
    """Begin a run of one of `CASES`, or that of `SAVED`."""
    chosen: Case = CASES.get(case, SAVED)
    scheduler, objective, trials = chosen
    setting.space = ab.Space(x=ab.uniform(0, 1), folder=str(setting.folder), step_s=step_s)
    return setting.start(
        objective, setting.space, scheduler=scheduler, max_trials=trials, **arguments
    )


def read(folder: Path) -> list[Note]:
    """All notes there are, in order."""
    found = []
    for path in folder.glob("notes-*"):
        pid = int(path.name.partition("-")[2])
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                word, attempt, x, step, at = line.split()
                found.append(Note(pid, word, int(attempt), float(x), int(step), float(at)))
    return sorted(found, key=lambda note: note.at)


class Attempt(NamedTuple):
    """How far an attempt came, and up to where its reports were surely answered."""

    epochs: int
    reported: int


def attempts(folder: Path) -> dict[float, list[Attempt]]:
    """The attempts at each configuration, in order."""
    found: dict[float, dict[int, Attempt]] = defaultdict(dict)
    latest: dict[int, Note] = {}
    for note in read(folder):
        before = latest.get(note.pid)
        if before is not None and before.attempt != note.attempt and before.word == "epoch":
            # the worker does something else: it was told to pause
            found[before.x][before.attempt] = Attempt(before.step, before.step)
        latest[note.pid] = note
        if note.word == "epoch":
            found[note.x][note.attempt] = Attempt(note.step, note.step - 1)
    return {x: [its[began] for began in sorted(its)] for x, its in found.items()}


def open_attempts(folder: Path) -> dict[int, int]:
    """For each living worker, how many attempts are in its memory; one of them may run."""
    found: dict[int, set[int]] = defaultdict(set)
    for note in read(folder):
        if note.word == "epoch":
            found[note.pid].add(note.attempt)
        else:
            found[note.pid].discard(note.attempt)
    return {pid: len(its) for pid, its in found.items() if its and is_alive(pid)}
