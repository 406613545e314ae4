"""The dashboard of a run's rungs and trials."""

from __future__ import annotations

from generate.pages.panels import NONE_WANTED, bars, lines, number, page, query
from generate.pages.promql import last, now, rate, ratio
from generate.pages.promql import number as finite

_RUNG = ("bracket", "rung", "resource")
#: A rung and its resource also identify the bracket.
_RUNG_NAME = "rung {{rung}} at {{resource}} · {{run}}"
_ENDED = "COMPLETED|STOPPED|CANCELLED|FAILED|LOST"
_FAILED = "FAILED|LOST"

#: Colours of trials' states, here and in the other dashboards.
STATES = {
    "COMPLETED": "green",
    "STOPPED": "blue",
    "RUNNING": "yellow",
    "PAUSED": "orange",
    "PENDING": "#8e8e8e",
    "CANCELLED": "purple",
    "FAILED": "red",
    "LOST": "dark-red",
}


def trials(states: str) -> str:
    """How many trials are in one of ``states`` at each moment."""
    return f"sum by (run) ({now('asha_bus_trials', 'state', state=states)})"


def _share_saved() -> str:
    spent, saved = now("asha_bus_resource_spent_total"), now("asha_bus_resource_saved_total")
    return ratio(saved, f"{spent} + {saved}")


def _promoted() -> str:
    decided = last("asha_bus_decisions_total", *_RUNG, "verdict", verdict="continue|stop")
    by = ", ".join(("run", *_RUNG))
    went_on = last("asha_bus_decisions_total", *_RUNG, verdict="continue")
    return ratio(went_on, f"sum by ({by}) ({decided})")


def rungs() -> str:
    """The dashboard as JSON."""
    return page(
        "asha-bus-rungs",
        "asha-bus / Live rungs",
        "How the trials of a run pass through its rungs, and what early stopping saves.",
        [
            number(
                "Best so far",
                "The leading trial's last metric: of the completed trials, else of those that "
                "got furthest.",
                query(finite(now("asha_bus_best_metric")), "{{run}}"),
                unit="none",
                no_value="no trial yet",
            ),
            number(
                "Trials ended",
                "Trials in a final state.",
                query(trials(_ENDED), "{{run}}"),
                unit="short",
            ),
            number(
                "Of the limit",
                "The share of max_trials that has ended.",
                query(ratio(trials(_ENDED), now("asha_bus_max_trials")), "{{run}}"),
                unit="percentunit",
                no_value="no limit",
            ),
            number(
                "Reports per second",
                "Metrics reported, between rungs and at rungs.",
                query(rate("asha_bus_reports_total"), "{{run}}"),
                unit="short",
            ),
            number(
                "Resource saved",
                "The part of max_resource that stopped trials did not use, as a share of that and"
                " of what all attempts used.",
                query(_share_saved(), "{{run}}"),
                unit="percentunit",
            ),
            number(
                "Failed or lost",
                "Trials whose objective failed, or whose workers were lost in every attempt.",
                query(trials(_FAILED), "{{run}}"),
                unit="short",
                steps=NONE_WANTED,
            ),
            bars(
                "The funnel",
                "Trials that were assigned to workers, that entered each rung, and that completed.",
                query(
                    "sum by (run) ("
                    + last("asha_bus_trials", "state", state=f"RUNNING|PAUSED|{_ENDED}")
                    + ")",
                    "begun · {{run}}",
                    instant=True,
                ),
                query(last("asha_bus_rung_entries", *_RUNG), _RUNG_NAME, instant=True),
                query(
                    last("asha_bus_trials", state="COMPLETED"), "completed · {{run}}", instant=True
                ),
                unit="short",
            ),
            bars(
                "Went on",
                "The share of each rung's decided entries that continued. It approaches 1 / "
                "reduction_factor from above: the first entries have few others to be compared "
                "with. In the last rung of a plan all trials complete.",
                query(_promoted(), _RUNG_NAME, instant=True),
                unit="percentunit",
                most=1,
            ),
            lines(
                "Cutoffs",
                "The worst metric with which a trial would continue at each rung at that moment.",
                query(finite(now("asha_bus_rung_cutoff_metric", *_RUNG)), _RUNG_NAME),
                unit="none",
                stepped=True,
                least=None,
            ),
            lines(
                "Best so far",
                "The leading trial's last metric. It may get worse for a moment: a trial that got"
                " further leads, whatever its metric.",
                query(finite(now("asha_bus_best_metric")), "{{run}}"),
                unit="none",
                stepped=True,
                least=None,
            ),
            lines(
                "Verdicts per second",
                "Entries of all rungs by their verdict.",
                query(rate("asha_bus_decisions_total", "verdict"), "{{verdict}} · {{run}}"),
                unit="short",
                colors={"continue": "green", "stop": "blue", "complete": "purple"},
                stacked=True,
            ),
            lines(
                "Trials by state",
                "COMPLETED trials reached max_resource or ended by themselves, STOPPED ones were "
                "stopped at a rung, CANCELLED ones when the run ended. PAUSED ones wait for the "
                "verdict of a rung, or for their worker to be free.",
                query(now("asha_bus_trials", "state"), "{{state}} · {{run}}"),
                unit="short",
                colors=STATES,
                stacked=True,
                stepped=True,
            ),
            lines(
                "Entries of each rung",
                "Trials that have entered each rung.",
                query(now("asha_bus_rung_entries", *_RUNG), _RUNG_NAME),
                unit="short",
                stepped=True,
            ),
            lines(
                "Resource spent and saved",
                "In the unit of the objective's reports, such as epochs: what all attempts used, "
                "the part of max_resource that stopped trials did not use, and what was trained "
                "again from the start.",
                query(now("asha_bus_resource_spent_total"), "spent · {{run}}"),
                query(now("asha_bus_resource_saved_total"), "saved · {{run}}"),
                query(now("asha_bus_resource_retrained_total"), "trained again · {{run}}"),
                unit="short",
                colors={"spent": "yellow", "saved": "green", "trained": "red"},
            ),
            lines(
                "Paused in each rung",
                "What has entered a rung and waits for its verdict, with a scheduler that pauses.",
                query(now("asha_bus_rung_paused", *_RUNG), _RUNG_NAME),
                unit="short",
                stepped=True,
            ),
            lines(
                "Still to enter each rung",
                "How many may still enter each rung of a plan; 0 without plans.",
                query(
                    f"clamp_min({now('asha_bus_rung_expected', *_RUNG)} - "
                    f"{now('asha_bus_rung_entries', *_RUNG)}, 0)",
                    _RUNG_NAME,
                ),
                unit="short",
                stepped=True,
            ),
            lines(
                "Paused trials in memory",
                "Paused trials in the memory of all workers, the most that one worker has, those "
                "that are to continue once their worker is free, and those that were dropped for "
                "lack of room.",
                query(now("asha_bus_residents"), "all · {{run}}"),
                query(now("asha_bus_residents_most"), "most of one worker · {{run}}"),
                query(now("asha_bus_promotions_waiting"), "to continue · {{run}}"),
                query(now("asha_bus_residents_dropped_total"), "dropped · {{run}}"),
                unit="short",
                colors={"all": "orange", "most": "yellow", "to": "green", "dropped": "red"},
                stepped=True,
                width=8,
            ),
            lines(
                "Saved states",
                "Paused trials whose states trial.checkpoint saved before they were dropped, and "
                "attempts that began from such a state: one that is dropped and not saved is "
                "trained again.",
                query(now("asha_bus_residents_saved_total"), "saved · {{run}}"),
                query(now("asha_bus_residents_loaded_total"), "loaded · {{run}}"),
                unit="short",
                colors={"saved": "yellow", "loaded": "green"},
                stepped=True,
                width=8,
            ),
            lines(
                "Wait of promotions",
                "How long trials that were to continue waited until their worker was free: the "
                "median and the longest time of the run so far.",
                query(now("asha_bus_promotion_wait_p50_seconds"), "median · {{run}}"),
                query(now("asha_bus_promotion_wait_max_seconds"), "longest · {{run}}"),
                unit="s",
                colors={"median": "green", "longest": "orange"},
                stepped=True,
                width=8,
            ),
        ],
    )
