"""The dashboard of the bus: its latency, its load, its journal, its process."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from generate.pages.panels import NONE_WANTED, AnyPanel, heat, lines, number, page, query
from generate.pages.promql import now, quantile, rate, ratio

_SERVER, _ROUND_TRIP = "asha_bus_decision_seconds", "asha_bus_round_trip_seconds"
#: As in the alert rules: a decision should not take longer.
_SLOW = ((None, "green"), (0.05, "red"))
_LOAD = ((None, "green"), (0.7, "orange"), (0.9, "red"))


def bus() -> str:
    """The dashboard as JSON."""
    panels = [
        *_numbers(),
        dashboard.Row("Latency and throughput"),
        *_latency(),
        dashboard.Row("Load"),
        *_load(),
        dashboard.Row("Journal"),
        *_journal(),
        dashboard.Row("Restarts and processes"),
        *_processes(),
    ]
    return page(
        "asha-bus-bus",
        "asha-bus / Bus",
        "The state of the bus process: how fast it decides, and how much it has to do.",
        panels,
    )


def _numbers() -> list[AnyPanel]:
    return [
        number(
            "Bus",
            "up: it answers, or the run has ended; down: it did not answer for 5 s, or is gone "
            "for good.",
            query(now("asha_bus_up"), "{{run}}"),
            unit="none",
            texts={"1": ("up", "green"), "0": ("down", "red")},
        ),
        number(
            "Round trip, p99",
            "99 % of all decisions are faster than this, measured by the workers.",
            query(quantile(0.99, _ROUND_TRIP), "{{run}}"),
            unit="s",
            steps=_SLOW,
        ),
        number(
            "Verdicts per second",
            "Reports that requested a decision and got one.",
            query(rate("asha_bus_verdicts_total"), "{{run}}"),
            unit="short",
        ),
        number(
            "Busy share",
            "The part of its time in which the router does not wait for a message.",
            query(rate("asha_bus_router_busy_seconds_total"), "{{run}}"),
            unit="percentunit",
            steps=_LOAD,
        ),
        number(
            "Restarts",
            "Times the bus process was restarted.",
            query(now("asha_bus_restarts_total"), "{{run}}"),
            unit="short",
            steps=NONE_WANTED,
        ),
        number(
            "Journal",
            "Its length.",
            query(now("asha_bus_journal_bytes"), "{{run}}"),
            unit="bytes",
        ),
    ]


def _latency() -> list[AnyPanel]:
    return [
        heat(
            "Decisions at the bus",
            "How long the bus took for each report: from its arrival until it was "
            "answered and all tables updated.",
            _SERVER,
        ),
        heat(
            "Round trips",
            "How long the workers waited for each answer, as they report with their heartbeats.",
            _ROUND_TRIP,
        ),
        lines(
            "Latency",
            "The median and the 99th percentile, measured at the bus and by the workers. The "
            "difference is the network and the workers' machines.",
            query(quantile(0.5, _ROUND_TRIP), "round trip p50 · {{run}}"),
            query(quantile(0.99, _ROUND_TRIP), "round trip p99 · {{run}}"),
            query(quantile(0.5, _SERVER), "bus p50 · {{run}}"),
            query(quantile(0.99, _SERVER), "bus p99 · {{run}}"),
            unit="s",
            steps=_SLOW,
            logarithmic=True,
        ),
        lines(
            "Throughput",
            "Per second: reported metrics, between rungs and at rungs, and decisions.",
            query(rate("asha_bus_reports_total"), "reports · {{run}}"),
            query(rate("asha_bus_verdicts_total"), "verdicts · {{run}}"),
            unit="short",
        ),
    ]


def _load() -> list[AnyPanel]:
    return [
        lines(
            "Busy share",
            "The part of its time in which the router did not wait for a message, and the "
            "processor time that it took. From 70 % on, answers begin to wait for each other.",
            query(rate("asha_bus_router_busy_seconds_total"), "busy · {{run}}"),
            query(rate("asha_bus_router_cpu_seconds_total"), "processor · {{run}}"),
            unit="percentunit",
            steps=_LOAD,
            width=8,
        ),
        lines(
            "Queues",
            "requeued: trials to be restarted; waiting_workers: workers that wait for a trial.",
            query(
                now("asha_bus_queue_depth", "queue", queue="requeued|waiting_workers"),
                "{{queue}} · {{run}}",
            ),
            unit="short",
            stepped=True,
            width=8,
        ),
        lines(
            "Configurations",
            "suggestions: ready to be given out; undrawn: asked for and not drawn yet; given out: "
            "attempts at trials that workers got since the start; drawn: what the searcher gave, "
            "in batches and ahead of need; waited: times a worker had to wait for it; at random: "
            "drawn so since it took too long.",
            query(
                now("asha_bus_queue_depth", "queue", queue="suggestions|undrawn"),
                "{{queue}} · {{run}}",
            ),
            query(now("asha_bus_attempts_total"), "given out · {{run}}"),
            query(now("asha_bus_suggestions_total"), "drawn · {{run}}"),
            query(now("asha_bus_suggest_waits_total"), "waited · {{run}}"),
            query(now("asha_bus_suggestion_fallbacks_total"), "at random · {{run}}"),
            unit="short",
            stepped=True,
            width=8,
        ),
        lines(
            "Searcher",
            "Time of the searcher for each batch of configurations, on average since the start. "
            "Workers wait for it only when no suggestion is ready.",
            query(
                ratio(now("asha_bus_suggest_seconds_sum"), now("asha_bus_suggest_seconds_count")),
                "per batch · {{run}}",
            ),
            unit="s",
            width=8,
        ),
        lines(
            "Odd requests",
            "Since the start. retried: repeated, and got the recorded answer; fenced: reports of "
            "an attempt that was not the current one; refused: could not be served; unseen: "
            "reports between rungs that monitors did not see because there were too many.",
            query(now("asha_bus_retried_total"), "retried · {{run}}"),
            query(now("asha_bus_fenced_total"), "fenced · {{run}}"),
            query(now("asha_bus_refused_total"), "refused · {{run}}"),
            query(now("asha_bus_reports_unseen_total"), "unseen · {{run}}"),
            unit="short",
            stepped=True,
            width=8,
        ),
        lines(
            "Dropped, by kind",
            "Since the start: connections without the run's key, messages that are not part of "
            "the protocol, answers that nobody received.",
            query(now("asha_bus_rejected_total", "kind"), "{{kind}} · {{run}}"),
            unit="short",
            stepped=True,
            width=8,
        ),
    ]


def _journal() -> list[AnyPanel]:
    def count(what: str) -> str:
        return rate(f"asha_bus_journal_{what}_seconds_count")

    def mean(what: str) -> str:
        return ratio(rate(f"asha_bus_journal_{what}_seconds_sum"), count(what))

    return [
        lines(
            "Length",
            "Of the journal. Empty after a temporary journal could not be written.",
            query(now("asha_bus_journal_bytes"), "{{run}}"),
            unit="bytes",
            width=8,
        ),
        lines(
            "Time of a write, and until it is on the disk",
            "On average. A write is a part of a decision; waiting for the disk is one only with "
            "BusOptions(sync='always').",
            query(mean("write"), "write · {{run}}"),
            query(mean("sync"), "sync · {{run}}"),
            unit="s",
            logarithmic=True,
            width=8,
        ),
        lines(
            "Writes per second",
            "One holds all that happened in a turn of the router's loop.",
            query(count("write"), "writes · {{run}}"),
            query(count("sync"), "syncs · {{run}}"),
            unit="short",
            width=8,
        ),
    ]


def _processes() -> list[AnyPanel]:
    name = "{{process}} · {{run}}"
    return [
        lines(
            "Restarts",
            "Times the bus process was restarted since the launch.",
            query(now("asha_bus_restarts_total"), "{{run}}"),
            unit="short",
            stepped=True,
            width=8,
        ),
        lines(
            "Replay",
            "How long the present bus process read the journal before it could serve.",
            query(now("asha_bus_replay_seconds"), "{{run}}"),
            unit="s",
            stepped=True,
            width=8,
        ),
        lines(
            "Age of these figures",
            "They are requested from the bus every 0.5 s; after 5 s without an answer it is down.",
            query(now("asha_bus_snapshot_age_seconds"), "{{run}}"),
            unit="s",
            steps=((None, "green"), (5, "red")),
            width=8,
        ),
        lines(
            "Processor time",
            "Processor time of the bus process and the user's process; 100 % is one processor.",
            query(rate("asha_bus_process_cpu_seconds_total", "process"), name),
            unit="percentunit",
            width=8,
        ),
        lines(
            "Memory",
            "Resident memory of the two processes.",
            query(now("asha_bus_process_resident_memory_bytes", "process"), name),
            unit="bytes",
            width=8,
        ),
        lines(
            "Open descriptors",
            "Files, sockets and pipes that the two processes have open.",
            query(now("asha_bus_process_open_fds", "process"), name),
            unit="short",
            width=8,
        ),
    ]
