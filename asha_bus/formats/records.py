"""Encodes and decodes the records of a journal: the events of a run and its decisions.

``docs/journal.md`` is the specification.
"""

from __future__ import annotations

import math
import struct
from typing import Any, NamedTuple
from zlib import crc32

import msgpack

from asha_bus.core import messages as m
from asha_bus.core.events import (
    AppendToJournal,
    FallbackDrawn,
    GraceExpired,
    JournaledEvent,
    Kept,
    Rebalanced,
    Received,
    Resumed,
    RungTimedOut,
    RunSettings,
    StopRun,
    StopTrial,
    Suggested,
    ValuesDrawn,
    WorkerExited,
    WorkerGone,
    WorkerReturned,
    WorkerSilent,
)
from asha_bus.core.messages import of_fields
from asha_bus.core.schedulers import Schedulers
from asha_bus.core.trial import RungRecord
from asha_bus.formats import wire

#: The largest record, enough for 500 points of 10,000 numbers.
MAX_RECORD_BYTES = 1 << 26

FRAME = struct.Struct("<II")  # length and CRC-32 of the payload
_HEAD = struct.Struct("<Bd")  # kind, seconds on the run's clock
_WORKER = struct.Struct("<I")
_REPORT_HEAD = struct.Struct("<BdIB")  # also worker, number of decisions
_REPORT_HEAD_1 = struct.Struct("<BdIBHIIdB")  # with one decision, the usual case
_FRAMED_REPORT_1 = struct.Struct("<IIBdIBHIIdB")  # the same with the head of its frame
_DECISION = struct.Struct("<HIIdB")  # rung, n, keep, cutoff (infinite: none), verdict
#: The verdicts, in the order of their numbers in a record.
_VERDICTS = ("stop", "continue", "pause", "complete")
_VERDICT_NUMBERS = {verdict: number for number, verdict in enumerate(_VERDICTS)}


_REPORT, _MESSAGE, _HELLO, _SUGGESTED, _WORKER_EXITED, _GONE = range(1, 7)
_STOP, _GRACE_EXPIRED, _RESUMED, _FALLBACK_DRAWN, _KEPT, _SILENT, _RETURNED = range(7, 14)
_RUNG_TIMED_OUT, _STOP_TRIAL, _REBALANCED, _VALUES_DRAWN = range(14, 18)

#: Options and names may hold what is no UTF-8, such as the name of a file.
UNICODE = "surrogatepass"

#: Stands between the slot of a worker and what is known of its end.
_NUL = "\0"

#: Events that are nothing but the number of a worker.
_EVENTS_OF_WORKER: dict[int, type[WorkerGone | WorkerSilent | WorkerReturned]] = {
    _GONE: WorkerGone,
    _SILENT: WorkerSilent,
    _RETURNED: WorkerReturned,
}
_KINDS_OF_WORKER = {event: kind for kind, event in _EVENTS_OF_WORKER.items()}


def framed(payload: bytes) -> bytes:
    """``payload`` with its length and checksum in front."""
    return FRAME.pack(len(payload), crc32(payload)) + payload


def payload_at(data: bytes, at: int) -> bytes | None:
    """The payload of the frame at ``at``; None if the frame is incomplete or damaged."""
    if at + FRAME.size > len(data):
        return None
    length, checksum = FRAME.unpack_from(data, at)
    start = at + FRAME.size
    if not _HEAD.size <= length <= MAX_RECORD_BYTES or start + length > len(data):
        return None
    payload = data[start : start + length]
    return payload if crc32(payload) == checksum else None


def is_report(data: bytes, at: int) -> bool:
    """Whether the frame at ``at`` seems to hold a worker's report at a rung."""
    kind_at = at + FRAME.size
    return kind_at < len(data) and data[kind_at] == _REPORT


#: A rung decision in a record: rung, n, keep, cutoff (infinite: none), number of the verdict.
WrittenDecision = tuple[int, int, int, float, int]


def written(record: RungRecord) -> WrittenDecision:
    """What a journal holds of ``record``."""
    rung, _, _, n, keep, cutoff, verdict, _, _, _ = record
    return rung, n, keep, math.inf if cutoff is None else cutoff, _VERDICT_NUMBERS[verdict]


class UsualReport(NamedTuple):
    """A decoded report with at most one decision: nearly all records of a long journal."""

    now: float
    sender: str
    #: The fields of the message.
    fields: tuple[Any, ...]
    #: None: the report entered no rung.
    decision: WrittenDecision | None
    #: The offset of the frame after this one.
    end: int


class Entry(NamedTuple):
    """One decoded record."""

    now: float
    event: JournaledEvent
    decisions: tuple[WrittenDecision, ...]


class Encoder:
    """Encodes and decodes records, in which a worker is the number of its `Hello`."""

    def __init__(self, schedulers: Schedulers = ()) -> None:
        self._schedulers = schedulers
        self.workers: list[str] = []
        self._numbers: dict[str, int] = {}

    def encode(self, record: AppendToJournal, body: bytes | None = None) -> bytes:
        """Encode one record; ``body`` is the received message's bytes, if the caller has them."""
        event = record.event
        if isinstance(event, Received):
            sender, message = event
            if body is None:
                body = wire.encode(message)
            if type(message) is m.Report:
                worker, decisions = self._numbers[sender], record.decisions
                if len(decisions) == 1:
                    head = _REPORT_HEAD_1.pack(
                        _REPORT, record.now, worker, 1, *written(decisions[0])
                    )
                else:
                    head = _REPORT_HEAD.pack(_REPORT, record.now, worker, len(decisions))
                    head += b"".join(_DECISION.pack(*written(one)) for one in decisions)
                return framed(head + body)
            if type(message) is m.Hello:
                self.joined(sender)
                name = sender.encode()
                return framed(
                    _HEAD.pack(_HELLO, record.now) + _WORKER.pack(len(name)) + name + body
                )
            worker = self._numbers[sender]
            return framed(_HEAD.pack(_MESSAGE, record.now) + _WORKER.pack(worker) + body)
        return framed(self._encode_other(record.now, event))

    def _encode_other(self, now: float, event: JournaledEvent) -> bytes:
        if isinstance(event, Kept):
            head = _HEAD.pack(_KEPT, now) + _WORKER.pack(self._numbers[event.sender])
            return head + wire.encode(event.message)
        if isinstance(event, Suggested):
            return _HEAD.pack(_SUGGESTED, now) + packed(tuple(event))
        if isinstance(event, FallbackDrawn):
            return _HEAD.pack(_FALLBACK_DRAWN, now) + packed(tuple(event))
        if isinstance(event, ValuesDrawn):
            plain = tuple(event) if event.error else tuple(event)[:-1]
            return _HEAD.pack(_VALUES_DRAWN, now) + packed(plain)
        if isinstance(event, WorkerExited):
            how = f"{_NUL}{event.how}" if event.how else ""
            return _HEAD.pack(_WORKER_EXITED, now) + f"{event.slot}{how}".encode()
        if isinstance(event, WorkerGone | WorkerSilent | WorkerReturned):
            head = _HEAD.pack(_KINDS_OF_WORKER[type(event)], now)
            return head + _WORKER.pack(self._numbers[event.worker])
        if isinstance(event, StopRun):
            return _HEAD.pack(_STOP, now) + packed(tuple(event))
        if isinstance(event, RungTimedOut):
            return _HEAD.pack(_RUNG_TIMED_OUT, now) + packed(tuple(event))
        if isinstance(event, Rebalanced):
            return _HEAD.pack(_REBALANCED, now) + packed(tuple(event))
        if isinstance(event, StopTrial):
            return _HEAD.pack(_STOP_TRIAL, now) + packed(tuple(event))
        if isinstance(event, Resumed):
            self.workers.clear()
            self._numbers.clear()
            plain = (event.settings.to_plain(), event.retry_failed)
            return _HEAD.pack(_RESUMED, now) + packed(plain)
        assert isinstance(event, GraceExpired)
        return _HEAD.pack(_GRACE_EXPIRED, now)

    def joined(self, worker: str) -> None:
        """Give ``worker`` the next number."""
        self._numbers[worker] = len(self.workers)
        self.workers.append(worker)

    def usual_report(self, data: bytes, at: int) -> UsualReport | None:
        """The report in the frame at ``at``, decoded in half of the time of `decode`.

        None: the frame is incomplete or damaged, or holds another record.
        """
        size = len(data)
        body_at = at + _FRAMED_REPORT_1.size
        if body_at > size:  # at the end of the data
            return None
        length, checksum, kind, now, worker, count, rung, n, keep, cutoff, verdict = (
            _FRAMED_REPORT_1.unpack_from(data, at)
        )
        start = at + FRAME.size
        end = start + length
        if kind != _REPORT or count > 1 or end > size or end < body_at:
            return None
        if crc32(data[start:end]) != checksum:
            return None
        decision = None
        if count:
            decision = rung, n, keep, cutoff, verdict
        else:
            body_at -= _DECISION.size
        fields = wire.decode_report(data[body_at:end])
        return of_fields(UsualReport, (now, self.workers[worker], fields, decision, end))

    def decode(self, payload: bytes) -> Entry:
        """Decode one record; an invalid ``payload`` raises `ValueError` or another exception."""
        if payload[0] == _REPORT:
            _, now, worker, count = _REPORT_HEAD.unpack_from(payload)
            at = _REPORT_HEAD.size
            decisions: tuple[WrittenDecision, ...] = ()
            for _ in range(count):
                decisions += (_DECISION.unpack_from(payload, at),)
                at += _DECISION.size
            message = wire.decode_from_worker(payload[at:])
            return Entry(now, Received(self.workers[worker], message), decisions)
        kind, now = _HEAD.unpack_from(payload)
        rest = payload[_HEAD.size :]
        event: JournaledEvent
        if kind == _MESSAGE:
            (worker,) = _WORKER.unpack_from(rest)
            message = wire.decode_from_worker(rest[_WORKER.size :])
            event = Received(self.workers[worker], message)
        elif kind == _HELLO:
            (length,) = _WORKER.unpack_from(rest)
            end = _WORKER.size + length
            name = rest[_WORKER.size : end].decode()
            event = Received(name, wire.decode_from_worker(rest[end:]))
            self.joined(name)
        elif kind == _KEPT:
            (worker,) = _WORKER.unpack_from(rest)
            part = wire.decode_from_worker(rest[_WORKER.size :])
            if not isinstance(part, m.Reports):
                raise ValueError(f"a record of kept reports holds a {type(part).__name__}")
            event = Kept(self.workers[worker], part)
        elif kind == _SUGGESTED:
            event = Suggested(*unpacked(rest))
        elif kind == _FALLBACK_DRAWN:
            event = FallbackDrawn(*unpacked(rest))
        elif kind == _VALUES_DRAWN:
            event = ValuesDrawn(*unpacked(rest))
        elif kind == _WORKER_EXITED:
            slot, _, how = rest.decode().partition(_NUL)
            event = WorkerExited(slot, how)
        elif kind in _EVENTS_OF_WORKER:
            event = _EVENTS_OF_WORKER[kind](self.workers[_WORKER.unpack(rest)[0]])
        elif kind == _STOP:
            event = StopRun(*unpacked(rest))
        elif kind == _RUNG_TIMED_OUT:
            event = RungTimedOut(*unpacked(rest))
        elif kind == _REBALANCED:
            event = Rebalanced(*unpacked(rest))
        elif kind == _STOP_TRIAL:
            event = StopTrial(*unpacked(rest))
        elif kind == _GRACE_EXPIRED:
            event = GraceExpired()
        elif kind == _RESUMED:
            settings, retry_failed = unpacked(rest)
            event = Resumed(RunSettings.from_plain(settings, self._schedulers), retry_failed)
            self.workers.clear()
            self._numbers.clear()
        else:
            raise ValueError(f"unknown kind {kind}")
        return Entry(now, event, ())


def shown(decisions: tuple[WrittenDecision, ...]) -> str:
    """``decisions`` in words."""
    if not decisions:
        return "no decision"
    return " and ".join(
        f"{_shown_verdict(verdict)} at rung {rung} (n {n}, keep {keep}, cutoff {cutoff})"
        for rung, n, keep, cutoff, verdict in decisions
    )


def _shown_verdict(number: int) -> str:
    return _VERDICTS[number] if number < len(_VERDICTS) else f"verdict {number}"


def packed(value: Any) -> bytes:
    """The bytes of a plain ``value``."""
    body: bytes = msgpack.packb(value, unicode_errors=UNICODE)
    return body


def unpacked(body: bytes) -> Any:
    """The plain value in ``body``."""
    return msgpack.unpackb(body, use_list=False, strict_map_key=False, unicode_errors=UNICODE)
