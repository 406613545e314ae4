"""Sessions as users set them up: configured at run time, stopped, or without Java."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import objectives

import asha_bus as ab

pytestmark = [pytest.mark.spark, pytest.mark.timeout(180)]

SPACE = {"x": ab.uniform(0, 1)}


def run(spark: Any, launch: Any = ab.launch) -> Any:
    return launch(objectives.square, SPACE, max_trials=2, monitor=None, spark=spark)


@pytest.fixture
def setting(spark: Any) -> Iterator[Any]:
    """Sets a key of the session for a test."""
    keys: list[str] = []

    def set_to(key: str, value: str) -> None:
        keys.append(key)
        spark.conf.set(key, value)

    yield set_to
    for key in keys:
        spark.conf.unset(key)


@pytest.mark.slow
def test_an_option_that_is_set_at_run_time_is_taken(spark: Any, setting: Any) -> None:
    setting("spark.ashaBus.lease_s", "7.5")
    result = run(spark)
    assert 7.5 == result.settings.lease_s


def test_a_key_that_is_unknown_is_refused_with_those_that_there_are(
    spark: Any, setting: Any
) -> None:
    setting("spark.ashaBus.lease", "7.5")
    text = r"spark\.ashaBus\.lease: there is no such option; known: host, port, lease_s, "
    with pytest.raises(ab.InvalidArgument, match=text):
        run(spark)


def test_a_session_that_was_stopped_is_refused_in_words(spark: Any) -> None:
    spark.stop()
    with pytest.raises(ab.InvalidArgument, match=r"spark is a session that was stopped"):
        run(spark)


@pytest.mark.slow
def test_after_a_stop_of_its_context_another_session_is_started(spark: Any) -> None:
    spark.sparkContext.stop()
    assert 2 == len(run(None).trials)


PROGRAM = """
    import asha_bus as ab

    if __name__ == "__main__":
        try:
            ab.launch(lambda x: x, {"x": ab.uniform(0, 1)}, max_trials=2, monitor=None)
        except ab.WorkerError as error:
            print("error", error)
"""


@pytest.mark.parametrize("has_old", [False, True])
def test_without_java_for_spark_the_error_names_what_it_needs(
    has_old: bool, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "ps", "env", "uname", "cat", "tr", "id"):
        for place in ("/bin", "/usr/bin"):
            if os.path.exists(f"{place}/{name}") and not (tools / name).exists():
                (tools / name).symlink_to(f"{place}/{name}")
    environment = {
        key: value for key, value in os.environ.items() if key not in ("JAVA_HOME", "PATH")
    }
    environment["PATH"] = str(tools)
    if has_old:
        java = tools / "java"
        java.write_text("#!/bin/bash\necho 'openjdk version \"1.8.0_382\"' >&2\nexit 1\n")
        java.chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        timeout=150,
        cwd=tmp_path,
        env=environment,
    )
    assert 0 == done.returncode, done.stderr[-3000:]
    wrong = f"{tools}/java is Java 8" if has_old else "there is no java on PATH"
    assert done.stdout.startswith(f"error no Spark session could be started, since {wrong}")
    assert "Spark needs Java 17 or later" in done.stdout
    assert "engine='local'" in done.stdout
