"""The programs in docs/frameworks.md run, as far as their frameworks are installed here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.clusters import require_java
from support.frameworks import HEAVY, PAUSES, PROGRAMS, printed_by, programs

#: The headings whose programs run here, and what their programs import.
HERE = {
    "scikit-learn": "sklearn",
    "XGBoost": "xgboost",
    "LightGBM": "lightgbm",
    "Spark ML": "pyspark",
}

pytestmark = pytest.mark.slow


def test_every_program_is_run() -> None:
    assert {*HERE, *HEAVY} == {heading for heading, found in PROGRAMS.items() if found}


@pytest.mark.parametrize(
    ("heading", "number"),
    [
        pytest.param(*found, marks=pytest.mark.spark if found[0] == "Spark ML" else ())
        for found in programs(*HERE)
    ],
)
def test_a_program_runs(
    heading: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(HERE[heading])
    if heading == "Spark ML":
        require_java()
        monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    printed = printed_by(heading, number, tmp_path)
    if (heading, number) == ("scikit-learn", 1):  # the folds, which are repeats
        trials = sorted(line.split()[0] for line in printed[-4:])
        assert ["0-2", "3-5", "6-8", "9-11"] == trials, printed
        return
    best = float(printed[-1].split()[-1])
    assert best < 0.1 if heading == "XGBoost" else best > 0.9


@pytest.mark.parametrize("heading", ["XGBoost", "LightGBM"])
def test_the_trials_of_a_program_may_pause(heading: str, tmp_path: Path) -> None:
    pytest.importorskip(HERE[heading])
    printed = printed_by(heading, 0, tmp_path, PAUSES)
    best = float(printed[-1].split()[-1])
    assert best < 0.1 if heading == "XGBoost" else best > 0.9
