"""Syne Tune with its local backend."""

from __future__ import annotations

import logging
from pathlib import Path

from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend import LocalBackend
from syne_tune.config_space import uniform
from syne_tune.optimizer.baselines import ASHA

from bench.peering import recording as record
from bench.peering.curve import FACTOR, NAMES, STEPS

if __name__ == "__main__":
    ask = record.asked()
    logging.getLogger().setLevel(logging.ERROR)
    record.called()
    # user begins
    scheduler = ASHA(
        {name: uniform(0, 1) for name in NAMES},
        metric="loss",
        time_attr="step",
        max_t=STEPS,
        grace_period=1,
        reduction_factor=FACTOR,
    )
    tuner = Tuner(
        trial_backend=LocalBackend(str(Path(__file__).with_name("syne_trial.py"))),
        scheduler=scheduler,
        stop_criterion=StoppingCriterion(max_wallclock_time=ask.seconds),
        n_workers=ask.workers,
        sleep_time=0.1,
    )
    tuner.run()
    # user ends
