"""An objective that saves and loads its state, and writes down what it does."""

from __future__ import annotations

import time
from pathlib import Path

from support.residents import note

import asha_bus as ab


def saver(trial: ab.Trial) -> None:
    """Notes each epoch before its report; fails where an epoch does not follow on.

    The folder may hold files that say what is to fail: ``save``, ``load``.
    """
    x, folder, step_s = (trial.params[name] for name in ("x", "folder", "step_s"))
    done = 0

    def save(path: str) -> None:
        Path(path).mkdir()
        (Path(path) / "epochs").write_text(str(done))
        if (Path(folder) / "save").exists():
            raise OSError("disk full")
        note(folder, "save", x, done)

    def load(path: str) -> None:
        nonlocal done
        done = int((Path(path) / "epochs").read_text())
        if (Path(folder) / "load").exists():
            raise ValueError("another format")
        note(folder, "load", x, done)

    start = trial.checkpoint(save, load)
    assert start == done
    for step in trial:
        assert step == done
        time.sleep(step_s)
        done = step + 1
        note(folder, "epoch", x, done)
        trial.report(x + 1 / done)
