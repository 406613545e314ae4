"""How a journal names its scheduler: by a key, which is looked up and never imported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.schedulers import Threshold

from asha_bus import ASHA, InvalidArgument, JournalError, NoStopping, Result, cli
from asha_bus.core.events import AppendToJournal, Resumed, RunSettings
from asha_bus.core.schedulers import Scheduler, scheduler_from_plain
from asha_bus.driver.scheduler_class import imported, named
from asha_bus.formats.journal import Header, replay
from asha_bus.formats.records import Encoder
from asha_bus.monitors.base import Monitor
from asha_bus.monitors.watch import JournalFollower
from asha_bus.testing.simulator import Bench


class Planted(Threshold):
    """What a stranger writes into a journal: the command that is to be run."""

    def to_plain(self) -> dict[str, Any]:
        return {"class": "os:system", "command": "touch ran"}


def journal_of(scheduler: Scheduler) -> bytes:
    settings = Bench(scheduler=scheduler).settings
    return Header("test", settings, ("dict", ()), {"mode": "min"}, "0").encode()


def test_the_keys_of_our_own_schedulers_stay() -> None:
    """Journals hold them, so they outlive any move of the code."""
    assert "asha_bus.core.schedulers.asha:ASHA" == ASHA.key()
    assert "asha_bus.core.schedulers.nostopping:NoStopping" == NoStopping.key()


def test_an_unknown_scheduler_is_named_with_the_fix() -> None:
    plain = Threshold(0.5).to_plain()
    with pytest.raises(
        InvalidArgument,
        match=r"'support\.schedulers:Threshold' is not one of asha-bus.*schedulers=\[\.\.\.\]",
    ):
        scheduler_from_plain(plain)
    assert Threshold(0.5) == scheduler_from_plain(plain, [Threshold])


def test_settings_are_read_with_a_third_partys_scheduler() -> None:
    settings = Bench(scheduler=Threshold(0.5)).settings
    assert settings == RunSettings.from_plain(settings.to_plain(), [Threshold])
    with pytest.raises(InvalidArgument, match="support.schedulers:Threshold"):
        RunSettings.from_plain(settings.to_plain())


def test_a_journal_is_read_with_a_third_partys_scheduler() -> None:
    data = journal_of(Threshold(0.5))
    assert Threshold(0.5) == replay(data, "j", [Threshold]).header.settings.scheduler
    with pytest.raises(JournalError, match=r"^j: the scheduler .*schedulers=\[\.\.\.\]"):
        replay(data, "j")


def test_a_run_with_a_third_party_scheduler_is_resumed() -> None:
    settings = Bench(scheduler=Threshold(0.5)).settings
    data = journal_of(Threshold(0.5)) + Encoder().encode(
        AppendToJournal(1.0, Resumed(settings), ())
    )
    again = replay(data, "j", [Threshold])
    assert (1, settings) == (again.records, again.experiment.settings)


def test_a_journal_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "journal"
    path.write_bytes(journal_of(Planted(0.5)))
    for read in (Result.from_journal, JournalFollower):
        with pytest.raises(JournalError, match="the scheduler 'os:system' is not one of asha-bus"):
            read(path)
    assert ["journal"] == os.listdir(tmp_path)


def test_the_command_line_reads_it_with_the_class_that_its_user_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "journal"
    path.write_bytes(journal_of(Threshold(0.5)))
    assert 1 == cli.main(["report", str(path)])
    assert "support.schedulers:Threshold" in capsys.readouterr().err
    assert 0 == cli.main(["report", str(path), "--scheduler", "support.schedulers:Threshold"])
    assert "Result of test" in capsys.readouterr().out
    for name, words in (
        ("support.schedulers:Nobody", "has no attribute 'Nobody'"),
        ("no.such:Class", "No module named 'no'"),
        ("", "Empty module name"),
        ("os:system", "this is not a class of schedulers"),
    ):
        assert 2 == cli.main(["report", str(path), "--scheduler", name])
        error = capsys.readouterr().err
        assert words in error
        assert f"--scheduler {name}" in error


def test_a_journal_is_watched_with_the_class_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(journal_of(Threshold(0.5)))
    follower = JournalFollower(path, [Threshold])
    follower.refresh(Monitor())
    assert "test" == follower.result().name


def test_the_bus_imports_what_the_users_process_names() -> None:
    assert () == imported(named(ASHA(9)))
    assert [Threshold] == imported(named(Threshold(0.5)))


@pytest.mark.parametrize("module", ["__main__", "no.such.module", __name__])
def test_a_class_that_no_other_process_can_import_is_refused(module: str) -> None:
    class Local(Threshold):
        pass

    Local.__module__ = module
    with pytest.raises(InvalidArgument, match="Local, which the bus process cannot import; define"):
        named(Local(0.5))
