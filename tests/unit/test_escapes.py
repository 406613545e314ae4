"""Escapes for a terminal, in names, values, errors and logs: shown, and not obeyed."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

import asha_bus as ab
from asha_bus import cli
from asha_bus.core import messages as m
from asha_bus.core.space import Space, choice, uniform
from asha_bus.formats.journal import Header
from asha_bus.formats.records import Encoder
from asha_bus.formats.space_form import describe
from asha_bus.monitors.base import RunInfo
from asha_bus.monitors.line import last_line
from asha_bus.monitors.table import run_table
from asha_bus.monitors.terminal import TerminalTable
from asha_bus.results.tables import visible
from asha_bus.testing.simulator import Bench

#: Clears the screen, sets the title, moves the cursor; in 8 bits, a line's beginning, backwards.
EVIL = "a\x1b[2J\x1b]0;title\x07\x9b2Jb\r\u202ec"
OBEYED = "\x1b\x07\x9b\r\u202e"


class Evil:
    def __repr__(self) -> str:
        return EVIL


def obeyed(text: str) -> set[str]:
    return {one for one in text if one in OBEYED}


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A run with escapes wherever a stranger can put them."""
    bench = Bench(max_trials=4)
    bench.join("a")
    trial = bench.experiment.roster.workers["a"].trial
    assert trial is not None
    bench.send("a", m.Log(trial, 1, "info", EVIL))
    bench.end("a", trial, "failed", error=f"ValueError: {EVIL}")
    space = Space({EVIL: choice(Evil(), EVIL)})
    header = Header(EVIL, bench.settings, describe(space), {"mode": "min"}, "0")
    encoder = Encoder()
    path = tmp_path / "journal"
    path.write_bytes(header.encode() + b"".join(map(encoder.encode, bench.records)))
    return path


def test_a_text_is_shown_with_escapes() -> None:
    assert "a\\x1b[2J\\x1b]0;title\\x07\\x9b2Jb\\r\\u202ec" == visible(EVIL)
    assert "lines\n\tand spaces\u00a0stay, ä too" == visible("lines\n\tand spaces\u00a0stay, ä too")
    assert "\\udcff" == visible("\udcff")


def test_a_result_and_its_tables_obey_nothing() -> None:
    result = ab.launch(
        lambda x, y: x,
        {"x": uniform(0, 1), "y": ab.grid(Evil(), 2)},
        max_trials=4,
        engine="local",
        workers=1,
        monitor=None,
    )
    texts = [repr(result), repr(result.by_branch()), repr(result.by_configuration())]
    texts += [last_line(result), result.explain(0)]
    assert [set()] * len(texts) == [obeyed(text) for text in texts]
    assert "\\x1b[2J" in "".join(texts)


def test_the_command_obeys_nothing(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["report", str(journal)])
    cli.main(["report", f"{journal}{EVIL}"])
    told = capsys.readouterr()
    assert "\\x1b[2J" in told.out + told.err
    assert set() == obeyed(told.out) | obeyed(told.err)


def test_the_text_monitor_obeys_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    table = TerminalTable()
    table._lines = ["a table"]
    table.write(EVIL)
    assert "a\\x1b[2J\\x1b]0;title" in stdout.getvalue()
    assert "\x1b[2J" not in stdout.getvalue()


def test_the_lines_of_the_text_monitor_obey_nothing(journal: Path) -> None:
    result: Any = ab.Result.from_journal(journal)
    info = RunInfo.of(EVIL, result.settings, result.space)
    lines = run_table(info, result, 1, width=200, height=50)
    assert set() == obeyed("\n".join(lines))
    assert set() == obeyed("".join(result.explain(trial.id) for trial in result.trials))
