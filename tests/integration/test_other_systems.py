"""Launches where what only Linux has is missing, as on macOS; and on Windows, which is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

PROGRAM = """
import json
import os
import sys
import time

import asha_bus as ab

def train(x, table):
    for step in range(1, 100):
        yield x * table[0] + 1 / step

def hangs(trial):
    assert "darwin" == sys.platform
    if trial.id == 1:
        time.sleep(600)
    if trial.id == 2 and trial.attempt == 1:
        os._exit(7)
    trial.report(0.5)

if __name__ == "__main__":
    assert not hasattr(os, "sched_getaffinity") and "darwin" == sys.platform
    space = {"x": ab.uniform(0, 1)}
    quiet = {"engine": "local", "monitor": None, "seed": 7}
    first = ab.launch(
        train, space, scheduler=ab.ASHA(9), max_trials=6, data={"table": [1.0] * 1000},
        journal="run.journal", bus=ab.BusOptions(sync="always"), **quiet,
    )
    again = ab.launch(
        train, space, scheduler=ab.ASHA(9), max_trials=8, data={"table": [1.0] * 1000},
        journal="run.journal", resume=True, **quiet,
    )
    failing = ab.launch(hangs, space, max_trials=4, trial_timeout=0.5, workers=2, **quiet)
    paused = ab.launch(train, space, scheduler=ab.SuccessiveHalving([(2, 2), (2, 1)]),
        max_trials=4, data={"table": [1.0]}, workers=2, page=True, metrics_port=0, **quiet)
    print(json.dumps([
        len(first.trials), len(again.trials), [t.state for t in failing.trials],
        failing.trials[2].attempts, paused.counts["COMPLETED"],
    ]))
"""


def run(folder: Path, program: str, site: str) -> subprocess.CompletedProcess[str]:
    """Run ``program`` in a process, and in its children, that first run ``site``."""
    (folder / "program.py").write_text(program)
    (folder / "sitecustomize.py").write_text(textwrap.dedent(site))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(TESTS)])}
    return subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.slow
def test_a_run_needs_nothing_that_only_linux_has(tmp_path: Path) -> None:
    site = "from support import without_linux; without_linux.take_away()"
    done = run(tmp_path, PROGRAM, site)
    assert 0 == done.returncode, done.stderr
    states = '["COMPLETED", "FAILED", "COMPLETED", "COMPLETED"]'
    assert f"[6, 8, {states}, 2, 2]" == done.stdout.splitlines()[-1], done.stderr


@pytest.mark.parametrize("name", ["launch", "start", "dry_run", "fmin"])
def test_windows_is_refused_in_words(name: str, tmp_path: Path) -> None:
    site = """
        import sys
        import asha_bus  # it is there, and so are names that run nothing
        asha_bus.uniform, asha_bus.Trial
        sys.modules["fcntl"] = sys.modules["resource"] = None
        sys.platform = "win32"
        """
    done = run(tmp_path, f"import asha_bus\nasha_bus.{name}", site)
    last = done.stderr.splitlines()[-1]
    assert (
        f"asha_bus.core.errors.AshaBusError: asha_bus.{name} needs Linux or macOS, since it uses "
        f"processes and files as Unix has them; on Windows, run it in WSL" in last
    ), done.stderr
