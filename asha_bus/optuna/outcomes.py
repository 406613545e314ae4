"""What became of a trial, in Optuna's words."""

from __future__ import annotations

import json

from optuna.trial import TrialState as OptunaState

from asha_bus.core.trial import TrialState
from asha_bus.optuna.attributes import CAUGHT, PRUNED, STEP, STEPS
from asha_bus.results.records import TrialRecord


def outcome_of(trial: TrialRecord) -> tuple[OptunaState, float | None]:
    """The state of a trial that has ended, and the value of one that is complete.

    A trial that the end of the run cut off counts as pruned where it has reported.
    """
    if trial.extras.get(PRUNED):
        return OptunaState.PRUNED, None
    if why_infeasible(trial):
        return OptunaState.FAIL, None
    if trial.state is TrialState.COMPLETED:
        return OptunaState.COMPLETE, trial.metric
    if trial.state is TrialState.STOPPED:
        return OptunaState.PRUNED, None
    if trial.state is TrialState.CANCELLED and trial.metric is not None:
        return OptunaState.PRUNED, None
    return OptunaState.FAIL, None


def why_infeasible(trial: TrialRecord) -> str:
    """Why what the objective returned is not a value of Optuna's; empty: it is one."""
    why = trial.extras.get(CAUGHT)
    return why if isinstance(why, str) else ""


def steps_of(trial: TrialRecord) -> dict[int, float]:
    """The intermediate values that are known, by step."""
    last = trial.extras.get(STEP)
    if not isinstance(last, int):  # it has reported nothing, or failed before its first rung
        return {}
    is_final = trial.state is TrialState.COMPLETED and not trial.extras.get(PRUNED)
    points = dict(trial.reports)
    told = trial.extras.get(STEPS)
    if not isinstance(told, str):  # else they were entered by reports at later steps
        points.update((record.resource, record.metric) for record in trial.rungs)
    if trial.metric is not None and not is_final:  # else that is what the objective returned
        points.setdefault(trial.resource, trial.metric)
    shift = trial.resource - last  # 1 where steps count from 0
    steps = {round(at - shift): value for at, value in points.items()}
    if isinstance(told, str):
        steps.update((int(step), float(value)) for step, value in json.loads(told))
    return dict(sorted(steps.items()))
