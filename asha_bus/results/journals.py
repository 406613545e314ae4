"""Opens a journal to read it: anybody may have written it, and anything may lie there."""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from asha_bus.core.errors import InvalidArgument
from asha_bus.formats.journal import MAGIC, is_journal
from asha_bus.formats.saved import is_saved_result

#: The most that is read at a time.
_MOST_BYTES = 1 << 24


def read_journal(
    path: str | os.PathLike[str], begin: int = 0, *, most: int = -1, what: str = "journal"
) -> bytes:
    """At most ``most`` bytes of the file at ``path`` from ``begin`` on; ``~`` is the user's folder.

    Raises `InvalidArgument` if it cannot be read, or is not a file: a pipe would never end.
    ``what``: what it should be, for the message. ``most`` -1: all, or the beginning alone where
    that is of neither a journal nor a saved result, since such a file may be of any size.
    """
    with open_to_read(path, what) as file:
        try:
            file.seek(begin)
            if begin or most >= 0:
                return file.read(most)
            beginning = file.read(len(MAGIC))
            is_ours = is_journal(beginning) or is_saved_result(beginning)
            return beginning + file.read() if is_ours else beginning
        except OSError as error:  # the disk, or a file of the system that is none
            raise _unreadable(path, error.strerror, what) from error


def read_open(fd: int) -> bytes:
    """The bytes of the journal that is open as ``fd``, which may have no name any more."""
    pieces = []
    at = 0
    while piece := os.pread(fd, _MOST_BYTES, at):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no cyclic garbage meanwhile: none is made, and each look goes through all trials.

    A fifth of the time of reading a long journal.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def open_to_read(path: str | os.PathLike[str], what: str = "journal") -> BinaryIO:
    """Open the journal at ``path``; see `read_journal`."""
    try:
        # a pipe that nobody writes to must not block
        fd = os.open(os.path.expanduser(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            check_is_file(fd, path, what)
            return os.fdopen(fd, "rb")
        except BaseException:
            os.close(fd)
            raise
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise _unreadable(path, why, what) from error


def _unreadable(path: str | os.PathLike[str], why: object, what: str) -> InvalidArgument:
    return InvalidArgument(f"the {what} {os.fspath(path)!r} cannot be read: {why}")


def check_is_file(fd: int, path: str | os.PathLike[str], what: str = "journal") -> None:
    """Raise `InvalidArgument` if ``fd``, opened at ``path``, is not a file."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise InvalidArgument(
            f"the {what} {os.fspath(path)!r} is not a file, but a folder, a pipe or a device; "
            f"give the path of a file"
        )
