"""The program in docs/from-mlflow-spark-study.md runs, and its runs are in MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.documented_programs import programs_in, run_program, text_of


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the database that MLflow reads
def test_the_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    (program,) = programs_in(text_of("from-mlflow-spark-study.md"))
    printed = run_program(tmp_path, program)
    assert printed[0].startswith("{'rate': 0.")

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("tuning")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = (run for run in runs if run.info.run_name == "first try")
    assert {"best.rate", "best.kind"} == set(parent.data.params)
    nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert 12 == len(nested)
    for run in nested:
        assert {"rate", "kind"} == set(run.data.params)
        assert "FINISHED" == run.info.status
