"""The best model of a real run stays in the folder, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import attaching

import asha_bus as ab

S = ab.TrialState


def launch(objective: Any, folder: Path | str, **arguments: Any) -> ab.Result:
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 5}
    given = {"max_trials": 12, "artifacts": folder, **settings, **arguments}
    return ab.launch(objective, attaching.SPACE, **given)


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("asha-bus-*-kept/*"))


@pytest.mark.parametrize("objective", [attaching.by_yield, attaching.by_hand, attaching.at_its_end])
@pytest.mark.parametrize("scheduler", [ab.ASHA(9), ab.SuccessiveHalving.classic(9)])
def test_what_the_best_trial_attached_is_there_and_nothing_else(
    objective: Any, scheduler: ab.Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "artifacts"
    folder.mkdir()
    count = scheduler.configurations or 12
    result = launch(objective, folder, scheduler=scheduler, max_trials=count)
    best = result.best
    assert best is not None
    assert S.COMPLETED is best.state
    assert f"{best.params['x']!r} 9" == best.artifact("model").read_text()
    assert [f"trial-{best.id}-1-{best.metric!r}"] == kept(folder)
    assert any(trial.state is S.STOPPED for trial in result.trials)
    assert "attach" not in best.extras


def test_as_many_as_wanted_stay_and_their_bytes_are_not_in_the_journal(tmp_path: Path) -> None:
    journal = tmp_path / "run.journal"
    result = launch(attaching.by_return, tmp_path, keep_artifacts=3, journal=journal)
    leaders = result.top(3)
    for trial in leaders:
        data = trial.artifact("model").read_bytes()
        assert (attaching.MEGABYTES, trial.params["x"]) == (len(data), float(data))
    assert 3 == len(kept(tmp_path))
    assert journal.stat().st_size < 100_000
    read = ab.Result.from_journal(journal)
    assert read.best is not None
    assert leaders[0].artifact("model") == read.best.artifact("model")

    again = launch(
        attaching.by_return,
        tmp_path,
        keep_artifacts=1,
        journal=journal,
        resume=True,
        max_trials=16,
    )
    assert again.best is not None
    assert again.best.params["x"] == float(again.best.artifact("model").read_bytes())


@pytest.mark.parametrize("scheduler", [ab.ASHA(9), ab.SuccessiveHalving.classic(9)])
def test_an_address_keeps_what_a_folder_keeps(scheduler: ab.Scheduler, tmp_path: Path) -> None:
    journal, place = tmp_path / "run.journal", tmp_path / "bucket"
    place.mkdir()
    count = scheduler.configurations or 12
    given = {"scheduler": scheduler, "max_trials": count, "journal": journal, "keep_artifacts": 2}
    result = launch(attaching.by_hand, f"file://{place}", **given)
    assert any(trial.state is S.STOPPED for trial in result.trials)
    read = ab.Result.from_journal(journal)
    completed = [trial for trial in result.top(2) if trial.state is S.COMPLETED]
    for trial in completed:
        assert f"{trial.params['x']!r} 9" == trial.artifact("model").read_text()
        copy = read.trials[trial.id].artifact("model")
        assert trial.artifact("model").read_bytes() == copy.read_bytes()
    entries = [f"trial-{t.id}-1-{t.metric!r}" for t in completed]
    assert sorted(entries + [f"files-{entry}" for entry in entries]) == kept(place)


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_lost_worker_leaves_nothing_behind(tmp_path: Path, prefix: str) -> None:
    result = launch(attaching.lost_once, f"{prefix}{tmp_path}", max_trials=2)
    assert {(S.COMPLETED, 2)} == {(trial.state, trial.attempts) for trial in result.trials}
    best = result.best
    assert best is not None
    assert best.params["x"] == float(best.artifact("model").read_text())
    entry = f"trial-{best.id}-2-{best.metric!r}"
    assert ([entry] if not prefix else [f"files-{entry}", entry]) == kept(tmp_path)


def test_workers_without_fsspec_end_the_run_with_an_error_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden" / "fsspec"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('it is hidden')")
    monkeypatch.setenv("PYTHONPATH", str(hidden.parent))  # of the workers, not of this process
    with pytest.raises(ab.WorkerError, match=r"artifacts='file://.*pip install 'asha-bus\[fsspec"):
        launch(attaching.by_return, f"file://{tmp_path}", max_trials=2)


def test_a_run_whose_trials_attach_nothing_leaves_no_folder(tmp_path: Path) -> None:
    result = ab.launch(
        lambda x: x, attaching.SPACE, artifacts=tmp_path, max_trials=2, engine="local", monitor=None
    )
    assert 2 == len(result.trials)
    assert [] == list(tmp_path.iterdir())


def test_what_cannot_be_attached_fails_its_trial_alone(tmp_path: Path) -> None:
    options = ab.BusOptions(max_artifact_bytes=1_000)
    result = launch(attaching.too_large, tmp_path, bus=options)
    for trial in result.trials:
        assert (S.FAILED if trial.params["x"] < 0.5 else S.COMPLETED) is trial.state
        if trial.state is S.FAILED:
            assert "it has 1,001 bytes, and the limit is 1,000" in (trial.error or "")


def test_without_a_folder_the_error_says_what_to_pass(tmp_path: Path) -> None:
    with pytest.raises(ab.AllTrialsFailed, match=r"pass launch\(artifacts=FOLDER\)"):
        launch(attaching.by_return, tmp_path, artifacts=None, max_trials=2)


def test_the_best_is_trained_again_in_this_process(tmp_path: Path) -> None:
    result = launch(attaching.by_yield, tmp_path, scheduler=ab.ASHA(9))
    best = result.best
    assert best is not None
    metric, extras = result.refit()
    assert (best.metric, 9) == (metric, extras["epoch"])
    assert best.artifact("model").read_bytes() == extras["attach"]["model"]
