"""The programs in docs/from-hyperopt.md run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.clusters import require_java

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "from-hyperopt.md"


def programs() -> list[str]:
    """The blocks of Python, each a program of its own."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_document_has_three_programs() -> None:
    assert 3 == len(programs())


def params() -> list[Any]:
    """The same; what takes SparkTrials needs a JVM."""
    marks = (pytest.mark.spark, pytest.mark.timeout(180))
    return [pytest.param(p, marks=marks if "SparkTrials" in p else ()) for p in programs()]


@pytest.mark.slow
@pytest.mark.parametrize("program", params())
def test_a_program_runs(program: str, tmp_path: Path) -> None:
    if "SparkTrials" in program:
        require_java()
    if "xgboost" in program:
        pytest.importorskip("xgboost")
    path = tmp_path / "program.py"
    path.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
