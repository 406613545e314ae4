"""Objectives that change the signals, the timers and the folder of their process."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import asha_bus as ab

#: Event loops that are never closed.
_loops: list[asyncio.AbstractEventLoop] = []


def _swallow(number: int, frame: FrameType | None) -> None:
    """A handler after which the program continues."""


def _takes_all() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, _swallow)


def _runs_a_loop() -> None:
    _loops.append(asyncio.new_event_loop())
    _loops[-1].add_signal_handler(signal.SIGINT, print)


#: What a program may do with its signals, each in one trial.
CHANGES: list[Callable[[], object]] = [
    lambda: signal.signal(signal.SIGINT, _swallow),
    lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}),
    _runs_a_loop,
    _takes_all,
]


def hangs_after_a_change(trial: ab.Trial) -> None:
    """Changes what the trial's number says, and then never ends."""
    try:
        CHANGES[trial.id]()
        for _ in range(6_000):  # a blocking call ends by a signal only
            time.sleep(0.1)
    finally:
        Path(trial.params["folder"], f"finally-{trial.id}").touch()


def leaves_a_change_behind(trial: ab.Trial) -> None:
    """An even trial changes something and ends; an odd one never ends, and changes nothing."""
    if trial.id % 2 == 0:
        CHANGES[trial.id // 2]()
        trial.report(0.5)
        return
    try:
        time.sleep(600)
    finally:
        Path(trial.params["folder"], f"finally-{trial.id}").touch()


def leaves_timers_behind(trial: ab.Trial) -> None:
    """The first trial leaves an alarm that would end the process of the second one."""
    if trial.id == 0:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
    else:
        time.sleep(1.0)
    trial.report(0.5)


def moves_away(trial: ab.Trial) -> None:
    """Says in which folder it begins, and leaves it."""
    trial.report(0.5, folder=os.getcwd())
    os.chdir("/")


def raises_when_interrupted(trial: ab.Trial) -> None:
    """Makes another error of its interrupt."""
    try:
        time.sleep(600)
    except BaseException as error:
        raise OSError("the disk is full") from error


def returns_when_interrupted(trial: ab.Trial) -> float:
    """Takes no notice of its interrupt, and returns what it has."""
    try:
        time.sleep(600)
    except BaseException:
        pass
    return 0.5
