"""Every metric of a run: its name, type, labels and meaning, and what it is made of.

`METRICS` is the whole list; ``docs/metrics.md`` is generated from it. The values come
from the bus's last status and from what the user's process knows itself, so a scrape
never reaches the bus.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from asha_bus.core.latency import BOUNDS_S, cumulative, total_s
from asha_bus.core.messages import REJECTED_KINDS
from asha_bus.core.roster import WORKER_STATES
from asha_bus.core.trial import TrialState
from asha_bus.driver.figures import ProcessFigures
from asha_bus.driver.router import UNSENT_KINDS

#: Why a run may end.
REASONS = ("max_trials", "max_time", "stop_at", "exhausted", "stopped", "failed")
#: Where something may wait.
QUEUES = ("requeued", "suggestions", "undrawn", "waiting_workers")
#: Whose process figures there are.
PROCESSES = ("bus", "driver")
#: A bus that has not answered for so long is down.
SILENT_S = 5.0
VERDICTS = ("continue", "stop")
REJECTED = ("unauthenticated", *REJECTED_KINDS, *UNSENT_KINDS)

#: Every eighth bound of `asha_bus.core.latency` from 15 us to 1 s: two for each doubling.
BUCKETS = tuple(range(4 * 16, 20 * 16 + 1, 8))


class Suggested(NamedTuple):
    """What the searcher was asked for: batches, configurations in them, and seconds it took."""

    batches: int = 0
    configurations: int = 0
    seconds: float = 0.0


@dataclass
class Facts:
    """What is known of one run at one moment. Times of day are seconds since the epoch.

    ``status``: the bus's last answer to ``status``; None before the first. ``taken_at``:
    when it came, on the monotonic clock.
    """

    mode: str
    scheduler: str
    objective: str
    engine: str
    version: str
    max_trials: int | None
    start_time: float
    status: dict[str, Any] | None = None
    taken_at: float = math.nan
    restarts: int = 0
    replay_s: float = 0.0
    suggested: Suggested = field(default_factory=Suggested)
    processes: dict[str, ProcessFigures] = field(default_factory=dict)
    #: The bus ended for good while the run went on.
    is_dead: bool = False
    reason: str | None = None
    end_time: float = 0.0


class Sample(NamedTuple):
    """Values of labels, in order, and the value: a number, or what its family takes."""

    labels: tuple[str, ...]
    value: Any


class Family(NamedTuple):
    """One metric. ``read`` gives its samples; every one has the label ``run`` as well."""

    name: str
    kind: str
    help: str
    read: Callable[[Facts], Iterable[Sample]]
    labels: tuple[str, ...] = ()


def _one(read: Callable[[Facts], float]) -> Callable[[Facts], Iterable[Sample]]:
    return lambda facts: [Sample((), read(facts))]


def _status(name: str) -> Callable[[Facts], Iterable[Sample]]:
    return _one(lambda facts: _of(facts)[name])


def _counter(name: str) -> Callable[[Facts], Iterable[Sample]]:
    return _one(lambda facts: _of(facts)["counters"][name])


def _each(
    names: Iterable[str], read: Callable[[Facts], Mapping[str, float]]
) -> Callable[[Facts], Iterable[Sample]]:
    known = tuple(names)

    def samples(facts: Facts) -> Iterator[Sample]:
        values = read(facts)
        return (Sample((name,), values.get(name, 0)) for name in known)

    return samples


def _of(facts: Facts) -> dict[str, Any]:
    assert facts.status is not None
    return facts.status


def _rungs(read: Callable[[int, int, float], float]) -> Callable[[Facts], Iterable[Sample]]:
    """By rung, from its entries, those that went on, and the cutoff (NaN: none yet)."""

    def samples(facts: Facts) -> Iterator[Sample]:
        for bracket, rung, resource, entries, passed, cutoff in _of(facts)["rungs"]:
            shown = math.nan if cutoff is None else cutoff
            yield Sample(_rung(bracket, rung, resource), read(entries, passed, shown))

    return samples


def _rung(bracket: int, rung: int, resource: float) -> tuple[str, str, str]:
    return str(bracket), str(rung), f"{resource:g}"


def _decisions(facts: Facts) -> Iterator[Sample]:
    for bracket, rung, resource, entries, passed, _ in _of(facts)["rungs"]:
        for verdict, count in zip(VERDICTS, (passed, entries - passed), strict=True):
            yield Sample((*_rung(bracket, rung, resource), verdict), count)


def _histogram(name: str) -> Callable[[Facts], Iterable[Sample]]:
    def samples(facts: Facts) -> Iterator[Sample]:
        counts = _of(facts)[name]
        bounds = [f"{BOUNDS_S[bound]:.9g}" for bound in BUCKETS]
        below = list(zip(bounds, cumulative(counts, BUCKETS), strict=True))
        yield Sample((), ([*below, ("+Inf", sum(counts.values()))], total_s(counts)))

    return samples


def _journal(*numbers: int) -> Callable[[Facts], Iterable[Sample]]:
    """Figures of the journal's writer by their numbers; none where it is not written any more."""

    def samples(facts: Facts) -> Iterator[Sample]:
        figures = _of(facts)["journal"]
        if figures is not None:
            values = tuple(figures[number] for number in numbers)
            yield Sample((), values if len(values) > 1 else values[0])

    return samples


def _best(position: int) -> Callable[[Facts], Iterable[Sample]]:
    """A field of the leading trial's row; NaN while there is none."""
    return _one(lambda facts: math.nan if (row := _of(facts)["leader"]) is None else row[position])


def _process(name: str) -> Callable[[Facts], Iterable[Sample]]:
    def samples(facts: Facts) -> Iterator[Sample]:
        for process in PROCESSES:
            if process in facts.processes:
                yield Sample((process,), getattr(facts.processes[process], name))

    return samples


def _info(facts: Facts) -> Iterable[Sample]:
    return [Sample((facts.mode, facts.scheduler, facts.objective, facts.engine, facts.version), 1)]


def _age_s(facts: Facts) -> float:
    return 0.0 if facts.reason else max(time.monotonic() - facts.taken_at, 0.0)


def _is_up(facts: Facts) -> float:
    return not facts.is_dead and _age_s(facts) < SILENT_S


_RUNG = ("bracket", "rung", "resource")

METRICS: tuple[Family, ...] = (
    # --- the run
    Family(
        "asha_bus_run_info",
        "gauge",
        "1; its labels tell what the run is",
        _info,
        ("mode", "scheduler", "objective", "engine", "version"),
    ),
    Family(
        "asha_bus_run_start_timestamp_seconds",
        "gauge",
        "When this launch began, since the epoch",
        _one(lambda facts: facts.start_time),
    ),
    Family(
        "asha_bus_run_end_timestamp_seconds",
        "gauge",
        "When the run ended, since the epoch; 0 while it goes on",
        _one(lambda facts: facts.end_time),
    ),
    Family(
        "asha_bus_run_ended",
        "gauge",
        "1 for the reason for which the run ended",
        _each(REASONS, lambda facts: {facts.reason: 1} if facts.reason else {}),
        ("reason",),
    ),
    Family(
        "asha_bus_max_trials",
        "gauge",
        "How many trials there are to be at most; NaN without a limit",
        _one(lambda facts: math.nan if facts.max_trials is None else facts.max_trials),
    ),
    # --- trials
    Family(
        "asha_bus_trials",
        "gauge",
        "Trials in each state",
        _each((str(state) for state in TrialState), lambda facts: _of(facts)["states"]),
        ("state",),
    ),
    Family(
        "asha_bus_attempts_total",
        "counter",
        "Attempts at trials that workers were given",
        _counter("assigned"),
    ),
    Family(
        "asha_bus_requeued_total",
        "counter",
        "Trials queued again since their worker was lost",
        _counter("requeued"),
    ),
    Family(
        "asha_bus_best_metric",
        "gauge",
        "The leading trial's last metric: of the completed ones, else of those that got "
        "furthest; NaN before the first",
        _best(7),
    ),
    Family(
        "asha_bus_best_resource",
        "gauge",
        "The resource at which the leading trial reported that metric; NaN before the first",
        _best(9),
    ),
    Family(
        "asha_bus_resource_spent_total",
        "counter",
        "Resource that all attempts used, in the unit of the objective's reports",
        _status("spent"),
    ),
    Family(
        "asha_bus_resource_saved_total",
        "counter",
        "Resource that stopped trials did not get of their max_resource",
        _status("saved"),
    ),
    # --- reports and decisions
    Family(
        "asha_bus_reports_total",
        "counter",
        "Metrics reported, between rungs and at rungs",
        _counter("reports"),
    ),
    Family(
        "asha_bus_verdicts_total",
        "counter",
        "Reports that asked for a verdict and got one",
        _counter("decisions"),
    ),
    Family(
        "asha_bus_decisions_total",
        "counter",
        "Entries of each rung by their verdict",
        _decisions,
        (*_RUNG, "verdict"),
    ),
    Family(
        "asha_bus_rung_entries",
        "gauge",
        "Trials that have entered each rung",
        _rungs(lambda entries, passed, cutoff: entries),
        _RUNG,
    ),
    Family(
        "asha_bus_rung_cutoff_metric",
        "gauge",
        "The worst metric that would go on at each rung now; NaN before the first entry",
        _rungs(lambda entries, passed, cutoff: cutoff),
        _RUNG,
    ),
    # --- workers
    Family(
        "asha_bus_workers",
        "gauge",
        "Workers that are there: with a trial, told to wait for one, neither, or not heard of "
        "for three heartbeats",
        _each(WORKER_STATES, lambda facts: _of(facts)["workers_by_state"]),
        ("state",),
    ),
    Family(
        "asha_bus_workers_joined_total", "counter", "Workers that ever joined", _status("joined")
    ),
    Family(
        "asha_bus_workers_left_total",
        "counter",
        "Times a worker left, or was found gone",
        _status("left"),
    ),
    Family(
        "asha_bus_leases_expired_total",
        "counter",
        "Workers taken for gone since they were silent for BusOptions.lease_s",
        _counter("leases_expired"),
    ),
    Family(
        "asha_bus_heartbeat_age_seconds",
        "gauge",
        "For how long the most silent worker that is there was not heard of",
        _status("silence_s"),
    ),
    Family(
        "asha_bus_worker_seconds_total",
        "counter",
        "Time of all workers, each from its first trial on",
        _one(lambda facts: _of(facts)["worker_s"][1]),
    ),
    Family(
        "asha_bus_worker_idle_seconds_total",
        "counter",
        "The part of that which was spent outside of the objective",
        _one(lambda facts: _of(facts)["worker_s"][0]),
    ),
    # --- the bus
    Family(
        "asha_bus_up",
        "gauge",
        "1 while the bus answers, and when the run has ended; 0 if it did not for 5 s, or is gone "
        "for good",
        _one(_is_up),
    ),
    Family(
        "asha_bus_snapshot_age_seconds",
        "gauge",
        "How old these figures are; 0 after the end of the run",
        _one(_age_s),
    ),
    Family(
        "asha_bus_restarts_total",
        "counter",
        "Times the bus process was started again",
        _one(lambda facts: facts.restarts),
    ),
    Family(
        "asha_bus_replay_seconds",
        "gauge",
        "How long the bus process that is there read the journal before it could serve",
        _one(lambda facts: facts.replay_s),
    ),
    Family(
        "asha_bus_decision_seconds",
        "histogram",
        "From a report's arrival at the bus to its answer and the books closed; the sum is "
        "right within 2.2 %",
        _histogram("server_latency"),
    ),
    Family(
        "asha_bus_round_trip_seconds",
        "histogram",
        "From a worker's request to its answer, as the worker measured it; told with its "
        "heartbeats; the sum is right within 2.2 %",
        _histogram("latency"),
    ),
    Family(
        "asha_bus_queue_depth",
        "gauge",
        "Trials to be run again, configurations ready, configurations asked for and not drawn "
        "yet, and workers that wait for a trial",
        _each(QUEUES, lambda facts: _of(facts)["queues"]),
        ("queue",),
    ),
    Family(
        "asha_bus_suggest_seconds",
        "summary",
        "Time that the searcher took for each batch of configurations",
        lambda facts: [Sample((), (facts.suggested.batches, facts.suggested.seconds))],
    ),
    Family(
        "asha_bus_suggestions_total",
        "counter",
        "Configurations that the searcher drew",
        _one(lambda facts: facts.suggested.configurations),
    ),
    Family(
        "asha_bus_fenced_total",
        "counter",
        "Reports of an attempt that was not the current one",
        _counter("fenced"),
    ),
    Family(
        "asha_bus_retried_total",
        "counter",
        "Requests that came again and got the recorded answer",
        _counter("retried"),
    ),
    Family(
        "asha_bus_refused_total",
        "counter",
        "Requests that could not be served, such as those of a worker that never joined",
        _counter("refused"),
    ),
    Family(
        "asha_bus_rejected_total",
        "counter",
        "What was dropped: connections without the run's key, messages that are none of the "
        "protocol, answers that nobody took",
        _each(REJECTED, lambda facts: _of(facts)["rejected"]),
        ("kind",),
    ),
    Family(
        "asha_bus_reports_unseen_total",
        "counter",
        "Reports between rungs that monitors did not see since there were too many",
        _status("dropped"),
    ),
    Family(
        "asha_bus_router_busy_seconds_total",
        "counter",
        "Time that the router did not wait for a message; its rate is the busy share",
        _status("busy_s"),
    ),
    Family(
        "asha_bus_router_cpu_seconds_total",
        "counter",
        "Processor time of the router's thread",
        _status("router_cpu_s"),
    ),
    Family("asha_bus_journal_bytes", "gauge", "Length of the journal", _journal(0)),
    Family(
        "asha_bus_journal_write_seconds",
        "summary",
        "Time that each write to the journal took",
        _journal(1, 2),
    ),
    Family(
        "asha_bus_journal_sync_seconds",
        "summary",
        "Time until the disk had the journal, off the decision path unless "
        "BusOptions.sync is 'always'",
        _journal(3, 4),
    ),
    # --- processes
    Family(
        "asha_bus_process_cpu_seconds_total",
        "counter",
        "Processor time of all bus processes of the run, and of the user's process",
        _process("cpu_s"),
        ("process",),
    ),
    Family(
        "asha_bus_process_resident_memory_bytes",
        "gauge",
        "Memory of the two processes",
        _process("resident_bytes"),
        ("process",),
    ),
    Family(
        "asha_bus_process_open_fds",
        "gauge",
        "Open descriptors of the two processes",
        _process("open_fds"),
        ("process",),
    ),
)


class RunMetrics:
    """The metrics of one run under its label ``run``, made of `Facts` when they are asked for.

    A counter never goes back, not even where a bus process that was started again
    has to learn anew what its workers measured.
    """

    def __init__(self, label: str, facts: Facts) -> None:
        self.label = label
        self.facts = facts
        self._most: dict[tuple[str, tuple[str, ...]], Any] = {}

    def samples(self, family: Family) -> Iterator[Sample]:
        """The samples of one family, with the value of the label ``run`` in front."""
        for labels, value in family.read(self.facts):
            if family.kind in ("counter", "summary", "histogram"):
                key = (family.name, labels)
                value = self._most[key] = _not_less(value, self._most.get(key))
            yield Sample((self.label, *labels), value)


def _not_less(value: Any, than: Any) -> Any:
    """``value``, or what it was where that was more; of tuples and lists each part by itself."""
    if than is None:
        return value
    if isinstance(value, (tuple, list)):
        return type(value)(_not_less(*pair) for pair in zip(value, than, strict=True))
    return than if isinstance(value, str) else max(value, than)


def collect(runs: Iterable[RunMetrics]) -> Iterator[Metric]:
    """All families, each with the samples of all runs that were heard of."""
    heard = [run for run in runs if run.facts.status is not None]
    for family in METRICS:
        labels = ("run", *family.labels)
        found = _FAMILIES[family.kind](family.name, family.help, labels=labels)
        for run in heard:
            for values, value in run.samples(family):
                _add(found, values, value)
        yield found


_FAMILIES: dict[str, Any] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
    "summary": SummaryMetricFamily,
}


def _add(family: Any, labels: tuple[str, ...], value: Any) -> None:
    if isinstance(family, SummaryMetricFamily):
        family.add_metric(labels, count_value=value[0], sum_value=value[1])
    elif isinstance(family, HistogramMetricFamily):
        family.add_metric(labels, buckets=value[0], sum_value=value[1])
    else:
        family.add_metric(labels, value)
