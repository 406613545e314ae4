"""The scheduler that does what a pruner of Optuna does."""

from __future__ import annotations

import math
from typing import Any

from optuna import pruners

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.schedulers import ASHA, AskPruner, MedianStopping, NoStopping, Scheduler


def scheduler_of(pruner: Any) -> Scheduler:
    """The scheduler for ``pruner``; raises `InvalidArgument` if that is none.

    Rungs are the same steps; which trials pass them is decided by asha-bus. What no scheduler
    does is left to the pruner itself.
    """
    kind = type(pruner)
    if kind is pruners.NopPruner:
        return NoStopping()
    if kind is pruners.SuccessiveHalvingPruner and not pruner._bootstrap_count:
        return _halving(pruner)
    # with "auto", brackets would follow from the first trial
    is_fixed = kind is pruners.HyperbandPruner and isinstance(pruner._max_resource, int)
    if is_fixed and not pruner._bootstrap_count:
        return _hyperband(pruner)
    if kind is pruners.MedianPruner:
        return MedianStopping(
            max_resource=None,
            grace=pruner._n_warmup_steps + 1,
            min_samples=max(pruner._n_startup_trials, pruner._n_min_trials, 1),
            interval=pruner._interval_steps,
        )
    if not isinstance(pruner, pruners.BasePruner):
        raise InvalidArgument(
            f"pruner={shortened(pruner)} of type {kind.__name__} is not a pruner; give one of "
            f"Optuna, a subclass of optuna.pruners.BasePruner, or pass scheduler= to optimize()"
        )
    return AskPruner(kind.__name__)


def _halving(pruner: Any) -> ASHA:
    factor = pruner._reduction_factor
    least = pruner._min_resource or 1  # None: "auto", of which a bus knows nothing beforehand
    least *= factor**pruner._min_early_stopping_rate
    return ASHA(max_resource=None, min_resource=least, reduction_factor=factor)


def _hyperband(pruner: Any) -> ASHA:
    most, factor = pruner._max_resource, pruner._reduction_factor
    # one rung more than Hyperband has, so that the bus completes no trial before its own end
    brackets = 1 + math.floor(math.log(most / pruner._min_resource) / math.log(factor) + 1e-9)
    return ASHA(
        max_resource=pruner._min_resource * factor**brackets,
        min_resource=pruner._min_resource,
        reduction_factor=factor,
        brackets=brackets,
    )
