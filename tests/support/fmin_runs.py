"""Runs of fmin and of hyperopt's with the same arguments."""

from __future__ import annotations

from typing import Any

import hyperopt
import numpy as np
from hyperopt import hp, rand
from hyperopt.pyll import scope

import asha_bus as ab

SPACE = {
    "lr": hp.loguniform("lr", -7, 0),
    "depth": scope.int(hp.quniform("depth", 1, 10, 1)),
    "model": hp.choice("model", [{"C": hp.lognormal("C", 0, 1)}, {"gamma": hp.uniform("g", 0, 1)}]),
}
X = {"x": hp.uniform("x", -5, 5)}


def run(fn: Any, space: Any = X, **arguments: Any) -> Any:
    """`ab.fmin` by random search, quietly."""
    settings: dict[str, Any] = {"algo": rand.suggest, "verbose": False, "rstate": 7}
    return ab.fmin(fn, space, **{**settings, **arguments})


def their_run(fn: Any, space: Any = X, **arguments: Any) -> Any:
    """hyperopt's, with the same arguments."""
    settings: dict[str, Any] = {"algo": rand.suggest, "verbose": False}
    rstate = np.random.default_rng(7)
    return hyperopt.fmin(fn, space, **{**settings, "rstate": rstate, **arguments})


def new_trials() -> Any:
    """Trials of ours, whose result is there after a run."""
    return ab.Trials()
