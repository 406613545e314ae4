"""Results of any size: runs of a made-up problem in virtual time, for tests of what shows them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Any

from asha_bus import (
    ASHA,
    RandomSearch,
    Result,
    Space,
    TrialRecord,
    choice,
    loguniform,
    randint,
    uniform,
)
from asha_bus.core.attempt import Attempt
from asha_bus.core.events import RunSettings
from asha_bus.core.schedulers import Scheduler
from asha_bus.results.records import BusReport
from asha_bus.searchers.adapter import Search, SearcherAdapter
from asha_bus.testing.simulator import Simulation, Step

SPACE = Space(
    lr=loguniform(1e-4, 1e-1),
    units=randint(8, 256),
    dropout=uniform(0, 0.5),
    act=choice("relu", "tanh", "gelu"),
    batch=choice(16, 32, 64),
)

#: The time of day at which these runs begin, and how long a unit of resource takes.
EPOCH = 1_700_000_000.0
STEP_S = 2.0

#: Workers join one after the other.
_JOIN_S = 0.25

_MAX_RESOURCE = 243

#: No worker is ever lost, so none need say that it is there.
_NEVER_S = 1e9

QUIET_BUS = BusReport(
    reports=0,
    decisions=0,
    latency_p50_s=math.nan,
    latency_p99_s=math.nan,
    busy_share=math.nan,
    router_cpu_s=0.0,
    process_cpu_s=0.0,
    workers=0,
    requeued=0,
    failed_attempts=0,
    fenced=0,
    retried=0,
    rejected=0,
    unauthenticated=0,
    unsent=0,
)


def loss(params: dict[str, Any], resource: float, random: Random) -> float:
    """A learning curve that depends on the learning rate most, and on dropout not at all."""
    miss = abs(math.log10(params["lr"]) + 2.2)
    floor = 0.08 + 0.25 * miss**2 + 0.1 * abs(params["units"] - 128) / 128
    floor += {"relu": 0.0, "tanh": 0.03, "gelu": 0.01}[params["act"]]
    found: float = floor + 1.6 * resource ** -(0.9 / (1 + miss)) + random.gauss(0, 0.01)
    return found


def train(attempt: Attempt) -> Iterator[Step]:
    """The objective: from rung to rung. Every 50th trial fails."""
    params = SPACE.resolve(attempt.assignment.point)
    random = Random(attempt.assignment.seed)
    done = 0.0
    while True:
        resource = attempt.next_resource or _MAX_RESOURCE
        seconds = (resource - done) * STEP_S * (1 + params["units"] / 256)
        if attempt.assignment.trial % 50 == 49:
            yield Step(seconds)
            raise ValueError("loss is not a number")
        yield Step(seconds, loss(params, resource, random), resource)
        done = resource


def simulated(
    count: int,
    *,
    workers: int = 8,
    scheduler: Scheduler | None = None,
    seed: int = 0,
    until: float = math.inf,
) -> Result:
    """The result of a run of ``count`` trials.

    ``until``: seconds after which the run is looked at, while it goes on.
    """
    settings = RunSettings(
        "run",
        scheduler or ASHA(max_resource=_MAX_RESOURCE),
        seed,
        max_trials=count,
        epoch=EPOCH,
        lease_s=_NEVER_S,
        heartbeat_s=_NEVER_S,
    )
    run = Simulation(settings, train, SearcherAdapter(Search(RandomSearch(), SPACE, seed, "min")))
    for number in range(workers):
        slot = f"local-{number}"
        run.clock.later(_JOIN_S * number, partial(run.join, slot, f"{slot}.1"))
    run.run(until)
    return Result(
        name="digits",
        mode="min",
        seed=seed,
        space=SPACE,
        trials=[TrialRecord.from_row(t.to_row(), SPACE) for t in run.experiment.table.trials],
        reason="unfinished" if run.ended is None else run.ended.reason,
        message="",
        elapsed_s=min(until, run.clock.now),
        bus=QUIET_BUS,
        settings=settings,
        rungs=run.experiment.scheduler.rungs(),
    )
