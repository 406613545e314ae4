"""The dashboard of the workers."""

from __future__ import annotations

from generate.pages.panels import NONE_WANTED, lines, number, page, query
from generate.pages.promql import now, rate, ratio

#: A worker that missed three heartbeats of 2 s is silent; its lease ends after 60 s.
_SILENT = ((None, "green"), (6, "orange"), (60, "red"))
_BUSY = ((None, "red"), (0.5, "orange"), (0.9, "green"))


def workers() -> str:
    """The dashboard as JSON."""
    idle, there = "asha_bus_worker_idle_seconds_total", "asha_bus_worker_seconds_total"
    return page(
        "asha-bus-workers",
        "asha-bus / Workers",
        "The workers that are present, how busy they are, and what was lost with dead ones.",
        [
            number(
                "Workers",
                "Workers that are present.",
                query(f"sum by (run) ({now('asha_bus_workers', 'state')})", "{{run}}"),
                unit="short",
            ),
            number(
                "With a trial",
                "Workers that run a trial.",
                query(now("asha_bus_workers", state="running"), "{{run}}"),
                unit="short",
            ),
            number(
                "Busy since the start",
                "The share of all workers' time, each from its first trial on, that was spent in "
                "the objective.",
                query(f"1 - {ratio(now(idle), now(there))}", "{{run}}"),
                unit="percentunit",
                steps=_BUSY,
            ),
            number(
                "Most silent worker",
                "Time since its last message. Heartbeats are sent every 2 s by default.",
                query(now("asha_bus_heartbeat_age_seconds"), "{{run}}"),
                unit="s",
                steps=_SILENT,
            ),
            number(
                "Queued again",
                "Trials whose worker was lost, and that were queued again.",
                query(now("asha_bus_requeued_total"), "{{run}}"),
                unit="short",
                steps=NONE_WANTED,
            ),
            number(
                "Leases ended",
                "Workers declared dead because they were silent for BusOptions.lease_s.",
                query(now("asha_bus_leases_expired_total"), "{{run}}"),
                unit="short",
                steps=NONE_WANTED,
            ),
            lines(
                "Workers by state",
                "running: with a trial; waiting: for a trial; silent: for three heartbeats; idle:"
                " none of these.",
                query(now("asha_bus_workers", "state"), "{{state}} · {{run}}"),
                unit="short",
                colors={"running": "green", "waiting": "blue", "idle": "#8e8e8e", "silent": "red"},
                stacked=True,
                stepped=True,
            ),
            lines(
                "Busy share",
                "The share of the workers' time that was spent in the objective. The rest was "
                "spent on waiting for decisions and trials, and on clean-up.",
                query(f"1 - {ratio(rate(idle), rate(there))}", "{{run}}"),
                unit="percentunit",
                steps=_BUSY,
                most=1,
            ),
            lines(
                "Most silent worker",
                "Time since its last message. A worker that is silent for BusOptions.lease_s is "
                "declared dead, and its trial is queued again.",
                query(now("asha_bus_heartbeat_age_seconds"), "{{run}}"),
                unit="s",
                steps=_SILENT,
            ),
            lines(
                "Joined and left",
                "Workers that ever joined, and times one left or was declared dead.",
                query(now("asha_bus_workers_joined_total"), "joined · {{run}}"),
                query(now("asha_bus_workers_left_total"), "left · {{run}}"),
                unit="short",
                colors={"joined": "green", "left": "orange"},
                stepped=True,
            ),
            lines(
                "Lost work",
                "Trials queued again because their worker was lost, or because the attempt failed"
                " and there were retries; leases that ended; and trials that were given up.",
                query(now("asha_bus_requeued_total"), "queued again · {{run}}"),
                query(now("asha_bus_failed_attempts_total"), "failed attempts · {{run}}"),
                query(now("asha_bus_leases_expired_total"), "leases ended · {{run}}"),
                query(now("asha_bus_trials", state="LOST"), "LOST · {{run}}"),
                unit="short",
                colors={
                    "queued": "orange",
                    "failed": "red",
                    "leases": "purple",
                    "LOST": "dark-red",
                },
                stepped=True,
            ),
            lines(
                "Trials assigned per second",
                "Attempts at trials that were assigned to workers.",
                query(rate("asha_bus_attempts_total"), "{{run}}"),
                unit="short",
            ),
        ],
    )
