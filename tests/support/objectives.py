"""Objectives that tests launch; importable by the workers."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
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


def slope_that_waits(trial: ab.Trial) -> None:
    """`slow_slope`; with an x above 0.5 it reports nearly in place until it is stopped, or 18 s."""
    x = trial.params["x"]
    for step in range(1, 28):
        for part in range(900 if x > 0.5 else 1):
            time.sleep(0.02)
            if not trial.report(x + 1 / step, step + part / 1000):
                return


def tilted(x: float, act: str) -> Iterator[float]:
    """Falls with each step; the best x is 0.2, and tanh is a little better than relu."""
    for step in range(1, 1000):
        yield abs(x - 0.2) + 0.1 * (act == "relu") + 1 / step


def slow_tilted(x: float, act: str) -> Iterator[float]:
    """`tilted` with steps of 20 ms."""
    for value in tilted(x, act):
        time.sleep(0.02)
        yield value


def square(x: float) -> float:
    """One evaluation."""
    return x * x


def echo_params(trial: ab.Trial) -> None:
    """Sends back what it got."""
    trial.report(0.0, got=repr(trial.params))


def added(x: float, depth: int) -> float:
    """Two parameters, one of them whole."""
    assert type(depth) is int
    return x + depth


def first_of(config: tuple[float, int]) -> Iterator[float]:
    """Takes one argument by position."""
    yield config[0] + len(config)


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


def exits_well(trial: ab.Trial) -> None:
    """Ends its process with status 0 in trials 1 and 2, always."""
    if trial.id in (1, 2):
        os._exit(0)
    trial.report(trial.params["x"])


def ends_with_a_mark(x: float, folder: str) -> Iterator[float]:
    """Short steps; leaves a mark when it is closed."""
    try:
        for step in range(1, 1_000_000):
            time.sleep(0.001)
            yield x + 1 / step
    finally:
        (Path(folder) / f"finally-{os.getpid()}").touch()


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


def fails_with_anything(**params: object) -> float:
    """Fails, whatever its parameters are."""
    raise ValueError("it fails")


def changes_params(trial: ab.Trial) -> None:
    """Hands on its parameters, and then changes them; its first attempts fail."""
    widths, names = trial.params["widths"], trial.params["fixed"]["names"]
    extras = {"got": repr(trial.params)}
    (widths if isinstance(widths, list) else widths[0]).append(0)
    names.append("b")
    if trial.attempt == 1 and trial.id == 0:
        raise RuntimeError("the first attempt")
    trial.report(-len(widths), **extras)


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


def crashes(trial: ab.Trial) -> None:
    """Ends its process in native code in trial 1, always."""
    if trial.id == 1:
        ctypes.string_at(0)
    trial.report(trial.params["x"])


def is_short_of_memory(trial: ab.Trial) -> None:
    """Asks in trial 1 for more memory than it may have."""
    if trial.id == 1:
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, before[1]))
        try:
            trial.report(len(bytearray(1 << 40)))
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
    trial.report(trial.params["x"])


class Unshowable(Exception):
    """Can be neither pickled nor printed."""

    def __reduce__(self) -> Any:
        raise RuntimeError("not today")

    def __str__(self) -> str:
        raise RuntimeError("not today")

    __repr__ = __str__


class Lengthy(Exception):
    """Says more than anybody wants to read."""

    def __str__(self) -> str:
        return "beginning" + "x" * 1_000_000 + "end"


def raises_odd_errors(trial: ab.Trial) -> None:
    """Fails in trials 1 and 2 with exceptions that are hard to show."""
    if trial.id == 1:
        raise Unshowable
    if trial.id == 2:
        raise Lengthy
    trial.report(trial.params["x"])


def hangs(trial: ab.Trial) -> None:
    """Sleeps in trial 1; leaves a mark when it is interrupted."""
    if trial.id == 1:
        trial.report(0.5)
        try:
            time.sleep(600)
        finally:
            (Path(trial.params["folder"]) / f"finally-{trial.attempt}").touch()
    trial.report(trial.params["x"])


def is_deaf_once(trial: ab.Trial) -> None:
    """Ignores being interrupted in trial 1."""
    if trial.id == 1:
        deaf(0.0)
    trial.report(trial.params["x"])


def holds_the_lock(trial: ab.Trial) -> None:
    """Hangs in trial 1 in native code that holds the interpreter's lock."""
    if trial.id == 1:
        ctypes.PyDLL(None).sleep(600)
    trial.report(trial.params["x"])


def prints_without_end(x: float) -> float:
    """Prints as much as it can: for a second whole lines, then one that never ends.

    Its metric is the number of characters.
    """
    said = 0
    ends = time.monotonic() + 1
    while time.monotonic() < ends:
        said += sys.stdout.write("a line of some length, as a loop may print it\n")
    ends += 1
    while time.monotonic() < ends:
        said += sys.stderr.write("\rstep of some length, as a progress bar may print it" * 100)
    return said


def logs_without_end(trial: ab.Trial) -> None:
    """Logs for two seconds as much as it can; its metric is the number of characters."""
    said = 0
    ends = time.monotonic() + 2
    while time.monotonic() < ends:
        trial.log("a line of some length, as a loop may log it")
        said += 43
    trial.report(said)


def talks(trial: ab.Trial) -> None:
    """Says something in every way."""
    print("printed", trial.id)
    trial.log(f"logged {trial.id}")
    print("printed", trial.id, "to stderr", file=sys.stderr)
    trial.report(trial.params["x"])


def dies_talking(trial: ab.Trial) -> None:
    """Kills its own worker in the first attempt at trial 1, a while after it said something."""
    if trial.id == 1:
        print("last words")
        if trial.attempt == 1:
            time.sleep(2)
            os.kill(os.getpid(), signal.SIGKILL)
        print("not yet")
    trial.report(trial.params["x"])


def quiet_at_times(trial: ab.Trial) -> None:
    """Reports every 20 ms, but not while there is a file ``quiet`` in its folder."""
    quiet = Path(trial.params["folder"]) / "quiet"
    for step in range(1, 10):
        time.sleep(0.02)
        while quiet.exists():
            time.sleep(0.05)
        if not trial.report(trial.params["x"] + 1 / step):
            return


def fails_later(trial: ab.Trial) -> None:
    """Goes well in the first two trials, and fails in all others after a while."""
    if trial.id >= 2:
        time.sleep(0.4)
        raise ValueError("the disk is full")
    trial.report(trial.params["x"])


def fails(x: float) -> float:
    """Always fails."""
    raise ValueError(f"no luck with {x:.2f}")


class Loud:
    """Leaves a mark in a folder whenever it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        (Path(self.folder) / f"{os.getpid()}-{os.urandom(4).hex()}").touch()


def slow_slope_of(x: float, act: str) -> Iterator[float]:
    """`slow_slope` with one more parameter, which does nothing."""
    return slow_slope(x)


def folds(trial: ab.Trial) -> None:
    """The first of three folds is the easiest."""
    trial.report(trial.params["x"] + trial.repeat, repeat=trial.repeat)


def fails_at_first(trial: ab.Trial) -> None:
    """Leaves a line for each attempt; the first one fails."""
    with (Path(trial.params["folder"]) / str(trial.id)).open("a") as file:
        file.write(f"{trial.attempt}\n")
    if trial.attempt == 1:
        raise OSError("not there yet")
    trial.report(trial.params["x"])


def counted(x: float, folder: str) -> Iterator[float]:
    """`slope`; each epoch is a byte in a file of the process."""
    for value in slope(x):
        with open(f"{folder}/epochs-{os.getpid()}", "ab") as file:
            file.write(b".")
        yield value


def counted_slowly(x: float, folder: str) -> Iterator[float]:
    """`counted` with epochs of 20 ms."""
    for value in counted(x, folder):
        time.sleep(0.02)
        yield value
