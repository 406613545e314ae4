"""The examples run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, *command: str) -> list[str]:
    """What an example prints."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / command[0]), *command[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_the_plans_train_as_many_epochs_as_they_say(tmp_path: Path) -> None:
    lines = [
        line.split() for line in run(tmp_path, "plans.py", "--smoke") if " epochs, best " in line
    ]
    told = {name: (int(trials), int(epochs)) for name, trials, _, epochs, *_ in lines}
    assert 40 == told["asha:"][0]
    # each trial has 3 epochs at least, and the best third 9 at least
    assert 40 * 3 < told.pop("asha:")[1] < 40 * 27
    assert {
        "halving:": (8, 8 * 4 + 5 * 2 + 2 * 6),
        "classic:": (8, 8 * 1 + 4 * 1 + 2 * 2 + 1 * 4),
        "one_rung:": (16, 16 * 2),
        "hyperband:": (24, 12 * 1 + 4 * 2 + 2 * 6 + 8 * 3 + 3 * 6 + 4 * 9),
    } == told


@pytest.mark.slow
def test_the_sweep_prints_a_row_for_each_combination(tmp_path: Path) -> None:
    lines = run(tmp_path, "sweep.py", "--smoke")
    begin = next(number for number, line in enumerate(lines) if line.startswith("branch"))
    rows = [line.split() for line in lines[begin + 2 : begin + 18]]
    assert [[str(n), "linear" if n < 8 else "forest"] for n in range(16)] == [r[:2] for r in rows]
    assert 32 == sum(int(row[4]) for row in rows)
    assert lines[-1].startswith("the best: 0.")
