"""The parts of a result: a record of each trial, and a report on the bus."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.experiment import Experiment
from asha_bus.core.latency import percentile
from asha_bus.core.messages import REJECTED_KINDS, Named
from asha_bus.core.roster import WorkerTime
from asha_bus.core.space import Space
from asha_bus.core.status import Status, status
from asha_bus.core.trial import RungRecord, TrialRow, TrialState
from asha_bus.formats.named import shown_params
from asha_bus.objective.kept import is_address, is_artifact_name
from asha_bus.objective.stores import store_at
from asha_bus.results.tables import cell

#: The reason of a result from a journal that has no end of the run.
UNFINISHED = "unfinished"


@dataclass(frozen=True, repr=False)
class TrialRecord:
    """One trial of a run. Times are seconds since the epoch.

    Its repr is one short line with ``id``, ``state``, ``metric``, ``resource`` and ``params``.

    Attributes:
        id: The trial's number, from 0.
        params: What the objective gets: the parameters by name, or the one argument of a
            space of Hyperopt that is not a dict.
        state: The trial's state.
        metric: The last reported metric; None before the first report.
        best_metric: The best reported metric; None without a finite one.
        best_resource: The resource of the report with ``best_metric``; None without one, or if
            a journal of an earlier version does not tell it.
        resource: The last reported resource, in the objective's unit.
        attempts: The number of attempts; more than 1 if a worker was lost, or if an attempt
            failed and was retried.
        worker: The worker of its current or last attempt; None without one.
        start_time: When it was first begun.
        end_time: When the trial reached a final state; None before.
        error: The traceback of a failed trial, or why a trial was lost; otherwise None.
        extras: The extras of its last report.
        bracket: The number of its bracket, from 0.
        seed: The seed that the objective gets as ``trial.seed``.
        rungs: The rungs that it entered, in order, with their decisions.
        log: Its log lines, warnings about it and, with ``capture_output``, what it printed;
            at most 32,768 characters from the beginning and the end.
        reports: Its reports between rungs that were kept, as pairs of resource and metric: at
            most 200, evenly thinned out. ``launch(curves=False)`` keeps none.
        extra_curves: By name, the values of up to 8 numeric extras at these reports, as pairs
            of resource and value.
        point: Its point in the space, which `Space.resolve` turns into ``params``.
        repeat: Which repeat of its configuration it is, from 0.
        attempt_time: When its current or last attempt began, which is later than
            ``start_time`` if an earlier one was lost, failed, or ended with the driver.
        pauses: When that attempt paused and continued, as pairs of times; the second one is
            None if it has not continued.
        named: The values that its objective has asked for by name, as name, distribution and
            number, if it names its parameters itself.
        kept_in: The folder with what the best trials of the run attached; empty if none was
            given. `artifact` looks there.

    Example:
        >>> result = ab.launch(
        ...     lambda x: x**2, {"x": ab.uniform(-1, 1)},
        ...     max_trials=5, engine="local", monitor=None,
        ... )
        >>> result.best.state
        <TrialState.COMPLETED: 'COMPLETED'>
        >>> result.best.metric == result.best.params["x"] ** 2
        True
    """

    id: int
    params: Any
    state: TrialState
    metric: float | None
    best_metric: float | None
    resource: float
    attempts: int
    worker: str | None
    start_time: float | None
    end_time: float | None
    error: str | None
    extras: dict[str, Any]
    bracket: int
    seed: int
    rungs: tuple[RungRecord, ...]
    log: str = ""
    reports: tuple[tuple[float, float], ...] = ()
    point: tuple[float, ...] = ()
    repeat: int = 0
    attempt_time: float | None = None
    extra_curves: dict[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    best_resource: float | None = None
    pauses: tuple[tuple[float, float | None], ...] = ()
    named: tuple[Named, ...] = ()
    kept_in: str = field(default="", compare=False)

    def __repr__(self) -> str:
        metric = None if self.metric is None else float(f"{self.metric:.6g}")
        shown = f"metric={metric}, resource={self.resource:g}, params={cell(self.params)}"
        return f"TrialRecord({self.id}, {self.state}, {shown})"

    @property
    def configuration(self) -> int:
        """The number of the first trial of its configuration; without repeats, its own number."""
        return self.id - self.repeat

    @property
    def curve(self) -> tuple[tuple[float, float], ...]:
        """The kept reports as pairs of resource and metric, by increasing resource.

        Reports at rungs and the last report are always kept.
        """
        points = dict(self.reports)
        points.update((record.resource, record.metric) for record in self.rungs)
        if self.metric is not None:
            points[self.resource] = self.metric
        return tuple(sorted(points.items()))

    def artifact(self, name: str) -> Path:
        """Find a file that the trial attached; see `Trial.attach`.

        Args:
            name: The name that it was attached by.

        Returns:
            The path of the file, in the folder of ``launch(artifacts=...)``. Where that is an
            address, the path of a copy, which is gone with this process.

        Raises:
            InvalidArgument: The run kept nothing, the trial is not one of the best, or it did
                not attach anything by this name.
            OSError: The place cannot be read.

        Example:
            >>> model = pickle.loads(result.best.artifact("model").read_bytes())
        """
        if not self.kept_in or not (os.path.isabs(self.kept_in) or is_address(self.kept_in)):
            raise InvalidArgument(
                f"artifact({name!r}): this run kept nothing; pass launch(artifacts=FOLDER), and "
                f"call trial.attach() or yield (metric, {{'attach': {{...}}}})"
            )
        store = store_at(self.kept_in)
        mine = [one for one in store.entries() if one[:2] == (self.id, self.attempts)]
        if not mine:
            raise InvalidArgument(
                f"artifact({name!r}): nothing is kept of trial {self.id} in {self.kept_in!r}; only "
                f"what the best keep_artifacts trials attached stays, once they have completed"
            )
        names = store.names(mine[0])
        if name not in names or not is_artifact_name(name):
            raise InvalidArgument(
                f"artifact({name!r}): trial {self.id} attached nothing by this name; it attached "
                f"{', '.join(names)}"
            )
        return store.fetch(mine[0], name)

    @classmethod
    def past(
        cls, number: int, state: TrialState, metric: float | None, **known: Any
    ) -> TrialRecord:
        """A trial of an earlier run; ``known`` are further fields by name."""
        given: dict[str, Any] = {"params": {}, "resource": 1.0, **known}
        return cls(
            id=number,
            state=state,
            metric=metric,
            best_metric=metric,
            best_resource=None if metric is None else given["resource"],
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
        extra_curves: Mapping[str, Iterable[tuple[float, float]]] | None = None,
        kept_in: str = "",
    ) -> TrialRecord:
        """The record of a row that the bus sent, with its ``log`` and its curves."""
        known = row._asdict()
        known["state"] = TrialState(row.state)
        known["rungs"] = tuple(row.rungs)
        times: list[float | None] = [*known.pop("pause_times"), None]
        known["pauses"] = tuple(zip(times[::2], times[1::2], strict=False))
        extras = {name: tuple(curve) for name, curve in (extra_curves or {}).items()}
        known["named"] = tuple(map(tuple, row.named))
        params = shown_params(space, row.point, row.named)
        more: dict[str, Any] = {"params": params, "log": log, "reports": tuple(reports)}
        return cls(**known, **more, extra_curves=extras, kept_in=kept_in)

    def to_row(self) -> TrialRow:
        """The row that `from_row` makes a record of; the log and the curves are not in it."""
        times = [time for pause in self.pauses for time in pause if time is not None]
        known = {name: getattr(self, name) for name in TrialRow._fields if name != "pause_times"}
        known.update(state=self.state.value, pause_times=times)
        return TrialRow(**known)


def repeats_of(trials: Iterable[TrialRecord]) -> list[list[TrialRecord]]:
    """The trials grouped by configuration: one, or its repeats."""
    found: dict[int, list[TrialRecord]] = {}
    for trial in trials:
        found.setdefault(trial.configuration, []).append(trial)
    return list(found.values())


def failures_of(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The trials that failed or were lost, by the time of their end."""
    bad = (TrialState.FAILED, TrialState.LOST)
    return sorted((t for t in trials if t.state in bad), key=lambda t: (t.end_time or 0.0, t.id))


@dataclass(frozen=True)
class BusReport:
    """Measurements of the bus and the workers in one run.

    Attributes:
        reports: Reports received.
        decisions: Reports that were rung decisions.
        latency_p50_s: The median round trip of a decision, measured by the workers, in
            seconds; NaN without a decision.
        latency_p99_s: The 99th percentile of the same.
        busy_share: The share of the workers' time that was spent in the objective, from each
            worker's first trial until the last trial was assigned; NaN without a trial.
        router_cpu_s: Processor time of the router's thread, in seconds.
        process_cpu_s: Processor time of the whole bus process, in seconds.
        workers: Workers that ever joined, in all launches of the run.
        requeued: Lost attempts whose trials were queued again.
        failed_attempts: Attempts that failed and were retried, with ``launch(retries=...)``.
        fenced: Late messages of lost attempts, which were refused.
        retried: Repeated requests of workers.
        rejected: Messages that were dropped because they did not follow the protocol.
        unauthenticated: Connections that ended before they proved the run's key.
        unsent: Answers that were dropped because the peer did not read or had gone.
        suggest_waits: How often a worker had to wait for the searcher.
        fallbacks: Configurations drawn at random because the searcher took too long.
        idle_seconds: Seconds that the workers of this launch spent outside the objective, each
            from its first trial on: waiting for decisions, for trials and, with a scheduler
            that pauses, for others.
        retrained_resource: Resource that trials had used before they were trained again from
            the start, because their worker was lost or had dropped them.
        promotion_wait_p50_s: The median time for which paused trials that were to continue
            waited for the worker that had them, in seconds; NaN if none did.
        promotion_wait_max_s: The longest of these times; NaN if none did.
        most_residents: The most paused trials that one worker ever had in memory.
        dropped_residents: Paused trials that a worker dropped because it had too many, or
            too little memory.
        saved_residents: Those of them whose states `Trial.checkpoint` saved.
        loaded_residents: Attempts that began from such a state.
        pruner_asked: How often a pruner of Optuna was asked in the searcher's process.
        residents: The paused trials in the memory of each worker now, by the worker's name;
            at most 100 workers, those with the most. Empty after the end of the run.

    Example:
        >>> result = ab.launch(
        ...     lambda x: x**2, {"x": ab.uniform(-1, 1)},
        ...     max_trials=5, engine="local", workers=2, monitor=None,
        ... )
        >>> result.bus.workers
        2
    """

    reports: int
    decisions: int
    latency_p50_s: float
    latency_p99_s: float
    busy_share: float
    router_cpu_s: float
    process_cpu_s: float
    workers: int
    requeued: int
    failed_attempts: int
    fenced: int
    retried: int
    rejected: int
    unauthenticated: int
    unsent: int
    suggest_waits: int = 0
    fallbacks: int = 0
    idle_seconds: float = math.nan
    retrained_resource: float = 0.0
    promotion_wait_p50_s: float = math.nan
    promotion_wait_max_s: float = math.nan
    most_residents: int = 0
    dropped_residents: int = 0
    saved_residents: int = 0
    loaded_residents: int = 0
    pruner_asked: int = 0
    residents: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_status(cls, now: Status) -> BusReport:
        """The report from the last status of the bus."""
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
            idle_seconds=now.worker_s.idle_s,
            retrained_resource=counters.retrained,
            promotion_wait_p50_s=_known(now.pausing.wait_p50_s),
            promotion_wait_max_s=_known(now.pausing.wait_max_s),
            most_residents=now.pausing.most_held,
            dropped_residents=now.pausing.dropped,
            saved_residents=counters.saved,
            loaded_residents=counters.loaded,
            pruner_asked=counters.pruner_asked,
            residents=dict(now.pausing.by_worker),
        )

    @classmethod
    def from_journal(cls, experiment: Experiment, at: float) -> BusReport:
        """The report from a journal replayed up to ``at``; NaN for times that it does not hold."""
        busy = experiment.assignments.busy_window or WorkerTime(math.nan, math.nan)
        counters = replace(experiment.counters, retried=0)  # it holds but a few of them
        now = replace(status(experiment, at), busy=busy, latency={}, counters=counters)
        return cls.from_status(now)


def _known(seconds: float | None) -> float:
    return math.nan if seconds is None else seconds
