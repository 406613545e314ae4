"""Descriptors of the user's process: which ones must be there, and which it keeps to itself."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from typing import Protocol


class _Open(Protocol):
    def fileno(self) -> int: ...


#: What no forked child may hold open. Weak: what is closed is forgotten.
_kept: weakref.WeakSet[_Open] = weakref.WeakSet()

#: Held while a process is started: a child that is forked meanwhile would keep the other ends
#: of its pipes, and with them the start would wait for as long as that child lives.
starting = threading.RLock()


def open_standard() -> None:
    """Open the null device wherever stdin, stdout or stderr is closed, as a daemon leaves it.

    Otherwise the next file, socket or journal would get that number, and whatever prints
    would write into it.
    """
    for standard in range(3):
        try:
            os.fstat(standard)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, this one
            if null != standard:
                os.dup2(null, standard)
                os.close(null)
            os.set_inheritable(standard, True)


def keep_from_forks(*files: _Open) -> None:
    """Have ``files`` closed in every child that this process forks.

    A pool that the user's program forks would otherwise keep the journal's lock and the
    pipes of a run whose process has died.
    """
    _kept.update(files)


def _let_go() -> None:
    """In a forked child: put the null device in place of what the parent keeps to itself.

    The file objects stay valid, so closing them later closes nobody else's descriptor.
    """
    starting.release()
    kept = list(_kept)
    if not kept:
        return
    null = os.open(os.devnull, os.O_RDWR)
    for file in kept:
        with contextlib.suppress(OSError, ValueError):  # it is closed
            os.dup2(null, file.fileno(), inheritable=False)
    os.close(null)


os.register_at_fork(
    before=starting.acquire, after_in_parent=starting.release, after_in_child=_let_go
)
