"""Hyperopt's SparkTrials, which stop no trial early."""

from __future__ import annotations

from hyperopt import SparkTrials, fmin, hp, rand

from bench.peering import recording as record
from bench.peering.curve import NAMES, STEPS, loss
from bench.peering.programs.spark_session import session

STEP_S = record.asked().step_s


# user begins
def train(params: dict[str, float]) -> float:
    """Train to the end, and return the loss."""
    with record.trial():
        for step in range(1, STEPS + 1):
            value = loss(params, step, STEP_S)
        return value


# user ends


if __name__ == "__main__":
    ask = record.asked()
    spark = session(ask.workers)
    record.called()
    # user begins
    fmin(
        train,
        {name: hp.uniform(name, 0, 1) for name in NAMES},
        algo=rand.suggest,
        max_evals=ask.trials,
        trials=SparkTrials(ask.workers, timeout=ask.seconds, spark_session=spark),
        show_progressbar=False,
    )
    # user ends
