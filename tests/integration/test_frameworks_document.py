"""The programs in docs/frameworks.md run, as far as their frameworks are installed here."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.frameworks import HEAVY, PROGRAMS, printed_by, programs

HERE = ("scikit-learn", "XGBoost", "LightGBM")


def test_every_program_is_run() -> None:
    assert {*HERE, *HEAVY} == {heading for heading, found in PROGRAMS.items() if found}


@pytest.mark.slow
@pytest.mark.parametrize(("heading", "number"), programs(*HERE))
def test_a_program_runs(heading: str, number: int, tmp_path: Path) -> None:
    pytest.importorskip({"scikit-learn": "sklearn"}.get(heading, heading.lower()))
    printed = printed_by(heading, number, tmp_path)
    if (heading, number) == ("scikit-learn", 1):
        assert "spread" in "".join(printed)
    else:
        assert 0.9 < float(printed[-1].split()[-1]) or heading == "XGBoost"
