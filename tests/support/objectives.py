"""Objectives that tests launch; importable by the workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asha_bus as ab


def slope(x: float) -> Iterator[float]:
    """Falls with each step; a smaller x is better."""
    for step in range(1, 1000):
        yield x + 1 / step


def slow_slope(x: float) -> Iterator[float]:
    """`slope` with steps of 20 ms."""
    for value in slope(x):
        time.sleep(0.02)
        yield value


def square(x: float) -> float:
    """One evaluation."""
    return x * x


def by_hand(trial: ab.Trial) -> None:
    """Reports by hand, resource included."""
    for step in trial:
        trial.report(trial.params["x"] + 1 / (step + 1), step + 1, step=step)


def silent(x: float, folder: str) -> float:
    """Never comes to a report; leaves a mark when it is interrupted."""
    try:
        time.sleep(600)
    finally:
        (Path(folder) / f"finally-{os.getpid()}").touch()
    return x


def deaf(x: float) -> float:
    """Ignores being interrupted."""
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
    return x


def dies_once(trial: ab.Trial) -> None:
    """Kills its own worker in the first attempt at trial 3, after two reports."""
    for step in range(9):
        if trial.id == 3 and trial.attempt == 1 and step == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        if not trial.report(trial.params["x"] + 1 / (step + 1)):
            return


def exits(trial: ab.Trial) -> None:
    """Ends its process in trial 1, always."""
    if trial.id == 1:
        os._exit(7)
    trial.report(trial.params["x"])


def fails_on_odd(trial: ab.Trial) -> None:
    """Fails in every second trial, in different ways."""
    if trial.id % 4 == 1:
        raise SystemExit(3)
    if trial.id % 4 == 3:
        raise ValueError(f"no luck with {trial.params['x']:.2f}")
    trial.report(trial.params["x"])


def marks(x: float, folder: str) -> Iterator[float]:
    """Appends to one file when it begins and when it is closed."""
    log = Path(folder) / f"log-{os.getpid()}"
    with log.open("a") as file:
        print("begin", x, file=file, flush=True)
        try:
            for step in range(1, 100):
                yield x + 1 / step
        finally:
            print("end", x, file=file, flush=True)


def reports_what(value: Any) -> Any:
    """Returns its parameter."""
    return value


def nested(x: float) -> float:
    """Launches within a launch."""
    ab.launch(square, {"x": ab.grid(1.0)}, engine="local", monitor=None)
    return x


def forks(trial: ab.Trial) -> None:
    """Reports from a forked child, and hands on what that said."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            trial.report(1.0)
            os.write(write, b"no error")
        except ab.AshaBusError as error:
            os.write(write, str(error).encode())
        os._exit(0)
    os.close(write)
    text = os.read(read, 10_000).decode()
    os.close(read)
    os.waitpid(child, 0)
    trial.report(trial.params["x"], said=text)


def environment(x: float) -> tuple[float, dict[str, Any]]:
    """Tells about its process."""
    extras = {
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "pid": os.getpid(),
        "command": Path(f"/proc/{os.getpid()}/cmdline").read_text().replace("\0", " "),
    }
    return x, extras


def prints(x: float) -> Iterator[float]:
    """Prints a lot."""
    for step in range(50):
        print(f"line {step} of {x:.3f}")
        yield x


def acknowledged(trial: ab.Trial) -> None:
    """Writes down, per process, each report that was answered."""
    path = Path(trial.params["folder"]) / f"answered-{os.getpid()}"
    with path.open("a") as file:
        for step in range(1, 10):
            time.sleep(0.01)
            goes_on = trial.report(trial.params["x"] + 1 / step)
            print(trial.id, trial.attempt, step, int(goes_on), file=file, flush=True)
            if not goes_on:
                return


def fails_once(trial: ab.Trial) -> None:
    """Fails in the first attempt at each odd trial."""
    if trial.id % 2 == 1 and trial.attempt == 1:
        raise ValueError("the first attempt")
    trial.report(trial.params["x"])


def takes_anything(x: float, option: Any) -> float:
    """Takes an option of any type."""
    return x
