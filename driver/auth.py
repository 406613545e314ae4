"""Who may speak to the bus: only those who hold the run's own client key."""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass, field
from typing import Any

import zmq
from zmq.utils import z85

_ENDPOINT = "inproc://zeromq.zap.01"
_VERSION = b"1.0"

_EVENTS_ENDPOINT = "inproc://asha-bus.connections"
_EVENTS = int(zmq.EVENT_ACCEPTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
#: Which event, and its value: of these the connection's descriptor.
_EVENT = struct.Struct("=Hi")


@dataclass(frozen=True)
class Keys:
    """The key pairs of one run, in Z85; the secret ones stay out of the repr."""

    server_public: bytes
    server_secret: bytes = field(repr=False)
    client_public: bytes
    client_secret: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Keys:
        """Fresh keys."""
        server_public, server_secret = zmq.curve_keypair()
        client_public, client_secret = zmq.curve_keypair()
        return cls(server_public, server_secret, client_public, client_secret)


class Gatekeeper:
    """Admits one CURVE client key to ``socket``, and counts who did not get in.

    It answers ZeroMQ's authentication requests (RFC 27, ZAP), and hears of each
    connection's beginning and end. A thread of its own, since handshakes come seldom
    and the router should not look for them between any two messages.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        socket: zmq.Socket[bytes],
        client_public: bytes,
    ) -> None:
        #: Connections that ended before they had shown the key.
        self.refused = 0
        self._key = z85.decode(client_public)
        #: Descriptors of the connections that are still to show it, oldest first.
        self._handshaking: dict[int, None] = {}
        self._requests = context.socket(zmq.REP)
        self._requests.setsockopt(zmq.LINGER, 0)
        self._requests.bind(_ENDPOINT)
        socket.monitor(_EVENTS_ENDPOINT, _EVENTS)
        self._events = context.socket(zmq.PAIR)
        self._events.setsockopt(zmq.RCVHWM, 0)  # ZeroMQ's own thread would wait for room
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
                        self._note(*_EVENT.unpack(frames[0]))
        except zmq.ContextTerminated:
            self._requests.close()
            self._events.close()

    def _answer(self, frames: list[bytes]) -> list[bytes]:
        """The reply of ZAP: version, request id, status, text, user id, metadata."""
        request = frames[1] if len(frames) > 1 else b""
        # version, request id, domain, address, identity, mechanism, credentials
        if frames[:1] == [_VERSION] and frames[5:] == [b"CURVE", self._key]:
            return [_VERSION, request, b"200", b"OK", b"worker", b""]
        return [_VERSION, request, b"400", b"not a key of this run", b"", b""]

    def _note(self, event: int, descriptor: int) -> None:
        """Take one event of the monitored socket.

        Not each failed handshake has an event of its own, and a successful one does not
        say whose it was. So it is taken for the youngest connection's: should it have
        been another's, that one is counted when it ends instead of this one.
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
