"""The resource of a whole run: counted in the objective, whatever becomes of the workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from support import objectives
from support.processes import wait_until

import asha_bus as ab
from asha_bus.core.schedulers import Scheduler
from asha_bus.core.trial import TrialState


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    given = {"engine": "local", "monitor": None, "seed": 7, "workers": 1}
    return {
        "objective": objectives.counted,
        "space": {"x": ab.uniform(0, 1), "folder": str(folder)},
        **given,
        **more,
    }


def epochs(folder: Path) -> int:
    """How many epochs the objective has trained."""
    return sum(path.stat().st_size for path in folder.glob("epochs-*"))


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize(
    "scheduler",
    [
        *(ab.ASHA(9), ab.ASHA(27, brackets=2), ab.NoStopping(7), ab.MedianStopping(9)),
        *(ab.PromotionASHA(27), ab.SuccessiveHalving.classic(81, 1, 3)),
    ],
    ids=repr,
)
def test_no_more_epochs_are_trained_than_were_bought(
    scheduler: Scheduler, workers: int, tmp_path: Path
) -> None:
    bought = 100
    result = ab.launch(
        **settings(tmp_path, scheduler=scheduler, workers=workers, max_total_resource=bought)
    )
    assert "max_total_resource" == result.reason
    assert epochs(tmp_path) <= bought
    # no first rung would have fitted into what is left, or the way to the next one of any trial
    assert epochs(tmp_path) > bought - 18


@pytest.mark.parametrize("workers", [1, 4])
def test_without_rungs_each_worker_exceeds_it_by_one_epoch_at_most(
    workers: int, tmp_path: Path
) -> None:
    result = ab.launch(
        **settings(tmp_path, workers=workers, max_trials=50, max_total_resource=60.5)
    )
    assert "max_total_resource" == result.reason
    assert 60.5 <= epochs(tmp_path) <= 60.5 + workers


def test_what_is_lost_with_a_worker_counts_as_a_whole(tmp_path: Path) -> None:
    folder, journal = tmp_path / "epochs", tmp_path / "journal"
    folder.mkdir()
    run = ab.start(
        **settings(
            folder,
            objective=objectives.counted_slowly,
            scheduler=ab.NoStopping(20),
            max_total_resource=100,
            journal=journal,
        )
    )
    wait_until(lambda: epochs(folder) >= 3)
    (pid,) = (int(path.name.split("-")[1]) for path in folder.glob("epochs-*"))
    os.kill(pid, signal.SIGKILL)
    result = run.result(timeout=60)
    assert "max_total_resource" == result.reason
    # five stretches of 20 were granted: the lost one, and those of four trials
    completed = [trial for trial in result.trials if trial.state is TrialState.COMPLETED]
    assert 4 == len(completed)
    assert 80 < epochs(folder) < 100
    told = ab.Result.from_journal(journal, result.space)
    assert ("max_total_resource", result.trials) == (told.reason, told.trials)


def test_a_resume_with_more_trains_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "epochs"
    folder.mkdir()
    given = settings(
        folder, scheduler=ab.ASHA(9), journal=tmp_path / "journal", max_trials=1_000, workers=2
    )
    first = ab.launch(**given, max_total_resource=40)
    assert epochs(folder) <= 40
    same = ab.launch(**given, max_total_resource=40, resume=True)
    assert "max_total_resource" == first.reason == same.reason
    assert epochs(folder) <= 40
    more = ab.launch(**given, max_total_resource=90, resume=True)
    assert "max_total_resource" == more.reason
    assert 40 < epochs(folder) <= 90
    assert len(first.trials) < len(more.trials)
