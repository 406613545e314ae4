"""Fixtures with real Spark, and with a real browser."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lib.browser import chromium
from lib.clusters import Cluster, make_session, standalone
from support.clusters import require_java
from support.tools import require_chromium


@pytest.fixture(scope="session", autouse=True)
def loopback_spark() -> Iterator[None]:
    """Spark and its Python workers stay on loopback and use this very Python."""
    patch = pytest.MonkeyPatch()
    patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    patch.setenv("PYSPARK_PYTHON", sys.executable)
    yield
    patch.undo()


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files, of this test and its programs alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture(scope="module")
def one_spark() -> Iterator[None]:
    """What is left of Spark ends with the module."""
    require_java()
    yield
    from pyspark.sql import SparkSession

    if (session := SparkSession.getActiveSession()) is not None:
        session.stop()


@pytest.fixture
def spark(one_spark: None) -> Any:
    """A session on local[2]: that of the test before, or another where a test has stopped it."""
    return make_session("local[2]")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A standalone cluster of two workers with a core each, for all tests: it is dear to start."""
    require_java()
    with standalone(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    require_chromium()
    with chromium() as found:
        yield found
