"""Looking at processes, and waiting for things to become true."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

#: Nothing that a test waits for takes longer, even on a slow machine.
TIMEOUT_S = 150.0


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once ``condition`` holds; fails after `TIMEOUT_S`."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for did not come true"
        time.sleep(0.05)


def children_of(parent: int, word: str) -> list[int]:
    """The living children of ``parent`` whose command line contains ``word``."""
    return [pid for pid, state, command in _children(parent) if state != "Z" and word in command]


def unreaped_of(parent: int) -> list[int]:
    """The children of ``parent`` that have ended, and nobody has waited for."""
    return [pid for pid, state, _ in _children(parent) if state == "Z"]


def _children(parent: int) -> Iterator[tuple[int, str, str]]:
    """The process ids of the children of ``parent``, their states and command lines."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, its_parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
            if int(its_parent) == parent:
                yield int(entry.name), state, command


def is_alive(pid: int) -> bool:
    """Whether a process runs, not counting a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
