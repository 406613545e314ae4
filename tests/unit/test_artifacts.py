"""Where a run keeps what it saves: ``launch(artifacts=...)``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.plans import plan_for

import asha_bus as ab
from asha_bus.launching import artifacts

PAUSING = ab.SuccessiveHalving([(1, 1), (1, 1)])


def by_report(trial: ab.Trial) -> None:
    """Takes a trial."""


def by_yield(x: float) -> Iterator[float]:
    """Yields."""
    yield x


def saves(objective: Any = by_report, scheduler: Any = PAUSING, **arguments: Any) -> str:
    plan = plan_for(objective, scheduler=scheduler, max_trials=4, **arguments)
    return plan.settings.saves


def test_a_local_run_has_a_folder_of_its_own_that_is_made_when_it_is_needed() -> None:
    one, other = saves(engine="local"), saves(engine="local")
    assert one != other
    assert not Path(one).exists()


def test_on_spark_nothing_is_saved_without_a_folder() -> None:
    assert "" == saves()


@pytest.mark.parametrize(
    "given", [{"objective": by_yield}, {"scheduler": ab.ASHA(9)}, {"scheduler": None}]
)
def test_where_nothing_can_be_saved_there_is_no_folder(given: Any, tmp_path: Path) -> None:
    assert "" == saves(engine="local", **given)
    assert "" == saves(artifacts=tmp_path, **given)


def test_what_trials_attach_has_a_part_of_the_folder_that_a_resumed_run_shares(
    tmp_path: Path,
) -> None:
    first, again = (plan_for(by_yield, max_trials=4, artifacts=tmp_path) for _ in range(2))
    assert str(tmp_path / f"asha-bus-{first.settings.run}-kept") == first.settings.keeps
    assert first.settings.keeps == again.resumed(first.header).settings.keeps
    assert "" == plan_for(by_yield, max_trials=4, engine="local").settings.keeps


def test_a_run_has_a_part_of_the_folder_of_the_user(tmp_path: Path) -> None:
    plan = plan_for(by_report, scheduler=PAUSING, max_trials=4, artifacts=str(tmp_path))
    assert str(tmp_path / f"asha-bus-{plan.settings.run}") == plan.settings.saves


def test_a_relative_folder_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert saves(artifacts=".").startswith(str(tmp_path))


def test_a_resumed_run_has_the_part_of_the_first_one(tmp_path: Path) -> None:
    first = plan_for(by_report, scheduler=PAUSING, max_trials=4, artifacts=tmp_path)
    again = plan_for(by_report, scheduler=PAUSING, max_trials=4, artifacts=tmp_path)
    assert first.settings.saves != again.settings.saves
    assert first.settings.saves == again.resumed(first.header).settings.saves


@pytest.mark.parametrize("run", ["/../../other", "a/b", "a\0b"])
def test_the_folder_of_a_run_of_a_journal_lies_in_that_of_the_user(
    tmp_path: Path, run: str
) -> None:
    plan = plan_for(by_report, scheduler=PAUSING, max_trials=4, artifacts=tmp_path)
    header = plan.header
    foreign = header._replace(settings=replace(header.settings, run=run))
    with pytest.raises(ab.InvalidArgument, match="not one that asha-bus gives"):
        plan.resumed(foreign)


def test_an_address_takes_what_is_attached_and_no_states(tmp_path: Path) -> None:
    place = f"file://{tmp_path}"
    plan = plan_for(by_report, scheduler=PAUSING, max_trials=4, artifacts=place)
    assert f"{place}/asha-bus-{plan.settings.run}-kept" == plan.settings.keeps
    assert "" == plan.settings.saves
    assert saves(artifacts=f"{place}/", engine="local")  # a temporary folder, as without any
    assert [] == list(tmp_path.iterdir())
    again = plan_for(by_report, scheduler=PAUSING, max_trials=4, artifacts=place)
    assert plan.settings.keeps == again.resumed(plan.header).settings.keeps


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("file:///nowhere/at/all", "cannot be written to: .*No such file"),
        ("s3x://bucket/folder", "cannot be written to: Protocol not known: s3x; install what"),
        ("adl://bucket/folder", "cannot be written to: .*[Ii]nstall .*adlfs"),
        ("file://", "names no place there; append a bucket or a folder"),
        ("memory://folder", "the memory of one process, and each worker is another one"),
        ("dbfs:/nowhere/at/all", "'/dbfs/nowhere/at/all' does not exist"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_before_anything_starts(
    place: str, message: str
) -> None:
    with pytest.raises(ab.InvalidArgument, match=message):
        plan_for(by_yield, max_trials=4, artifacts=place)


def test_without_fsspec_an_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ab.InvalidArgument, match=r"pip install 'asha-bus\[fsspec\]'"):
        plan_for(by_yield, max_trials=4, artifacts="s3://bucket/folder")


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ab.InvalidArgument, match=r"artifacts must be .*file' is not a folder"):
        saves(artifacts=file)
    with pytest.raises(ab.InvalidArgument, match=r"artifacts must be .*none' does not exist"):
        saves(artifacts=tmp_path / "none")
    with pytest.raises(ab.InvalidArgument, match="artifacts must be the path of a folder"):
        saves(artifacts=7)


def test_a_folder_that_cannot_be_written_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)  # root may do all
    with pytest.raises(ab.InvalidArgument, match="artifacts must be a folder that can be written"):
        saves(artifacts=tmp_path)


def test_what_cannot_be_removed_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    artifacts.remove("")
    artifacts.remove(str(tmp_path / "none"))
    assert "" == caplog.text
    file = tmp_path / "file"
    file.touch()
    artifacts.remove(str(file))
    assert "could not be removed" in caplog.text
