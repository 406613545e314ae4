"""Encodes and replays the journal: the events of a run and its decisions, as records.

``docs/journal.md`` is the specification. `Encoder` makes records. `replay` restores the
state of the run from them by the same `Experiment.handle`, and checks that it makes the
same decisions as recorded. This module opens no files.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgpack

from asha_bus.core import messages as m
from asha_bus.core.checks import Rule, check, cut, shortened
from asha_bus.core.errors import InvalidArgument, JournalError
from asha_bus.core.events import (
    AppendToJournal,
    Effect,
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
    WorkerExited,
    WorkerGone,
    WorkerReturned,
    WorkerSilent,
)
from asha_bus.core.experiment import Experiment
from asha_bus.core.schedulers import Schedulers
from asha_bus.core.space import Space
from asha_bus.core.trial import RungRecord
from asha_bus.formats import wire
from asha_bus.formats.space_form import space_from

MAGIC = b"asha-bus journal\n"
FORMAT = 1

#: The largest record, enough for 500 points of 10,000 numbers.
MAX_RECORD_BYTES = 1 << 26

_FRAME = struct.Struct("<II")  # length and CRC-32 of the payload
_HEAD = struct.Struct("<Bd")  # kind, seconds on the run's clock
_WORKER = struct.Struct("<I")
_REPORT_HEAD = struct.Struct("<BdIB")  # also worker, number of decisions
_REPORT_HEAD_1 = struct.Struct("<BdIBHIIdB")  # with one decision, the usual case
_DECISION = struct.Struct("<HIIdB")  # rung, n, keep, cutoff (infinite: none), verdict
#: The verdicts, in the order of their numbers in a record.
_VERDICTS = ("stop", "continue", "pause", "complete")
_VERDICT_NUMBERS = {verdict: number for number, verdict in enumerate(_VERDICTS)}

_TEXT = Rule("a text", types=(str,))
_DICT = Rule("a dict", types=(dict,))

_REPORT, _MESSAGE, _HELLO, _SUGGESTED, _WORKER_EXITED, _GONE = range(1, 7)
_STOP, _GRACE_EXPIRED, _RESUMED, _FALLBACK_DRAWN, _KEPT, _SILENT, _RETURNED = range(7, 14)
_RUNG_TIMED_OUT, _STOP_TRIAL, _REBALANCED = range(14, 17)

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
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


class Header(NamedTuple):
    """The beginning of a journal.

    ``identity``: the settings that must not change when the run is resumed, by name.
    ``space``: the space in plain values, see `asha_bus.formats.space_form`.
    """

    name: str
    settings: RunSettings
    space: Any
    identity: dict[str, Any]
    version: str

    def read_space(self, path: str) -> Space:
        """The space; raises `JournalError`, which names ``path``, if it is none."""
        with reading(path, "the space cannot be read"):
            found = space_from(self.space)
            if not all(isinstance(name, str) for name in found.names):
                raise ValueError(f"its parameters have the names {shortened(found.names)}")
            return found

    def encode(self) -> bytes:
        """The bytes at the beginning of a new journal."""
        plain = {"format": FORMAT, **self._asdict(), "settings": self.settings.to_plain()}
        return MAGIC + framed(msgpack.packb(plain))


#: A rung decision in a record: rung, n, keep, cutoff (infinite: none), number of the verdict.
WrittenDecision = tuple[int, int, int, float, int]


def _decision(record: RungRecord) -> WrittenDecision:
    rung, _, _, n, keep, cutoff, verdict, _, _ = record
    return rung, n, keep, math.inf if cutoff is None else cutoff, _VERDICT_NUMBERS[verdict]


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
                        _REPORT, record.now, worker, 1, *_decision(decisions[0])
                    )
                else:
                    head = _REPORT_HEAD.pack(_REPORT, record.now, worker, len(decisions))
                    head += b"".join(_DECISION.pack(*_decision(one)) for one in decisions)
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
            return _HEAD.pack(_SUGGESTED, now) + _packed(tuple(event))
        if isinstance(event, FallbackDrawn):
            return _HEAD.pack(_FALLBACK_DRAWN, now) + _packed(tuple(event))
        if isinstance(event, WorkerExited):
            how = f"{_NUL}{event.how}" if event.how else ""
            return _HEAD.pack(_WORKER_EXITED, now) + f"{event.slot}{how}".encode()
        if isinstance(event, WorkerGone | WorkerSilent | WorkerReturned):
            head = _HEAD.pack(_KINDS_OF_WORKER[type(event)], now)
            return head + _WORKER.pack(self._numbers[event.worker])
        if isinstance(event, StopRun):
            return _HEAD.pack(_STOP, now) + _packed(tuple(event))
        if isinstance(event, RungTimedOut):
            return _HEAD.pack(_RUNG_TIMED_OUT, now) + _packed(tuple(event))
        if isinstance(event, Rebalanced):
            return _HEAD.pack(_REBALANCED, now) + _packed(tuple(event))
        if isinstance(event, StopTrial):
            return _HEAD.pack(_STOP_TRIAL, now) + _packed(tuple(event))
        if isinstance(event, Resumed):
            self.workers.clear()
            self._numbers.clear()
            plain = (event.settings.to_plain(), event.retry_failed)
            return _HEAD.pack(_RESUMED, now) + _packed(plain)
        assert isinstance(event, GraceExpired)
        return _HEAD.pack(_GRACE_EXPIRED, now)

    def joined(self, worker: str) -> None:
        """Give ``worker`` the next number."""
        self._numbers[worker] = len(self.workers)
        self.workers.append(worker)

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
            event = Suggested(*_unpacked(rest))
        elif kind == _FALLBACK_DRAWN:
            event = FallbackDrawn(*_unpacked(rest))
        elif kind == _WORKER_EXITED:
            slot, _, how = rest.decode().partition(_NUL)
            event = WorkerExited(slot, how)
        elif kind in _EVENTS_OF_WORKER:
            event = _EVENTS_OF_WORKER[kind](self.workers[_WORKER.unpack(rest)[0]])
        elif kind == _STOP:
            event = StopRun(*_unpacked(rest))
        elif kind == _RUNG_TIMED_OUT:
            event = RungTimedOut(*_unpacked(rest))
        elif kind == _REBALANCED:
            event = Rebalanced(*_unpacked(rest))
        elif kind == _STOP_TRIAL:
            event = StopTrial(*_unpacked(rest))
        elif kind == _GRACE_EXPIRED:
            event = GraceExpired()
        elif kind == _RESUMED:
            settings, retry_failed = _unpacked(rest)
            event = Resumed(RunSettings.from_plain(settings, self._schedulers), retry_failed)
            self.workers.clear()
            self._numbers.clear()
        else:
            raise ValueError(f"unknown kind {kind}")
        return Entry(now, event, ())


@dataclass
class Replayed:
    """A run restored from its journal."""

    header: Header
    experiment: Experiment
    encoder: Encoder
    #: The number of records, and the offset of the byte after the last one.
    records: int
    end: int
    #: The bytes after ``end``: a record that was only partly written.
    torn: int
    #: Seconds on the run's clock at the last record.
    now: float


@contextmanager
def reading(path: str, failure: str) -> Iterator[None]:
    """Raise each error of the block as a `JournalError`: anybody may have written the file."""
    try:
        yield
    except JournalError:
        raise
    except InvalidArgument as error:
        raise JournalError(f"{path}: {cut(str(error))}") from error
    except Exception as error:  # any error means that it cannot be read
        raise JournalError(f"{path}: {failure}: {cut(repr(error))}") from error


def is_journal(data: bytes) -> bool:
    """Whether ``data`` starts with the magic bytes of a journal."""
    return data[: len(MAGIC)] == MAGIC


def read_header(data: bytes, path: str, schedulers: Schedulers = ()) -> tuple[Header, int]:
    """The header of the journal ``data``, and the offset of the first record.

    ``schedulers``: classes of third parties that may stand in it, here and below. Raises
    `JournalError`, which names ``path``.
    """
    if not is_journal(data):
        raise JournalError(f"{path} is not an asha-bus journal; give another path")
    payload = _payload(data, len(MAGIC))
    if payload is None:
        raise JournalError(f"{path}: the header at byte {len(MAGIC)} is damaged")
    with reading(path, "the header cannot be read"):
        plain = _unpacked(payload)
        number = plain["format"]
        if number > FORMAT:
            version = cut(str(plain.get("version", "of that time")), 40)
            raise JournalError(
                f"{path} has format {number}, but this asha-bus reads only formats up to "
                f"{FORMAT}; install asha-bus {version} or later"
            )
        header = Header(
            plain["name"],
            RunSettings.from_plain(plain["settings"], schedulers),
            plain["space"],
            plain["identity"],
            plain["version"],
        )
        check("name", header.name, _TEXT)
        check("version", header.version, _TEXT)
        check("identity", header.identity, _DICT)
        for name in header.identity:
            check("a name in the identity", name, _TEXT)
    return header, len(MAGIC) + _FRAME.size + len(payload)


class Replayer:
    """Restores the state of a run from its journal, which may still be growing.

    ``data``: the beginning of the journal, with at least the whole header. Raises
    `JournalError`, which names ``path`` and the offset, if a decision differs from the
    recorded one, or if the journal is damaged before its end.
    """

    def __init__(self, data: bytes, path: str, schedulers: Schedulers = ()) -> None:
        self._path = path
        self._header, self.end = read_header(data, path, schedulers)
        self._rest = b""
        self._emitted: list[tuple[WrittenDecision, ...]] = []
        with reading(path, "the header describes no run"):
            self._experiment = Experiment(self._header.settings, 0.0, self._emit)
            self._experiment.start()
        self._encoder = Encoder(schedulers)
        self._records = 0
        self._now = 0.0
        self.feed(data[self.end :])

    @property
    def experiment(self) -> Experiment:
        """The state after the last whole record."""
        return self._experiment

    @property
    def header(self) -> Header:
        """The header of the journal."""
        return self._header

    @property
    def now(self) -> float:
        """Seconds on the run's clock at the last record."""
        return self._now

    @property
    def read(self) -> int:
        """How many bytes of the journal have been fed so far."""
        return self.end + len(self._rest)

    def forget(self) -> None:
        """Drop the bytes of a partly written record; the caller reads again from `end`.

        A bus that takes over a journal cuts off such a record and writes others in its
        place, so a reader must not keep its beginning.
        """
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Replay the whole records in ``data``, the next bytes of the journal; keep the rest."""
        for _ in self.walk(data):
            pass

    def walk(self, data: bytes) -> Iterator[Entry]:
        """Replay as `feed` does, and give each record when its event has been handled."""
        data = self._rest + data
        at = 0
        while (payload := _payload(data, at)) is not None:
            entry = self._replay(payload)
            length = _FRAME.size + len(payload)
            at += length
            self.end += length
            yield entry
        self._rest = data[at:]

    def result(self) -> Replayed:
        """The state after the last whole record; raises if more whole records follow damage."""
        later = _next_whole(self._rest, 1)
        if later is not None:
            raise JournalError(
                f"{self._path}: record {self._records} at byte {self.end} is damaged, but a "
                f"whole one follows at byte {self.end + later}; restore the file from a copy"
            )
        return Replayed(
            self._header,
            self._experiment,
            self._encoder,
            self._records,
            self.end,
            len(self._rest),
            self._now,
        )

    def _emit(self, effect: Effect) -> None:
        if type(effect) is AppendToJournal:
            self._emitted.append(tuple(map(_decision, effect.decisions)))

    def _replay(self, payload: bytes) -> Entry:
        where = f"{self._path}: record {self._records} at byte {self.end}"
        try:
            entry = self._encoder.decode(payload)
            self._experiment.handle(entry.event, entry.now)
        except Exception as error:  # any error means that it cannot be replayed
            raise JournalError(f"{where} cannot be replayed: {cut(repr(error))}") from error
        if self._emitted != [entry.decisions]:
            found = [_shown(one) for one in self._emitted]
            raise JournalError(
                f"{where} says {_shown(entry.decisions)}, but replaying it gives "
                f"{found[0] if found else 'no record'}; this asha-bus decides differently from "
                f"the version that wrote it ({cut(self._header.version, 40)})"
            )
        self._emitted.clear()
        self._records += 1
        self._now = entry.now
        return entry


def replay(data: bytes, path: str, schedulers: Schedulers = ()) -> Replayed:
    """Restore the state of a run from its whole journal ``data``, see `Replayer`."""
    return Replayer(data, path, schedulers).result()


def _payload(data: bytes, at: int) -> bytes | None:
    """The payload of the frame at ``at``; None if the frame is incomplete or damaged."""
    if at + _FRAME.size > len(data):
        return None
    length, checksum = _FRAME.unpack_from(data, at)
    start = at + _FRAME.size
    if not _HEAD.size <= length <= MAX_RECORD_BYTES or start + length > len(data):
        return None
    payload = data[start : start + length]
    return payload if zlib.crc32(payload) == checksum else None


def _next_whole(data: bytes, at: int) -> int | None:
    """The offset of the next whole frame from ``at`` on, or None."""
    for offset in range(at, len(data) - _FRAME.size):
        if _payload(data, offset) is not None:
            return offset
    return None


def _shown(decisions: tuple[WrittenDecision, ...]) -> str:
    if not decisions:
        return "no decision"
    return " and ".join(
        f"{_shown_verdict(verdict)} at rung {rung} (n {n}, keep {keep}, cutoff {cutoff})"
        for rung, n, keep, cutoff, verdict in decisions
    )


def _shown_verdict(number: int) -> str:
    return _VERDICTS[number] if number < len(_VERDICTS) else f"verdict {number}"


def _packed(value: Any) -> bytes:
    body: bytes = msgpack.packb(value)
    return body


def _unpacked(body: bytes) -> Any:
    return msgpack.unpackb(body, use_list=False, strict_map_key=False)
