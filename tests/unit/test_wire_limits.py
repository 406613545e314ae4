"""How much a message may hold, and what of msgpack it may use."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import msgpack
import pytest
from support.messages import (
    ASSIGN,
    END,
    HELLO,
    LOG,
    PAUSE,
    REPORT,
    TELEMETRY,
    decode,
    packed,
    refused,
)

from asha_bus.core import messages as m
from asha_bus.core.errors import LocalProtocolError
from asha_bus.core.latency import BUCKETS
from asha_bus.core.roster import MAX_DROPS
from asha_bus.formats import wire


def at_limit(message: m.Message, field: str, allowed: Any, too_much: Any) -> Any:
    return pytest.param(message, field, allowed, too_much, id=f"{type(message).__name__}.{field}")


def extras(number: int) -> dict[str, int]:
    return {f"x{i}": i for i in range(number)}


@pytest.mark.parametrize(
    ("message", "field", "allowed", "too_much"),
    [
        at_limit(REPORT, "extras", extras(64), extras(65)),
        at_limit(REPORT, "extras", {"x" * 256: 1}, {"x" * 257: 1}),
        at_limit(REPORT, "extras", {"x": "y" * 2_048}, {"x": "y" * 2_049}),
        at_limit(REPORT, "extras", {"x": 2**63 - 1}, {"x": 2**63}),
        at_limit(REPORT, "seq", 2**63 - 1, 2**63),
        at_limit(REPORT, "trial", 2**63 - 1, 2**64 - 1),
        at_limit(HELLO, "host", "x" * 256, "x" * 257),
        at_limit(HELLO, "slot", "x", ""),
        at_limit(LOG, "text", "\U0001f600" * 65_536, "x" * 65_537),
        at_limit(END, "error", "x" * 65_536, "x" * 65_537),
        at_limit(TELEMETRY, "reports", ((1, 0.5),) * 1_000, ((1, 0.5),) * 1_001),
        at_limit(PAUSE, "drops", (4,) * 1_000, (4,) * 1_001),
        at_limit(m.Dropped(()), "trials", (4,) * 1_000, (4,) * 1_001),
        at_limit(m.Heartbeat({}), "latency", {BUCKETS - 1: 1}, {BUCKETS: 1}),
        at_limit(
            ASSIGN,
            "assignment",
            (12, 1, (1.5,) * 10_000, 77, 1, 0, ()),
            (12, 1, (1.5,) * 10_001, 77, 1, 0, ()),
        ),
    ],
)
def test_a_limit_is_allowed_and_more_is_refused(
    message: m.Message, field: str, allowed: Any, too_much: Any
) -> None:
    good = decode(packed(message, **{field: allowed}), type(message))
    assert good._asdict()[field] == allowed
    refused(packed(message, **{field: too_much}), type(message))


def test_a_body_has_a_limit() -> None:
    error = refused(b"\x93\x01\x03".ljust(wire.MAX_BODY_BYTES + 1, b"\0"))
    assert "1048577 bytes exceeds 1048576 bytes" in str(error)
    with pytest.raises(LocalProtocolError, match="bytes exceeds 1048576"):
        wire.encode(LOG._replace(text="x" * wire.MAX_BODY_BYTES))


def test_the_largest_messages_fit_into_a_body() -> None:
    wide = "\U0001f600"
    most = {wide * 252 + f"{i:4}": wide * wire.MAX_EXTRA_CHARS for i in range(wire.MAX_EXTRAS)}
    message = END._replace(extras=most, error=wide * wire.MAX_TEXT_CHARS)
    assert message == wire.decode_from_worker(wire.encode(message))
    point = (math.pi,) * wire.MAX_POINT
    assign = m.Assign(1, m.Assignment(1, 1, point, 1, None), (2**63 - 1,) * MAX_DROPS)
    assert assign == wire.decode_to_worker(wire.encode(assign))


# --- msgpack itself ----------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x93\x01\x05",
        b"\x93\x01\x05\xdb\xff\xff\xff\xff",
        b"\x93\x01\x05\xc6\xff\xff\xff\xff",
        wire.encode(REPORT)[:-1],
        wire.encode(REPORT) + b"\0",
        wire.encode(REPORT) + b"\0" * 1_000,
        wire.encode(m.Ping(1)) * 2,
        msgpack.packb(1),
        msgpack.packb({1: 2}),
        msgpack.packb(()),
        msgpack.packb((1,)),
        msgpack.packb("ping"),
    ],
)
def test_a_body_that_is_not_one_array_is_refused(body: bytes) -> None:
    refused(body)


@pytest.mark.parametrize(
    "field",
    [
        b"\xc4\x01x",
        b"\xc4\x00",
        b"\xd4\x05x",
        b"\xc7\x00\x05",
        b"\xd6\xff\x00\x00\x00\x00",
        b"\xa1\xff",
        b"\xa3\xed\xa0\x80",
    ],
    ids=["bin", "empty bin", "ext", "empty ext", "timestamp", "no UTF-8", "a surrogate"],
)
def test_other_types_of_msgpack_are_refused(field: bytes) -> None:
    log = wire.encode(LOG._replace(text=""))
    assert log.endswith(b"\xa0")
    assert LOG._replace(text="x") == wire.decode_from_worker(log[:-1] + b"\xa1x")
    refused(log[:-1] + field)


def test_a_key_twice_counts_once() -> None:
    body = packed(REPORT, extras={"x": 1, "y": 2}).replace(b"\xa1y", b"\xa1x")
    assert REPORT._replace(extras={"x": 2}) == wire.decode_from_worker(body)


@pytest.mark.parametrize("depth", [1, 100, 500, 900, 1_000, 1_020, 1_030, 5_000, 1_000_000])
@pytest.mark.parametrize("opening", [b"\x91", b"\x81\x01"], ids=["arrays", "maps"])
def test_deep_nesting_is_refused(depth: int, opening: bytes) -> None:
    deep = opening * min(depth, wire.MAX_BODY_BYTES // len(opening) - 10) + b"\x01"
    for body in (deep, b"\x92" + deep + b"\x05", b"\x92\x01" + deep, b"\x93\x01\x05" + deep):
        refused(body)


@pytest.mark.parametrize(
    ("header", "limit"),
    [
        (b"\xdd\x00\x00\x03\xe9", "max_array_len(1000)"),
        (b"\xdd\xff\xff\xff\xff", "max_array_len(1000)"),
        (b"\xdc\xff\xff", "max_array_len(1000)"),
        (b"\xdf\x00\x00\x01\x83", "max_map_len(386)"),
        (b"\xdf\xff\xff\xff\xff", "max_map_len(386)"),
        (b"\xde\xff\xff", "max_map_len(386)"),
        (b"\xdb\x00\x04\x00\x01", "max_str_len(262144)"),
        (b"\xc4\x01", "max_bin_len(0)"),
        (b"\xc6\x00\x00\x00\x01", "max_bin_len(0)"),
        (b"\xd4\x05", "max_ext_len(0)"),
        (b"\xc9\xff\xff\xff\xff\x01", "max_ext_len(0)"),
    ],
    ids=lambda value: value.hex() if isinstance(value, bytes) else "",
)
def test_a_length_is_refused_before_anything_is_read(header: bytes, limit: str) -> None:
    for before in (b"", b"\x93\x01\x05", b"\x9a\x01\x03\x07\x0c\x01\x09\x01\xc0"):
        assert f"exceeds {limit}" in str(refused(before + header + b"\0" * 300_000))


def test_nested_arrays_allocate_little_memory() -> None:
    # each array of a point's length would get 80 kB at once: 3 kB would become 80 MB
    tracemalloc.start()
    try:
        for items in (b"\x03\xe8", b"\x27\x10"):
            refused(b"\x93\x01\x05" + (b"\xdc" + items) * 1_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("undecodable", b""),
        ("undecodable", b"\xc1"),
        ("undecodable", b"\x91\x01"),
        ("undecodable", b"\x93\x01\x05\x01 and more"),
        ("undecodable", bytes(wire.MAX_BODY_BYTES + 1)),
        ("foreign_version", b"\x93\x02\x05\x01"),
        ("foreign_version", b"\x93\xc3\x05\x01"),
        ("malformed", b"\x93\x01\x3f\x01"),
        ("malformed", b"\x92\x01\x05"),
        ("malformed", b"\x93\x01\x05\x00"),
    ],
)
def test_a_broken_body_has_its_kind(kind: str, body: bytes) -> None:
    error = refused(body)
    assert kind == error.kind
    assert kind in m.REJECTED_KINDS
