"""Bare connections to a bus, without ZeroMQ, and what they cost its process."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import asha_bus as ab

_SIGNATURE = b"\xff" + bytes(8) + b"\x7f"


def tcp(run: ab.Run, timeout_s: float) -> socket.socket:
    """A TCP connection to the bus; ``timeout_s`` is for what is read from it."""
    host, _, port = run.bus_address.removeprefix("tcp://").rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.settimeout(timeout_s)
    return connection


def greeting(mechanism: str) -> bytes:
    """How a ZMTP peer begins that wants to use ``mechanism``."""
    return (_SIGNATURE + b"\x03\x00" + mechanism.encode().ljust(20, b"\0")).ljust(64, b"\0")


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
