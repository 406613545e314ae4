"""The bus's listening socket, which outlives the bus."""

from __future__ import annotations

import socket as sockets

from asha_bus.core.errors import BusError


def tcp(host: str, port: int) -> str:
    """ZeroMQ's name for ``port`` at ``host``, which may be an address of IPv6."""
    host = host.strip("[]")
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def listen_at(host: str, port: int) -> sockets.socket:
    """A socket that listens there; BusError where that cannot be."""
    try:
        # Spark writes an address of IPv6 in brackets; a name may have addresses of both kinds
        found = sockets.getaddrinfo(host.strip("[]"), port, type=sockets.SOCK_STREAM)
        family, kind, number, _, address = min(found, key=lambda each: each[0] != sockets.AF_INET)
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
