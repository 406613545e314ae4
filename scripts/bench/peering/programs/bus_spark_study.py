"""The program of ``mlflow_spark`` with asha-bus's study, on Spark."""

from __future__ import annotations

from optuna.samplers import RandomSampler

from asha_bus.optuna import MlflowSparkStudy
from bench.peering import recording as record
from bench.peering.programs.optuna_objective import PRUNER, objective
from bench.peering.programs.spark_session import session

if __name__ == "__main__":
    ask = record.asked()
    session(ask.workers)
    record.called()
    # user begins
    study = MlflowSparkStudy("peers", None, RandomSampler(), PRUNER)
    study.optimize(objective, n_trials=ask.trials * 1000, timeout=ask.seconds, n_jobs=ask.workers)
    # user ends
