"""Executors get what they lack: asha_bus, where it may be sent pyzmq and msgpack, and a Python."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lib.clusters import Cluster, make_session
from support.clusters import require_java
from support.pythons import bare_python, lend, other_python

import asha_bus as ab

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(600)]

SPACE = {"x": ab.uniform(0, 1)}


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs two trials on a master whose tasks run a given Python; returns where asha_bus was."""
    sessions = []

    def launch(python: Path, master: str = "local[1]", **arguments: Any) -> list[str]:
        require_java()
        monkeypatch.setenv("PYSPARK_PYTHON", str(python))
        session = make_session(master)
        sessions.append(session)

        def objective(x: float) -> Any:
            import sys

            import zmq

            import asha_bus

            places = {"bus": asha_bus.__file__, "zmq": zmq.__file__, "python": sys.executable}
            return x, places

        result = ab.launch(objective, SPACE, max_trials=2, monitor=None, spark=session, **arguments)
        return [
            str(trial.extras[key]) for trial in result.trials for key in ("bus", "zmq", "python")
        ]

    yield launch
    for session in sessions:
        session.stop()


def test_an_executor_without_asha_bus_gets_it(tmp_path: Path, launched: Any) -> None:
    python = bare_python(tmp_path / "venv")
    lend(python, "zmq", "msgpack")
    bus, _, program, *_ = launched(python)
    assert ".zip/asha_bus/__init__.py" in bus
    assert str(python) == program


def test_a_local_session_whose_python_lacks_pyzmq_runs_the_drivers(
    tmp_path: Path, launched: Any, caplog: pytest.LogCaptureFixture
) -> None:
    python = bare_python(tmp_path / "venv")
    assert sys.executable == launched(python)[2]
    assert f"this session runs tasks with {python}, which fails: the executor on " in caplog.text
    assert "lacks pyzmq and msgpack" in caplog.text
    assert "set os.environ['PYSPARK_PYTHON'] = sys.executable" in caplog.text.replace("Set", "set")


def test_a_local_session_of_another_python_runs_the_drivers(
    tmp_path: Path, launched: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert sys.executable == launched(other_python(tmp_path / "other"))[2]
    assert ", which is Python " in caplog.text


def test_a_local_session_without_its_python_runs_the_drivers(
    tmp_path: Path, launched: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert sys.executable == launched(tmp_path / "no-python")[2]
    assert "cannot be run (" in caplog.text


def test_executors_of_a_cluster_without_pyzmq_are_named_or_sent_it(
    tmp_path: Path, launched: Any, cluster: Cluster
) -> None:
    python = bare_python(tmp_path / "venv")
    with pytest.raises(ab.WorkerError) as caught:
        launched(python, cluster.master)
    said = str(caught.value)
    assert "lacks pyzmq and msgpack" in said
    assert (
        f"{python} -m pip install pyzmq msgpack there, set BusOptions(ship_packages=True)" in said
    )
    assert "`asha-bus doctor`" in said
    assert f"os.environ['PYSPARK_PYTHON'] = sys.executable, which is {sys.executable} here" in said
    for _ in range(2):  # the second launch finds what the first one has sent
        bus, zmq, program, *_ = launched(
            python, cluster.master, bus=ab.BusOptions(ship_packages=True)
        )
        assert ".zip/asha_bus/__init__.py" in bus
        assert "asha_bus_packages" in zmq
        assert str(python) == program


def test_a_cluster_without_the_python_is_named_with_the_cure(
    tmp_path: Path, launched: Any, cluster: Cluster
) -> None:
    with pytest.raises(ab.WorkerError) as caught:
        launched(tmp_path / "no-python", cluster.master)
    said = str(caught.value)
    assert said.startswith("Spark could not run a first task: ")
    assert f'Cannot run program "{tmp_path / "no-python"}"' in said
    assert f"os.environ['PYSPARK_PYTHON'] = sys.executable, which is {sys.executable} here" in said
