"""The programs of docs/frameworks.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_TEXT = (ROOT / "docs" / "frameworks.md").read_text(encoding="utf-8")

#: The blocks of Python by the heading above them, each a program of its own.
PROGRAMS = {
    section.partition("\n")[0]: re.findall(r"^```python\n(.*?)^```$", section, re.M | re.S)
    for section in re.split(r"^## ", _TEXT, flags=re.M)[1:]
}


#: The headings whose frameworks tests/frameworks needs.
HEAVY = ("Keras", "PyTorch", "Lightning", "Transformers")


#: Of six trials, three are paused after two units and do not continue, and two after five.
PAUSES = "ab.SuccessiveHalving([(2, 3), (3, 1), (4, 1)], n=6)"


def programs(*headings: str) -> list[tuple[str, int]]:
    """The programs below ``headings``: each heading, and a number below it."""
    return [(heading, n) for heading in headings for n in range(len(PROGRAMS[heading]))]


def printed_by(heading: str, number: int, folder: Path, scheduler: str | None = None) -> list[str]:
    """The lines that a program prints where it succeeds, with another ``scheduler`` if given."""
    program = PROGRAMS[heading][number]
    if scheduler is not None:
        program, times = re.subn(r"scheduler=ab\.ASHA\(.*\),", f"scheduler={scheduler},", program)
        assert 1 == times
        program = re.sub(r"max_trials=.*,", "", program)
    path = folder / "program.py"
    path.write_text(program, encoding="utf-8")
    return run(folder, path)


def run(folder: Path, *command: str | Path) -> list[str]:
    """The lines that a Python program prints where it succeeds."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines()
