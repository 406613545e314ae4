"""Objectives as programs for Optuna have them; each runs on asha-bus and on Optuna itself."""

from __future__ import annotations

import os
import time
from typing import Any

from optuna import TrialPruned


def six(trial: Any) -> float:
    """A fixed space of six parameters of all kinds."""
    x = trial.suggest_float("x", -5, 5)
    y = trial.suggest_float("y", 1e-3, 10, log=True)
    z = trial.suggest_float("z", 0, 1, step=0.25)
    n = trial.suggest_int("n", 1, 9)
    m = trial.suggest_int("m", 1, 64, log=True)
    kind = trial.suggest_categorical("kind", ["a", None, 3])
    return float(x * x + y + z + n / 10 + m / 100 + (kind == "a"))


def branches(trial: Any) -> float:
    """A conditional space, as for two families of models."""
    family = trial.suggest_categorical("family", ["forest", "svc"])
    if family == "forest":
        depth = trial.suggest_int("depth", 1, 9)
        return float(depth)
    return float(trial.suggest_float("c", 1, 9, log=True))


def curve(trial: Any) -> float:
    """A pruning loop with steps from 0, and a final value of its own."""
    x = trial.suggest_float("x", 0, 10)
    for step in range(9):
        trial.report(x / (step + 1), step)
        if trial.should_prune():
            raise TrialPruned
    return float(x + 100)


def reports_each_tenth(trial: Any) -> float:
    """A pruning loop that reports at every tenth step alone."""
    x = trial.suggest_float("x", 0, 10)
    for step in range(10, 40, 10):
        trial.report(x / step, step)
        if trial.should_prune():
            raise TrialPruned
    return float(x)


def stops(trial: Any) -> float:
    """The fourth trial stops the study; each takes some milliseconds."""
    x = trial.suggest_float("x", 0, 1)
    time.sleep(0.01)
    if trial.number == 3:
        trial.study.stop()
    return float(x)


def never_asks(trial: Any) -> float:
    """It reports, and never asks whether to prune."""
    x = trial.suggest_float("x", 0, 10)
    for step in range(1, 5):
        trial.report(x, step)
    return float(x)


def tells(trial: Any) -> float:
    x = trial.suggest_float("x", 0, 1)
    trial.set_user_attr("number", trial.number)
    trial.set_user_attr("params", trial.params)
    trial.set_user_attr("step", [1, {"a": None}])
    return float(x)


def prunes_itself(trial: Any) -> float:
    x = trial.suggest_float("x", 0, 1)
    if trial.number % 2:
        if trial.number % 3:
            trial.report(x, 0)
        raise TrialPruned("enough")
    return float(x)


def raises_on_2(trial: Any) -> float:
    x = trial.suggest_float("x", 0, 1)
    if trial.number == 2:
        raise KeyError("two")
    return float(x)


def returns(value: Any) -> Any:
    """An objective that returns ``value`` in each trial but the first."""

    def objective(trial: Any) -> Any:
        x = trial.suggest_float("x", 0, 1)
        return value if trial.number else x

    return objective


def changes_kind(trial: Any) -> float:
    if trial.number == 0:
        return float(trial.suggest_float("x", 0, 1))
    return float(trial.suggest_int("x", 0, 1))


def changes_choices(trial: Any) -> float:
    choices = ["a", "b"] if trial.number == 0 else ["a", "c"]
    return float(len(trial.suggest_categorical("x", choices)))


def changes_in_a_trial(trial: Any) -> float:
    trial.suggest_float("x", 0, 1)
    return float(trial.suggest_categorical("x", [1, 2]))


def narrows(trial: Any) -> float:
    """The range of a name may change from trial to trial."""
    return float(trial.suggest_float("x", 0, 1 + trial.number))


def changes_its_names(trial: Any) -> float:
    """Each trial asks for a name that none before had."""
    x = trial.suggest_float("x", 0, 1)
    return float(x + trial.suggest_float(f"x{trial.number}", 0, 1))


def mixes_kinds(trial: Any) -> float:
    """Trials of different workers suggest the same name from different distributions."""
    if trial.number % 2:
        return float(trial.suggest_int("x", 0, 9))
    return float(trial.suggest_float("x", 0, 9))


def curve_with_number(trial: Any) -> float:
    """A pruning loop that tells its number."""
    trial.set_user_attr("number", trial.number)
    return curve(trial)


def dies_once(trial: Any) -> float:
    """The process of trial 0 dies after three steps, in its first attempt."""
    running = trial._running
    x = trial.suggest_float("x", 0, 10)
    for step in range(9):
        trial.report(x / (step + 1), step)
        if trial.should_prune():
            raise TrialPruned
        if (running.id, running.attempt, step) == (0, 1, 2):
            os._exit(1)
    return float(x + 100)
