"""What a program of ``programs/`` writes down while it tunes, in a file for each thread.

A record is four doubles in a mapped file: it costs less than a microsecond, keeps the
interpreter lock, and stays when the process is killed. Times are of the monotonic clock,
which all processes of a machine share. This module needs the standard library alone, since
it runs in each tuner's own environment.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Where the records go, and what a program is asked to do, in its environment.
FOLDER, WORKERS, SECONDS, STEP_S, TRIALS = (
    f"ASHA_BUS_PEERS_{name}" for name in ("FOLDER", "WORKERS", "SECONDS", "STEP_S", "TRIALS")
)

_RECORD = struct.Struct("dddd")
_MOST_RECORDS = 1 << 20
_BEGIN, _REPORT, _END, _CALLED = 1.0, 2.0, 3.0, 4.0

clock = time.monotonic
_mine = threading.local()


class Asked(NamedTuple):
    """What a program is asked to do."""

    workers: int
    #: For how long it is observed, from the begin of its first trial; then it is killed.
    seconds: float
    #: How long each step of a trial takes.
    step_s: float
    #: How many trials there are where the tuner takes no time limit.
    trials: int
    #: A folder for the files of the tuner.
    folder: str


def asked() -> Asked:
    """What this program is asked to do."""
    env = os.environ
    return Asked(
        int(env[WORKERS]),
        float(env[SECONDS]),
        float(env[STEP_S]),
        int(env[TRIALS]),
        env[FOLDER],
    )


class _File:
    """The records of one thread."""

    def __init__(self) -> None:
        name = f"{os.getpid()}-{threading.get_ident()}.records"
        with open(Path(os.environ[FOLDER], name), "wb+") as file:
            file.truncate(_MOST_RECORDS * _RECORD.size)  # sparse: only what is written takes room
            self._map = mmap.mmap(file.fileno(), 0)
        self._pid = os.getpid()
        self._at = 0

    @property
    def is_of_this_process(self) -> bool:
        return self._pid == os.getpid()

    def add(self, kind: float, at: float, took: float) -> None:
        if self._at < _MOST_RECORDS:
            _RECORD.pack_into(self._map, self._at * _RECORD.size, kind, at, took, 0.0)
            self._at += 1


def _add(kind: float, at: float, took: float = 0.0) -> None:
    file: _File | None = getattr(_mine, "file", None)
    if file is None or not file.is_of_this_process:
        file = _mine.file = _File()
    file.add(kind, at, took)


def called() -> None:
    """The user calls the tuner now; what it needs, such as a Spark session, is there."""
    _add(_CALLED, clock())


def begin() -> None:
    """The objective begins a trial."""
    _add(_BEGIN, clock())


def end() -> None:
    """The objective has ended."""
    _add(_END, clock())


def reported(began: float) -> None:
    """A report that began then has returned, and its decision is known."""
    now = clock()
    _add(_REPORT, now, now - began)


class trial:  # noqa: N801 - reads as a function: ``with record.trial():``
    """The whole of an objective."""

    def __enter__(self) -> None:
        begin()

    def __exit__(self, *error: object) -> None:
        end()


class report:  # noqa: N801 - reads as a function: ``with record.report():``
    """One report, until its decision is known."""

    def __enter__(self) -> None:
        self._began = clock()

    def __exit__(self, *error: object) -> None:
        reported(self._began)


class Recorded(NamedTuple):
    """A trial, as its worker saw it: the times of its begin, of its end or last report."""

    begin: float
    end: float
    #: When each report was decided, and how long that took.
    reports: tuple[tuple[float, float], ...]
    #: The file, and so the thread, that it is of.
    worker: str


def read(folder: Path) -> tuple[float | None, list[Recorded]]:
    """When the tuner was called, and all trials by the time of their begin."""
    call, trials = None, []
    for path in sorted(folder.glob("*.records")):
        begun: float | None = None
        last, reports = 0.0, list[tuple[float, float]]()
        for kind, at, took in _records(path):
            if kind == _CALLED:
                call = at
                continue
            if kind == _BEGIN:
                if begun is not None:  # its objective was cut off
                    trials.append(Recorded(begun, last, tuple(reports), path.stem))
                begun, reports = at, []
            elif kind == _REPORT:
                reports.append((at, took))
            last = at
            if kind == _END and begun is not None:
                trials.append(Recorded(begun, at, tuple(reports), path.stem))
                begun = None
        if begun is not None:
            trials.append(Recorded(begun, last, tuple(reports), path.stem))
    return call, sorted(trials)


def first_begin(folder: Path) -> float | None:
    """When the first trial that is recorded so far began; None: there is none."""
    begins = (
        next((at for kind, at, _ in _records(path) if kind == _BEGIN), None)
        for path in folder.glob("*.records")
    )
    return min((begin for begin in begins if begin is not None), default=None)


def _records(path: Path) -> Iterator[tuple[float, float, float]]:
    with open(path, "rb") as file:
        while len(data := file.read(_RECORD.size)) == _RECORD.size:
            kind, at, took, _ = _RECORD.unpack(data)
            if not kind:
                return
            yield kind, at, took
