"""The programs in docs/frameworks.md run whose frameworks are large, and the example of Keras."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.documented_programs import ROOT, run
from support.frameworks import HEAVY, PAUSES, printed_by, programs

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("heading", "number"), programs(*HEAVY))
def test_a_program_runs(heading: str, number: int, tmp_path: Path) -> None:
    best = float(printed_by(heading, number, tmp_path)[-1].split()[-1])
    assert best < 0.9 if heading == "Transformers" else best > 0.8


@pytest.mark.parametrize("heading", ["PyTorch", "Lightning", "Transformers"])
def test_the_trials_of_a_program_may_pause(heading: str, tmp_path: Path) -> None:
    best = float(printed_by(heading, 0, tmp_path, PAUSES)[-1].split()[-1])
    assert best < 1.1 if heading == "Transformers" else best > 0.7


def test_one_spec_runs_with_each_scheduler(tmp_path: Path) -> None:
    printed = run(tmp_path, ROOT / "examples" / "keras_digits.py", "--smoke")
    best = [line for line in printed if "trials, best error" in line]
    assert ["halving:", "hyperband:", "asha:"] == [line.split()[0] for line in best]
    assert ["9", "10", "8"] == [line.split()[1] for line in best]
    assert 3 == sum(line.startswith("rung ") for line in printed)  # the live rungs
    assert "dry run of Digits" in printed[0]
