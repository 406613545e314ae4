"""Objectives that start processes and leave them behind."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
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
