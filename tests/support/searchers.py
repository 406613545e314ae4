"""Searchers as a user might write them, importable by their process: no base class, no observe."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from random import Random
from typing import Any

import asha_bus as ab


class Nearby:
    """A user's own, without a base class: half of its suggestions are near the best."""

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> Any:
        random = Random(branch.seed)
        metrics = {t.metric: t.params["x"] for t in history if t.metric is not None}
        if metrics and branch.trial % 2:
            x = metrics[min(metrics)] + random.gauss(0, 0.01)
            return {"x": min(max(x, 0), 1), "act": "tanh"}
        return {"x": random.random(), "act": random.choice(["relu", "tanh"])}


class Counts:
    """Suggests a thousandth of the number of trials whose end it knows."""

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> Any:
        ended = sum(trial.end_time is not None for trial in history)
        return {"x": ended / 1_000, "act": "tanh"}


class Drowsy(Nearby):
    """Takes a second for every fifth suggestion."""

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> Any:
        if branch.trial % 5 == 4:
            time.sleep(1.0)
        return {"x": 0.5, "act": "tanh"}


class OneOnly:
    """Always suggests the same, and takes its time."""

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> Any:
        time.sleep(0.3)
        return {"x": 1, "act": "tanh"}


class DiesEveryThird(Nearby):
    """Ends its process after each third suggestion."""

    said = 0

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> Any:
        self.said += 1
        if self.said > 3:
            os._exit(3)
        return super().suggest(branch, history)


class Few:
    """Has seven."""

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> Any:
        return {"x": branch.trial / 7, "act": "relu"} if branch.trial < 7 else None


class Fails(Nearby):
    """Breaks at the twentieth."""

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> Any:
        if branch.trial == 20:
            raise ArithmeticError("no more ideas")
        return super().suggest(branch, history)


class Deaf(Nearby):
    """Breaks at the first update it receives."""

    def observe(self, trial: ab.TrialRecord) -> None:
        raise ValueError("cannot hear")


class Says:
    """Suggests whatever it is made with; an exception is raised."""

    def __init__(self, what: Any) -> None:
        self.what = what

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> Any:
        if isinstance(self.what, type):
            raise self.what
        return self.what


class Dies(Nearby):
    """Ends its process."""

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> Any:
        os._exit(3)


class Unreadable(Nearby):
    """Can be pickled, but not read again."""

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> Any:
    raise ModuleNotFoundError("No module named 'elsewhere'")
