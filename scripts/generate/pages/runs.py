"""The dashboard that compares runs."""

from __future__ import annotations

from generate.pages.panels import Column, lines, page, query, rows
from generate.pages.promql import last, now, rate, ratio
from generate.pages.promql import number as finite
from generate.pages.rungs import trials

_REASONS: dict[str | None, tuple[str, str]] = {
    "failed": ("failed", "red"),
    None: ("running, or its process is gone", "yellow"),
}
_BUS: dict[str | None, tuple[str, str]] = {
    "1": ("up", "green"),
    "0": ("down", "red"),
    None: ("no longer served", "#8e8e8e"),
}
_ENDED = "COMPLETED|STOPPED|CANCELLED|FAILED|LOST"


def _in_states(states: str) -> str:
    return f"sum by (run) ({last('asha_bus_trials', 'state', state=states)})"


def _columns() -> list[Column]:
    start = last("asha_bus_run_start_timestamp_seconds")
    end = f"{last('asha_bus_run_end_timestamp_seconds')} > 0"
    spent, saved = last("asha_bus_resource_spent_total"), last("asha_bus_resource_saved_total")
    info = last("asha_bus_run_info", "objective", "scheduler", "mode")
    seconds = f"(({end}) or {start} * 0 + time()) - {start}"
    return [
        Column("Run", info, label="run"),
        Column("Objective", info, label="objective"),
        Column("Scheduler", info, label="scheduler"),
        Column("Better", info, label="mode"),
        Column(
            "Ended by",
            last("asha_bus_run_ended", "reason") + " == 1",
            label="reason",
            texts=_REASONS,
        ),
        Column("Bus", now("asha_bus_up"), texts=_BUS),
        Column("Best", finite(last("asha_bus_best_metric")), "none"),
        Column("At resource", finite(last("asha_bus_best_resource"))),
        Column("Trials ended", _in_states(_ENDED)),
        Column("Failed or lost", _in_states("FAILED|LOST")),
        Column("Reports/s", f"{last('asha_bus_reports_total')} / ({seconds})", decimals=1),
        Column("Spent", spent),
        Column("Saved", ratio(saved, f"{spent} + {saved}"), "percentunit", decimals=0),
        Column("Start", f"{start} * 1000", "dateTimeAsIso"),
        Column("End", f"({end}) * 1000", "dateTimeAsIso"),
        Column("Time", seconds, "s"),
    ]


def runs() -> str:
    """The dashboard as JSON."""
    spent, saved = now("asha_bus_resource_spent_total"), now("asha_bus_resource_saved_total")
    return page(
        "asha-bus-runs",
        "asha-bus / Runs",
        "All runs in the time range, side by side.",
        [
            rows(
                "Runs",
                "Every run that Prometheus scraped in the time range, with its last figures. A "
                "run whose process ended before the next scrape has those of the last one.",
                _columns(),
                sort_by="Start",
                url="/d/asha-bus-rungs?${datasource:queryparam}&var-run=${__value.raw:percentencode}"
                "&${__url_time_range}",
                height=9,
            ),
            lines(
                "Best so far",
                "The leading trial's last metric of each run.",
                query(finite(now("asha_bus_best_metric")), "{{run}}"),
                unit="none",
                stepped=True,
                least=None,
            ),
            lines(
                "Trials ended",
                "Trials of each run in a final state.",
                query(trials(_ENDED), "{{run}}"),
                unit="short",
                stepped=True,
            ),
            lines(
                "Reports per second",
                "Metrics reported, between rungs and at rungs.",
                query(rate("asha_bus_reports_total"), "{{run}}"),
                unit="short",
                width=8,
            ),
            lines(
                "Resource spent",
                "What all attempts used, in the unit of the objective's reports.",
                query(spent, "{{run}}"),
                unit="short",
                width=8,
            ),
            lines(
                "Resource saved",
                "The part of max_resource that stopped trials did not use, as a share of that and"
                " of what all attempts used.",
                query(ratio(saved, f"{spent} + {saved}"), "{{run}}"),
                unit="percentunit",
                most=1,
                width=8,
            ),
        ],
    )
