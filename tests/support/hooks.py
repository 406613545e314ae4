"""Functions that stop trials and runs, as a user might write them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import asha_bus as ab


class Above:
    """Stops each trial whose last metric at a rung is above ``most``; notes what it was asked."""

    def __init__(self, most: float, folder: Path) -> None:
        self.most, self.folder = most, folder

    def __call__(self, history: ab.TrialRecord) -> bool:
        last = history.rungs[-1]
        with (self.folder / f"asked-{os.getpid()}").open("a") as file:
            file.write(f"{history.id} {len(history.rungs)} {history.state}\n")
        return last.metric > self.most


class After:
    """Ends the run after ``trials`` trials; notes what it was asked."""

    def __init__(self, trials: int, folder: Path) -> None:
        self.trials, self.folder = trials, folder

    def __call__(self, summary: ab.RunSummary) -> bool:
        with (self.folder / f"summaries-{os.getpid()}").open("a") as file:
            file.write(f"{summary!r}\n")
        return summary.ended >= self.trials


def asked(folder: Path, kind: str = "asked") -> list[str]:
    """What all processes of hooks noted."""
    return [line for path in folder.glob(f"{kind}-*") for line in path.read_text().splitlines()]


def divides(history: ab.TrialRecord) -> bool:
    """Breaks at once."""
    return history.metric / 0 > 1  # type: ignore[operator]


def forgets(summary: ab.RunSummary) -> None:
    """Does not say."""


def hangs(summary: ab.RunSummary) -> bool:
    """Takes longer than any test."""
    time.sleep(600)
    return True


def dies(history: ab.TrialRecord) -> bool:
    """Ends its process."""
    os._exit(3)
