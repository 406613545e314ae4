"""Finds the processes that keep a file locked, to name them in an error."""

from __future__ import annotations

import os
from pathlib import Path


def holders(fd: int) -> dict[int, bool]:
    """The processes that have the file of ``fd`` locked: whether each is a process of a bus.

    Only those of this user, or all of them for root; none where the system has no /proc.
    """
    inode = os.fstat(fd)
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if any(_locks(folder, name, inode) for name in os.listdir(folder / "fd")):
                words = (folder / "cmdline").read_bytes()
                found[int(folder.name)] = b"asha_bus.driver" in words
        except OSError:  # it is another user's, or has ended
            continue
    return found


def _locks(folder: Path, name: str, file: os.stat_result) -> bool:
    """Whether the descriptor ``name`` of a process is of ``file``, and has it locked."""
    try:
        is_same = os.path.samestat(os.stat(folder / "fd" / name), file)
        return is_same and "FLOCK" in (folder / "fdinfo" / name).read_text()
    except OSError:  # it was closed meanwhile
        return False
