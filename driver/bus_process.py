"""A bus process as the supervisor sees it: writing to it never blocks."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Any

from asha_bus.driver import process
from asha_bus.driver.descriptors import keep_from_forks
from asha_bus.driver.twins import Twin, is_readable
from asha_bus.formats import pipe

_WRITE_BYTES = 1 << 16
#: The number of bytes of a dead bus's output that are shown, the last ones.
_OUTPUT_BYTES = 20_000
#: A twin that was forked says so within this time.
_MEET_S = 1.0


class Output:
    """What buses print, in a file without a name."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()

    def take(self) -> str:
        """The end of what they have said since this was last asked for."""
        size = self.file.seek(0, os.SEEK_END)
        self.file.seek(max(size - _OUTPUT_BYTES, 0))
        text = self.file.read().decode(errors="replace").strip()
        self.file.seek(0)
        self.file.truncate()
        return text

    def close(self) -> None:
        """Forget it."""
        self.file.close()


class BusProcess:
    """A bus, or one that stands by.

    ``twins``: our end of the socket over which it gets the pipes of its twins; ``their_twins``
    is the number of its own end.
    """

    def __init__(self, child: process.Peer, twins: socket.socket, their_twins: int) -> None:
        self._child = child
        self._twins = twins
        self.their_twins = their_twins
        os.set_blocking(child.to_it.fileno(), False)
        self._lock = threading.Lock()
        self._outgoing = bytearray()

    @classmethod
    def start(cls, output: IO[bytes], pass_fds: Sequence[int]) -> BusProcess:
        """Start one, which prints to ``output``; `OSError` where no process can be started."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                keep_from_forks(ours)
                passed = (*pass_fds, theirs.fileno())
                child = process.start("asha_bus.driver", output=output, pass_fds=passed)
                return cls(child, ours, theirs.fileno())
        except BaseException:
            ours.close()
            raise

    def twin(self) -> BusProcess:
        """Let it fork a twin, once its `BusSetup` asks for one; see `asha_bus.driver.twins`.

        Raises `OSError` where that cannot be.
        """
        with ExitStack() as opened:
            to_it, from_it, theirs = process.open_pipes(opened)
            socket.send_fds(self._twins, [b"-"], theirs)
            twins = self._twins.dup()
            keep_from_forks(twins)
            opened.pop_all()
        process.close_all(theirs)
        return BusProcess(process.Peer(Twin(from_it), to_it, from_it), twins, self.their_twins)

    def meet(self) -> bool:
        """Whether it lives, and is to take over: then `pid` is known."""
        its = self._child.process
        return its.meet(_MEET_S) if isinstance(its, Twin) else not self.has_exited

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def has_exited(self) -> bool:
        """Whether it has ended."""
        return self._child.process.poll() is not None

    @property
    def has_spoken(self) -> bool:
        """Whether it has said something that nobody has read."""
        return not self.has_exited and is_readable(self._child.from_it, 0.0)

    def write(self, frame: Any) -> None:
        """Tell it ``frame``: now as far as the pipe takes it, the rest with `flush`."""
        with self._lock:
            self._outgoing += pipe.encode(frame)
        self.flush()

    def flush(self) -> None:
        """Write what is left; what one that is gone did not read is dropped."""
        with self._lock:
            try:
                while self._outgoing:
                    data = bytes(self._outgoing[:_WRITE_BYTES])
                    written = os.write(self._child.to_it.fileno(), data)
                    del self._outgoing[:written]
            except BlockingIOError:
                return
            except (OSError, ValueError):  # it has ended, or the pipe is closed
                self._outgoing.clear()

    def frames(self) -> Iterator[Any]:
        """What it says, until its end."""
        with self._child.from_it as stream:
            while (frame := pipe.read(stream)) is not None:
                yield frame

    def wait(self) -> int:
        """Wait for its end; its status."""
        status = self._child.process.wait()
        self.close(0.0, reads_on=True)
        return status

    def kill(self) -> None:
        """Kill it, at once."""
        self._child.process.kill()

    def close(self, timeout_s: float, *, reads_on: bool = False) -> None:
        """End it; see `asha_bus.driver.process.end`."""
        with self._lock, contextlib.suppress(OSError):  # it has ended, and left something unread
            self._child.to_it.close()
        self._twins.close()
        process.end(self._child, timeout_s, reads_on=reads_on)
