"""Executors without asha_bus get it; executors without pyzmq or msgpack are named."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.clusters import require_java

pytestmark = [pytest.mark.spark, pytest.mark.timeout(300)]

PROGRAM = """
    import asha_bus as ab
    from pyspark.sql import SparkSession

    def objective(x):
        import asha_bus
        return x, {"where": asha_bus.__file__}

    if __name__ == "__main__":
        spark = SparkSession.builder.master("local[1]").config("spark.log.level", "ERROR")
        spark = spark.config("spark.ui.enabled", "false").getOrCreate()
        try:
            result = ab.launch(objective, {"x": ab.uniform(0, 1)}, max_trials=2, monitor=None)
            print("where", result.trials[1].extras["where"])
        except ab.WorkerError as error:
            print("error", error)
        finally:
            spark.stop()
"""


def bare_python(folder: Path) -> Path:
    """A Python that has nothing but the standard library."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


def lend(python: Path, *modules: str) -> None:
    """Let ``python`` see some installed packages of this one."""
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    for name in modules:
        module = __import__(name)
        source = Path(str(module.__file__)).parent
        for path in source.parent.glob(f"{source.name}*"):
            (site / path.name).symlink_to(path)
    for path in Path(str(__import__("zmq").__file__)).parents[1].glob("pyzmq.libs"):
        if not (site / path.name).exists():
            (site / path.name).symlink_to(path)


def run_program(tmp_path: Path, python: Path, environment: dict[str, str]) -> str:
    """What the program prints with executors on ``python``."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    done = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        timeout=280,
        cwd=tmp_path,
        env={**environment, "PYSPARK_PYTHON": str(python)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.mark.slow
def test_an_executor_without_asha_bus_gets_it(tmp_path: Path) -> None:
    require_java()
    python = bare_python(tmp_path / "venv")
    lend(python, "zmq", "msgpack")
    said = run_program(tmp_path, python, dict(os.environ))
    assert said.startswith("where ")
    assert ".zip/asha_bus/__init__.py" in said


@pytest.mark.slow
def test_an_executor_without_pyzmq_is_named_with_the_command(tmp_path: Path) -> None:
    require_java()
    python = bare_python(tmp_path / "venv")
    said = run_program(tmp_path, python, dict(os.environ))
    assert said.startswith("error ")
    assert "lacks pyzmq and msgpack" in said
    assert f"{python} -m pip install pyzmq msgpack" in said
    assert f"os.environ['PYSPARK_PYTHON'] = sys.executable, which is {sys.executable} here" in said


@pytest.mark.slow
def test_another_python_for_tasks_is_named_with_the_cure(tmp_path: Path) -> None:
    require_java()
    said = run_program(tmp_path, tmp_path / "no-python", dict(os.environ))
    assert said.startswith("error Spark could not run a first task: ")
    assert f'Cannot run program "{tmp_path / "no-python"}"' in said
    assert f"os.environ['PYSPARK_PYTHON'] = sys.executable, which is {sys.executable} here" in said
