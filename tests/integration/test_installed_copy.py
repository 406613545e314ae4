"""An installed copy that runs in a folder whose asha_bus is another: the sources' own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
from support.clusters import require_java

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
    import asha_bus as ab

    def objective(x):
        import asha_bus
        from asha_bus.executor import task
        return x, {"package": asha_bus.__file__, "task": task.__file__}

    if __name__ == "__main__":
        result = ab.launch(
            objective, {"x": ab.uniform(0, 1)}, max_trials=2, monitor=None, **ARGUMENTS
        )
        for trial in result.trials:
            print(trial.extras["package"])
            print(trial.extras["task"])
"""
SPARK = """
    from pyspark.sql import SparkSession
    spark = SparkSession.builder.master("local[1]").config("spark.log.level", "ERROR")
    spark = spark.config("spark.ui.enabled", "false").getOrCreate()
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The package as an installation lays it out."""
    folder = tmp_path / "site"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "asha_bus", folder / "asha_bus", ignore=ignore)
    for name in ("driver", "executor", "grafana"):
        shutil.copytree(ROOT / name, folder / "asha_bus" / name, ignore=ignore)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", pytest.param("spark", marks=pytest.mark.spark)])
def test_an_installed_copy_is_used_throughout(engine: str, site: Path, tmp_path: Path) -> None:
    arguments = {"engine": "local", "workers": 1} if engine == "local" else {}
    begin = ""
    if engine == "spark":
        require_java()
        begin = textwrap.dedent(SPARK)
    program = tmp_path / "program.py"
    text = textwrap.dedent(PROGRAM).replace("**ARGUMENTS", f"**{arguments}")
    program.write_text(begin + text)
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.split()
    assert len(lines) == 4
    assert all(line.startswith(str(site)) for line in lines), lines


def test_sources_that_hide_the_installed_copy_say_what_to_do() -> None:
    folders = [str(ROOT), sysconfig.get_path("purelib")]
    program = f"import sys; sys.path[:0] = {folders}; import asha_bus; asha_bus.launch"
    done = subprocess.run(  # -S: without the finder of an editable installation
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert f"ImportError: {ROOT} holds the sources of asha-bus" in done.stderr
    assert f"pip install -e {ROOT}" in done.stderr


class Built(NamedTuple):
    wheel: Path
    #: What the build said.
    output: str


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A wheel of the project, made of a copy, so that nothing is left beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source, wheels = folder / "source", folder / "wheels"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("asha_bus", "driver", "executor", "grafana"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--verbose", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    env = {name: value for name, value in os.environ.items() if "BYTECODE" not in name}
    done = subprocess.run(
        [*build, str(source)], check=True, timeout=280, env=env, capture_output=True, text=True
    )
    (wheel,) = wheels.glob("*.whl")
    return Built(wheel, done.stdout + done.stderr)


def test_a_wheel_is_built_without_a_warning(built: Built) -> None:
    assert "adding 'asha_bus/driver/router.py'" in built.output
    assert not re.search(r"deprecat|warning(?!s\.py)", built.output, re.IGNORECASE), built.output
    with zipfile.ZipFile(built.wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        lines = archive.read(metadata).decode().splitlines()
    assert "License-Expression: Apache-2.0" in lines
    assert not [line for line in lines if line.startswith("Classifier: License")]


def test_a_wheel_has_the_dashboards(built: Built, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.unpack_archive(built.wheel, site, "zip")
    folder = tmp_path / "monitoring"
    done = subprocess.run(
        [sys.executable, "-m", "asha_bus.cli", "dashboard", str(folder)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (0, "") == (done.returncode, done.stderr)
    kept = {path.relative_to(ROOT / "grafana") for path in (ROOT / "grafana").rglob("*.[jmy]*")}
    assert kept == {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
