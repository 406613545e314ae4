"""How a run stands, in plain values: what monitors and metrics are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nlargest
from typing import Any, NamedTuple

from asha_bus.core.curves import Point
from asha_bus.core.events import Counters
from asha_bus.core.experiment import Experiment
from asha_bus.core.failures import Repeated
from asha_bus.core.latency import percentile
from asha_bus.core.messages import DROPPED_KINDS
from asha_bus.core.residents import WAIT_UNIT_S
from asha_bus.core.roster import HungWorker, WorkerTime
from asha_bus.core.trial import RungStanding, TrialRow, TrialState

#: The most workers that a status names with their paused trials.
MOST_HOLDERS = 100


class JournalFigures(NamedTuple):
    """What the journal has taken so far, and how long that took (seconds)."""

    size_bytes: int = 0
    writes: int = 0
    write_s: float = 0.0
    syncs: int = 0
    sync_s: float = 0.0


class BusFigures(NamedTuple):
    """What a bus process measures of itself; what it says by default is not known."""

    #: Times from a report to its answer, by bucket.
    server_latency: Mapping[int, int] = {}
    #: Seconds that the router did not wait, and processor seconds of its thread and process.
    busy_s: float = math.nan
    router_cpu_s: float = math.nan
    process_cpu_s: float = math.nan
    #: None: the journal is not written any more.
    journal: JournalFigures | None = None
    #: What was dropped, by kind.
    rejected: Mapping[str, int] = dict.fromkeys(DROPPED_KINDS, 0)

    @classmethod
    def from_plain(cls, plain: Sequence[Any]) -> BusFigures:
        """The figures in the array ``plain``."""
        figures = cls(*plain)
        journal = figures.journal and JournalFigures(*figures.journal)
        return figures._replace(journal=journal)


class Queues(NamedTuple):
    """How much waits in each place."""

    requeued: int
    suggestions: int
    undrawn: int
    waiting_workers: int


class PausingFigures(NamedTuple):
    """What is known of paused trials."""

    #: The paused trials in the memory of each worker that has some: of those with the most.
    by_worker: Mapping[str, int] = {}
    #: All of them, and the most that a worker ever had.
    residents: int = 0
    most_held: int = 0
    #: Residents that were dropped for lack of room.
    dropped: int = 0
    #: Trials that are to continue and wait for the worker that has them.
    waiting: int = 0
    #: How long such trials waited: the median, and the longest time. None: none did.
    wait_p50_s: float | None = None
    wait_max_s: float | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The numbers of a run at one moment. Times are in seconds."""

    elapsed_s: float
    states: Mapping[TrialState, int]
    #: Trials in a final state, and all that were begun.
    finished: int
    trials: int
    counters: Counters
    #: The leading trial.
    leader: TrialRow | None
    #: The resource of all attempts, and what stopped trials did not get of theirs.
    spent: float
    saved: float
    rungs: Sequence[RungStanding]
    #: Workers that are there, that ever joined, and departures.
    workers: int
    joined: int
    left: int
    #: Workers that joined in this launch, which may continue an earlier one.
    joined_now: int
    workers_by_state: Mapping[str, int]
    #: For how long the most silent worker was not heard of.
    silence_s: float
    #: The time of all workers until now, and until the last trial was given out.
    worker_s: WorkerTime
    busy: WorkerTime
    #: Round trips as the workers measured them, by bucket.
    latency: Mapping[int, int]
    queues: Queues
    #: Reports between rungs that nobody looked at in time.
    dropped: int
    #: The first trial of each kind of failure, by time.
    failures: Sequence[int]
    #: The warnings about trials, the first of each kind.
    warnings: Sequence[Repeated]
    bus: BusFigures
    pausing: PausingFigures
    #: Whether the run ends: trials that still run were told to stop.
    is_ending: bool = False
    #: Workers that stayed silent for too long, which the engine should replace.
    hung: Sequence[HungWorker] = ()
    #: The seconds in which each silent worker may still return.
    returns: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_plain(cls, plain: Sequence[Any]) -> Status:
        """The status whose fields the array ``plain`` holds, in their order."""
        raw: dict[str, Any] = dict(zip(cls.__slots__, plain, strict=True))
        read = {
            "states": {TrialState(name): count for name, count in raw["states"].items()},
            "counters": Counters(*raw["counters"]),
            "leader": raw["leader"] and TrialRow.from_plain(raw["leader"]),
            "rungs": [RungStanding(*standing) for standing in raw["rungs"]],
            "worker_s": WorkerTime(*raw["worker_s"]),
            "busy": WorkerTime(*raw["busy"]),
            "queues": Queues(*raw["queues"]),
            "warnings": tuple(Repeated(*warning) for warning in raw["warnings"]),
            "bus": BusFigures.from_plain(raw["bus"]),
            "pausing": PausingFigures(*raw["pausing"]),
            "hung": [HungWorker(*worker) for worker in raw["hung"]],
        }
        return cls(**{**raw, **read})


def status(experiment: Experiment, now: float, bus: BusFigures | None = None) -> Status:
    """The numbers of ``experiment`` at ``now``, beside those of its ``bus``; changes nothing."""
    table, roster, assignments = experiment.table, experiment.roster, experiment.assignments
    leader = table.leader
    ready, undrawn = experiment.suggestions.depths
    busy = roster.busy(now)
    return Status(
        elapsed_s=now - experiment.started,
        states=dict(table.states),
        finished=table.finished,
        trials=len(table),
        counters=replace(experiment.counters),
        leader=None if leader is None else leader.to_row(),
        spent=table.spent,
        saved=table.saved,
        rungs=experiment.scheduler.rungs(),
        workers=roster.active,
        joined=roster.joined,
        left=roster.left,
        joined_now=roster.joined_now,
        workers_by_state=roster.standing(now),
        silence_s=roster.silence_s(now),
        worker_s=busy,
        busy=assignments.busy_window or busy,
        latency=roster.latency(),
        queues=Queues(len(table.queue), ready, undrawn, roster.waiting),
        dropped=experiment.curves.dropped,
        failures=tuple(table.failures.values()),
        warnings=tuple(table.warnings.values()),
        bus=bus or BusFigures(),
        pausing=_pausing(experiment),
        is_ending=experiment.is_ending,
        hung=roster.hung,
        returns=roster.returns.left(now),
    )


def _pausing(experiment: Experiment) -> PausingFigures:
    if not experiment.settings.scheduler.pauses:
        return PausingFigures()
    residents = experiment.assignments.residents
    workers = experiment.roster.workers.values()
    held = {worker.name: len(worker.residents) for worker in workers if worker.residents}
    waits, longest_s = residents.waits.to_counts(), residents.longest_wait_s
    most = nlargest(MOST_HOLDERS, held, key=lambda name: held[name])
    return PausingFigures(
        {name: held[name] for name in most},
        sum(held.values()),
        residents.most_held,
        residents.dropped,
        len(residents.waiting),
        # the median is that of its bucket, which may lie above the longest
        min(percentile(waits, 0.5) * WAIT_UNIT_S, longest_s) if waits else None,
        longest_s if waits else None,
    )


class Changes(NamedTuple):
    """Some trials that changed, some reports between rungs, and whether there are more."""

    rows: Sequence[TrialRow]
    points: Sequence[Point]
    has_more: bool


def changes(experiment: Experiment, most_trials: int, most_points: int) -> Changes:
    """What is new since the last call.

    From the first call on it is kept what is new; that one gives all trials there are.
    """
    trials, changed = experiment.table.trials, experiment.table.watch()
    rows = [trials[changed.pop()].to_row() for _ in range(min(most_trials, len(changed)))]
    points = experiment.curves.take(most_points)
    return Changes(rows, points, bool(changed) or len(points) == most_points)
