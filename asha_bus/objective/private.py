"""Folders that only this user can enter, in the temporary folder that all users share."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

from asha_bus.core.errors import AshaBusError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_folder(purpose: str) -> Path:
    """Make a folder with a name that nobody can have guessed, and return its path."""
    folder = Path(tempfile.mkdtemp(prefix=f"asha-bus-{purpose}-"))
    check_private(folder)
    return folder


def check_private(folder: Path) -> None:
    """Raise `AshaBusError` unless ``folder`` is a folder of this user that no other can enter."""
    os.close(_open_folder(folder))


def open_private(path: Path) -> BinaryIO:
    """Open a file that this user wrote into a private folder.

    Raises `AshaBusError` if another user could have put it there, if its folder can be entered
    by others, and if it is a link or anything but a file; OSError if it cannot be opened.
    """
    folder = _open_folder(path.parent)
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.fdopen(os.open(path.name, flags, dir_fd=folder), "rb")
    finally:
        os.close(folder)
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        file.close()
        raise AshaBusError(f"{path} is not a file of user {os.geteuid()}; it is not read")
    return file


def remove_private(folder: Path, maker: int) -> None:
    """Remove ``folder``, but not in a fork of ``maker``, the process that made it."""
    if os.getpid() == maker:
        shutil.rmtree(folder, ignore_errors=True)


def _open_folder(folder: Path) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        opened = os.open(folder, flags)
    except NotADirectoryError as error:  # also for a link
        raise AshaBusError(f"{folder} is not a folder; what lies there is not used") from error
    found = os.fstat(opened)
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
        os.close(opened)
        raise AshaBusError(
            f"the folder {folder} belongs to user {found.st_uid} and has mode "
            f"{stat.S_IMODE(found.st_mode):o}; it must belong to user {os.geteuid()}, with mode "
            f"700. What lies there is not used"
        )
    return opened
