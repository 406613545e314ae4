"""Objectives, spaces and data that cannot be unpickled in a worker: one error, in words."""

from __future__ import annotations

import os
import sys
import types
from typing import Any

import pytest
from support.processes import children_of

import asha_bus as ab


class Stubborn:
    """Can be pickled, and not unpickled."""

    def __getstate__(self) -> dict[str, Any]:
        return {"x": 1}

    def __setstate__(self, state: dict[str, Any]) -> None:
        raise RuntimeError("not in this process")

    def __call__(self, x: float, **data: Any) -> float:
        return x


@pytest.fixture
def memory_only(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function of a module that no other process can import."""
    module = types.ModuleType("only_in_memory")
    exec("def train(x):\n    return x", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_in_memory", module)
    return module.__dict__["train"]


def error_of(objective: Any, space: Any = None, **arguments: Any) -> str:
    settings: dict[str, Any] = {"workers": 2, "max_trials": 4, "monitor": None, **arguments}
    with pytest.raises(ab.WorkerError) as caught:
        ab.start(objective, space or {"x": ab.uniform(0, 1)}, **settings).result(timeout=60)
    assert not children_of(os.getpid(), "asha_bus.")
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def takes_data(x: float, data: Any) -> float:
    return x


def test_a_module_that_workers_lack_is_named(memory_only: Any) -> None:
    error = error_of(memory_only, engine="local")
    assert error.startswith("the objective cannot be loaded in a worker on ")
    assert "ModuleNotFoundError: No module named 'only_in_memory'" in error
    assert "install it for that Python" in error


def test_a_class_that_cannot_be_unpickled_is_named_with_its_place() -> None:
    error = error_of(Stubborn(), engine="local")
    assert error.startswith("the objective cannot be loaded in a worker on ")
    assert "RuntimeError: not in this process (in __setstate__, " in error


def test_a_space_that_cannot_be_unpickled_is_named() -> None:
    space = {"x": ab.uniform(0, 1), "option": Stubborn()}
    error = error_of(lambda x, option: x, space, engine="local")
    assert error.startswith("the space cannot be loaded in a worker on ")


def test_data_that_cannot_be_unpickled_is_named() -> None:
    error = error_of(takes_data, engine="local", data={"data": Stubborn()})
    assert error.startswith("data['data'] cannot be loaded in a worker on ")


@pytest.mark.spark
@pytest.mark.slow
def test_a_task_of_spark_says_the_same(spark: Any, memory_only: Any) -> None:
    error = error_of(memory_only, spark=spark)
    assert error.startswith("the objective cannot be loaded in a worker on ")
    assert "ModuleNotFoundError: No module named 'only_in_memory'" in error
    assert "addPyFile" in error
    assert "data['data'] cannot be loaded" in error_of(
        takes_data, spark=spark, data={"data": Stubborn()}
    )
