"""Standard streams that are closed, broken or printed to: output may be lost, trials are not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import objectives
from support.programs import start_program

import asha_bus as ab
from asha_bus.core.trial import TrialState
from asha_bus.monitors.dispatch import Dispatcher

SPACE = {"x": ab.uniform(0, 1)}

PROGRAM = """
    import os, sys
    {before}
    import asha_bus as ab
    from support import objectives

    if __name__ == "__main__":
        {inside}
        result = ab.launch(
            objectives.prints, {{"x": ab.uniform(0, 1)}}, engine="local", workers=2, max_trials=6,
            searcher=ab.TPE(), page=True, {arguments}
        )
        with open("result", "w") as file:
            file.write(f"{{result.reason}} {{len(result.trials)}} {{result.bus.fallbacks}}")
"""


def outcome(
    folder: Path,
    *paths: Path,
    before: str = "",
    inside: str = "",
    arguments: str = "",
    **options: Any,
) -> str:
    source = PROGRAM.format(before=before, inside=inside, arguments=arguments)
    with start_program(folder, source, *paths, **options) as program:
        program.wait(timeout=100)
    return (folder / "result").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_streams_as_a_daemon_leaves_them(tmp_path: Path, closed: tuple[int, ...]) -> None:
    before = "".join(f"os.close({number}); " for number in closed)
    found = outcome(tmp_path, before=before, arguments="journal='journal'")
    assert "max_trials 6 0" == found
    told = ab.Result.from_journal(tmp_path / "journal")  # nobody printed into it
    assert 6 == told.counts[TrialState.COMPLETED]


@pytest.mark.slow
def test_a_sitecustomize_that_prints_harms_nobody(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("print('hello ' * 50, flush=True)\n")
    with (tmp_path / "out").open("wb") as out:
        assert "max_trials 6 0" == outcome(tmp_path, site, stdout=out)


@pytest.mark.slow
@pytest.mark.parametrize("monitor", ["progress", "text"])
@pytest.mark.parametrize(
    "stdout",
    ["None", "open(os.devnull, 'w').detach()", "object()", "open('/dev/full', 'w')", "CLOSED"],
)
def test_a_stdout_that_takes_nothing(tmp_path: Path, stdout: str, monitor: str) -> None:
    inside = f"sys.stdout = {stdout}"
    if stdout == "CLOSED":
        inside = "sys.stdout.close()"
    found = outcome(tmp_path, inside=inside, arguments=f"monitor={monitor!r}")
    assert "max_trials 6 0" == found


@pytest.mark.slow
def test_a_reader_that_leaves(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        assert "max_trials 6 0" == outcome(tmp_path, stdout=stdout)


@pytest.mark.slow
def test_a_report_on_the_command_line_ends_quietly_when_its_reader_leaves(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    ab.launch(
        objectives.square,
        SPACE,
        engine="local",
        workers=1,
        max_trials=3,
        monitor=None,
        journal=journal,
        searcher=ab.TPE(),
    )
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "asha_bus.cli", "report", str(journal)],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=100,
    )
    os.close(writing)
    assert (141, b"") == (ended.returncode, ended.stderr)


def test_a_full_disk_is_named_on_the_command_line(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    ab.launch(
        objectives.square,
        SPACE,
        engine="local",
        workers=1,
        max_trials=3,
        monitor=None,
        journal=journal,
    )
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "asha_bus.cli", "report", str(journal)],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=100,
        )
    assert 1 == ended.returncode
    assert b"asha-bus: the output cannot be written: No space left on device\n" == ended.stderr


def test_output_that_nobody_can_show_fails_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Dispatcher, text: str) -> None:
        raise RuntimeError("not today")

    monkeypatch.setattr(Dispatcher, "write", refuse)
    result = ab.launch(
        objectives.prints_without_end,
        SPACE,
        engine="local",
        workers=1,
        max_trials=1,
        monitor=None,
    )
    assert 1 == result.counts[TrialState.COMPLETED]
