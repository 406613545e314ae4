"""Objectives that attach what they made."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asha_bus as ab

SPACE = {"x": ab.uniform(0, 1)}
MEGABYTES = 10 * 1_000_000


def by_yield(x: float) -> Iterator[Any]:
    """Attaches its parameter with each report."""
    for epoch in range(1, 10):
        yield x / epoch, {"attach": {"model": f"{x!r} {epoch}".encode()}, "epoch": epoch}


def by_return(x: float) -> Any:
    """Attaches ten megabytes."""
    return x, {"attach": {"model": repr(x).encode().ljust(MEGABYTES)}}


def by_hand(trial: ab.Trial) -> None:
    """Attaches a file that is gone when it has ended."""
    file = Path(f"weights-{os.getpid()}")
    for step in trial:
        file.write_text(f"{trial.params['x']!r} {step + 1}")
        trial.attach("model", file)
        file.unlink()
        if not trial.report(trial.params["x"], step):
            break


def at_its_end(trial: ab.Trial) -> None:
    """Attaches what it made once its last report was answered, as most programs save a model."""
    for _ in trial:
        trial.report(trial.params["x"])
    trial.attach("model", f"{trial.params['x']!r} {trial.resource:g}".encode())


def lost_once(trial: ab.Trial) -> None:
    """Its worker dies in the first attempt at each trial, after it has attached something."""
    trial.attach("model", repr(trial.params["x"]).encode())
    trial.report(trial.params["x"])
    if trial.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def too_large(x: float) -> Any:
    """Attaches more than is allowed, if its parameter is small."""
    return x, {"attach": {"model": b"x" * (1_001 if x < 0.5 else 10)}}
