"""Looking at processes by /proc, waiting for things to become true, and free ports."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

_PAUSE_S = 0.02


class Broken(Exception):
    """What a scenario promised and did not keep."""


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Return once ``condition`` holds; Broken, naming ``what``, if that takes too long."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise Broken(f"{what}: not within {timeout_s:g} s")
        time.sleep(_PAUSE_S)


def parent_of(pid: int) -> int | None:
    """The parent of a process; None if there is none, or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent = stat.rpartition(")")[2].split()[:2]
    return None if state == "Z" else int(parent)


def is_alive(pid: int) -> bool:
    """Whether a process runs, not counting a zombie."""
    return parent_of(pid) is not None


def descendants(word: str, of: int | None = None) -> list[int]:
    """The living processes below ``of`` (this one) whose command line contains ``word``."""
    root = os.getpid() if of is None else of
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    parents = {pid: parent_of(pid) for pid in pids}
    found = []
    for pid in pids:
        above = parents[pid]
        while above is not None and above not in (root, 0):
            above = parents.get(above)
        if above == root and parents[pid] is not None and word in _command(pid):
            found.append(pid)
    return found


def _command(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it ended meanwhile
    return command.replace(b"\0", b" ").decode(errors="replace")


def free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
