"""Objectives that go wrong in ways that a run must tell."""

from __future__ import annotations

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
