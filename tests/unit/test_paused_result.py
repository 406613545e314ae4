"""What a result tells of idle workers, of paused trials and of what was trained again."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from support.results import SPACE

from asha_bus import Result, TrialRecord
from asha_bus.core.events import WorkerExited
from asha_bus.core.schedulers import PromotionASHA
from asha_bus.core.status import status as status_of
from asha_bus.core.trial import TrialRow
from asha_bus.formats.journal import Header
from asha_bus.formats.records import Encoder
from asha_bus.formats.space_form import describe
from asha_bus.results.records import BusReport
from asha_bus.testing.simulator import Bench


def pausing_run() -> Bench:
    """Two workers, of which one waits for 30 s; the other holds a promoted trial for 5 s."""
    bench = Bench(scheduler=PromotionASHA(max_resource=3, max_resident=2), max_trials=4)
    bench.join("a", "b")
    bench.report("a", 0, 1, 0.5)
    bench.report("b", 1, 1, 0.75)
    bench.report("b", 3, 1, 0.875)  # 0 is promoted
    bench.ask("b")  # and waits
    bench.now += 5.0
    bench.report("a", 2, 1, 0.625)  # a resumes 0
    bench.now += 25.0
    bench.report("a", 0, 3, 0.25)
    return bench


def test_a_result_tells_of_idle_workers_and_waits() -> None:
    bench = pausing_run()
    assert bench.ended is not None
    report = BusReport.from_status(status_of(bench.experiment, bench.now))
    assert 30.0 == report.idle_seconds
    assert 5.0 == pytest.approx(report.promotion_wait_p50_s, rel=0.03)
    assert (5.0, 2, 0, {}) == (
        report.promotion_wait_max_s,
        report.most_residents,
        report.dropped_residents,
        report.residents,
    )
    assert math.isnan(
        BusReport.from_status(status_of(Bench().experiment, 0.0)).promotion_wait_max_s
    )


def test_a_trial_knows_when_it_paused() -> None:
    bench = Bench(scheduler=PromotionASHA(max_resource=3, max_resident=2), max_trials=4, epoch=9e5)
    bench.join("a", "b")
    began = 9e5 + bench.now
    bench.report("a", 0, 1, 0.5)
    bench.report("b", 1, 1, 0.75)
    bench.report("b", 3, 1, 0.875)  # 0 is promoted
    bench.now += 5.0
    bench.report("a", 2, 1, 0.625)  # a resumes 0
    found = [
        TrialRecord.from_row(TrialRow.from_plain(trial.to_row()), SPACE).pauses
        for trial in bench.experiment.table.trials
    ]
    assert ((began, began + 5.0),) == found[0]
    assert [((began, None),), ((began + 5.0, None),), ((began, None),)] == found[1:]
    bench.handle(WorkerExited("slot of a"))  # 0 is trained again, from the start
    bench.ask("b")
    assert (2, ()) == (
        bench.experiment.table[0].attempt,
        bench.experiment.table[0].pause_times,
    )


def test_what_was_trained_again_is_counted() -> None:
    bench = Bench(scheduler=PromotionASHA(max_resource=3), max_trials=4)
    bench.join("a", "b")
    bench.report("a", 0, 1, 0.5)
    bench.handle(WorkerExited("slot of a"))
    bench.report("b", 1, 1, 0.75)
    bench.report("b", 2, 1, 0.875, attempt=2)  # 0 is promoted, and b trains it from the start
    report = BusReport.from_status(status_of(bench.experiment, bench.now))
    assert 1.0 == report.retrained_resource
    assert {"b": 2} == report.residents


def test_a_journal_gives_the_same_figures(tmp_path: Path) -> None:
    bench = pausing_run()
    path = tmp_path / "run.journal"
    header = Header("run", bench.settings, describe(SPACE), {}, "0.1.0")
    path.write_bytes(header.encode() + b"".join(map(Encoder().encode, bench.records)))
    result = Result.from_journal(path)
    report = BusReport.from_status(status_of(bench.experiment, bench.now))
    for name in ("idle_seconds", "promotion_wait_p50_s", "promotion_wait_max_s", "most_residents"):
        assert getattr(report, name) == getattr(result.bus, name)
    assert (30.0, 0.0) == (result.idle_seconds, result.retrained_resource)
    assert bench.experiment.scheduler.rungs() == list(result.rungs)
