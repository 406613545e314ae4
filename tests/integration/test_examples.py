"""The examples run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_sweep_prints_a_row_for_each_combination(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "sweep.py"), "--smoke"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    lines = done.stdout.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("branch"))
    rows = [line.split() for line in lines[begin + 2 : begin + 18]]
    assert [[str(n), "linear" if n < 8 else "forest"] for n in range(16)] == [r[:2] for r in rows]
    assert 32 == sum(int(row[4]) for row in rows)
    assert lines[-1].startswith("the best: 0.")
