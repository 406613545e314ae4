"""A bus with a long journal forks a twin, which stands by in its place without reading it again.

The supervisor sends the twin's end of its pipe over a socket that a bus and all its twins
share: at any time only one of them reads there, the one that becomes the bus.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from typing import IO

from asha_bus.formats import pipe

_STEP_S = 0.01


class Twin:
    """A process that a bus is to fork, a child of this one: nobody here can wait for it.

    Its end is the end of the pipe ``from_it``, whose other end nobody else has.
    """

    def __init__(self, from_it: IO[bytes]) -> None:
        self._from_it = from_it
        #: Its process id, once it was met; 0 before.
        self.pid = 0

    def meet(self, timeout_s: float) -> bool:
        """Learn its process id from its first frame; False if it does not live, or says none."""
        if self.pid == 0 and not self._from_it.closed and is_readable(self._from_it, timeout_s):
            first = pipe.read(self._from_it)
            if isinstance(first, pipe.CaughtUp):
                self.pid = first.pid
        return self.pid != 0 and self.poll() is None

    def poll(self) -> int | None:
        """None while it lives; else -1, since nobody here learns its status."""
        if self._from_it.closed:
            return -1
        poll = select.poll()
        poll.register(self._from_it, 0)
        return -1 if poll.poll(0) else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; `subprocess.TimeoutExpired` as `subprocess.Popen`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a twin of a bus", timeout or 0.0)
            time.sleep(_STEP_S)
        return status

    def kill(self) -> None:
        """Kill it, at once; one that was not forked yet ends with its bus."""
        if self.meet(0.0):
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, signal.SIGKILL)


def is_readable(stream: IO[bytes], timeout_s: float) -> bool:
    """Whether there is something to read, or its end, within ``timeout_s``."""
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def fork(twins: int, read_fd: int, write_fd: int) -> tuple[int, int] | None:
    """In a bus: fork a twin, whose pipe has come over the socket ``twins``.

    Returns the pipe in the twin, and None in the bus, as where nothing can be forked.
    ``read_fd``, ``write_fd``: the bus's own pipe, which its twin closes.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a twin that ends leaves no zombie
    with socket.socket(fileno=os.dup(twins)) as shared:
        _, theirs, _, _ = socket.recv_fds(shared, 1, 2)
    try:
        is_twin = os.fork() == 0
    except OSError:
        is_twin = False
    for end in (read_fd, write_fd) if is_twin else theirs:
        os.close(end)
    return (theirs[0], theirs[1]) if is_twin else None
