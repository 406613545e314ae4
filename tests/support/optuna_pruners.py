"""Pruners of a user's own."""

from __future__ import annotations

from typing import Any

from optuna.pruners import BasePruner


class EverySecond(BasePruner):
    """Prunes trials with an odd number, whose parameters and attributes it sees."""

    def prune(self, study: Any, trial: Any) -> bool:
        assert 0 <= trial.params["x"] <= 10
        assert trial.user_attrs["number"] == trial.number
        return bool(trial.number % 2 == 1 and trial.last_step >= 2)


class Knows(BasePruner):
    """Prunes at step 1 once the study knows enough intermediate values of other trials."""

    def __init__(self, enough: int) -> None:
        self._enough = enough

    def prune(self, study: Any, trial: Any) -> bool:
        others = [one for one in study.get_trials(deepcopy=False) if one.number != trial.number]
        known = sum(len(one.intermediate_values) for one in others)
        return bool(trial.last_step == 1 and known >= self._enough)


class NoLuckError(Exception):
    """What `Raises` raises."""


class Raises(BasePruner):
    """Raises in trial 2."""

    def __init__(self, error: type[Exception] = ZeroDivisionError) -> None:
        self._error = error

    def prune(self, study: Any, trial: Any) -> bool:
        if trial.number == 2:
            raise self._error("no luck")
        return False
