"""The pipe between the bus process and its supervisor: frames of msgpack.

A frame is its length in four bytes, the highest first, and one msgpack array. The
supervisor sends ``[id, verb, argument, ...]``, the bus ``["reply", id, value]`` and
unasked ``["ready", began, replay_s]``, ``["failed", text]``, ``["draw", first, count]``,
``["ended", reason, message]``. Both ends are processes of one user, so the frames
are not checked any further.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import RawIOBase
from typing import IO, Any

import msgpack

_LENGTH_BYTES = 4
_READ_BYTES = 1 << 16


def pack(frame: Any) -> bytes:
    """One frame in bytes."""
    body: bytes = msgpack.packb(frame)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def read(stream: IO[bytes] | RawIOBase) -> Any | None:
    """The next frame of a blocking stream; None at its end."""
    head = _read_exactly(stream, _LENGTH_BYTES)
    body = head and _read_exactly(stream, int.from_bytes(head, "big"))
    return _unpack(body) if body else None


def _read_exactly(stream: IO[bytes] | RawIOBase, count: int) -> bytes:
    """``count`` bytes of ``stream``; none at its end."""
    data = bytearray()
    while len(data) < count:
        more = stream.read(count - len(data))
        if not more:
            return b""
        data += more
    return bytes(data)


class PipeEnd:
    """The bus's end: reads and writes without ever blocking."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.read_fd, self.write_fd = read_fd, write_fd
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self.is_closed = False

    def frames(self) -> Iterator[Any]:
        """The frames that have arrived whole; sets ``is_closed`` at the end of the pipe."""
        data = b""
        while not data or len(data) == _READ_BYTES:  # else that was all, for now
            try:
                data = os.read(self.read_fd, _READ_BYTES)
            except BlockingIOError:
                break
            if not data:
                self.is_closed = True
                break
            self._incoming += data
        while len(self._incoming) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._incoming[:_LENGTH_BYTES], "big")
            if len(self._incoming) < end:
                return
            body = bytes(self._incoming[_LENGTH_BYTES:end])
            del self._incoming[:end]
            yield _unpack(body)

    def send(self, frame: Any) -> None:
        """Write ``frame``, now as far as the pipe takes it and the rest with `flush`."""
        self.put(frame)
        self.flush()

    def put(self, frame: Any) -> None:
        """Have ``frame`` written with the next `flush`: one write for several, one reader woken."""
        self._outgoing += pack(frame)

    def flush(self) -> None:
        """Write what is left; see `wants_write`."""
        try:
            while self._outgoing:
                written = os.write(self.write_fd, self._outgoing[:_READ_BYTES])
                del self._outgoing[:written]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.is_closed = True
            self._outgoing.clear()

    @property
    def wants_write(self) -> bool:
        """Whether something is left to `flush`."""
        return bool(self._outgoing)


def _unpack(body: bytes) -> Any:
    return msgpack.unpackb(body, use_list=False, strict_map_key=False)
