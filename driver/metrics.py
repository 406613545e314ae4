"""Every metric of a run: its name, type, labels and meaning, and what it is read from.

`METRICS` is the whole list; ``docs/metrics.md`` is generated from it. The values come
from the bus's last status and from what the user's process knows itself, so a scrape
never reaches the bus.
"""

from __future__ import annotations

import math
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
    of,
    one,
    process,
    rungs,
    status,
    suggestions,
)

#: Why a run may end.
REASONS = ("max_trials", "max_time", "stop_at", "exhausted", "stopped", "failed")


class Family(NamedTuple):
    """One metric. ``read`` gives its samples; each also has the label ``run``."""

    name: str
    kind: str
    help: str
    read: Read
    labels: tuple[str, ...] = ()


_RUNG = ("bracket", "rung", "resource")

METRICS: tuple[Family, ...] = (
    # --- the run
    Family(
        "asha_bus_run_info",
        "gauge",
        "1; its labels describe the run",
        info,
        ("mode", "scheduler", "objective", "engine", "version", "searcher"),
    ),
    Family(
        "asha_bus_run_start_timestamp_seconds",
        "gauge",
        "When this launch began, since the epoch",
        one(lambda facts: facts.start_time),
    ),
    Family(
        "asha_bus_run_end_timestamp_seconds",
        "gauge",
        "When the run ended, since the epoch; 0 while it goes on",
        one(lambda facts: facts.end_time),
    ),
    Family(
        "asha_bus_run_ended",
        "gauge",
        "1 for the reason why the run ended",
        each(REASONS, lambda facts: {facts.reason: 1} if facts.reason else {}),
        ("reason",),
    ),
    Family(
        "asha_bus_max_trials",
        "gauge",
        "Limit of the number of trials; NaN if there is none",
        one(lambda facts: math.nan if facts.max_trials is None else facts.max_trials),
    ),
    # --- trials
    Family(
        "asha_bus_trials",
        "gauge",
        "Trials in each state",
        each((str(state) for state in TrialState), lambda facts: of(facts).states),
        ("state",),
    ),
    Family(
        "asha_bus_attempts_total",
        "counter",
        "Attempts at trials that were assigned to workers",
        status(lambda now: now.counters.assigned),
    ),
    Family(
        "asha_bus_requeued_total",
        "counter",
        "Trials queued again because their worker was lost",
        status(lambda now: now.counters.requeued),
    ),
    Family(
        "asha_bus_failed_attempts_total",
        "counter",
        "Failed attempts that were followed by another attempt, by launch(retries=...)",
        status(lambda now: now.counters.failed_attempts),
    ),
    Family(
        "asha_bus_best_metric",
        "gauge",
        "The last metric of the leading trial: the best completed one, or else the best of those "
        "that got furthest; NaN before the first report",
        best(lambda trial: trial.metric),
    ),
    Family(
        "asha_bus_best_resource",
        "gauge",
        "The resource at which the leading trial reported that metric; NaN before the first report",
        best(lambda trial: trial.resource),
    ),
    Family(
        "asha_bus_resource_spent_total",
        "counter",
        "Resource that all attempts used, in the unit of the objective's reports",
        status(lambda now: now.spent),
    ),
    Family(
        "asha_bus_resource_saved_total",
        "counter",
        "The part of max_resource that stopped trials did not use",
        status(lambda now: now.saved),
    ),
    # --- reports and decisions
    Family(
        "asha_bus_reports_total",
        "counter",
        "Reported metrics, between rungs and at rungs",
        status(lambda now: now.counters.reports),
    ),
    Family(
        "asha_bus_verdicts_total",
        "counter",
        "Reports that requested a decision and got one",
        status(lambda now: now.counters.decisions),
    ),
    Family(
        "asha_bus_decisions_total",
        "counter",
        "Entries of each rung, by verdict",
        decisions,
        (*_RUNG, "verdict"),
    ),
    Family(
        "asha_bus_rung_entries",
        "gauge",
        "Trials that have entered each rung",
        rungs(lambda rung: rung.entries),
        _RUNG,
    ),
    Family(
        "asha_bus_rung_cutoff_metric",
        "gauge",
        "The worst metric that would continue at each rung now; NaN before the first entry",
        rungs(lambda rung: math.nan if rung.cutoff is None else rung.cutoff),
        _RUNG,
    ),
    # --- workers
    Family(
        "asha_bus_workers",
        "gauge",
        "Workers that are present: running a trial, waiting for one, idle, or silent for three "
        "heartbeats",
        each(WORKER_STATES, lambda facts: of(facts).workers_by_state),
        ("state",),
    ),
    Family(
        "asha_bus_workers_joined_total",
        "counter",
        "Workers that ever joined, in all launches of the run",
        status(lambda now: now.joined),
    ),
    Family(
        "asha_bus_workers_left_total",
        "counter",
        "Times a worker left, or was declared dead",
        status(lambda now: now.left),
    ),
    Family(
        "asha_bus_leases_expired_total",
        "counter",
        "Workers declared dead because they were silent for BusOptions.lease_s",
        status(lambda now: now.counters.leases_expired),
    ),
    Family(
        "asha_bus_heartbeat_age_seconds",
        "gauge",
        "Time since the last message of the worker that has been silent longest",
        status(lambda now: now.silence_s),
    ),
    Family(
        "asha_bus_worker_seconds_total",
        "counter",
        "Time of all workers, each from its first trial on",
        status(lambda now: now.worker_s.wall_s),
    ),
    Family(
        "asha_bus_worker_idle_seconds_total",
        "counter",
        "The part of asha_bus_worker_seconds_total that was spent outside the objective",
        status(lambda now: now.worker_s.idle_s),
    ),
    # --- the bus
    Family(
        "asha_bus_up",
        "gauge",
        "1 while the bus answers, and after the end of the run; 0 if the bus did not answer for "
        "5 s, or is gone for good",
        one(is_up),
    ),
    Family(
        "asha_bus_snapshot_age_seconds",
        "gauge",
        "Age of these figures; 0 after the end of the run",
        one(age_s),
    ),
    Family(
        "asha_bus_restarts_total",
        "counter",
        "Times the bus process was restarted",
        one(lambda facts: facts.restarts),
    ),
    Family(
        "asha_bus_replay_seconds",
        "gauge",
        "How long the present bus process read the journal before it could serve",
        one(lambda facts: facts.replay_s),
    ),
    Family(
        "asha_bus_decision_seconds",
        "histogram",
        "Time from a report's arrival at the bus until it was answered and all tables updated; "
        "the sum is accurate within 2.2 %",
        histogram(lambda now: now.bus.server_latency),
    ),
    Family(
        "asha_bus_round_trip_seconds",
        "histogram",
        "Time from a worker's request to its answer, measured by the worker and sent with its "
        "heartbeats; the sum is accurate within 2.2 %",
        histogram(lambda now: now.latency),
    ),
    Family(
        "asha_bus_queue_depth",
        "gauge",
        "Trials to be run again, configurations that are ready, configurations that were "
        "requested and not drawn yet, and workers that wait for a trial",
        each(Queues._fields, lambda facts: of(facts).queues._asdict()),
        ("queue",),
    ),
    Family(
        "asha_bus_suggest_seconds",
        "summary",
        "Time that the searcher needed for each batch of configurations",
        suggestions,
    ),
    Family(
        "asha_bus_suggestions_total",
        "counter",
        "Configurations that the searcher drew",
        one(lambda facts: facts.suggested.configurations),
    ),
    Family(
        "asha_bus_suggest_waits_total",
        "counter",
        "Times a worker had to wait for the searcher",
        status(lambda now: now.counters.suggest_waits),
    ),
    Family(
        "asha_bus_suggestion_fallbacks_total",
        "counter",
        "Configurations drawn at random because the searcher took longer than "
        "BusOptions.suggest_timeout_s",
        status(lambda now: now.counters.fallbacks),
    ),
    Family(
        "asha_bus_fenced_total",
        "counter",
        "Reports of an attempt that was not the current one",
        status(lambda now: now.counters.fenced),
    ),
    Family(
        "asha_bus_retried_total",
        "counter",
        "Repeated requests, which got their recorded answer",
        status(lambda now: now.counters.retried),
    ),
    Family(
        "asha_bus_refused_total",
        "counter",
        "Requests that could not be served, such as those of a worker that never joined",
        status(lambda now: now.counters.refused),
    ),
    Family(
        "asha_bus_rejected_total",
        "counter",
        "What was dropped: connections without the run's key, messages that are not part of the "
        "protocol, answers that nobody received",
        each(DROPPED_KINDS, lambda facts: of(facts).bus.rejected),
        ("kind",),
    ),
    Family(
        "asha_bus_reports_unseen_total",
        "counter",
        "Reports between rungs that monitors did not see because there were too many",
        status(lambda now: now.dropped),
    ),
    Family(
        "asha_bus_router_busy_seconds_total",
        "counter",
        "Time in which the router did not wait for a message; its rate is the busy share",
        status(lambda now: now.bus.busy_s),
    ),
    Family(
        "asha_bus_router_cpu_seconds_total",
        "counter",
        "Processor time of the router's thread",
        status(lambda now: now.bus.router_cpu_s),
    ),
    Family(
        "asha_bus_journal_bytes",
        "gauge",
        "Length of the journal",
        journal(lambda file: file.size_bytes),
    ),
    Family(
        "asha_bus_journal_write_seconds",
        "summary",
        "Time of each write to the journal",
        journal(lambda file: (file.writes, file.write_s)),
    ),
    Family(
        "asha_bus_journal_sync_seconds",
        "summary",
        "Time until the journal was on the disk, outside the decision path unless "
        "BusOptions.sync is 'always'",
        journal(lambda file: (file.syncs, file.sync_s)),
    ),
    # --- processes
    Family(
        "asha_bus_process_cpu_seconds_total",
        "counter",
        "Processor time of all bus processes of the run, and of the user's process",
        process("cpu_s"),
        ("process",),
    ),
    Family(
        "asha_bus_process_resident_memory_bytes",
        "gauge",
        "Memory of the two processes",
        process("resident_bytes"),
        ("process",),
    ),
    Family(
        "asha_bus_process_open_fds",
        "gauge",
        "Open file descriptors of the two processes",
        process("open_fds"),
        ("process",),
    ),
)
