"""Every metric of a run: its name, type, labels and meaning, and what it is read from.

`METRICS` is the whole list; ``docs/metrics.md`` is generated from it. The values come
from the bus's last status and from what the user's process knows itself, so a scrape
never reaches the bus.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

from asha_bus.core.messages import DROPPED_KINDS
from asha_bus.core.roster import WORKER_STATES
from asha_bus.core.status import Queues
from asha_bus.core.trial import TrialState
from asha_bus.driver.readings import (
    Read,
    age_s,
    best,
    decisions,
    each,
    histogram,
    info,
    is_up,
    journal,
    number,
    of,
    one,
    process,
    rungs,
    status,
    suggestions,
)

#: Why a run may end.
REASONS = (
    *("max_trials", "max_time", "max_total_resource", "stop_at", "stop_run"),
    *("exhausted", "stopped", "failed"),
)


class Family(NamedTuple):
    """One metric. ``read`` gives its samples; each also has the label ``run``."""

    name: str
    kind: str
    help: str
    read: Read
    labels: tuple[str, ...] = ()


def _family(kind: str, name: str, text: str, read: Read, labels: tuple[str, ...] = ()) -> Family:
    return Family(f"asha_bus_{name}", kind, text, read, labels)


_counter, _gauge = partial(_family, "counter"), partial(_family, "gauge")
_histogram, _summary = partial(_family, "histogram"), partial(_family, "summary")

_RUNG = ("bracket", "rung", "resource")

METRICS: tuple[Family, ...] = (
    # --- the run
    _gauge(
        "run_info",
        "1; its labels describe the run",
        info,
        ("mode", "scheduler", "objective", "engine", "version", "searcher"),
    ),
    _gauge(
        "run_start_timestamp_seconds",
        "When this launch began, since the epoch",
        one(lambda facts: facts.start_time),
    ),
    _gauge(
        "run_end_timestamp_seconds",
        "When the run ended, since the epoch; 0 while it runs",
        one(lambda facts: facts.end_time),
    ),
    _gauge(
        "run_ended",
        "1 for the reason why the run ended",
        each(REASONS, lambda facts: {facts.reason: 1} if facts.reason else {}),
        ("reason",),
    ),
    _gauge(
        "max_trials",
        "Limit of the number of trials; NaN if there is none",
        one(lambda facts: math.nan if facts.max_trials is None else facts.max_trials),
    ),
    # --- trials
    _gauge(
        "trials",
        "Trials in each state",
        each((str(state) for state in TrialState), lambda facts: of(facts).states),
        ("state",),
    ),
    _counter(
        "attempts_total",
        "Attempts at trials that were assigned to workers",
        status(lambda now: now.counters.assigned),
    ),
    _counter(
        "requeued_total",
        "Trials queued again because their worker was lost",
        status(lambda now: now.counters.requeued),
    ),
    _counter(
        "failed_attempts_total",
        "Failed attempts that were followed by another attempt, by launch(retries=...)",
        status(lambda now: now.counters.failed_attempts),
    ),
    _gauge(
        "best_metric",
        "The last metric of the leading trial: the best completed one, or else the best of those "
        "that got furthest; NaN before the first report",
        best(lambda trial: trial.metric),
    ),
    _gauge(
        "best_resource",
        "The resource at which the leading trial reported that metric; NaN before the first report",
        best(lambda trial: trial.resource),
    ),
    _counter(
        "resource_spent_total",
        "Resource that all attempts used, in the unit of the objective's reports",
        status(lambda now: now.spent),
    ),
    _counter(
        "resource_saved_total",
        "The part of max_resource that stopped trials did not use",
        status(lambda now: now.saved),
    ),
    # --- reports and decisions
    _counter(
        "reports_total",
        "Reported metrics, between rungs and at rungs",
        status(lambda now: now.counters.reports),
    ),
    _counter(
        "verdicts_total",
        "Reports that requested a decision and got one",
        status(lambda now: now.counters.decisions),
    ),
    _counter("decisions_total", "Entries of each rung, by verdict", decisions, (*_RUNG, "verdict")),
    _gauge(
        "rung_entries",
        "Trials that have entered each rung; configurations, with repeats and a scheduler that "
        "pauses",
        rungs(lambda rung: rung.entries),
        _RUNG,
    ),
    _gauge(
        "rung_expected",
        "How many will have entered each rung of a plan in the end; 0 where it is any number",
        rungs(lambda rung: rung.expected or 0),
        _RUNG,
    ),
    _gauge(
        "rung_paused",
        "How many have entered each rung and wait for its verdict, with a scheduler that pauses",
        rungs(lambda rung: rung.paused),
        _RUNG,
    ),
    _gauge(
        "rung_cutoff_metric",
        "The worst metric that would continue at each rung now; NaN before the first entry",
        rungs(lambda rung: number(rung.cutoff)),
        _RUNG,
    ),
    # --- paused trials
    _gauge(
        "residents",
        "Paused trials in the memory of workers",
        status(lambda now: now.pausing.residents),
    ),
    _gauge(
        "residents_most",
        "The most paused trials that one worker has now",
        status(lambda now: max(now.pausing.by_worker.values(), default=0)),
    ),
    _counter(
        "residents_dropped_total",
        "Paused trials that a worker dropped because it had too many, or too little memory",
        status(lambda now: now.pausing.dropped),
    ),
    _counter(
        "residents_saved_total",
        "Those of them whose states trial.checkpoint saved",
        status(lambda now: now.counters.saved),
    ),
    _counter(
        "residents_loaded_total",
        "Attempts that began from a saved state",
        status(lambda now: now.counters.loaded),
    ),
    _gauge(
        "promotions_waiting",
        "Trials that are to continue and wait until the worker that has them is free",
        status(lambda now: now.pausing.waiting),
    ),
    _gauge(
        "promotion_wait_p50_seconds",
        "The median time for which such trials waited, accurate within 2.2 %; 0: none did",
        status(lambda now: now.pausing.wait_p50_s or 0),
    ),
    _gauge(
        "promotion_wait_max_seconds",
        "The longest time for which such a trial waited; 0: none did",
        status(lambda now: now.pausing.wait_max_s or 0),
    ),
    _counter(
        "resource_retrained_total",
        "Resource that trials had used before they were trained again from the start, after "
        "their worker was lost or had dropped them",
        status(lambda now: now.counters.retrained),
    ),
    # --- workers
    _gauge(
        "workers",
        "Workers that are present: running a trial, waiting for one, idle, or silent for three "
        "heartbeats",
        each(WORKER_STATES, lambda facts: of(facts).workers_by_state),
        ("state",),
    ),
    _counter(
        "workers_joined_total",
        "Workers that ever joined, in all launches of the run",
        status(lambda now: now.joined),
    ),
    _counter(
        "workers_left_total",
        "Times a worker left, or was declared dead",
        status(lambda now: now.left),
    ),
    _counter(
        "leases_expired_total",
        "Workers declared dead because they were silent for BusOptions.lease_s",
        status(lambda now: now.counters.leases_expired),
    ),
    _gauge(
        "heartbeat_age_seconds",
        "Time since the last message of the worker that has been silent longest",
        status(lambda now: now.silence_s),
    ),
    _counter(
        "worker_seconds_total",
        "Time of all workers, each from its first trial on",
        status(lambda now: now.worker_s.wall_s),
    ),
    _counter(
        "worker_idle_seconds_total",
        "The part of asha_bus_worker_seconds_total that was spent outside the objective",
        status(lambda now: now.worker_s.idle_s),
    ),
    # --- the bus
    _gauge(
        "up",
        "1 while the bus answers, and after the end of the run; 0 if the bus did not answer for "
        "5 s, or is gone for good",
        one(is_up),
    ),
    _gauge("snapshot_age_seconds", "Age of these figures; 0 after the end of the run", one(age_s)),
    _counter(
        "restarts_total", "Times the bus process was restarted", one(lambda facts: facts.restarts)
    ),
    _gauge(
        "replay_seconds",
        "How long the present bus process read the journal before it could serve",
        one(lambda facts: facts.replay_s),
    ),
    _histogram(
        "decision_seconds",
        "Time from a report's arrival at the bus until it was answered and all tables updated; "
        "the sum is accurate within 2.2 %",
        histogram(lambda now: now.bus.server_latency),
    ),
    _histogram(
        "round_trip_seconds",
        "Time from a worker's request to its answer, measured by the worker and sent with its "
        "heartbeats; the sum is accurate within 2.2 %",
        histogram(lambda now: now.latency),
    ),
    _gauge(
        "queue_depth",
        "Trials to be restarted, configurations that are ready, configurations that were "
        "requested and not drawn yet, and workers that wait for a trial",
        each(Queues._fields, lambda facts: of(facts).queues._asdict()),
        ("queue",),
    ),
    _summary(
        "suggest_seconds",
        "Time that the searcher needed for each batch of configurations",
        suggestions,
    ),
    _counter(
        "suggestions_total",
        "Configurations that the searcher drew",
        one(lambda facts: facts.suggested.configurations),
    ),
    _counter(
        "suggest_waits_total",
        "Times a worker had to wait for the searcher",
        status(lambda now: now.counters.suggest_waits),
    ),
    _counter(
        "suggestion_fallbacks_total",
        "Configurations drawn at random because the searcher took longer than "
        "BusOptions.suggest_timeout_s; trials of a study that began without values for that reason",
        status(lambda now: now.counters.fallbacks),
    ),
    _counter(
        "fenced_total",
        "Reports of an attempt that was not the current one",
        status(lambda now: now.counters.fenced),
    ),
    _counter(
        "retried_total",
        "Repeated requests, which got their recorded answer",
        status(lambda now: now.counters.retried),
    ),
    _counter(
        "refused_total",
        "Requests that could not be served, such as those of a worker that never joined",
        status(lambda now: now.counters.refused),
    ),
    _counter(
        "rejected_total",
        "What was dropped: connections without the run's key, messages that are not part of the "
        "protocol, answers that nobody received",
        each(DROPPED_KINDS, lambda facts: of(facts).bus.rejected),
        ("kind",),
    ),
    _counter(
        "reports_unseen_total",
        "Reports between rungs that monitors did not see because there were too many",
        status(lambda now: now.dropped),
    ),
    _counter(
        "router_busy_seconds_total",
        "Time in which the router did not wait for a message; its rate is the busy share",
        status(lambda now: now.bus.busy_s),
    ),
    _counter(
        "router_cpu_seconds_total",
        "Processor time of the router's thread",
        status(lambda now: now.bus.router_cpu_s),
    ),
    _gauge("journal_bytes", "Length of the journal", journal(lambda file: file.size_bytes)),
    _summary(
        "journal_write_seconds",
        "Time of each write to the journal",
        journal(lambda file: (file.writes, file.write_s)),
    ),
    _summary(
        "journal_sync_seconds",
        "Time until the journal was on the disk, outside the decision path unless "
        "BusOptions.sync is 'always'",
        journal(lambda file: (file.syncs, file.sync_s)),
    ),
    # --- processes
    _counter(
        "process_cpu_seconds_total",
        "Processor time of all bus processes of the run, and of the user's process",
        process("cpu_s"),
        ("process",),
    ),
    _gauge(
        "process_resident_memory_bytes",
        "Memory of the two processes",
        process("resident_bytes"),
        ("process",),
    ),
    _gauge(
        "process_open_fds",
        "Open file descriptors of the two processes",
        process("open_fds"),
        ("process",),
    ),
)
