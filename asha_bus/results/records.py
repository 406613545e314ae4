"""What a result is made of: one record per trial, and a report on the bus."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from asha_bus.core.experiment import Experiment
from asha_bus.core.latency import percentile
from asha_bus.core.messages import REJECTED_KINDS
from asha_bus.core.roster import WorkerTime
from asha_bus.core.space import Space
from asha_bus.core.status import Status, status
from asha_bus.core.trial import RungRecord, TrialRow, TrialState


@dataclass(frozen=True)
class TrialRecord:
    """One trial as it ended. Times are seconds since the epoch."""

    id: int
    params: dict[str, Any]
    state: TrialState
    #: The last metric reported, and the best; None where there was none.
    metric: float | None
    best_metric: float | None
    resource: float
    #: How many times it was begun; more than once where a worker was lost, or an attempt
    #: failed and there were retries.
    attempts: int
    worker: str | None
    start_time: float | None
    end_time: float | None
    #: The traceback of a failed trial.
    error: str | None
    #: The last extras that the objective sent along.
    extras: dict[str, Any]
    bracket: int
    seed: int
    rungs: tuple[RungRecord, ...]
    #: What it logged, warnings about it and, with ``capture_output``, what it printed:
    #: 32,768 characters at most, of its beginning and its end.
    log: str = field(default="", repr=False)
    #: Its reports between rungs, pairs of resource and metric, as far as they were kept:
    #: with ``BusOptions(curves=True)``, and where it is seen while it runs.
    reports: tuple[tuple[float, float], ...] = field(default=(), repr=False)
    #: Its numbers as they travel, which `Space.resolve` turns into ``params``.
    point: tuple[float, ...] = field(default=(), repr=False)
    #: Which repeat of its configuration it is, from 0.
    repeat: int = 0

    @property
    def configuration(self) -> int:
        """The number of the first trial of its configuration: its own where none is repeated."""
        return self.id - self.repeat

    @property
    def curve(self) -> tuple[tuple[float, float], ...]:
        """Pairs of resource and metric, upwards: its reports, as far as they were kept.

        Those at rungs and the last one always are.
        """
        points = dict(self.reports)
        points.update((record.resource, record.metric) for record in self.rungs)
        if self.metric is not None:
            points[self.resource] = self.metric
        return tuple(sorted(points.items()))

    @classmethod
    def past(
        cls, number: int, state: TrialState, metric: float | None, **known: Any
    ) -> TrialRecord:
        """A trial of an earlier run, of which little more is ``known``."""
        given: dict[str, Any] = {"params": {}, "resource": 1.0, **known}
        return cls(
            id=number,
            state=state,
            metric=metric,
            best_metric=metric,
            attempts=1,
            worker=None,
            start_time=None,
            end_time=None,
            error=None,
            extras={},
            bracket=0,
            seed=0,
            rungs=(),
            **given,
        )

    @classmethod
    def from_row(
        cls,
        row: TrialRow,
        space: Space,
        log: str = "",
        reports: Iterable[tuple[float, float]] = (),
    ) -> TrialRecord:
        """The record of a trial as the bus sends it, with its ``log`` and kept ``reports``."""
        known = row._asdict()
        known["state"] = TrialState(row.state)
        known["rungs"] = tuple(row.rungs)
        return cls(**known, params=space.shown(row.point), log=log, reports=tuple(reports))


def repeats_of(trials: Iterable[TrialRecord]) -> list[list[TrialRecord]]:
    """The trials of each configuration: one, or its repeats."""
    found: dict[int, list[TrialRecord]] = {}
    for trial in trials:
        found.setdefault(trial.configuration, []).append(trial)
    return list(found.values())


@dataclass(frozen=True)
class BusReport:
    """How the bus and the workers did, measured in this run. Times are in seconds."""

    #: Reports taken, and those of them that were rung decisions.
    reports: int
    decisions: int
    #: A decision's round trip as the workers saw it.
    latency_p50_s: float
    latency_p99_s: float
    #: The share of the workers' time inside the objective, from a worker's first
    #: trial until the last trial was given out; NaN where there was no trial.
    busy_share: float
    #: Processor time of the router's thread and of the whole bus process.
    router_cpu_s: float
    process_cpu_s: float
    #: Workers that ever joined, trials begun again, late reports turned away,
    #: repeated requests, and messages dropped as no message of the protocol.
    workers: int
    requeued: int
    #: Attempts that failed and were begun again, with ``launch(retries=...)``.
    failed_attempts: int
    fenced: int
    retried: int
    rejected: int
    #: Connections that ended before they had shown the run's key, and answers that
    #: were dropped since the peer did not read or was gone.
    unauthenticated: int
    unsent: int
    #: Times a worker had to wait for the searcher, and configurations that were drawn
    #: at random since it took too long.
    suggest_waits: int = 0
    fallbacks: int = 0

    @classmethod
    def from_status(cls, now: Status) -> BusReport:
        """The report of the bus's own last status."""
        counters, bus = now.counters, now.bus
        return cls(
            reports=counters.reports,
            decisions=counters.decisions,
            latency_p50_s=percentile(now.latency, 0.5),
            latency_p99_s=percentile(now.latency, 0.99),
            busy_share=now.busy.share,
            router_cpu_s=bus.router_cpu_s,
            process_cpu_s=bus.process_cpu_s,
            workers=now.joined,
            requeued=counters.requeued,
            failed_attempts=counters.failed_attempts,
            fenced=counters.fenced,
            retried=counters.retried,
            rejected=sum(bus.rejected[kind] for kind in REJECTED_KINDS),
            unauthenticated=bus.rejected["unauthenticated"],
            unsent=bus.rejected["unsent"] + bus.rejected["unreachable"],
            suggest_waits=counters.suggest_waits,
            fallbacks=counters.fallbacks,
        )

    @classmethod
    def from_journal(cls, experiment: Experiment) -> BusReport:
        """What a journal tells of it; the times that it does not hold are NaN."""
        busy = experiment.assignments.busy_window or WorkerTime(math.nan, math.nan)
        counters = replace(experiment.counters, retried=0)  # it holds but a few of them
        now = replace(status(experiment, 0.0), busy=busy, latency={}, counters=counters)
        return cls.from_status(now)
