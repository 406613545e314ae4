"""Reads the CPU time, memory and open files of a process from /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: Indexes in /proc/PID/stat after the command's name, which may contain any characters.
_USER_TIME, _SYSTEM_TIME, _RESIDENT_PAGES = 11, 12, 21


class ProcessFigures(NamedTuple):
    """CPU time in seconds, resident memory in bytes, and the number of open descriptors."""

    cpu_s: float
    resident_bytes: int
    open_fds: int


def process_figures(pid: int) -> ProcessFigures | None:
    """The figures of process ``pid``; None if it is gone, or the system has no /proc."""
    folder = Path("/proc") / str(pid)
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        descriptors = len(os.listdir(folder / "fd"))
    except OSError:
        return None
    cpu_s = (int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])) * _TICK_S
    return ProcessFigures(cpu_s, int(fields[_RESIDENT_PAGES]) * _PAGE_BYTES, descriptors)
