"""Executors of a cluster that cannot load what a run needs: one error, before the run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lib.clusters import Cluster, make_session

import asha_bus as ab

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

SPACE = {"x": ab.uniform(0, 1)}


@pytest.fixture(scope="module")
def session(cluster: Cluster) -> Iterator[Any]:
    found = make_session(cluster.master)
    yield found
    found.stop()


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with modules of the user's own, which this process alone has on its path."""
    (tmp_path / "my_model.py").write_text(
        "class Data:\n    loss = 0.5\n\ndef train(x):\n    return x\n"
    )
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").write_text("def train(x):\n    return x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("my_model", "my_package"):
        sys.modules.pop(name, None)


def error_of(session: Any, objective: Any, **arguments: Any) -> str:
    with pytest.raises(ab.WorkerError) as caught:
        ab.launch(objective, SPACE, max_trials=2, monitor=None, spark=session, **arguments)
    return str(caught.value)


def test_the_objectives_own_module_is_named_with_the_way_to_send_it(
    session: Any, mine: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    my_model = importlib.import_module("my_model")
    capfd.readouterr()
    said = error_of(session, my_model.train)
    assert said.startswith("the objective cannot be loaded in a worker on ")
    assert "No module named 'my_model'" in said
    assert f"spark.sparkContext.addPyFile({str(mine / 'my_model.py')!r})" in said
    assert "--py-files" in said
    assert "WARN" not in capfd.readouterr().err  # nothing of Spark's
    session.sparkContext.addPyFile(str(mine / "my_model.py"))  # as it said
    result = ab.launch(my_model.train, SPACE, max_trials=2, monitor=None, spark=session)
    assert 2 == len(result.trials)


def test_a_package_is_named_with_the_way_to_zip_it(session: Any, mine: Path) -> None:
    my_package = importlib.import_module("my_package")
    said = error_of(session, lambda x: my_package.train(x))
    assert f"shutil.make_archive('my_package', 'zip', {str(mine)!r}, 'my_package')" in said


def test_data_of_a_class_that_is_not_there_is_named(
    session: Any, mine: Path, tmp_path: Path
) -> None:
    (tmp_path / "my_data.py").write_text("class Data:\n    loss = 0.5\n")
    data = importlib.import_module("my_data").Data()
    said = error_of(session, lambda x, given: x, data={"given": data})
    assert said.startswith("data['given'] cannot be loaded in a worker on ")
    assert "my_data.py" in said
    sys.modules.pop("my_data")


def test_a_module_that_exits_at_its_import_is_named(
    session: Any, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mine / "my_exit.py"
    path.write_text("def train(x):\n    return x\n")
    train = importlib.import_module("my_exit").train
    path.write_text("raise SystemExit('no license here')\n")
    session.sparkContext.addPyFile(str(path))
    said = error_of(session, train)
    assert "SystemExit: no license here" in said
    sys.modules.pop("my_exit")


def test_a_module_that_the_objective_imports_is_warned_of(
    session: Any, mine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (mine / "my_later.py").write_text("loss = 0.5\n")

    def train(x: float) -> float:
        try:
            import my_later  # type: ignore[import-not-found]
        except ImportError:
            return x
        return float(my_later.loss)

    result = ab.launch(train, SPACE, max_trials=2, monitor=None, spark=session)
    assert 2 == len(result.trials)
    assert "the objective imports my_later, which the executor on " in caplog.text


def test_a_library_of_another_version_is_named(
    session: Any, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The executor lacks a name of a library, which it has in another version."""
    tools = importlib.import_module("cloudpickle")

    def newer(x: float) -> float:
        return x

    newer.__module__, newer.__qualname__, newer.__name__ = "cloudpickle", "newer", "newer"
    monkeypatch.setattr(tools, "newer", newer, raising=False)
    monkeypatch.setattr("asha_bus.driver.spark_tasks.version", lambda name: "99.0")
    said = error_of(session, newer)
    assert "AttributeError" in said
    assert "cloudpickle is " in said
    assert "there and 99.0 here" in said
