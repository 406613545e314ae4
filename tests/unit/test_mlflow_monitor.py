"""What `MLflowMonitor` says without MLflow, and to wrong arguments."""

from __future__ import annotations

from typing import Any

import pytest

import asha_bus as ab
from asha_bus.monitors.mlflow_names import name_for


def test_without_mlflow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asha_bus.monitors.mlflow.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'asha-bus\[mlflow\]'"):
        ab.MLflowMonitor()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"experiment": ""}, "MLflowMonitor: experiment must be the name of an experiment, got ''"),
        ({"experiment": 7}, "experiment must be the name of an experiment, got 7 of type int"),
        ({"experiment_id": ""}, "experiment_id must be the id of an experiment, got ''"),
        ({"run_name": 3}, "run_name must be the name of a run, got 3"),
        ({"experiment": "a", "experiment_id": "1"}, "both name the experiment; pass one of them"),
        ({"tracking_uri": 5000}, "tracking_uri must be the address of a tracking server, or None"),
    ],
)
def test_wrong_arguments_are_named(arguments: Any, said: str) -> None:
    with pytest.raises(ab.InvalidArgument, match=said):
        ab.MLflowMonitor(**arguments)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lr", "lr"),
        ("model/depth", "model/depth"),
        ("a: ü", "a_ _"),
        ("a//b", "a__b"),
        ("../a", "_a"),
        ("/a", "_a"),
        ("b/", "b_"),
        (".", "_"),
        ("", "_"),
        ("x" * 300, "x" * 250),
    ],
)
def test_a_name_is_one_that_mlflow_takes_as_a_path_also(name: str, said: str) -> None:
    assert said == name_for(name)
