"""Who does not have the run's key gets no word from the bus, and does no harm."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import zmq
from lib.connections import descriptors, greeting, resident_bytes
from support.processes import wait_until
from support.strangers import (
    ANSWER_MS,
    GREETING_BYTES,
    SILENCE_S,
    address_of,
    counted,
    endless_run,
    heard_on,
    member,
    messages_in,
    rejected,
    still_decides,
    tcp,
)

import asha_bus as ab
from asha_bus.core import messages as m
from asha_bus.executor.client import ping
from asha_bus.formats import wire

HALF_OPEN = 2_000

PING = wire.encode(m.Ping(1))


@pytest.fixture(scope="module")
def handle() -> Iterator[ab.Run]:
    """One run that has to stand all of it."""
    with endless_run() as running:
        yield running


def test_every_kind_is_there_from_the_start() -> None:
    kinds = {*m.REJECTED_KINDS, "unsent", "unreachable", "unauthenticated"}
    with endless_run() as running:
        assert dict.fromkeys(kinds, 0) == rejected(running)


def test_the_runs_key_is_answered(handle: ab.Run) -> None:
    with counted(handle):
        assert ping(address_of(handle), "right", ANSWER_MS / 1000)


def no_key(socket: zmq.Socket[bytes], handle: ab.Run) -> None:
    """The NULL mechanism."""


def plain(socket: zmq.Socket[bytes], handle: ab.Run) -> None:
    socket.plain_username, socket.plain_password = b"admin", b"admin"


def _curve(socket: zmq.Socket[bytes], server: bytes, public: bytes, secret: bytes) -> None:
    socket.curve_serverkey = server
    socket.curve_publickey, socket.curve_secretkey = public, secret


def wrong_client_key(socket: zmq.Socket[bytes], handle: ab.Run) -> None:
    _curve(socket, handle._supervisor.keys.server_public, *zmq.curve_keypair())


def wrong_secret(socket: zmq.Socket[bytes], handle: ab.Run) -> None:
    keys = handle._supervisor.keys
    _curve(socket, keys.server_public, keys.client_public, zmq.curve_keypair()[1])


def wrong_server_key(socket: zmq.Socket[bytes], handle: ab.Run) -> None:
    keys = handle._supervisor.keys
    _curve(socket, zmq.curve_keypair()[0], keys.client_public, keys.client_secret)


@pytest.mark.parametrize(
    "prepare", [no_key, plain, wrong_client_key, wrong_secret, wrong_server_key]
)
def test_without_the_runs_key_there_is_no_answer(handle: ab.Run, prepare) -> None:
    with (
        counted(handle, unauthenticated=1),
        zmq.Context() as context,
        context.socket(zmq.DEALER) as socket,
    ):
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, -1)  # one try
        socket.setsockopt(zmq.IDENTITY, b"stranger")
        prepare(socket, handle)
        socket.connect(handle.bus_address)
        socket.send(PING)
        assert not socket.poll(int(SILENCE_S * 1000))
    still_decides(handle)


_NOISE = random.Random(1).randbytes(100_000)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: bus\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        _NOISE,
        b"\xff" + _NOISE,
        b"\x01\x00" + b"\x09\x00" + PING,  # ZMTP 1.0, which knows no authentication
        greeting("NULL")[:10] + b"\x01\x05\x00\x00" + b"\x00\x09" + PING,  # ZMTP 2.0
        greeting("NULL") + b"\x04\x06\x05READY" + b"\x00" + bytes([len(PING)]) + PING,
        greeting("PLAIN") + b"\x04\x0a\x05HELLO\x01a\x01a" + b"\x00" + bytes([len(PING)]) + PING,
        greeting("CURVE") + b"\x00" + bytes([len(PING)]) + PING,
        greeting("CURVE") + b"\x04\xc8\x05HELLO\x01\x00" + bytes(192),
        greeting("CURVE") + b"\x04\x08\x07MESSAGE" + PING,
        greeting("CURVE") + b"\x06" + b"\x7f" + bytes(7),  # a command of 2^63 bytes
        greeting("CURVE") + b"\x02" + b"\xff" * 8,
        greeting("CURVE") + b"\x06" + (1 << 20).to_bytes(8, "big") + bytes(1 << 20),
    ],
    ids=[
        *("http", "tls", "noise", "noise after a signature", "zmtp 1", "zmtp 2", "null", "plain"),
        *("message before handshake", "forged hello", "forged message"),
        *("oversized command", "oversized message", "large command"),
    ],
)
def test_raw_bytes_get_a_greeting_at_most(handle: ab.Run, data: bytes) -> None:
    with counted(handle, unauthenticated=1), tcp(handle) as connection:
        try:
            connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it had enough before the end
        heard = heard_on(connection)
        assert [] == messages_in(heard)
        assert len(heard) <= 2 * GREETING_BYTES
    still_decides(handle)


def test_the_greeting_cannot_be_taken_for_a_message() -> None:
    assert [b"\x00\x02ok"] == messages_in(greeting("CURVE") + b"\x04\x01x" + b"\x00\x02ok")


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """This process may open as many connections as the test wants."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * HALF_OPEN
    if before[0] < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_bus_raises_its_limit_of_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with endless_run() as running:
            found = resource.prlimit(running.bus_pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (min(hard, 65_536) if hard > 0 else 65_536, hard) == found


@pytest.mark.slow
@pytest.mark.usefixtures("many_descriptors")
def test_two_thousand_half_open_connections_are_borne_and_closed(handle: ab.Run) -> None:
    bus = handle.bus_pid
    still_decides(handle)
    open_before, bytes_before = descriptors(bus), resident_bytes(bus)
    with counted(handle, unauthenticated=HALF_OPEN), ExitStack() as stack:
        for number in range(HALF_OPEN):
            connection = stack.enter_context(tcp(handle))
            if number % 2:
                connection.sendall(greeting("CURVE"))
        wait_until(lambda: descriptors(bus) >= open_before + HALF_OPEN)
        still_decides(handle)
        # nobody hangs up here: the bus does
        wait_until(lambda: descriptors(bus) <= open_before)
    assert resident_bytes(bus) - bytes_before < 32 << 20
    still_decides(handle)


def test_strangers_are_distinguished_from_workers_that_join(handle: ab.Run) -> None:
    with counted(handle, unauthenticated=20), ExitStack() as stack:
        for number in range(20):
            stack.enter_context(tcp(handle))
            with member(handle, f"member {number}") as socket:
                socket.send(PING)
                assert socket.poll(ANSWER_MS)


def test_the_secret_keys_are_in_no_repr(handle: ab.Run) -> None:
    keys = handle._supervisor.keys
    for secret in (keys.client_secret.decode(), keys.server_secret.decode()):
        assert secret not in repr(keys)
        assert secret not in repr(address_of(handle))
