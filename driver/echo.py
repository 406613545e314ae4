"""Answers at the bus's address without a bus, so that the way to it can be measured."""

from __future__ import annotations

import struct
import time
from types import TracebackType

import zmq

from asha_bus.driver.auth import Keys
from asha_bus.driver.bus_socket import bus_socket
from asha_bus.driver.listener import listen_at, tcp
from asha_bus.driver.process import start_thread
from asha_bus.launching.job import BusAddress

#: The time at which it was sent, on the clock of this machine, in seconds since the epoch.
_TIME = struct.Struct("!d")


class EchoServer:
    """Listens at ``host`` and ``port`` as a bus does, and answers each message with the time.

    Raises `BusError` if it cannot listen there.
    """

    def __init__(self, host: str, port: int) -> None:
        self._keys = Keys.generate()
        listener = listen_at(host, port)
        address, self._port = listener.getsockname()[:2]
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        # ZeroMQ closes the descriptor
        descriptor, endpoint = listener.detach(), tcp(address, self._port)
        self._socket, _ = bus_socket(self._context, self._keys, descriptor, endpoint)
        self._thread = start_thread(self._serve, "asha-bus-echo", lambda error: None)

    def address(self, host: str) -> BusAddress:
        """Where it is for those who reach this machine at ``host``, with the keys to it."""
        return self._keys.address("doctor", tcp(host, self._port))

    def _serve(self) -> None:
        try:
            with self._socket as socket:
                while True:
                    identity, *_ = socket.recv_multipart()
                    try:
                        socket.send_multipart([identity, _TIME.pack(time.time())])
                    except zmq.ZMQError as error:
                        if error.errno != zmq.EHOSTUNREACH:  # it has gone in the meantime
                            raise
        except zmq.ContextTerminated:
            pass

    def __enter__(self) -> EchoServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._context.term()  # which ends the thread
        self._thread.join()
