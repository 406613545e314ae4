"""The programs in docs/from-optuna.md run."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.documented_programs import programs_in, run_program, text_of

PROGRAMS = programs_in(text_of("from-optuna.md"))


def test_the_document_has_two_programs() -> None:
    assert 2 == len(PROGRAMS)


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_runs(program: str, tmp_path: Path) -> None:
    run_program(tmp_path, program)
