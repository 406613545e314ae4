"""Whatever arrives, decoding gives a message or raises RemoteProtocolError, nothing else."""

from __future__ import annotations

from typing import Any, get_args

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.messages import exactly, from_worker, to_worker

from asha_bus.core import messages as m
from asha_bus.core.errors import RemoteProtocolError
from asha_bus.formats import wire

BOTH_WAYS = [
    (wire.decode_from_worker, get_args(m.FromWorker)),
    (wire.decode_to_worker, get_args(m.ToWorker)),
]


def check(body: bytes) -> int:
    """Decode ``body`` both ways; the number of messages found, each sound in itself."""
    found = 0
    for decode, classes in BOTH_WAYS:
        try:
            message: Any = decode(body)
        except RemoteProtocolError as error:
            refusal = wire.encode(m.Refused(error.seq or 1, str(error)))
            wire.decode_to_worker(refusal)  # it can be told
        else:
            found += 1
            assert type(message) in classes
            # what was accepted can be sent again, and arrives as the same
            assert exactly(message) == exactly(decode(wire.encode(message)))
    return found


@given(st.binary(max_size=200))
def test_random_bytes(body: bytes) -> None:
    check(body)


@given(st.binary(max_size=60), st.sampled_from(sorted(number for number, _, _ in wire.TABLE)))
def test_random_bytes_after_a_good_beginning(rest: bytes, number: int) -> None:
    check(bytes((0x90 + len(rest) % 16, 1, number)) + rest)


@settings(max_examples=300)
@given(from_worker | to_worker, st.data())
def test_mutated_messages(message: Any, data: st.DataObject) -> None:
    body = bytearray(wire.encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(body) - 1))
        kind = data.draw(st.sampled_from(["set", "insert", "delete", "repeat", "cut"]))
        if kind == "set":
            body[position] = data.draw(st.integers(0, 255))
        elif kind == "insert":
            body[position:position] = data.draw(st.binary(min_size=1, max_size=6))
        elif kind == "repeat":
            body[position:position] = body[position : position + 8]
        elif len(body) > 1:
            del body[position : position + 1 if kind == "delete" else len(body)]
        if not body:
            return
    check(bytes(body))


#: Anything that msgpack can hold, keys of maps included.
_keys = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5)
_structures: st.SearchStrategy[Any] = st.recursive(
    _keys
    | st.floats()
    | st.binary(max_size=5)
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=5)),
    lambda inner: (
        st.lists(inner, max_size=12)
        | st.dictionaries(_keys | st.tuples(_keys, _keys), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_structures)
def test_random_structures(structure: Any) -> None:
    check(msgpack.packb(structure))


@settings(max_examples=300)
@given(from_worker | to_worker, st.data())
def test_messages_with_a_random_field(message: Any, data: st.DataObject) -> None:
    number = next(number for number, cls, _ in wire.TABLE if cls is type(message))
    items: list[Any] = [1, number, *message]
    items[data.draw(st.integers(0, len(items) - 1))] = data.draw(_structures)
    check(msgpack.packb(items))


@given(from_worker | to_worker)
def test_a_message_travels_in_its_direction_only(message: Any) -> None:
    assert 1 == check(wire.encode(message))


def test_the_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msgpack, "unpackb", lambda body, **_: (1, 5, "no seq"))
    monkeypatch.setattr(wire, "_check", lambda items, table: items[5])
    with pytest.raises(IndexError):
        check(b"")
