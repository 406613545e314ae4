"""The measurements of growth, on small numbers: simulated workers, and journals."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from bench import scale, workers

import asha_bus as ab
from asha_bus.bench.clients import Figures, raise_descriptor_limit


def test_simulated_workers_load_a_real_bus() -> None:
    found = workers.measure(20, 0.4, 0.0, 0.0)
    assert 20 == found["workers"]
    assert found["full_decisions_per_s"] > found["low_decisions_per_s"] > 0
    assert found["full_p99_us"] >= found["full_p50_us"] > 0
    # a report and its answer, without what CURVE and TCP add
    assert 20 < found["full_received_bytes_per_decision"] < found["full_sent_bytes_per_decision"]
    assert found["full_sent_bytes_per_decision"] < 100


def test_a_latency_counts_from_when_the_report_was_due() -> None:
    figures = Figures([1, 2, 3, 4, 100], 2.0, 500, 250)
    assert (3, 100) == (figures.percentile(0.5), figures.percentile(0.99))
    plain = figures.to_plain()
    assert (2.5, 100.0, 50.0) == (
        plain["decisions_per_s"],
        plain["sent_bytes_per_decision"],
        plain["received_bytes_per_decision"],
    )


def test_too_few_descriptors_are_named_with_what_to_do() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        pytest.skip("this system sets no limit")
    with pytest.raises(ab.BusError, match=rf"{most + 1} open files .* {most}; raise that"):
        raise_descriptor_limit(most + 1)


def test_the_journal_of_a_simulated_run_is_read_by_all_steps(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    made = scale.make(300, path)
    assert made["reports"] > 300
    assert scale.resume(300, path)["resume_s"] > 0
    assert scale.show(300, path)["document_s"] > 0
    (listed,) = ab.runs(tmp_path)
    assert (300, "unfinished") == (listed.trials, listed.state)
    assert listed.best == ab.Result.from_journal(path).best
