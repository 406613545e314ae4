"""Objectives that start processes and leave them behind."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asha_bus as ab

_LIVES = "import os, sys, time; open(sys.argv[1] + '/' + str(os.getpid()), 'w'); time.sleep(600)"


def _live(folder: str) -> None:
    Path(folder, str(os.getpid())).touch()
    time.sleep(600)


def _by_fork(folder: str) -> None:
    multiprocessing.get_context("fork").Process(target=_live, args=(folder,)).start()


def _by_shell(folder: str) -> None:
    os.system(f"'{sys.executable}' -c \"{_LIVES}\" '{folder}' &")


def _by_subprocess(folder: str) -> None:
    subprocess.Popen([sys.executable, "-c", _LIVES, folder])


_WAYS: list[Callable[[str], None]] = [_by_fork, _by_shell, _by_subprocess]


def _start_children(folder: str) -> None:
    for start in _WAYS:
        start(folder)
    while len(os.listdir(folder)) < len(_WAYS):
        time.sleep(0.05)


def starts_a_group(trial: ab.Trial) -> None:
    """Leaves a process behind that leads a group, as a shell with jobs or `timeout` does."""
    folder = trial.params["folder"]
    if os.fork() == 0:
        os.setpgid(0, 0)
        os.execv(sys.executable, [sys.executable, "-c", _LIVES, folder])
    while not os.listdir(folder):
        time.sleep(0.05)
    trial.report(0.5)


def ends(trial: ab.Trial) -> None:
    """Ends by itself."""
    _start_children(trial.params["folder"])
    trial.report(0.5, group=os.getpgrp(), pid=os.getpid())


def exits(trial: ab.Trial) -> None:
    """Ends its process."""
    _start_children(trial.params["folder"])
    os._exit(7)


def is_deaf(trial: ab.Trial) -> None:
    """Cannot be interrupted."""
    _start_children(trial.params["folder"])
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass


def leaves_a_service(trial: ab.Trial) -> None:
    """Starts a process that shall outlive the run."""
    folder = trial.params["folder"]
    service = [sys.executable, "-c", _LIVES, folder]
    subprocess.Popen(service, start_new_session=True, stdout=subprocess.DEVNULL)
    while not os.listdir(folder):
        time.sleep(0.05)
    trial.report(0.5)


def waits_for_all_its_children(trial: ab.Trial) -> None:
    """Waits until there are none."""
    subprocess.Popen([sys.executable, "-c", "pass"])
    try:
        while True:
            os.wait()
    except ChildProcessError:
        trial.report(0.5)


def returns_in_a_child(trial: ab.Trial) -> None:
    """Forks a child that opens files and returns."""
    child = os.fork()
    if child == 0:
        for number in range(20):
            os.open(f"{trial.params['folder']}/{number}", os.O_CREAT | os.O_WRONLY)
        return
    _, status = os.waitpid(child, 0)
    trial.report(0.5, status=os.waitstatus_to_exitcode(status))


def forks_beside_paused_ones(x: float, folder: str) -> Iterator[float]:
    """Forks a child that returns; notes each child, and the end of each generator."""
    try:
        child = os.fork()
        if child == 0:
            Path(folder, f"child {os.getpid()} {x}").touch()
            return
        os.waitpid(child, 0)
        for _ in range(9):
            yield x
    finally:
        Path(folder, f"end {os.getpid()} {x}").touch()
