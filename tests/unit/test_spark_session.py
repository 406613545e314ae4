"""Errors and warnings where Spark cannot be used, or is set up against a run."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import asha_bus as ab
from asha_bus.driver.spark_session import hosts_of, java_problem, warn_of_idle_timeout
from asha_bus.driver.spark_tasks import how_to_send, lacking

SPACE = {"x": ab.uniform(0, 1)}


def fake_java(folder: Path, text: str, status: int = 0) -> Path:
    path = folder / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{text}' >&2\nexit {status}\n")
    path.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ('openjdk version "17.0.15" 2025-04-15', None),
        ('openjdk version "21" 2023-09-19', None),
        ('openjdk version "11.0.20" 2023-07-18', "is Java 11"),
        ('java version "1.8.0_382"', "is Java 8"),
        ("what?", "is no Java: 'what?'"),
    ],
)
def test_a_java_that_is_too_old_is_named(
    said: str, problem: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", said)))
    found = java_problem()
    assert (None if problem is None else f"{tmp_path}/jdk/bin/java {problem}") == found


def test_no_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert "there is no java on PATH, and JAVA_HOME is not set" == java_problem()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert f"JAVA_HOME is {tmp_path}" in (java_problem() or "")


def test_without_pyspark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.delitem(sys.modules, "asha_bus.driver.spark", raising=False)
    text = r"pip install 'asha-bus\[spark\]', or use engine='local'"
    with pytest.raises(ab.WorkerError, match=text):
        ab.launch(lambda x: x, SPACE, max_trials=1, monitor=None)


@pytest.mark.parametrize(
    ("master", "conf", "hosts"),
    [
        ("local[2]", {"spark.driver.host": "10.0.0.1"}, ("127.0.0.1", "127.0.0.1")),
        ("spark://h:1", {"spark.driver.host": "10.0.0.1"}, ("10.0.0.1", "10.0.0.1")),
        (
            "k8s://h",
            {"spark.driver.host": "driver.svc", "spark.driver.bindAddress": "0.0.0.0"},
            ("driver.svc", "0.0.0.0"),
        ),
    ],
)
def test_the_bus_binds_to_the_one_address_and_tells_the_other(
    master: str, conf: dict[str, str], hosts: tuple[str, str]
) -> None:
    context: Any = SimpleNamespace(master=master, getConf=lambda: conf)
    assert hosts == hosts_of(context)


@pytest.mark.parametrize(
    ("kill", "idle", "warns"),
    [("true", "60", True), ("true", "0", False), ("false", "60", False), ("", "", False)],
)
def test_workers_that_spark_ends_when_they_are_silent_are_warned_of(
    kill: str, idle: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    given = {
        "spark.python.worker.killOnIdleTimeout": kill,
        "spark.python.worker.idleTimeoutSeconds": idle,
    }
    warn_of_idle_timeout({key: value for key, value in given.items() if value})
    assert warns == ("set spark.python.worker.killOnIdleTimeout to false" in caplog.text)


def test_a_module_can_be_sent_by_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, package = tmp_path / "mine.py", tmp_path / "parts" / "__init__.py"
    for name, path in (("mine", file), ("parts", package)):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(__file__=str(path)))
    assert f"addPyFile({str(file)!r})" in how_to_send("mine.part")
    assert f"shutil.make_archive('parts', 'zip', {str(tmp_path)!r}, 'parts')" in how_to_send(
        "parts"
    )
    assert "pip install pyzmq==" in how_to_send("zmq")
    assert "--py-files" in how_to_send("nobody_has_it")


def test_a_module_is_lacking_only_if_it_is_here_and_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    find = lacking({"only_here", "json", "nobody_has_it", "__main__"})
    assert [] == find()
    monkeypatch.undo()
    assert ["only_here"] == find()
