"""Objectives that go wrong in ways that a run must tell."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import asha_bus as ab


def five_fail(trial: ab.Trial) -> None:
    """The first five raise; those after them are still running then."""
    if trial.id > 4:
        time.sleep(60)
    time.sleep(trial.id / 4)
    raise KeyError("momentum")


def two_kinds(trial: ab.Trial) -> None:
    """Every third trial raises, from trial 6 on something else."""
    trial.report(trial.params["x"])
    if trial.id % 3 == 2:
        raise KeyError("momentum") if trial.id < 6 else ValueError("a line\nand another")


def all_fail_slowly(trial: ab.Trial) -> None:
    """The first raises, the others are never done."""
    if trial.id:
        time.sleep(60)
    raise KeyError("momentum")


def nine(x: float) -> Iterator[float]:
    """Ends after nine steps."""
    for step in range(1, 10):
        yield x + 1 / step


def waits(x: float) -> float:
    """Takes a moment."""
    time.sleep(1.5)
    return x


def not_numbers(x: float) -> Iterator[float]:
    """Yields NaN three times, slowly enough to be looked at."""
    for _ in range(3):
        time.sleep(0.1)
        yield math.nan


def raises_in_its_clean_up(trial: ab.Trial) -> None:
    """Reports until it is stopped; its clean-up names its number in an error."""
    try:
        step = 0
        while trial.report(trial.id + step):
            step += 1
    finally:
        raise IndexError(f"index {trial.id} out of range")


def logs_two_lines(trial: ab.Trial) -> None:
    """Logs a text of two lines while a monitor draws, and ends with a number."""
    for step in range(4):
        time.sleep(0.3)
        trial.log(f"step {step} of trial {trial.id}\nand a second line")
        trial.report(step)


def fails_at_first(trial: ab.Trial) -> float:
    """Its first attempt raises, while a monitor draws."""
    time.sleep(0.7)
    if trial.attempt == 1:
        raise ValueError(f"trial {trial.id}")
    return 1.0


class NoIdea(ab.Searcher):
    """Raises when it is asked."""

    def suggest(self, branch: object, history: object) -> dict[str, object]:
        raise RuntimeError("no idea")
