"""What-if: a local run is simulated from its own journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.schedulers import Threshold

import asha_bus as ab
from asha_bus import cli
from asha_bus.core.schedulers import Hyperband, MedianStopping, PromotionASHA, SuccessiveHalving
from asha_bus.core.trial import TrialState
from asha_bus.simulation.recorded import read


def training(x: float) -> Iterator[float]:
    """It fails, ends by itself or goes on, as its parameter says."""
    for epoch in range(1, 100):
        if x > 0.9 and epoch == 1:
            raise ValueError("diverged")
        if x < 0.1 and epoch == 5:
            return
        yield x + 1 / epoch


def record(folder: Path, scheduler: ab.Scheduler, **arguments: Any) -> Path:
    path = folder / "run.journal"
    ab.launch(
        training,
        {"x": ab.uniform(0, 1)},
        scheduler=scheduler,
        max_trials=30,
        seed=11,
        engine="local",
        workers=1,
        journal=path,
        monitor=None,
        **arguments,
    )
    return path


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("stopped"), ab.ASHA(9))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("whole"), ab.NoStopping(27))


def test_the_time_to_each_rung_is_that_of_the_run(stopped: Path) -> None:
    trials = ab.Result.from_journal(stopped).trials
    for trial, row in zip(trials, read(stopped).rows, strict=True):
        rungs = [record.resource for record in trial.rungs]
        assert rungs == [resource for resource, _ in row.times][: len(rungs)]


def test_a_run_of_one_worker_is_simulated_as_it_was(stopped: Path) -> None:
    real, run = ab.Result.from_journal(stopped), ab.simulate(stopped)
    assert [trial.rungs for trial in real.trials] == [trial.rungs for trial in run.result.trials]
    assert [trial.state for trial in real.trials] == [trial.state for trial in run.result.trials]
    assert [trial.params for trial in real.trials] == [trial.params for trial in run.result.trials]
    assert {TrialState.FAILED, TrialState.COMPLETED, TrialState.STOPPED} == {
        trial.state for trial in run.result.trials
    }
    failed = run.result.failures[0]
    assert "diverged" in str(failed.error)
    assert real.bus.workers == run.result.bus.workers == 1


def test_the_target_of_the_recorded_run_ends_the_simulated_one(tmp_path: Path) -> None:
    journal = record(tmp_path, ab.ASHA(9), stop_at=0.42)
    real, run = ab.Result.from_journal(journal), ab.simulate(journal)
    assert "stop_at" == real.reason == run.result.reason
    assert [trial.rungs for trial in real.trials] == [trial.rungs for trial in run.result.trials]
    assert [trial.metric for trial in real.trials] == [trial.metric for trial in run.result.trials]
    ended = real.trials[-1]  # between two rungs
    assert ended.resource not in {record.resource for record in ended.rungs}
    other = ab.simulate(journal, stop_at=0.9)
    assert "stop_at" == other.result.reason
    assert other.metrics[-1] <= 0.9
    with pytest.raises(ab.InvalidArgument, match="asks for its metric at resource 9"):
        ab.simulate(journal, stop_at=-1.0)  # the last trial would have gone on


def test_what_other_schedulers_and_workers_would_have_done(whole: Path) -> None:
    real = ab.Result.from_journal(whole)
    curves = {trial.id: dict(trial.curve) for trial in real.trials}
    for scheduler in (
        ab.ASHA(27),
        PromotionASHA(27),
        SuccessiveHalving([(1, 10), (8, 2), (18, 1)]),
        Hyperband([(20, [(1, 6), (8, 1)]), (10, [(9, 1)])]),
    ):
        run = ab.simulate(whole, scheduler=scheduler, workers=8)
        assert 8 == run.result.bus.workers
        assert 30 == len(run.result.trials)
        for trial in run.result.trials:
            for record in trial.rungs:
                assert curves[trial.id][record.resource] == record.metric
    assert run.result.trials[0].params == real.trials[0].params


def test_a_curve_too_short_is_refused_with_what_to_do(stopped: Path) -> None:
    with pytest.raises(ab.InvalidArgument) as raised:
        ab.simulate(stopped, scheduler=ab.NoStopping(27))
    assert "the simulated run asks for its metric at resource 27" in str(raised.value)
    assert "curves=True and NoStopping(max_resource=27)" in str(raised.value)
    assert "lower max_resource" in str(raised.value)
    with pytest.raises(ab.InvalidArgument, match="metric at resource 10;") as raised:
        ab.simulate(stopped, scheduler=MedianStopping(27))
    assert "NoStopping(max_resource=27)" in str(raised.value)


def test_a_journal_without_curves_is_refused(tmp_path: Path) -> None:
    path = record(tmp_path, ab.NoStopping(9), curves=False)
    assert 9 == ab.simulate(path).result.best.resource  # type: ignore[union-attr]
    with pytest.raises(ab.InvalidArgument, match="rungs only"):
        ab.simulate(path, scheduler=ab.ASHA(9))


def test_the_command(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == cli.main(
        ["simulate", "--journal", str(whole), "--workers", "64", "--scheduler", "promotion"]
    )
    assert "PromotionASHA(max_resource=27" in capsys.readouterr().out
    assert 0 == cli.main(["simulate", "--trials", "300", "--workers", "9"])
    assert "decisions a second" in capsys.readouterr().out
    assert 2 == cli.main(["simulate", "--journal", str(whole), "--max-resource", "81"])
    assert "--max-resource also needs --scheduler" in capsys.readouterr().err


def test_the_command_reads_a_journal_of_your_own_scheduler(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(record(tmp_path, Threshold(1.7)))
    assert 1 == cli.main(["simulate", "--journal", path])
    assert "simulate: --journal-scheduler)" in capsys.readouterr().err
    own = ["--journal-scheduler", "support.schedulers:Threshold"]
    assert 0 == cli.main(["simulate", "--journal", path, *own])
    assert "Threshold(limit=1.7)" in capsys.readouterr().out
