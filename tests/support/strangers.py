"""Talking to a run's bus from outside: with its key, with another, or without any."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zmq
from lib import connections
from support import objectives
from support.processes import wait_until

import asha_bus as ab
from asha_bus.core import messages as m
from asha_bus.executor.client import ping
from asha_bus.formats import wire
from asha_bus.launching.job import BusAddress

#: Long enough for an answer to come, if one came at all.
SILENCE_S = 0.7
ANSWER_MS = 30_000

#: A greeting of ZMTP 3.0: signature, version, mechanism, no server, padding.
GREETING_BYTES = 64
_COMMAND, _LONG = 0x04, 0x02


@contextmanager
def endless_run(**arguments: Any) -> Iterator[ab.Run]:
    """A run with one local worker that decides all the time; stopped in the end."""
    running = ab.start(
        objectives.slow_slope,
        {"x": ab.uniform(0, 1)},
        scheduler=ab.ASHA(max_resource=9),
        engine="local",
        workers=1,
        max_time=600,
        monitor=None,
        **arguments,
    )
    try:
        yield running
    finally:
        running.stop()
        running.result(timeout=60)


def address_of(handle: ab.Run, **changes: Any) -> BusAddress:
    """The run's address with the right keys, or others."""
    keys = handle._supervisor.keys
    found: dict[str, Any] = {
        "server_key": keys.server_public,
        "client_key": keys.client_public,
        "client_secret": keys.client_secret,
        **changes,
    }
    return BusAddress(handle._follower.plan.settings.run, handle.bus_address, **found)


@contextmanager
def member(handle: ab.Run, name: str | bytes, **options: int) -> Iterator[zmq.Socket[bytes]]:
    """A socket with the run's key, under ``name``; ``options`` of ZeroMQ such as RCVHWM."""
    address = address_of(handle)
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.setsockopt(zmq.IDENTITY, name if isinstance(name, bytes) else name.encode())
        dealer.setsockopt(zmq.LINGER, 0)
        for option, value in options.items():
            dealer.setsockopt(getattr(zmq, option), value)
        dealer.curve_serverkey = address.server_key
        dealer.curve_publickey = address.client_key
        dealer.curve_secretkey = address.client_secret
        dealer.connect(address.endpoint)
        yield dealer


def receive(dealer: zmq.Socket[bytes]) -> m.ToWorker:
    """The next message of the bus."""
    assert dealer.poll(ANSWER_MS), "the bus did not answer"
    return wire.decode_to_worker(dealer.recv())


def ask(dealer: zmq.Socket[bytes], message: m.FromWorker) -> m.ToWorker:
    """Send ``message`` and take what comes."""
    dealer.send(wire.encode(message))
    return receive(dealer)


def rejected(handle: ab.Run) -> dict[str, int]:
    """What the bus has turned away, by kind."""
    return dict(handle._supervisor.status().bus.rejected)


@contextmanager
def counted(handle: ab.Run, **more: int) -> Iterator[None]:
    """What is done here is counted: so much more of these kinds, and nothing of any other."""
    before = rejected(handle)
    yield
    wanted = {kind: count + more.get(kind, 0) for kind, count in before.items()}
    assert set(more) <= set(before)
    deadline = time.monotonic() + 5.0
    while (now := rejected(handle)) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)  # connections are counted by another thread
    assert wanted == now


def still_decides(handle: ab.Run) -> None:
    """The bus answers its worker and newcomers as before."""
    decisions = handle.bus_report().decisions
    assert ping(address_of(handle), "newcomer", ANSWER_MS / 1000)
    wait_until(lambda: handle.bus_report().decisions > decisions + 3)


# --- without ZeroMQ ----------------------------------------------------------


def tcp(handle: ab.Run) -> socket.socket:
    """A bare TCP connection to the bus."""
    return connections.tcp(handle, SILENCE_S)


def heard_on(connection: socket.socket) -> bytes:
    """All that the bus says until it closes the connection or is silent."""
    heard = b""
    while True:
        try:
            data = connection.recv(1 << 16)
        except (TimeoutError, ConnectionResetError):
            return heard
        if not data:
            return heard
        heard += data


def messages_in(heard: bytes) -> list[bytes]:
    """The ZMTP message frames in what a bus said: all that is neither greeting nor command."""
    position, found = GREETING_BYTES, []
    while position < len(heard):
        flags, size = heard[position], 8 if heard[position] & _LONG else 1
        length = int.from_bytes(heard[position + 1 : position + 1 + size], "big")
        end = position + 1 + size + length
        if not flags & _COMMAND:
            found.append(heard[position:end])
        position = end
    return found
