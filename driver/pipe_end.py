"""The bus's end of its pipe: reads and writes frames without ever blocking."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from asha_bus.formats.pipe import LENGTH_BYTES, decode, encode

_READ_BYTES = 1 << 16


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
        while len(self._incoming) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._incoming[:LENGTH_BYTES], "big")
            if len(self._incoming) < end:
                return
            body = bytes(self._incoming[LENGTH_BYTES:end])
            del self._incoming[:end]
            yield decode(body)

    def send(self, frame: Any) -> None:
        """Write ``frame``, now as far as the pipe takes it and the rest with `flush`."""
        self.put(frame)
        self.flush()

    def put(self, frame: Any) -> None:
        """Have ``frame`` written with the next `flush`: one write for several, one reader woken."""
        self._outgoing += encode(frame)

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
