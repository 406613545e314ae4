"""A journal that is deleted or renamed while its run goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support import objectives
from support.processes import wait_until

import asha_bus as ab


def start(objective: Any, *, journal: Path, max_trials: int) -> ab.Run:
    return ab.start(
        objective,
        {"x": ab.uniform(0, 1)},
        journal=journal,
        max_trials=max_trials,
        engine="local",
        workers=1,
        monitor=None,
    )


def test_it_is_noticed_and_said_and_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "journal"
    run = start(objectives.slope, journal=path, max_trials=100_000)
    wait_until(lambda: run.status()["trials"] > 1)
    path.unlink()
    wait_until(lambda: "was deleted or renamed" in caplog.text)
    place = Path(caplog.text.partition("copy the file from ")[2].split()[0])
    copy = tmp_path / "copy"
    copy.write_bytes(place.read_bytes())
    run.stop()
    assert "stopped" == run.result(timeout=60).reason
    assert len(ab.Result.from_journal(copy).trials) > 1


def test_a_name_that_is_not_utf_8_is_a_journal_like_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / os.fsdecode(b"journ\xff")
    result = start(lambda x: x, journal=path, max_trials=3).result(timeout=60)
    assert "deleted" not in caplog.text
    assert [t.metric for t in result.trials] == [
        t.metric for t in ab.Result.from_journal(path).trials
    ]
