"""The bus's ZeroMQ socket: encrypted, and open to the clients of one run alone."""

from __future__ import annotations

import zmq

from asha_bus.driver.auth import Gatekeeper, Keys
from asha_bus.formats import wire

#: Whoever has the run's key may send a lot and read nothing; a worker has one request
#: under way. At most this many messages are kept per peer and direction.
_HIGH_WATER = 200
#: A handshake takes milliseconds; a connection that has not done it is closed.
_HANDSHAKE_MS = 10_000


def bus_socket(
    context: zmq.Context[zmq.Socket[bytes]], keys: Keys, listener: int, endpoint: str
) -> tuple[zmq.Socket[bytes], Gatekeeper]:
    """A ROUTER that accepts at the descriptor ``listener``, bound to ``endpoint``."""
    socket = context.socket(zmq.ROUTER)
    gatekeeper = Gatekeeper(context, socket, keys.client_public)
    socket.setsockopt(zmq.LINGER, 500)
    socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # else nobody hears of the unsent
    socket.setsockopt(zmq.MAXMSGSIZE, wire.MAX_FRAME_BYTES)
    socket.setsockopt(zmq.RCVHWM, _HIGH_WATER)
    socket.setsockopt(zmq.SNDHWM, _HIGH_WATER)
    socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
    socket.setsockopt(zmq.BACKLOG, 1_000)
    socket.curve_server = True
    socket.curve_publickey = keys.server_public
    socket.curve_secretkey = keys.server_secret
    socket.zap_domain = b"asha-bus"
    socket.setsockopt(zmq.IPV6, 1)  # where the listener is of it; IPv4 works as before
    socket.setsockopt(zmq.USE_FD, listener)
    socket.bind(endpoint)
    return socket, gatekeeper
