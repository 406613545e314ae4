"""The table in a real terminal, with workers that print beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.screen import Screen
from support.terminals import run_in_terminal, start_program

PROGRAM = """
    import logging
    import time
    import asha_bus as ab

    def talks(trial):
        for step in range(250):
            print(f"trial {trial.id} says {step}" + " and more" * (step % 20))
            if step % 50 == 0:
                time.sleep(0.3)
            if step == 125 and trial.id == 0:
                trial.log("a word in between")
            trial.report(1 / (step + 1))

    if __name__ == "__main__":
        logging.basicConfig(format="%(name)s: %(message)s", level="INFO")
        ab.launch(
            talks, {"x": ab.grid(1, 2, 3, 4)}, engine="local", workers=2,
            scheduler=ab.NoStopping(max_resource=250), name="shown", monitor=MONITOR,
        )
        print("the program goes on")
"""


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (10, 200)])
@pytest.mark.parametrize("monitor", ["text", "curves"])
def test_a_thousand_prints_stand_whole_above_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monitor: str, rows: int, columns: int
) -> None:
    # some shells and libraries export a size, which may be that of another terminal
    monkeypatch.setenv("LINES", "40")
    monkeypatch.setenv("COLUMNS", "90")
    program = PROGRAM.replace("MONITOR", repr(monitor))
    text = run_in_terminal(program, tmp_path, rows=rows, columns=columns)
    screen = Screen(rows, columns)
    screen.feed(text)
    heads = [row for row, line in enumerate(screen.lines) if line.startswith("shown: min by ")]
    assert 1 == len(heads)
    above, table = screen.lines[: heads[0]], screen.lines[heads[0] :]
    assert "4 of 4 trials done: 4 COMPLETED" == table[1]
    assert " elapsed, ended by exhausted, " in table[2]
    assert re.fullmatch(r"best: trial \d, metric 0\.004 at resource 250, x=[1-4]", table[3])
    assert ["the program goes on", ""] == table[-2:]
    assert len(table) <= rows + 1
    joined = re.sub(r"\n(?!trial|asha_bus)", "", "\n".join(above)).splitlines()
    logged = [line for line in joined if line.startswith("asha_bus.shown: ")]
    assert ["asha_bus.shown: trial 0: a word in between"] == [line.rstrip() for line in logged]
    for trial in range(4):
        said = [line for line in joined if line.startswith(f"trial {trial}: ")]
        assert said == [
            f"trial {trial}: trial {trial} says {n}" + " and more" * (n % 20) for n in range(250)
        ]


def test_without_a_terminal_there_is_a_line_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("wb") as file:
        program = PROGRAM.replace("MONITOR", "'text'")
        assert 0 == start_program(program, tmp_path, file.fileno()).wait(60)
    lines = path.read_text().splitlines()
    assert "\x1b" not in path.read_text()
    first, last = [line for line in lines if line.startswith("shown: ")]
    assert first.startswith("shown: started with at most 4 trials, 2 workers, no journal, NoStopp")
    assert re.fullmatch(
        r"shown: 4 trials, 0:0\d, ended by exhausted, best: trial \d, metric 0\.004 at resource "
        r"250, x=[1-4]",
        last,
    )
    assert 1_000 == sum(" says " in line for line in lines)
