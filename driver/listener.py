"""The bus's listening socket, which outlives the bus."""

from __future__ import annotations

import socket as sockets

from asha_bus.core.errors import BusError


def listen_at(host: str, port: int) -> sockets.socket:
    """A socket that listens there; BusError where that cannot be."""
    try:
        family, kind, number, _, address = sockets.getaddrinfo(
            host, port, sockets.AF_INET, sockets.SOCK_STREAM
        )[0]
        listener = sockets.socket(family, kind, number)
        try:
            listener.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1_000)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        where = f"{host}:{port}" if port else host
        raise BusError(
            f"the bus could not listen at {where}: {error.strerror}. Give a free port or "
            f"another address of this machine: BusOptions(host=..., port=...)"
        ) from error
    return listener
