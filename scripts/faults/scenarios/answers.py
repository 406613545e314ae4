"""The objective of the scenarios, and what it wrote down of the answers that it got."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple, TextIO

import asha_bus as ab

MAX_RESOURCE = 9
SCHEDULER = ab.ASHA(max_resource=MAX_RESOURCE)
#: Where the bus is asked: at the rungs of `SCHEDULER`, and at the end.
RUNGS = (1, 3)
ASKED = (*RUNGS, MAX_RESOURCE)

#: Once a file of this name is in the folder, no step takes time any more.
_HURRY = "hurry"


class Answer(NamedTuple):
    """One report of a worker that was answered. Times are on the monotonic clock."""

    pid: int
    trial: int
    attempt: int
    step: int
    goes_on: bool
    asked: float
    ended: float
    #: The wall clock's time of the answer.
    wall: float


def paced(trial: ab.Trial) -> None:
    """Reports in steps of ``pause_s``, and writes down, per process, what was answered.

    One of the processes, the first to come, waits for ``slow_s`` besides.
    """
    folder = Path(trial.params["folder"])
    pause_s = trial.params["pause_s"]
    if trial.params["slow_s"] and _is_first(folder):
        pause_s += trial.params["slow_s"]
    with (folder / f"answered-{os.getpid()}").open("a") as file:
        try:
            _report(trial, folder, pause_s, file)
        finally:
            (folder / f"finally-{os.getpid()}").touch()


def _report(trial: ab.Trial, folder: Path, pause_s: float, file: TextIO) -> None:
    for step in range(1, MAX_RESOURCE + 1):
        pace(folder, pause_s)
        asked = time.monotonic()
        goes_on = trial.report(trial.params["x"] + 1 / step)
        if step in ASKED:
            told = (trial.id, trial.attempt, step, int(goes_on), asked, time.monotonic())
            print(*told, time.time(), file=file, flush=True)
        if not goes_on:
            return


def pace(folder: Path, pause_s: float) -> None:
    """Take the time of a step."""
    if not (folder / _HURRY).exists():
        time.sleep(pause_s)


def _is_first(folder: Path) -> bool:
    """Whether this is the first process that asked this."""
    mine = str(os.getpid())
    try:
        with (folder / "slow").open("x") as file:
            file.write(mine)
    except FileExistsError:
        return slow_one(folder) == os.getpid()
    return True


def slow_one(folder: Path) -> int:
    """The process that is slow; 0 if there is none yet."""
    try:
        return int((folder / "slow").read_text() or 0)
    except FileNotFoundError:
        return 0


def space_of(folder: Path, pause_s: float, slow_s: float = 0.0) -> ab.Space:
    """The space of `paced`."""
    return ab.Space(x=ab.uniform(0, 1), folder=str(folder), pause_s=pause_s, slow_s=slow_s)


def hurry(folder: Path) -> None:
    """From now on no step takes time."""
    (folder / _HURRY).touch()


def read(folder: Path) -> list[Answer]:
    """All answers there are, in order."""
    found = []
    for path in folder.glob("answered-*"):
        pid = int(path.name.partition("-")[2])
        # a line that is not yet, or was never, written to its end does not count
        for line in path.read_text().splitlines(keepends=True):
            words = line.split()
            if line.endswith("\n") and len(words) == 7:
                whole = [int(word) for word in words[:4]]
                asked, ended, wall = map(float, words[4:])
                found.append(
                    Answer(pid, whole[0], whole[1], whole[2], bool(whole[3]), asked, ended, wall)
                )
    return sorted(found, key=lambda answer: answer.ended)
