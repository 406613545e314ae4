"""Optuna, in memory, with threads."""

from __future__ import annotations

import optuna

from bench.peering import recording as record
from bench.peering.programs.optuna_objective import PRUNER, objective

if __name__ == "__main__":
    ask = record.asked()
    record.called()
    # user begins
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(), pruner=PRUNER)
    study.optimize(objective, timeout=ask.seconds, n_jobs=ask.workers)
    # user ends
