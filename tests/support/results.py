"""Results made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lib.results import QUIET_BUS

from asha_bus import InvalidArgument, Result, RungRecord, Space, TrialRecord, TrialState, uniform

SPACE = Space(x=uniform(0, 1))


def make_trial(
    number: int,
    state: TrialState = TrialState.COMPLETED,
    metric: float | None = 0.5,
    *rungs: RungRecord,
    **fields: Any,
) -> TrialRecord:
    """A trial that ended; its resource is that of its last rung unless given."""
    given: dict[str, Any] = {
        "params": {"x": number / 10},
        "point": () if "params" in fields else (number / 10,),
        "best_metric": metric,
        "resource": rungs[-1].resource if rungs else 1,
        "attempts": 1,
        "worker": "w",
        "start_time": 0.0,
        "end_time": 1.0,
        "error": None,
        "extras": {},
        "bracket": 0,
        "seed": number,
        **fields,
    }
    given.setdefault("attempt_time", given["start_time"])
    return TrialRecord(id=number, state=state, metric=metric, rungs=rungs, **given)


def make_result(*trials: TrialRecord, **fields: Any) -> Result:
    """A result of these trials, which get the points of their parameters."""
    given: dict[str, Any] = {
        "name": "my-run",
        "mode": "min",
        "seed": 7,
        "space": SPACE,
        "reason": "max_trials",
        "message": "",
        "elapsed_s": 12.34,
        "bus": QUIET_BUS,
        **fields,
    }
    placed = [_placed(trial, given["space"]) for trial in trials]
    return Result(trials=placed, **given)


def _placed(trial: TrialRecord, space: Space) -> TrialRecord:
    """The trial with its point, if its parameters are of the space."""
    try:
        return trial if trial.point else replace(trial, point=space.point_of(trial.params))
    except InvalidArgument:
        return trial
