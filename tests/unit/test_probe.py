"""What a probe finds in a Python, and what it leaves there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyspark

from asha_bus import __version__
from asha_bus.driver.probe import ASKED, as_machine, probe
from asha_bus.driver.spark_calls import dumps

PROGRAM = """
import pickle, sys
described = pickle.load(open(sys.argv[1], "rb"))()
print(described[6][0], any(f"{name}.".startswith("asha_bus.") for name in sys.modules))
"""


def test_this_python_has_what_it_needs() -> None:
    here = as_machine(probe(ASKED, "127.0.0.1")())
    assert [] == here.missing((*ASKED,))
    assert __version__ == here.package("asha-bus").version
    assert ("127.0.0.1",) == here.resolved
    assert sys.executable == here.executable


def test_what_is_missing_and_a_name_that_is_unknown_are_reported() -> None:
    here = as_machine(probe({"nothing": "no_such_module"}, "no.invalid")())
    assert ["nothing"] == here.missing(("nothing",))
    assert (
        "ModuleNotFoundError: No module named 'no_such_module'" == here.package("nothing").problem
    )
    assert () == here.resolved
    assert here.unresolved


def test_another_asha_bus_is_not_kept_by_a_process_to_which_ours_is_sent(tmp_path: Path) -> None:
    executor = tmp_path / "asha_bus" / "executor"
    executor.mkdir(parents=True)
    (executor / "__init__.py").touch()
    (tmp_path / "asha_bus" / "__init__.py").write_text("__version__ = '0.0'\n")
    (tmp_path / "probe").write_bytes(dumps(probe({"asha-bus": "asha_bus.executor"})))
    installed = Path(pyspark.__file__).parents[1]
    # without this project's own installation, which would come first
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM, str(tmp_path / "probe")],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{installed}"},
    )
    assert "('asha-bus', '0.0', '') False" == done.stdout.strip(), done.stderr
