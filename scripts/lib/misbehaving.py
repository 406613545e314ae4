"""Objectives that misbehave, each in its own way, and how their trials end."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from typing import Any

import asha_bus as ab


class Unshowable(Exception):
    """Can be neither pickled nor printed."""

    def __reduce__(self) -> Any:
        raise RuntimeError("not today")

    def __str__(self) -> str:
        raise RuntimeError("not today")

    __repr__ = __str__


def _recurse() -> None:
    _recurse()


def _forks() -> None:
    child = os.fork()
    if child == 0:
        os._exit(3)
    os.waitpid(child, 0)


def _gone() -> None:
    os.mkdir(f"gone-{os.getpid()}")
    os.chdir(f"gone-{os.getpid()}")
    os.rmdir(f"../gone-{os.getpid()}")


def _thread() -> None:
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


#: How the trial of each kind ends.
KINDS = {
    "raises": "FAILED",
    "exits": "FAILED",
    "is interrupted": "FAILED",
    "stops iteration": "FAILED",
    "closes a generator": "FAILED",
    "cannot be shown": "FAILED",
    "recurses": "FAILED",
    "has no memory": "FAILED",
    "reports nothing": "FAILED",
    "reports a text": "FAILED",
    "reports None": "FAILED",
    "reports a list": "FAILED",
    "reports backwards": "FAILED",
    "reports less than nothing": "FAILED",
    "sleeps past its limit": "FAILED",
    "reports a set": "FAILED",
    "reports a huge extra": "FAILED",
    "prints much": "COMPLETED",
    "prints half a character": "FAILED",
    "prints escapes": "COMPLETED",
    "has no stdout": "COMPLETED",
    "forks": "COMPLETED",
    "leaves a thread": "COMPLETED",
    "deletes its folder": "COMPLETED",
    "ignores signals": "COMPLETED",
    "collects no garbage": "COMPLETED",
    "closes streams": "COMPLETED",
    "swallows all": "COMPLETED",
}


def misbehaves(trial: ab.Trial) -> None:
    """Does what ``kind`` says; a kind that is not known does nothing wrong."""
    kind, x = trial.params["kind"], trial.params["x"]
    actions: dict[str, Any] = {
        "recurses": _recurse,
        "has no memory": lambda: bytearray(1 << 60),
        "reports a text": lambda: trial.report("0.5"),
        "reports None": lambda: trial.report(None),
        "reports a list": lambda: trial.report([0.5]),
        "reports backwards": lambda: (trial.report(x, 5), trial.report(x, 3)),
        "reports less than nothing": lambda: trial.report(x, -1),
        "sleeps past its limit": lambda: time.sleep(600),
        "reports a set": lambda: trial.report(x, found={1, 2}),
        "reports a huge extra": lambda: trial.report(x, text="x" * 3_000_000),
        "prints much": lambda: print("\n" * 100),
        "prints half a character": lambda: print("\ud800"),
        "prints escapes": lambda: print("\x1b[2J\x1b]0;title\x07"),
        "has no stdout": lambda: setattr(sys, "stdout", None),
        "forks": _forks,
        "leaves a thread": _thread,
        "deletes its folder": _gone,
        "ignores signals": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
        "collects no garbage": gc.disable,
        "closes streams": lambda: os.closerange(0, 3),
    }
    errors: dict[str, BaseException] = {
        "raises": ValueError("wrong"),
        "exits": SystemExit(0),
        "is interrupted": KeyboardInterrupt(),
        "stops iteration": StopIteration(),
        "closes a generator": GeneratorExit(),
        "cannot be shown": Unshowable(),
    }
    if kind in errors:
        raise errors[kind]
    if kind in actions:
        actions[kind]()
    if kind != "reports nothing":
        try:
            trial.report(x, 9)
        except BaseException:
            if kind != "swallows all":
                raise
