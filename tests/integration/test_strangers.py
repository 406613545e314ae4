"""Who may speak to the bus, and what becomes of what is no message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
import zmq
from support import objectives

import asha_bus as ab
from asha_bus import wire
from asha_bus.core import messages as m
from asha_bus.executor.client import BusAddress, connect, ping

#: Long enough for an answer to come, if one came at all.
SILENCE_MS = 700


@pytest.fixture
def handle() -> Iterator[ab.Run]:
    """A run that goes on until the test is over."""
    running = ab.launch(
        objectives.slow_slope,
        {"x": ab.uniform(0, 1)},
        engine="local",
        workers=1,
        max_time=600,
        monitor=None,
        block=False,
    )
    yield running
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
    return BusAddress(handle._plan.settings.run, handle.bus_address, **found)


def counts(handle: ab.Run) -> dict[str, int]:
    """What the bus counted."""
    status = handle._supervisor.call("status")
    return {"rejected": status["rejected"], "strangers": status["strangers"]}


def test_the_runs_key_is_answered_and_another_is_not(handle: ab.Run) -> None:
    assert ping(address_of(handle), "right", 10.0)
    public, secret = zmq.curve_keypair()
    stranger = address_of(handle, client_key=public, client_secret=secret)
    assert not ping(stranger, "wrong", SILENCE_MS / 1000)
    assert counts(handle)["strangers"] >= 1


def test_without_encryption_there_is_no_answer(handle: ab.Run) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(handle.bus_address)
        socket.send(wire.encode(m.Ping(1)))
        assert not socket.poll(SILENCE_MS)


def test_garbage_is_counted_and_the_run_goes_on(handle: ab.Run) -> None:
    with zmq.Context() as context, connect(context, address_of(handle), "junk") as socket:
        socket.send(b"\xc1 garbage")
        socket.send_multipart([b"one", b"frame", b"too many"])
        socket.send(b"")
        socket.send(wire.encode(m.Ping(2)))
        assert socket.poll(10_000)
        assert wire.decode_to_worker(socket.recv()) == m.Pong(2)
    assert counts(handle)["rejected"] == 5  # each frame by itself


def test_a_broken_request_is_told_so(handle: ab.Run) -> None:
    broken = msgpack.packb((m.PROTOCOL_VERSION, 3, 7, 0, 1, 1, "0.5", None, {}, 0.0))
    foreign = msgpack.packb((m.PROTOCOL_VERSION + 1, 1, 8, "of another time"))
    with zmq.Context() as context, connect(context, address_of(handle), "broken") as socket:
        for seq, body, words in (
            (7, broken, "Report.metric cannot be '0.5'"),
            (8, foreign, "same"),
        ):
            socket.send(body)
            assert socket.poll(10_000)
            reply = wire.decode_to_worker(socket.recv())
            assert isinstance(reply, m.Refused)
            assert seq == reply.seq
            assert words in reply.text


def test_an_oversized_message_harms_nobody_else(handle: ab.Run) -> None:
    with zmq.Context() as context, connect(context, address_of(handle), "large") as socket:
        socket.send(bytes(wire.MAX_BODY_BYTES + 1))
        assert not socket.poll(SILENCE_MS)
    assert ping(address_of(handle), "another", 10.0)


def test_a_worker_of_another_run_is_refused(handle: ab.Run) -> None:
    with zmq.Context() as context, connect(context, address_of(handle), "lost") as socket:
        socket.send(wire.encode(m.Hello(1, "another-run", "seat", "host", 1)))
        assert socket.poll(10_000)
        reply = wire.decode_to_worker(socket.recv())
    assert isinstance(reply, m.Refused)
    assert "another run" in reply.text


def test_the_secret_key_is_in_no_repr(handle: ab.Run) -> None:
    secret = handle._supervisor.keys.client_secret.decode()
    assert secret not in repr(handle._supervisor.keys)
    assert secret not in repr(address_of(handle))
