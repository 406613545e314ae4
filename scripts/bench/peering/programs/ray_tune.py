"""Ray Tune; with the word ``reuse`` as argument its actors run several trials."""

from __future__ import annotations

import sys

import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler

from bench.peering import recording as record
from bench.peering.curve import FACTOR, NAMES, STEPS, loss

STEP_S = record.asked().step_s


# user begins
def train(params: dict[str, float]) -> None:
    """Train, and report after each step."""
    with record.trial():
        for step in range(1, STEPS + 1):
            value = loss(params, step, STEP_S)
            with record.report():
                tune.report({"loss": value})


# user ends


if __name__ == "__main__":
    ask = record.asked()
    ray.init(
        num_cpus=ask.workers,
        include_dashboard=False,
        object_store_memory=200_000_000,
        log_to_driver=False,
    )
    record.called()
    # user begins
    tuner = tune.Tuner(
        train,
        param_space={name: tune.uniform(0, 1) for name in NAMES},
        tune_config=tune.TuneConfig(
            metric="loss",
            mode="min",
            scheduler=ASHAScheduler(max_t=STEPS, grace_period=1, reduction_factor=FACTOR),
            num_samples=-1,
            time_budget_s=ask.seconds,
            max_concurrent_trials=ask.workers,
            reuse_actors="reuse" in sys.argv,
        ),
        run_config=tune.RunConfig(storage_path=f"{ask.folder}/ray", verbose=0),
    )
    tuner.fit()
    # user ends
    ray.shutdown()
