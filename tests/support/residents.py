"""Objectives for schedulers that pause trials, which write down what they do."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asha_bus as ab


def note(folder: str, *words: object) -> None:
    """Write down ``words``, in a file of this process."""
    with (Path(folder) / f"notes-{os.getpid()}").open("a") as file:
        print(*words, file=file)


def by_yield(x: float, folder: str, step_s: float) -> Iterator[float]:
    """Notes each epoch before its report, and its end; a smaller x is better."""
    try:
        for step in range(1, 1_000):
            time.sleep(step_s)
            note(folder, "epoch", x, step)
            yield x + 1 / step
    finally:
        note(folder, "end", x, 0)


def by_report(trial: ab.Trial) -> None:
    """The same by hand."""
    x, folder, step_s = (trial.params[name] for name in ("x", "folder", "step_s"))
    try:
        for step in trial:
            time.sleep(step_s)
            note(folder, "epoch", x, step + 1)
            trial.report(x + 1 / (step + 1))
    finally:
        note(folder, "end", x, 0)


def prints_steps(trial: ab.Trial) -> None:
    """Prints which trial it is at each step."""
    for step in trial:
        print(f"trial {trial.id} at step {step + 1}")
        trial.report(trial.params["x"])


def waits_for_the_end_of_another(trial: ab.Trial) -> None:
    """Trial 0 pauses for good; trial 1 continues until the clean-up of trial 0 has run."""
    folder = Path(trial.params["folder"])
    try:
        for step in trial:
            note(str(folder), "epoch", trial.id, step + 1)
            deadline = time.monotonic() + 60
            while step == 0 and len(begun(folder)) < 2 and time.monotonic() < deadline:
                time.sleep(0.01)  # each has a worker
            while trial.id == 1 and not (folder / "go").exists() and time.monotonic() < deadline:
                time.sleep(0.01)  # trial 0 has paused, and its worker waits
            while step == 1 and not ended(folder) and time.monotonic() < deadline:
                time.sleep(0.01)
            trial.report(-trial.id, others=len(ended(folder)))
    finally:
        note(str(folder), "end", trial.id, 0)


def hangs_later(trial: ab.Trial) -> None:
    """Sleeps in trial 5, a little at a time."""
    for _ in trial:
        try:
            while trial.id == 5:
                time.sleep(0.05)
        finally:
            if trial.id == 5:
                note(trial.params["folder"], "end", trial.id, 0)
        trial.report(trial.params["x"])


def cleans_up_slowly(x: float, folder: str) -> Iterator[float]:
    """Has a clean-up without an end, which an interrupt ends."""
    try:
        for step in range(1, 1_000):
            time.sleep(0.01)
            yield x + 1 / step
    finally:
        try:
            time.sleep(600)
        finally:
            note(folder, "end", x, 0)


def is_deaf_later(trial: ab.Trial) -> None:
    """Ignores in trial 5 that it is interrupted; all others are well."""
    for _ in trial:
        while trial.id == 5:
            try:
                time.sleep(0.05)
            except BaseException:
                pass
        trial.report(trial.params["x"])


def space_of(folder: Path, step_s: float = 0.0) -> ab.Space:
    """The space of `by_yield` and `by_report`."""
    return ab.Space(x=ab.uniform(0, 1), folder=str(folder), step_s=step_s)


def _notes(folder: Path) -> Iterator[tuple[str, float, int]]:
    for path in sorted(folder.glob("notes-*")):
        for line in path.read_text().splitlines():
            word, x, step = line.split()
            yield word, float(x), int(step)


def counts(folder: Path, word: str) -> int:
    """How often ``word`` was written down."""
    return sum(each == word for each, _, _ in _notes(folder))


def epochs(folder: Path) -> Counter[tuple[float, int]]:
    """How often each epoch of each configuration was trained."""
    return Counter((x, step) for word, x, step in _notes(folder) if word == "epoch")


def begun(folder: Path) -> Counter[float]:
    """How often each configuration was begun."""
    return Counter(x for word, x, step in _notes(folder) if word == "epoch" and step == 1)


def ended(folder: Path) -> Counter[float]:
    """How often the clean-up of each configuration ran."""
    return Counter(x for word, x, step in _notes(folder) if word == "end")
