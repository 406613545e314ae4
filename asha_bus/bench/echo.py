"""A bare ZeroMQ echo in its own process: the baseline of the load test.

It only receives and sends back, blocking, with or without CURVE.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import IO, NamedTuple

import zmq

from asha_bus.driver import process
from asha_bus.executor.client import connect
from asha_bus.launching.job import BusAddress

#: The longest wait for an answer of the echo, in seconds.
TIMEOUT_S = 10.0


class Cost(NamedTuple):
    """Messages so far, and processor seconds of the echoing thread and of its process."""

    messages: int
    thread_s: float
    process_s: float


@dataclass(frozen=True)
class EchoAddress:
    """The address of an echo; ``keys`` are its public key and a key pair for its clients."""

    endpoint: str
    keys: tuple[bytes, bytes, bytes] | None = field(default=None, repr=False)

    def connect(self, context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
        """Connect a DEALER socket; receiving raises zmq.Again after `TIMEOUT_S`."""
        if self.keys is None:
            socket = context.socket(zmq.DEALER)
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(self.endpoint)
        else:
            # the same options as a worker's socket has
            socket = connect(context, BusAddress("", self.endpoint, *self.keys), f"{os.getpid()}")
        socket.setsockopt(zmq.RCVTIMEO, int(TIMEOUT_S * 1000))
        return socket


class Echo:
    """A context manager that runs an echo on loopback.

    ``curve``: encrypt with CURVE, as the bus does.
    """

    def __init__(self, *, curve: bool) -> None:
        server, client = zmq.curve_keypair(), zmq.curve_keypair()
        self._secret = server if curve else None
        self._keys = (server[0], *client) if curve else None

    def __enter__(self) -> Echo:
        self._process = process.start("asha_bus.bench.echo")
        # keys in Z85, which has no space
        self._process.to_it.write(b" ".join(self._secret or ()) + b"\n")
        self._process.to_it.flush()
        line = self._process.from_it.readline()
        self.address = EchoAddress(line.decode().strip(), self._keys)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self.address.connect(self._context)
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()
        self._context.term()
        process.end(self._process, TIMEOUT_S)

    def cost(self) -> Cost:
        """Ask the echo for its cost so far."""
        self._socket.send(b"")
        messages, thread_s, process_s = self._socket.recv().decode().split()
        return Cost(int(messages), float(thread_s), float(process_s))


def _end_with_parent(source: IO[bytes]) -> None:
    source.read()
    os._exit(0)


def main() -> None:
    """Echo until the parent closes the pipe or dies."""
    read_fd, write_fd = map(int, sys.argv[1:])
    source = os.fdopen(read_fd, "rb")
    secret = source.readline().split()
    socket = zmq.Context().socket(zmq.ROUTER)
    if secret:
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = secret
    socket.bind("tcp://127.0.0.1:*")
    endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(endpoint, bytes)
    with os.fdopen(write_fd, "w") as sink:
        print(endpoint.decode(), file=sink)
    threading.Thread(target=_end_with_parent, args=(source,), daemon=True).start()
    messages = 0
    while True:
        frames = socket.recv_multipart()
        if frames[1]:
            messages += 1
        else:  # a request for the cost
            frames[1] = f"{messages} {time.thread_time()} {time.process_time()}".encode()
        socket.send_multipart(frames)


if __name__ == "__main__":
    main()
