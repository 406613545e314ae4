"""An objective written for Optuna, which all studies of Optuna's kind run unchanged."""

from __future__ import annotations

import optuna

from bench.peering import recording as record
from bench.peering.curve import FACTOR, NAMES, STEPS, loss

STEP_S = record.asked().step_s


# user begins
def objective(trial: optuna.Trial) -> float:
    """Train, and report after each step."""
    with record.trial():
        params = {name: trial.suggest_float(name, 0, 1) for name in NAMES}
        for step in range(1, STEPS + 1):
            value = loss(params, step, STEP_S)
            with record.report():
                trial.report(value, step)
                is_bad = trial.should_prune()
            if is_bad:
                raise optuna.TrialPruned
        return value


PRUNER = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=FACTOR)
# user ends
optuna.logging.set_verbosity(optuna.logging.WARNING)
