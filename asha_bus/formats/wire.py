"""Encodes messages as msgpack and decodes them: the only module that knows these bytes.

A body is one msgpack array ``[version, type, field, ...]``, specified in
``docs/protocol.md``. `decode_from_worker` and `decode_to_worker` check every size and
type. For bytes that are not a message they raise `RemoteProtocolError` and nothing else.
"""

from __future__ import annotations

import math
import reprlib
import threading
from collections.abc import Callable
from typing import Any, cast

import msgpack

from asha_bus.core import messages as m
from asha_bus.core.curve import MAX_NAMES
from asha_bus.core.errors import LocalProtocolError, RemoteProtocolError
from asha_bus.core.latency import BUCKETS
from asha_bus.core.roster import MAX_DROPS

#: Limits of one message; a larger one is rejected on receipt. A message within the other
#: limits always fits into `MAX_BODY_BYTES`, so that only a bug can exceed that.
MAX_BODY_BYTES = 1 << 20
#: The limit for ZeroMQ, which also counts the bytes that CURVE adds to a body.
MAX_FRAME_BYTES = MAX_BODY_BYTES + 64
MAX_TEXT_CHARS = 65_536
MAX_NAME_CHARS = 256
MAX_EXTRAS = 64
MAX_EXTRA_CHARS = 2_048
MAX_POINT = 10_000
MAX_REPORTS = 1_000
#: Values by name, and the characters of all their names and distributions together.
MAX_NAMED = 1_000
MAX_NAMED_CHARS = 40_000
_MAX_INT = (1 << 63) - 1
_UTF8_BYTES = 4  # at most, per character

#: Types 1 to 15 are requests: in every version, their first field is a seq.
_FIRST_ONE_WAY = 16
FIRST_TO_WORKER = 64

Check = Callable[[Any], bool]

_NUMBER = frozenset({int, float})
_NUMBER_OR_NIL = frozenset({int, float, type(None)})


class _Packing(threading.local):
    """One packer per thread, since a new one per message would allocate a new buffer."""

    def __init__(self) -> None:
        self.pack: Callable[[Any], bytes] = msgpack.Packer().pack


_packing = _Packing()
_shortened = reprlib.Repr()  # safe for values nested too deep for repr()
_shortened.maxlevel = 2
_shortened.maxother = 60


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MAX_INT


def _seq(value: Any) -> bool:
    return type(value) is int and 0 < value <= _MAX_INT


def _positive_count(value: Any) -> bool:
    return _count(value) and value > 0


def _number(value: Any) -> bool:
    return type(value) in _NUMBER


def _number_or_nil(value: Any) -> bool:
    return type(value) in _NUMBER_OR_NIL


def _amount(value: Any) -> bool:
    return type(value) in _NUMBER and 0 <= value < math.inf


def _resource(value: Any) -> bool:
    return type(value) in _NUMBER and 0 < value < math.inf


def _resource_or_nil(value: Any) -> bool:
    return value is None or _resource(value)


def _text(value: Any) -> bool:
    return type(value) is str and len(value) <= MAX_TEXT_CHARS


def _text_or_nil(value: Any) -> bool:
    return value is None or _text(value)


def _name(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= MAX_NAME_CHARS


def _extra(value: Any) -> bool:
    if type(value) is int:
        return -_MAX_INT <= value <= _MAX_INT
    if type(value) is str:
        return len(value) <= MAX_EXTRA_CHARS
    return value is None or type(value) is float or type(value) is bool


def is_extras(value: Any) -> bool:
    """Whether ``value`` is a dict of at most 64 names and plain values."""
    if type(value) is not dict or len(value) > MAX_EXTRAS:
        return False
    return all(_name(name) and _extra(item) for name, item in value.items())


def _latency(value: Any) -> bool:
    return type(value) is dict and all(
        _count(bucket) and bucket < BUCKETS and _count(number) for bucket, number in value.items()
    )


def _point(value: Any) -> bool:
    return type(value) is tuple and len(value) <= MAX_POINT and all(map(_number, value))


def _named(value: Any) -> bool:
    return (
        type(value) is tuple
        and len(value) <= MAX_NAMED
        and all(
            type(one) is tuple
            and len(one) == 3
            and _name(one[0])
            and _text(one[1])
            and _number(one[2])
            for one in value
        )
        and sum(len(name) + len(text) for name, text, _ in value) <= MAX_NAMED_CHARS
    )


def _reports(value: Any) -> bool:
    return (
        type(value) is tuple
        and len(value) <= MAX_REPORTS
        and all(
            type(pair) is tuple and len(pair) == 2 and _resource(pair[0]) and _number(pair[1])
            for pair in value
        )
    )


def _extra_curves(value: Any) -> bool:
    return (
        type(value) is dict
        and len(value) <= MAX_NAMES
        and all(
            _name(name)
            and type(values) is tuple
            and len(values) <= MAX_REPORTS
            and all(map(_number_or_nil, values))
            for name, values in value.items()
        )
    )


def _assignment(value: Any) -> bool:
    return (
        type(value) is tuple
        and 5 <= len(value) <= 7
        and (len(value) < 6 or _count(value[5]))
        and (len(value) < 7 or _named(value[6]))
        and _count(value[0])
        and _seq(value[1])
        and _point(value[2])
        and _count(value[3])
        and _resource_or_nil(value[4])
    )


def _assignment_or_nil(value: Any) -> bool:
    return value is None or _assignment(value)


def _drops(value: Any) -> bool:
    return type(value) is tuple and len(value) <= MAX_DROPS and all(map(_count, value))


def _one_of(*choices: str) -> Check:
    return lambda value: type(value) is str and value in choices


_mode = _one_of("min", "max")
_stop_reason = _one_of("stopped", "completed", "fenced", "ended")
_outcome = _one_of("completed", "failed", "interrupted", "dropped")
_level = _one_of("info", "output", "warning")


def _report(fields: tuple[Any, ...]) -> bool:
    """All checks of a `Report` at once, for speed: a decision waits for it."""
    if len(fields) != 10:
        return False
    seq, trial, attempt, resource, metric, best, extras, idle_s, best_resource, named = fields
    return (
        type(seq) is int
        and 0 < seq <= _MAX_INT
        and type(trial) is int
        and 0 <= trial <= _MAX_INT
        and type(attempt) is int
        and 0 < attempt <= _MAX_INT
        and type(resource) in _NUMBER
        and 0 < resource < math.inf
        and type(metric) in _NUMBER
        and type(best) in _NUMBER_OR_NIL
        and type(extras) is dict
        and (not extras or is_extras(extras))
        and type(idle_s) in _NUMBER
        and 0 <= idle_s < math.inf
        and (
            best_resource is None
            or (type(best_resource) in _NUMBER and 0 < best_resource < math.inf)
        )
        and (not named or _named(named))
    )


#: Every message: its type number, its class, and one check per field, in order.
#: Numbers below 64 are sent by a worker, the others by the bus.
TABLE: tuple[tuple[int, type[Any], tuple[Check, ...]], ...] = (
    (1, m.Hello, (_seq, _name, _name, _name, _count)),
    (2, m.Next, (_seq, _amount)),
    (
        3,
        m.Report,
        (
            *(_seq, _count, _seq, _resource, _number, _number_or_nil, is_extras, _amount),
            *(_resource_or_nil, _named),
        ),
    ),
    (
        4,
        m.End,
        (
            *(_seq, _count, _seq, _amount, _number_or_nil, _number_or_nil, is_extras, _outcome),
            *(_text_or_nil, _amount, _resource_or_nil, _named),
        ),
    ),
    (5, m.Ping, (_seq,)),
    (6, m.TrialHung, (_seq, _count, _seq, _text)),
    (7, m.Saved, (_seq, _count, _count)),
    (8, m.Draw, (_seq, _count, _seq, _name, _text)),
    (16, m.Telemetry, (_count, _seq, _number_or_nil, _reports)),
    (17, m.Log, (_count, _seq, _level, _text)),
    (18, m.Heartbeat, (_latency,)),
    (19, m.Leave, (_latency,)),
    (
        20,
        m.Reports,
        (
            *(_count, _seq, _number_or_nil, _positive_count, _reports, _extra_curves),
            _resource_or_nil,
        ),
    ),
    (21, m.Dropped, (_drops,)),
    (65, m.Welcome, (_seq, _resource, _mode, _number_or_nil, _resource_or_nil, _positive_count)),
    (66, m.Assign, (_seq, _assignment, _drops)),
    (67, m.Continue, (_seq, _resource_or_nil, _drops)),
    (68, m.Stop, (_seq, _stop_reason, _assignment_or_nil, _drops)),
    (69, m.Wait, (_seq, _drops)),
    (70, m.Done, (_seq, _name)),
    (71, m.Pong, (_count,)),
    (72, m.Refused, (_seq, _text)),
    (73, m.Pause, (_seq, _assignment_or_nil, _drops, _drops)),
    (74, m.Drawn, (_seq, _number, _text)),
    (80, m.Interrupt, (_amount, _amount)),
    (81, m.Ask, (_count, _seq)),
)
CODES: dict[type[Any], int] = {cls: code for code, cls, _ in TABLE}
_REPORT = CODES[m.Report]
#: The defaults of the last fields of a message, all empty. A field with its default is left out,
#: unless one after it is not.
_DEFAULTS: dict[int, tuple[Any, ...]] = {
    code: tuple(cls._field_defaults.values()) for code, cls, _ in TABLE if cls._field_defaults
}
#: Where the array of a message has an assignment, whose last fields are left out likewise.
_ASSIGNED = {CODES[m.Assign]: 3, CODES[m.Stop]: 4, CODES[m.Pause]: 3}
#: Of those, the last fields of a `Report`, which follow eight others.
_REPORT_DEFAULTS = _DEFAULTS[_REPORT]
_FROM_WORKER = {code: (cls, checks) for code, cls, checks in TABLE if code < FIRST_TO_WORKER}
_TO_WORKER = {code: (cls, checks) for code, cls, checks in TABLE if code >= FIRST_TO_WORKER}

#: What msgpack raises for invalid values and bytes. Anything else is not about them, such as
#: the exception of a signal handler of the user's, which may strike there.
_INVALID = (
    msgpack.UnpackException,
    ValueError,
    TypeError,
    OverflowError,
    RecursionError,
    MemoryError,
)


def encode(message: m.Message) -> bytes:
    """Encode ``message``; raises `LocalProtocolError` if that is impossible.

    Lone surrogates, which UTF-8 cannot encode, become question marks.
    """
    code = CODES[type(message)]
    items = (m.PROTOCOL_VERSION, code, *message)
    if code in _DEFAULTS:
        items = _without_defaults(code, items)
    try:
        try:
            body = _packing.pack(items)
        except UnicodeEncodeError:
            body = msgpack.packb(items, unicode_errors="replace")
    except _INVALID as error:
        raise LocalProtocolError(f"cannot encode {_shortened.repr(message)}: {error}") from error
    if len(body) > MAX_BODY_BYTES:
        raise LocalProtocolError(
            f"a {type(message).__name__} of {len(body)} bytes exceeds {MAX_BODY_BYTES} bytes"
        )
    return body


def _without_defaults(code: int, items: tuple[Any, ...]) -> tuple[Any, ...]:
    """``items`` of a message without what is left out of it."""
    kept = len(items)
    for _ in _DEFAULTS[code]:
        if items[kept - 1]:
            break
        kept -= 1
    at = _ASSIGNED.get(code)
    if at is None or (given := items[at]) is None or given[-1]:
        return items[:kept]
    given = given[: -1 if given[-2] else -2]
    return (*items[:at], given, *items[at + 1 : kept])


def decode_report(body: bytes) -> tuple[Any, ...]:
    """The fields of a `Report`; raises an exception if ``body`` is no valid one."""
    items = msgpack.unpackb(body, use_list=False, strict_map_key=False)
    fields: tuple[Any, ...] = items[2:] + _REPORT_DEFAULTS[len(items) - 10 :]
    if items[0] != m.PROTOCOL_VERSION or items[1] != _REPORT or not _report(fields):
        raise RemoteProtocolError("no valid report")
    return fields


def decode_from_worker(body: bytes) -> m.FromWorker:
    """Decode a message from a worker; raises `RemoteProtocolError` if it is invalid."""
    # a worker sends no long arrays; msgpack allocates each array at its claimed length, and
    # three bytes are enough to claim one, so a body could nest thousands of them
    items = _unpack(body, MAX_REPORTS)
    if items[1] == _REPORT and type(items[1]) is int:
        fields = items[2:] + _REPORT_DEFAULTS[len(items) - 10 :]
        if _report(fields):
            report: m.Report = tuple.__new__(m.Report, fields)
            return report
    return cast(m.FromWorker, _check(items, _FROM_WORKER))


def decode_to_worker(body: bytes) -> m.ToWorker:
    """Decode a message from the bus; raises `RemoteProtocolError` if it is invalid."""
    return cast(m.ToWorker, _check(_unpack(body, MAX_POINT), _TO_WORKER))


def _unpack(body: bytes, max_array: int) -> tuple[Any, ...]:
    """Unpack ``body`` and check its version."""
    if len(body) > MAX_BODY_BYTES:
        raise RemoteProtocolError(
            f"a body of {len(body)} bytes exceeds {MAX_BODY_BYTES} bytes", kind="undecodable"
        )
    try:
        items = msgpack.unpackb(
            body,
            use_list=False,
            strict_map_key=False,
            max_str_len=_UTF8_BYTES * MAX_TEXT_CHARS,
            max_bin_len=0,
            max_array_len=max_array,
            max_map_len=BUCKETS,
            max_ext_len=0,
        )
    except _INVALID as error:
        # not its repr, which contains all remaining bytes
        raise RemoteProtocolError(
            f"not msgpack within the limits: {type(error).__name__} {error}", kind="undecodable"
        ) from error
    if type(items) is not tuple or len(items) < 2:
        raise RemoteProtocolError(
            "a body must be an array of version, type and fields", kind="undecodable"
        )
    if items[0] != m.PROTOCOL_VERSION or type(items[0]) is not int:
        raise RemoteProtocolError(
            f"protocol version {_shortened.repr(items[0])}, but this side speaks "
            f"{m.PROTOCOL_VERSION}; install the same asha-bus on driver and executors",
            kind="foreign_version",
            seq=_request_seq(items),
        )
    return items


def _check(
    items: tuple[Any, ...], table: dict[int, tuple[type[Any], tuple[Check, ...]]]
) -> m.Message:
    """Check ``items`` against ``table`` and make the message."""
    code, fields = items[1], items[2:]
    entry = table.get(code) if type(code) is int else None
    if entry is None:
        raise RemoteProtocolError(
            f"unknown message type {_shortened.repr(code)}", seq=_request_seq(items)
        )
    cls, checks = entry
    missing = len(checks) - len(fields)
    if missing > 0 and missing <= len(defaults := _DEFAULTS.get(code, ())):
        fields += defaults[-missing:]
    if len(fields) != len(checks):
        raise RemoteProtocolError(
            f"{cls.__name__} has {len(checks)} fields, got {len(fields)}",
            seq=_request_seq(items),
        )
    for position, check in enumerate(checks):
        if not check(fields[position]):
            raise RemoteProtocolError(
                f"{cls.__name__}.{cls._fields[position]} cannot be "
                f"{_shortened.repr(fields[position])}",
                seq=_request_seq(items),
            )
    if cls is m.Assign:
        return m.Assign(fields[0], m.Assignment(*fields[1]), fields[2])
    if cls is m.Stop and fields[2] is not None:
        return m.Stop(fields[0], fields[1], m.Assignment(*fields[2]), fields[3])
    if cls is m.Pause and fields[1] is not None:
        return m.Pause(fields[0], m.Assignment(*fields[1]), *fields[2:])
    return cast(m.Message, tuple.__new__(cls, fields))


def _request_seq(items: tuple[Any, ...]) -> int:
    """The seq with which a broken request is answered; 0 if it is not a request."""
    is_request = type(items[1]) is int and 0 < items[1] < _FIRST_ONE_WAY
    return items[2] if is_request and len(items) > 2 and _seq(items[2]) else 0
