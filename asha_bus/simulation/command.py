"""The command ``asha-bus simulate``: a run on curves like those of networks, or on a journal."""

from __future__ import annotations

import argparse
import time

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.messages import Point
from asha_bus.core.schedulers import (
    ASHA,
    Hyperband,
    MedianStopping,
    NoStopping,
    PromotionASHA,
    Scheduler,
    Schedulers,
    SuccessiveHalving,
)
from asha_bus.core.schedulers.asha import levels_below
from asha_bus.core.space import Space, uniform
from asha_bus.simulation import recorded
from asha_bus.simulation._simulate import simulate
from asha_bus.simulation.outcome import Simulated

#: What holds without a journal.
_TRIALS, _WORKERS, _RESOURCE, _STEP_S = 10_000, 100, 256.0, 10.0

#: How good a configuration becomes, how fast it learns, and where it starts.
SPACE = Space(quality=uniform(0, 1), speed=uniform(0, 1), start=uniform(0, 1))


def curve(point: Point, resource: float) -> float:
    """A loss that falls by a power of the resource; curves cross, as those of networks do."""
    quality, speed, start = point
    final = 0.05 + quality * quality
    fall: float = (1.0 + resource / 2.0) ** (-0.3 - speed)
    return final + (1.0 + start) * fall


def scheduler_of(name: str, most: float, least: float, eta: int, trials: int) -> Scheduler:
    """The scheduler called ``name`` for ``trials`` from resource ``least`` to ``most``."""
    if name == "asha":
        return ASHA(most, least, eta)
    if name == "promotion":
        return PromotionASHA(most, least, eta)
    if name == "halving":
        levels = [*levels_below(most, least, eta, 0), most]
        added = [b - a for a, b in zip([0, *levels], levels, strict=False)]
        keeps = [max(trials // eta ** (k + 1), 1) for k in range(len(levels))]
        return SuccessiveHalving(list(zip(added, keeps, strict=True)))
    if name == "hyperband":
        return Hyperband.classic(most, eta, least)
    if name == "median":
        return MedianStopping(most, grace=least, interval=least)
    return NoStopping(most)


def run(given: argparse.Namespace, schedulers: Schedulers = ()) -> str:
    """Simulate, and return what is to be shown."""
    began_s = time.process_time()
    simulated = _simulated(given, schedulers)
    taken_s = time.process_time() - began_s
    per_s = simulated.decisions / taken_s if taken_s else 0.0
    return f"{simulated}\n\n{taken_s:,.1f} s of processor time, {per_s:,.0f} decisions a second"


def _simulated(given: argparse.Namespace, schedulers: Schedulers) -> Simulated:
    common = {
        "workers": given.workers,
        "latency_s": given.latency_s,
        "service_s": given.service_s,
        "failures": given.failures,
        "losses": given.losses,
        "max_time": given.max_time,
        "seed": given.seed,
    }
    if given.journal is None:
        trials = given.trials or _TRIALS
        most = _RESOURCE if given.max_resource is None else given.max_resource
        name = given.scheduler or "asha"
        return simulate(
            curve,
            SPACE,
            scheduler=scheduler_of(name, most, given.min_resource, given.eta, trials),
            max_trials=trials,
            step_s=_STEP_S if given.step_s is None else given.step_s,
            **{**common, "workers": given.workers or _WORKERS},
        )

    journal = recorded.read(given.journal, schedulers)
    scheduler = None
    if given.scheduler is not None:
        most = given.max_resource
        if most is None:
            most = journal.settings.scheduler.full_resource
        if most is None:
            raise InvalidArgument(
                "the journal's scheduler has no max_resource; give one by --max-resource"
            )
        trials = min(given.trials or len(journal.rows), len(journal.rows))
        scheduler = scheduler_of(given.scheduler, most, given.min_resource, given.eta, trials)
    elif given.max_resource is not None:
        raise InvalidArgument("--max-resource also needs --scheduler")
    return simulate(
        journal, scheduler=scheduler, max_trials=given.trials, step_s=given.step_s, **common
    )
