"""The scheduler that does what a pruner of Optuna does."""

from __future__ import annotations

import math
from typing import Any

from optuna import pruners

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.schedulers import ASHA, MedianStopping, NoStopping, Scheduler
from asha_bus.core.schedulers.base import MAX_RESOURCE

_SERVED = "SuccessiveHalvingPruner, HyperbandPruner, MedianPruner or NopPruner"


def scheduler_of(pruner: Any) -> Scheduler:
    """The scheduler for ``pruner``; `InvalidArgument` says which are served.

    Rungs are the same steps; which trials pass them is decided by asha-bus.
    """
    kind = type(pruner)
    if kind is pruners.NopPruner:
        return NoStopping()
    if kind is pruners.SuccessiveHalvingPruner:
        return _halving(pruner)
    if kind is pruners.HyperbandPruner:
        return _hyperband(pruner)
    if kind is pruners.MedianPruner:
        return MedianStopping(
            max_resource=MAX_RESOURCE,
            grace=pruner._n_warmup_steps + 1,
            min_samples=max(pruner._n_startup_trials, pruner._n_min_trials, 1),
            interval=pruner._interval_steps,
        )
    raise InvalidArgument(
        f"pruner={shortened(pruner)} of type {kind.__name__} is not supported, since the bus "
        f"decides; use {_SERVED}, or pass scheduler= to optimize()"
    )


def _halving(pruner: Any) -> ASHA:
    _check_bootstrap(pruner)
    factor = pruner._reduction_factor
    least = pruner._min_resource or 1  # None: "auto", of which a bus knows nothing beforehand
    least *= factor**pruner._min_early_stopping_rate
    return ASHA(max_resource=None, min_resource=least, reduction_factor=factor)


def _hyperband(pruner: Any) -> ASHA:
    _check_bootstrap(pruner)
    most, factor = pruner._max_resource, pruner._reduction_factor
    if not isinstance(most, int):
        raise InvalidArgument(
            f"HyperbandPruner: max_resource={most!r} is not supported, since brackets are made "
            f"before the first trial; give the number of steps"
        )
    # one rung more than Hyperband has, so that the bus completes no trial before its own end
    brackets = 1 + math.floor(math.log(most / pruner._min_resource) / math.log(factor) + 1e-9)
    return ASHA(
        max_resource=pruner._min_resource * factor**brackets,
        min_resource=pruner._min_resource,
        reduction_factor=factor,
        brackets=brackets,
    )


def _check_bootstrap(pruner: Any) -> None:
    if pruner._bootstrap_count:
        raise InvalidArgument(
            f"{type(pruner).__name__}: bootstrap_count={pruner._bootstrap_count} is not supported, "
            f"since it prunes the first trials unseen; leave it out"
        )
