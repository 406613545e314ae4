"""MLflow's study of Optuna on Spark, which tracks in a file of SQLite."""

from __future__ import annotations

import mlflow
from mlflow.optuna.storage import MlflowStorage
from mlflow.pyspark.optuna.study import MlflowSparkStudy
from optuna.samplers import RandomSampler

from bench.peering import recording as record
from bench.peering.programs.optuna_objective import PRUNER, objective
from bench.peering.programs.spark_session import session

if __name__ == "__main__":
    ask = record.asked()
    session(ask.workers)
    # user begins
    uri = f"sqlite:///{ask.folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    experiment = mlflow.create_experiment("peers", f"file://{ask.folder}/mlruns")
    # user ends
    record.called()
    # user begins
    storage = MlflowStorage(experiment_id=experiment)
    study = MlflowSparkStudy("peers", storage, RandomSampler(), PRUNER, uri)
    study.optimize(objective, n_trials=ask.trials, timeout=ask.seconds, n_jobs=ask.workers)
    # user ends
