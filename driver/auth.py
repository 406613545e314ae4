"""Authentication on the bus: only clients that hold the run's client key may connect."""

from __future__ import annotations

import logging
import os
import struct
import threading
from dataclasses import dataclass, field
from typing import Any

import zmq
from zmq.utils import z85

from asha_bus.launching.job import BusAddress

logger = logging.getLogger("asha_bus.bus")

_ENDPOINT = "inproc://zeromq.zap.01"
_VERSION = b"1.0"

_EVENTS_ENDPOINT = "inproc://asha-bus.connections"
_EVENTS = int(zmq.EVENT_ACCEPTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
#: The number of an event and its value, for these events the connection's descriptor.
_EVENT = struct.Struct("=Hi")


@dataclass(frozen=True)
class Keys:
    """The key pairs of one run, in Z85; the repr leaves out the secret keys."""

    server_public: bytes
    server_secret: bytes = field(repr=False)
    client_public: bytes
    client_secret: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Keys:
        """Make new key pairs."""
        server_public, server_secret = zmq.curve_keypair()
        client_public, client_secret = zmq.curve_keypair()
        return cls(server_public, server_secret, client_public, client_secret)

    def address(self, run: str, endpoint: str, bus_timeout_s: float = 60.0) -> BusAddress:
        """What a client of ``run`` gets: where the bus is, and the keys to it."""
        return BusAddress(
            run,
            endpoint,
            self.server_public,
            self.client_public,
            self.client_secret,
            bus_timeout_s,
        )


class Gatekeeper:
    """Admits one CURVE client key to ``socket``, and counts refused connections.

    It answers ZeroMQ's authentication requests (RFC 27, ZAP), and receives an event when a
    connection begins or ends. It has its own thread, because handshakes are rare and the
    router should not poll for them between messages.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        socket: zmq.Socket[bytes],
        client_public: bytes,
    ) -> None:
        #: The number of connections that ended before they were authenticated.
        self.refused = 0
        self._key = z85.decode(client_public)
        #: Descriptors of the connections that are not authenticated yet, oldest first.
        self._handshaking: dict[int, None] = {}
        self._requests = context.socket(zmq.REP)
        self._requests.setsockopt(zmq.LINGER, 0)
        self._requests.bind(_ENDPOINT)
        socket.monitor(_EVENTS_ENDPOINT, _EVENTS)
        self._events = context.socket(zmq.PAIR)
        # without a limit, since ZeroMQ's I/O thread would block when the queue is full
        self._events.setsockopt(zmq.RCVHWM, 0)
        self._events.setsockopt(zmq.LINGER, 0)
        self._events.connect(_EVENTS_ENDPOINT)
        self._thread = threading.Thread(target=self._serve, name="asha-bus-zap", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        arrivals: list[tuple[Any, int]] = [
            (self._requests, zmq.POLLIN),
            (self._events, zmq.POLLIN),
        ]
        try:
            while True:
                for socket, _ in zmq.zmq_poll(arrivals, -1):
                    frames = socket.recv_multipart()
                    if socket is self._requests:
                        socket.send_multipart(self._answer(frames))
                    else:
                        self._handle_event(*_EVENT.unpack(frames[0]))
        except zmq.ContextTerminated:
            self._requests.close()
            self._events.close()
        except BaseException:  # without this thread nobody is admitted: another bus takes over
            logger.exception("the thread that admits workers failed")
            os._exit(1)

    def _answer(self, frames: list[bytes]) -> list[bytes]:
        """The reply of ZAP: version, request id, status, text, user id, metadata."""
        request = frames[1] if len(frames) > 1 else b""
        # version, request id, domain, address, identity, mechanism, credentials
        if frames[:1] == [_VERSION] and frames[5:] == [b"CURVE", self._key]:
            return [_VERSION, request, b"200", b"OK", b"worker", b""]
        return [_VERSION, request, b"400", b"not a key of this run", b"", b""]

    def _handle_event(self, event: int, descriptor: int) -> None:
        """Handle one event of the monitored socket.

        Some failed handshakes have no event, and a successful one does not say which
        connection it belongs to. It is counted for the newest connection. If it was
        another one's, the wrong connection is counted when it ends, so the total is right.
        """
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            if self._handshaking:
                self._handshaking.popitem()
            return
        if descriptor in self._handshaking:
            del self._handshaking[descriptor]
            self.refused += 1
        if event == zmq.EVENT_ACCEPTED:
            self._handshaking[descriptor] = None
