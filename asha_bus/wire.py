"""msgpack to messages and back: the only place that knows the bytes.

A body is one msgpack array ``[version, type, field, ...]``; ``docs/protocol.md``
is its specification. `decode` checks every size and type and raises
`RemoteProtocolError`, and nothing else, for what is no message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgpack

from asha_bus.core import messages as m
from asha_bus.core.errors import LocalProtocolError, RemoteProtocolError
from asha_bus.core.latency import BUCKETS

#: Limits of one message. What is larger is refused on receipt.
MAX_BODY_BYTES = 1 << 20
MAX_EXTRAS = 64
MAX_TEXT_CHARS = 65_536
MAX_NAME_CHARS = 256
MAX_POINT = 10_000
MAX_REPORTS = 1_000
_MAX_ITEMS = 10_000
_MAX_INT = (1 << 63) - 1

Check = Callable[[Any], bool]

_NUMBER = frozenset({int, float})
_NUMBER_OR_NIL = frozenset({int, float, type(None)})
_PLAIN = frozenset({int, float, bool, str, type(None)})
_VERDICTS = frozenset({"stopped", "completed", "fenced", "ended"})
_LEVELS = frozenset({"info", "warning"})
_OUTCOMES = frozenset({"completed", "failed", "interrupted"})


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MAX_INT


def _seq(value: Any) -> bool:
    return type(value) is int and 0 < value <= _MAX_INT


def _number(value: Any) -> bool:
    return type(value) in _NUMBER


def _number_or_nil(value: Any) -> bool:
    return type(value) in _NUMBER_OR_NIL


def _text(value: Any) -> bool:
    return type(value) is str and len(value) <= MAX_TEXT_CHARS


def _text_or_nil(value: Any) -> bool:
    return value is None or _text(value)


def _name(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= MAX_NAME_CHARS


def is_extras(value: Any) -> bool:
    """Whether ``value`` is a dict of at most 64 names with plain values."""
    return type(value) is dict and (
        not value
        or (
            len(value) <= MAX_EXTRAS
            and all(_name(key) for key in value)
            and all(type(item) in _PLAIN for item in value.values())
            and all(_text(item) for item in value.values() if type(item) is str)
        )
    )


def _latency(value: Any) -> bool:
    return type(value) is dict and all(
        _count(bucket) and bucket < BUCKETS and _count(count) for bucket, count in value.items()
    )


def _point(value: Any) -> bool:
    return type(value) is tuple and len(value) <= MAX_POINT and all(map(_number, value))


def _reports(value: Any) -> bool:
    return (
        type(value) is tuple
        and len(value) <= MAX_REPORTS
        and all(
            type(pair) is tuple and len(pair) == 2 and _number(pair[0]) and _number(pair[1])
            for pair in value
        )
    )


def _assignment(value: Any) -> bool:
    return (
        type(value) is tuple
        and len(value) == 5
        and _count(value[0])
        and _count(value[1])
        and _point(value[2])
        and _count(value[3])
        and _number_or_nil(value[4])
    )


def _assignment_or_nil(value: Any) -> bool:
    return value is None or _assignment(value)


def _mode(value: Any) -> bool:
    return value in ("min", "max")


def _verdict(value: Any) -> bool:
    return type(value) is str and value in _VERDICTS


def _outcome(value: Any) -> bool:
    return type(value) is str and value in _OUTCOMES


def _level(value: Any) -> bool:
    return type(value) is str and value in _LEVELS


#: Every message: its type number, its class, and a check of each field in order.
#: Numbers below 64 travel from a worker to the bus, the others back.
_TABLE: tuple[tuple[int, type[Any], tuple[Check, ...]], ...] = (
    (1, m.Hello, (_seq, _name, _name, _name, _count)),
    (2, m.Next, (_seq, _number)),
    (
        3,
        m.Report,
        (_seq, _count, _count, _number, _number, _number_or_nil, is_extras, _number),
    ),
    (
        4,
        m.End,
        (
            _seq,
            _count,
            _count,
            _number,
            _number_or_nil,
            _number_or_nil,
            is_extras,
            _outcome,
            _text_or_nil,
            _number,
        ),
    ),
    (5, m.Ping, (_seq,)),
    (16, m.Telemetry, (_count, _count, _number_or_nil, _reports)),
    (17, m.Log, (_count, _count, _level, _text)),
    (18, m.Beat, (_latency,)),
    (19, m.Leave, (_latency,)),
    (65, m.Welcome, (_seq, _number, _mode, _number_or_nil)),
    (66, m.Assign, (_seq, _assignment)),
    (67, m.Continue, (_seq, _number_or_nil)),
    (68, m.Stop, (_seq, _verdict, _assignment_or_nil)),
    (69, m.Wait, (_seq,)),
    (70, m.Done, (_seq, _name)),
    (71, m.Pong, (_count,)),
    (72, m.Refused, (_seq, _text)),
    (80, m.Interrupt, (_number, _number)),
)
_CODES: dict[type[Any], int] = {cls: code for code, cls, _ in _TABLE}
_FROM_WORKER = {code: (cls, checks) for code, cls, checks in _TABLE if code < 64}
_TO_WORKER = {code: (cls, checks) for code, cls, checks in _TABLE if code >= 64}


def encode(message: m.Message) -> bytes:
    """The bytes of ``message``; LocalProtocolError if they are more than a body may hold."""
    body = cast(bytes, msgpack.packb((m.PROTOCOL_VERSION, _CODES[type(message)], *message)))
    if len(body) > MAX_BODY_BYTES:
        raise LocalProtocolError(
            f"a {type(message).__name__} of {len(body)} bytes is more than {MAX_BODY_BYTES}"
        )
    return body


def decode_from_worker(body: bytes) -> m.FromWorker:
    """The message of a worker in ``body``; RemoteProtocolError if there is none."""
    return cast(m.FromWorker, _decode(body, _FROM_WORKER))


def decode_to_worker(body: bytes) -> m.ToWorker:
    """The message of the bus in ``body``; RemoteProtocolError if there is none."""
    return cast(m.ToWorker, _decode(body, _TO_WORKER))


def _decode(body: bytes, table: dict[int, tuple[type[Any], tuple[Check, ...]]]) -> m.Message:
    if len(body) > MAX_BODY_BYTES:
        raise RemoteProtocolError(f"a body of {len(body)} bytes is more than {MAX_BODY_BYTES}")
    try:
        items = msgpack.unpackb(
            body,
            use_list=False,
            strict_map_key=False,
            max_str_len=4 * MAX_TEXT_CHARS,
            max_bin_len=0,
            max_array_len=_MAX_ITEMS,
            max_map_len=BUCKETS,
            max_ext_len=0,
        )
    except Exception as error:  # whatever the unpacker raises, the bytes are at fault
        raise RemoteProtocolError(f"no msgpack within the limits: {error!r}") from error
    if type(items) is not tuple or len(items) < 2:
        raise RemoteProtocolError("a body is an array of version, type and fields")
    if items[0] != m.PROTOCOL_VERSION or type(items[0]) is not int:
        raise RemoteProtocolError(
            f"protocol version {items[0]!r}, but this side speaks {m.PROTOCOL_VERSION}; "
            f"install the same asha-bus on driver and executors"
        )
    entry = table.get(items[1]) if type(items[1]) is int else None
    if entry is None:
        raise RemoteProtocolError(f"unknown message type {items[1]!r}")
    cls, checks = entry
    fields = items[2:]
    if len(fields) != len(checks):
        raise RemoteProtocolError(
            f"{cls.__name__} has {len(checks)} fields, got {len(fields)} of them"
        )
    for position, check in enumerate(checks):
        if not check(fields[position]):
            raise RemoteProtocolError(
                f"{cls.__name__}.{cls._fields[position]} cannot be {fields[position]!r:.80}"
            )
    if cls is m.Assign:
        return m.Assign(fields[0], m.Assignment(*fields[1]))
    if cls is m.Stop and fields[2] is not None:
        return m.Stop(fields[0], fields[1], m.Assignment(*fields[2]))
    return cast(m.Message, cls._make(fields))
