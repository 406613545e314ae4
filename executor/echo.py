"""Measures the way to the bus, as `asha_bus.doctor` asks for."""

from __future__ import annotations

import os
import struct
import time

import zmq

from asha_bus.executor.client import connect
from asha_bus.launching.job import BusAddress

#: How many round trips are measured; the fastest counts, since others waited for a processor.
_ROUNDS = 20

#: The time of the answer on the driver's clock, in seconds since the epoch.
_TIME = struct.Struct("!d")


def measure(address: BusAddress, timeout_s: float) -> tuple[float, float] | None:
    """The fastest round trip in seconds, and how far this machine's clock is ahead of the driver's.

    None: no answer came within ``timeout_s`` seconds. The difference of the clocks is known to half
    a round trip.
    """
    found: list[tuple[float, float]] = []
    deadline = time.monotonic() + timeout_s
    identity = f"doctor-{os.urandom(8).hex()}"
    with zmq.Context() as context, connect(context, address, identity) as socket:
        for _ in range(_ROUNDS):
            began, sent = time.perf_counter(), time.time()
            socket.send(b"echo")
            if not socket.poll(max(int(1000 * (deadline - time.monotonic())), 0)):
                break
            body = socket.recv()
            taken = time.perf_counter() - began
            (theirs,) = _TIME.unpack(body)
            found.append((taken, sent + taken / 2 - theirs))
    return min(found, default=None)
