"""Results of any size, made in virtual time by the real rule on made-up learning curves."""

from __future__ import annotations

import heapq
import math
from random import Random
from typing import Any

from support.results import QUIET_BUS

from asha_bus import (
    ASHA,
    RandomSearch,
    Result,
    Space,
    TrialRecord,
    TrialState,
    choice,
    loguniform,
    randint,
    uniform,
)
from asha_bus.core.events import RunSettings
from asha_bus.core.schedulers import Scheduler
from asha_bus.core.trial import Trial

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

TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "train.py", line 12, in train\n'
    "ValueError: loss is no number"
)


def loss(params: dict[str, Any], resource: float, random: Random) -> float:
    """A learning curve that depends on the learning rate most, and on dropout not at all."""
    miss = abs(math.log10(params["lr"]) + 2.2)
    floor = 0.08 + 0.25 * miss**2 + 0.1 * abs(params["units"] - 128) / 128
    floor += {"relu": 0.0, "tanh": 0.03, "gelu": 0.01}[params["act"]]
    return floor + 1.6 * resource ** -(0.9 / (1 + miss)) + random.gauss(0, 0.01)


def simulated(
    count: int,
    *,
    workers: int = 8,
    scheduler: Scheduler | None = None,
    seed: int = 0,
    until: float = math.inf,
) -> Result:
    """The result of a run of ``count`` trials; every 50th fails.

    ``until``: seconds after which the run is looked at, while it goes on.
    """
    scheduler = scheduler or ASHA(max_resource=243)
    rule, search, random = scheduler.new_state(mode="min", seed=seed), RandomSearch(), Random(seed)
    trials: list[Trial] = []
    params: list[dict[str, Any]] = []
    #: When who comes to its next rung: time, worker, trial.
    coming: list[tuple[float, int, Trial]] = []

    def begin(now: float, worker: int) -> None:
        if len(trials) == count or now > until:
            return
        point = search.draw(SPACE, len(trials), seed)
        trial = Trial(len(trials), point, seed=len(trials), state=TrialState.RUNNING)
        trial.attempt, trial.worker, trial.start_time = 1, f"local-{worker}.1", EPOCH + now
        rule.assign(trial, random)
        trials.append(trial)
        params.append(SPACE.resolve(point))
        come_again(now, worker, trial)

    def come_again(now: float, worker: int, trial: Trial) -> None:
        resource = rule.next_resource(trial)
        assert resource is not None
        duration = (resource - trial.resource) * STEP_S * (1 + params[trial.id]["units"] / 256)
        heapq.heappush(coming, (now + duration, worker, trial))

    def end(now: float, worker: int, trial: Trial, state: TrialState) -> None:
        trial.move(state)
        trial.end_time = EPOCH + now
        begin(now, worker)

    for worker in range(workers):
        begin(0.25 * worker, worker)
    now = 0.0
    while coming and coming[0][0] <= until:
        now, worker, trial = heapq.heappop(coming)
        if trial.id % 50 == 49:
            trial.error = TRACEBACK
            end(now, worker, trial, TrialState.FAILED)
            continue
        resource = rule.next_resource(trial)
        assert resource is not None
        metric = loss(params[trial.id], resource, random)
        decision = rule.report(trial, resource, metric)
        trial.metric, trial.resource = metric, resource
        trial.best_metric = min(metric, trial.best_metric or metric)
        trial.rungs += decision.records
        if decision.verdict == "continue":
            come_again(now, worker, trial)
        else:
            stopped = decision.verdict == "stop"
            end(now, worker, trial, TrialState.STOPPED if stopped else TrialState.COMPLETED)
    return Result(
        name="digits",
        mode="min",
        seed=seed,
        space=SPACE,
        trials=[TrialRecord.from_row(trial.to_row(), SPACE) for trial in trials],
        reason="unfinished" if coming else "max_trials",
        message="",
        elapsed_s=min(until, now),
        bus=QUIET_BUS,
        settings=RunSettings("run", scheduler, seed, max_trials=count, epoch=EPOCH),
    )
