"""The programs in docs/from-hyperopt.md run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.clusters import require_java
from support.documented_programs import programs_in, run_program, text_of

PROGRAMS = programs_in(text_of("from-hyperopt.md"))


def test_the_document_has_three_programs() -> None:
    assert 3 == len(PROGRAMS)


def params() -> list[Any]:
    """The same; what takes SparkTrials needs a JVM."""
    marks = (pytest.mark.spark, pytest.mark.timeout(180))
    return [
        pytest.param(program, marks=marks, id=f"spark{n}")
        if "SparkTrials" in program
        else pytest.param(program, id=f"program{n}")
        for n, program in enumerate(PROGRAMS)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("program", params())
def test_a_program_runs(program: str, tmp_path: Path) -> None:
    if "SparkTrials" in program:
        require_java()
    if "xgboost" in program:
        pytest.importorskip("xgboost")
    run_program(tmp_path, program)
