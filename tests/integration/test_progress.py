"""The progress line on a terminal, and a few lines elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from support.terminals import run_in_terminal, start_program

PROGRAM = """
    import asha_bus as ab
    from support import objectives

    if __name__ == "__main__":
        ab.launch(
            objectives.prints, {"x": ab.uniform(0, 1)}, engine="local", workers=2, max_trials=6,
            name="shown", scheduler=ab.NoStopping(max_resource=50),
        )
"""


def test_a_terminal_shows_one_line_and_whole_prints(tmp_path: Path) -> None:
    text = run_in_terminal(PROGRAM, tmp_path)
    assert "6/6" in text
    assert "shown" in text
    assert re.search(r"best: trial \d, metric [01]\.\d+, params \{'x': [01]\.\d+\}", text)
    # every printed line begins at the left margin, after the bar was wiped
    printed = re.findall(r"(?:\r|\n)trial \d: line \d+ of [01]\.\d{3}\r\n", text)
    assert len(printed) == text.count("line ") == 300


def test_without_a_terminal_prints_come_out_between_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("wb") as file:
        assert 0 == start_program(PROGRAM, tmp_path, file.fileno()).wait(60)
    lines = path.read_text().splitlines()
    assert len(lines) == 302
    others = [
        line for line in lines if not re.fullmatch(r"trial \d: line \d+ of [01]\.\d{3}", line)
    ]
    first, last = others  # which go to stderr
    assert first.startswith("shown: started with at most 6 trials, 2 workers, no journal")
    assert last.startswith("shown: 6 trials, ")
