"""Objectives that tests and scenarios launch to do harm; importable by workers."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from types import FrameType

import asha_bus as ab


class Alarm(Exception):
    """Raised by the user's own alarm."""


def _ring(number: int, frame: FrameType | None) -> None:
    raise Alarm


def alarmed(trial: ab.Trial) -> None:
    """Reports while an alarm rings again and again, wherever that strikes."""
    signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, 0.001 + trial.params["x"] / 1_000, 0.0013)
    try:
        for step in range(1, 28):
            while True:
                try:
                    if not trial.report(trial.params["x"], step):
                        return
                    break
                except Alarm:
                    continue
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def keeps_the_lock(trial: ab.Trial) -> float:
    """In trial 3, native code keeps the interpreter's lock for ``freeze_s`` seconds, once."""
    if trial.id == 3 and trial.attempt == 1:
        ctypes.PyDLL(None).sleep(int(trial.params["freeze_s"]))
    time.sleep(0.1)
    return trial.id


def freezes(trial: ab.Trial) -> float:
    """Trial 1 never comes back, whatever anybody does in its process."""
    if trial.id == 1:
        ctypes.PyDLL(None).sleep(3_600)
    return trial.id


def ends_its_process(trial: ab.Trial) -> None:
    """Ends the process in the first attempt at trials 1 to 8: two trials in each way."""
    if 1 <= trial.id <= 8 and trial.attempt == 1:
        way = (trial.id - 1) // 2
        if way < 2:
            os._exit(way)  # as if all were well, and as a failure
        elif way == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            ctypes.string_at(0)
    trial.report(trial.params["x"])


def cleans_up_for_ever(x: float, deaf: bool) -> Iterator[float]:
    """Its ``finally`` block hangs; if ``deaf``, it ignores being interrupted."""
    try:
        while True:
            yield x
    finally:
        while True:
            try:
                time.sleep(600)
            except BaseException:
                if not deaf:
                    raise


def identity(x: float) -> float:
    """One evaluation that takes no time."""
    return x
