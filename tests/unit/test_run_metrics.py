"""The metrics of a run: all of them from the start, and none that goes back."""

from __future__ import annotations

import itertools
import math
import os
import time
from typing import Any

import pytest
from generate import metrics as metrics_document
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from asha_bus.core.latency import BOUNDS_S, Latencies
from asha_bus.core.schedulers import ASHA, SuccessiveHalving
from asha_bus.core.status import BusFigures, JournalFigures, status
from asha_bus.driver.collector import RunMetrics, collect
from asha_bus.driver.figures import process_figures
from asha_bus.driver.metrics import METRICS
from asha_bus.driver.readings import BUCKETS, Facts
from asha_bus.testing.simulator import Bench

Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def facts_of(bench: Bench, **changes: Any) -> Facts:
    """What is known of the bench's run; ``changes`` of the bus's own figures."""
    figures = BusFigures(
        busy_s=0.5,
        router_cpu_s=0.25,
        process_cpu_s=0.3,
        journal=JournalFigures(1_000, 10, 0.1, 2, 0.2),
    )
    return Facts(
        mode="min",
        scheduler="ASHA(max_resource=9)",
        objective="train",
        engine="local",
        version="1",
        max_trials=None,
        start_time=1.0,
        status=status(bench.experiment, bench.now, figures._replace(**changes)),
        taken_at=time.monotonic(),
    )


class Collector:
    def __init__(self, *runs: RunMetrics) -> None:
        self.runs = runs

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Any:
        return collect(self.runs)


def values(*runs: RunMetrics) -> Values:
    """Every sample as Prometheus reads it."""
    registry = CollectorRegistry()
    registry.register(Collector(*runs))
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Values, name: str, **labels: str) -> float:
    return found[name, tuple(sorted({"run": "r", **labels}.items()))]


def test_every_known_value_of_a_label_stands_there_from_the_start() -> None:
    bench = Bench(scheduler=ASHA(max_resource=9, brackets=2))
    before = values(RunMetrics("r", facts_of(bench)))
    assert {family.name for family in METRICS if family.kind != "info"} <= {
        name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
        for name, _ in before
    } | {"asha_bus_process_cpu_seconds_total"} | {
        "asha_bus_process_resident_memory_bytes",
        "asha_bus_process_open_fds",
    }
    bench.join("a", "b")
    for name, number in (("a", 0), ("b", 1)):
        bench.report(name, number, 1, 0.5 + number)
    bench.wait(1_000.0)
    after = values(RunMetrics("r", facts_of(bench, rejected={"malformed": 3})))
    assert before.keys() == after.keys()


def test_decisions_are_counted_by_rung_and_verdict() -> None:
    bench = Bench()
    bench.join("a", "b", "c")
    for name, number, metric in (("a", 0, 0.5), ("b", 1, 0.7), ("c", 2, 0.4)):
        bench.report(name, number, 1, metric)
    found = values(RunMetrics("r", facts_of(bench)))
    rung = {"bracket": "0", "rung": "0", "resource": "1"}
    assert 3 == value(found, "asha_bus_rung_entries", **rung)
    assert 2 == value(found, "asha_bus_decisions_total", verdict="continue", **rung)
    assert 1 == value(found, "asha_bus_decisions_total", verdict="stop", **rung)
    assert 0.4 == value(found, "asha_bus_rung_cutoff_metric", **rung)
    assert math.isnan(
        value(found, "asha_bus_rung_cutoff_metric", bracket="0", rung="1", resource="3")
    )
    assert 3 == value(found, "asha_bus_reports_total")
    assert 1 == value(found, "asha_bus_trials", state="STOPPED")
    assert 0.4 == value(found, "asha_bus_best_metric")
    assert 1 == value(found, "asha_bus_best_resource")


def test_paused_trials_are_neither_stopped_nor_gone_on() -> None:
    bench = Bench(scheduler=SuccessiveHalving([(1, 2), (2, 1)], max_resident=1), max_trials=6)
    bench.join("a")
    for number, metric in enumerate((0.5, 0.25, 0.75)):
        bench.report("a", number, 1, metric)
    found = values(RunMetrics("r", facts_of(bench)))
    rung = {"bracket": "0", "rung": "0", "resource": "1"}
    assert 3 == value(found, "asha_bus_rung_entries", **rung)
    assert 6 == value(found, "asha_bus_rung_expected", **rung)
    assert 2 == value(found, "asha_bus_rung_paused", **rung)
    assert 0 == value(found, "asha_bus_decisions_total", verdict="continue", **rung)
    assert 1 == value(found, "asha_bus_decisions_total", verdict="stop", **rung)
    assert 2 == value(found, "asha_bus_trials", state="PAUSED")
    assert 1 == value(found, "asha_bus_residents")
    assert 1 == value(found, "asha_bus_residents_most")
    assert 1 == value(found, "asha_bus_residents_dropped_total")
    bench.report("a", 3, 1, 0.125)
    bench.report("a", 4, 1, 0.875)  # now 3 is sure to continue
    bench.report("a", 3, 3, 0.0625)
    bench.report("a", 5, 1, 0.875)
    found = values(RunMetrics("r", facts_of(bench)))
    last = {"bracket": "0", "rung": "1", "resource": "3"}
    assert 2 == value(found, "asha_bus_decisions_total", verdict="continue", **rung)
    assert 4 == value(found, "asha_bus_decisions_total", verdict="stop", **rung)
    assert 1 == value(found, "asha_bus_decisions_total", verdict="complete", **last)
    assert 0 == value(found, "asha_bus_decisions_total", verdict="stop", **last)


def test_saved_and_loaded_states_are_counted() -> None:
    bench = Bench(max_trials=6)
    bench.experiment.counters.saved, bench.experiment.counters.loaded = 3, 2
    found = values(RunMetrics("r", facts_of(bench)))
    assert 3 == value(found, "asha_bus_residents_saved_total")
    assert 2 == value(found, "asha_bus_residents_loaded_total")


def test_a_histogram_counts_what_is_below_each_bound() -> None:
    latencies = Latencies()
    for seconds in (1e-5, 3e-4, 3e-4, 0.2, 5.0):
        latencies.add(seconds)
    found = values(RunMetrics("r", facts_of(Bench(), server_latency=latencies.to_counts())))
    below = {
        dict(labels)["le"]: number
        for (name, labels), number in found.items()
        if name == "asha_bus_decision_seconds_bucket"
    }
    assert 5 == below.pop("+Inf")
    for bound, number in below.items():
        assert sum(s <= float(bound) for s in (1e-5, 3e-4, 3e-4, 0.2, 5.0)) == number
    assert 5 == value(found, "asha_bus_decision_seconds_count")
    assert 5.20061 == pytest.approx(value(found, "asha_bus_decision_seconds_sum"), rel=0.022)


def test_buckets_reach_from_20_us_to_1_s_by_square_roots_of_two() -> None:
    bounds = [BOUNDS_S[bound] for bound in BUCKETS]
    assert bounds[0] < 20e-6
    assert 1.0 == bounds[-1]
    for low, high in itertools.pairwise(bounds):
        assert math.sqrt(2) == pytest.approx(high / low)


def test_a_counter_does_not_decrease_after_a_restart_of_the_bus() -> None:
    bench = Bench()
    latencies = {100: 7, 200: 3}
    metrics = RunMetrics("r", facts_of(bench, server_latency=latencies, busy_s=9.0))
    before = values(metrics)
    metrics.facts = facts_of(bench, server_latency={100: 2, 200: 4}, busy_s=1.0, journal=None)
    after = values(metrics)
    assert 9.0 == value(after, "asha_bus_router_busy_seconds_total")
    for (name, labels), number in before.items():
        if name.endswith(("_total", "_bucket", "_count", "_sum")) and (name, labels) in after:
            assert after[name, labels] >= number, name
    assert ("asha_bus_journal_bytes", (("run", "r"),)) not in after


def test_the_bus_is_down_when_it_does_not_answer_or_is_gone() -> None:
    facts = facts_of(Bench())
    metrics = RunMetrics("r", facts)
    assert 1 == value(values(metrics), "asha_bus_up")
    facts.taken_at -= 6.0
    assert 0 == value(values(metrics), "asha_bus_up")
    assert 6.0 <= value(values(metrics), "asha_bus_snapshot_age_seconds")
    facts.reason, facts.end_time = "max_trials", 2.0
    found = values(metrics)
    assert 1 == value(found, "asha_bus_up")
    assert 0 == value(found, "asha_bus_snapshot_age_seconds")
    assert 1 == value(found, "asha_bus_run_ended", reason="max_trials")
    assert 0 == value(found, "asha_bus_run_ended", reason="failed")
    facts.is_dead = True
    assert 0 == value(values(metrics), "asha_bus_up")


def test_runs_share_the_families_and_one_without_a_status_has_none() -> None:
    unheard = facts_of(Bench())
    unheard.status = None
    found = values(RunMetrics("a", facts_of(Bench())), RunMetrics("b", facts_of(Bench())),
                   RunMetrics("c", unheard))  # fmt: skip
    runs = [dict(labels)["run"] for name, labels in found if name == "asha_bus_up"]
    assert ["a", "b"] == sorted(runs)


def test_names_and_labels_keep_to_the_conventions() -> None:
    assert len(METRICS) == len({family.name for family in METRICS})
    for family in METRICS:
        assert family.name.startswith("asha_bus_")
        assert (family.kind == "counter") == family.name.endswith("_total")
        assert not {"run", "trial", "worker", "host"} & set(family.labels)
        assert family.help
        assert not family.help.endswith(".")


def test_the_document_is_up_to_date() -> None:
    assert 0 == metrics_document.main(["--check"]), "run python scripts generate/metrics"


def test_a_process_that_is_gone_has_no_figures() -> None:
    figures = process_figures(os.getpid())
    assert figures is not None
    assert figures.cpu_s > 0
    assert figures.resident_bytes > 1_000_000
    assert figures.open_fds > 2
    assert process_figures(2**22 + 1) is None
