"""The programs of documents: their blocks of Python, each run as a program of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def text_of(document: str) -> str:
    """The text of ``document`` in docs/."""
    return (ROOT / "docs" / document).read_text(encoding="utf-8")


def programs_in(text: str) -> list[str]:
    """The blocks of Python in ``text``."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run_program(folder: Path, program: str) -> list[str]:
    """The lines that ``program`` prints where it succeeds."""
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
