"""Who may speak to the bus: only those who hold the run's own client key."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import zmq
from zmq.utils import z85

_ENDPOINT = "inproc://zeromq.zap.01"
_VERSION = b"1.0"


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
    """Answers ZeroMQ's authentication requests (RFC 27, ZAP) in a thread of its own.

    One CURVE client key is let in, everybody else refused and counted. A thread,
    since handshakes come seldom and the router should not look for them between
    any two messages.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], client_public: bytes) -> None:
        self.refused = 0
        self._key = z85.decode(client_public)
        self._socket = context.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(_ENDPOINT)
        self._thread = threading.Thread(target=self._serve, name="asha-bus-zap", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                frames = self._socket.recv_multipart()
            except zmq.ContextTerminated:
                self._socket.close()
                return
            self._socket.send_multipart(self._answer(frames))

    def _answer(self, frames: list[bytes]) -> list[bytes]:
        """The reply of ZAP: version, request id, status, text, user id, metadata."""
        request = frames[1] if len(frames) > 1 else b""
        # version, request id, domain, address, identity, mechanism, credentials
        if frames[:1] == [_VERSION] and frames[5:] == [b"CURVE", self._key]:
            return [_VERSION, request, b"200", b"OK", b"worker", b""]
        self.refused += 1
        return [_VERSION, request, b"400", b"not a key of this run", b"", b""]
