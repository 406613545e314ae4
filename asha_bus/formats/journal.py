"""Encodes and replays the journal: the events of a run and its decisions, as records.

``docs/journal.md`` is the specification. `Encoder` makes records. `replay` restores the
state of the run from them by the same `Experiment.handle`, and checks that it makes the
same decisions as recorded. This module opens no files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from asha_bus.core.checks import Rule, check, cut, shortened
from asha_bus.core.errors import InvalidArgument, JournalError
from asha_bus.core.events import (
    AppendToJournal,
    Effect,
    RunSettings,
)
from asha_bus.core.experiment import Experiment
from asha_bus.core.replaying import Reports
from asha_bus.core.schedulers import Schedulers
from asha_bus.core.space import Space
from asha_bus.formats.records import (
    FRAME,
    Encoder,
    Entry,
    WrittenDecision,
    framed,
    is_report,
    packed,
    payload_at,
    shown,
    unpacked,
    written,
)
from asha_bus.formats.space_form import space_from

MAGIC = b"asha-bus journal\n"
FORMAT = 1

_TEXT = Rule("a text", types=(str,))
_DICT = Rule("a dict", types=(dict,))


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
        return MAGIC + framed(packed(plain))


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
    payload = payload_at(data, len(MAGIC))
    if payload is None:
        raise JournalError(f"{path}: the header at byte {len(MAGIC)} is damaged")
    with reading(path, "the header cannot be read"):
        plain = unpacked(payload)
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
    return header, len(MAGIC) + FRAME.size + len(payload)


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
        self._reports = Reports(self._experiment)
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
        """Replay the whole records in ``data``, the next bytes of the journal; keep the rest.

        The state is the same as after `walk`, in little more than half of the time where most
        records are usual reports.
        """
        data = self._rest + data
        at = 0
        try:
            while True:
                if is_report(data, at):
                    at = self._feed_reports(data, at)
                payload = payload_at(data, at)
                if payload is None:
                    break
                self._reports.settle()
                self._replay(payload)
                length = FRAME.size + len(payload)
                at += length
                self.end += length
        finally:
            self._reports.settle()
        self._rest = data[at:]

    def _feed_reports(self, data: bytes, at: int) -> int:
        """Replay the usual reports from ``at`` on; the offset of the first other record."""
        read, handle = self._encoder.usual_report, self._reports.begin()
        try:
            while handle is not None and (report := read(data, at)) is not None:
                now, sender, fields, decision, end = report
                entered = handle(sender, fields, now)
                if entered is None:
                    break
                if (written(entered[0]) if entered else None) != decision or len(entered) > 1:
                    raise self._differs(
                        tuple(map(written, entered)), () if decision is None else (decision,)
                    )
                self._now = now
                self._records += 1
                self.end += end - at
                at = end
        except JournalError:
            raise
        except Exception as error:  # as in _replay
            raise self._unreadable(error) from error
        return at

    def walk(self, data: bytes) -> Iterator[Entry]:
        """Replay as `feed` does, and give each record when its event has been handled."""
        data = self._rest + data
        at = 0
        while (payload := payload_at(data, at)) is not None:
            entry = self._replay(payload)
            length = FRAME.size + len(payload)
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
            self._emitted.append(tuple(map(written, effect.decisions)))

    @property
    def _where(self) -> str:
        return f"{self._path}: record {self._records} at byte {self.end}"

    def _unreadable(self, error: Exception) -> JournalError:
        return JournalError(f"{self._where} cannot be replayed: {cut(repr(error))}")

    def _differs(
        self, found: tuple[WrittenDecision, ...] | None, said: tuple[WrittenDecision, ...]
    ) -> JournalError:
        return JournalError(
            f"{self._where} says {shown(said)}, but replaying it gives "
            f"{'no record' if found is None else shown(found)}; this asha-bus decides differently "
            f"from the version that wrote it ({cut(self._header.version, 40)})"
        )

    def _replay(self, payload: bytes) -> Entry:
        try:
            entry = self._encoder.decode(payload)
            self._experiment.handle(entry.event, entry.now)
        except Exception as error:  # any error means that it cannot be replayed
            raise self._unreadable(error) from error
        if self._emitted != [entry.decisions]:
            raise self._differs(self._emitted[0] if self._emitted else None, entry.decisions)
        self._emitted.clear()
        self._records += 1
        self._now = entry.now
        return entry


def replay(data: bytes, path: str, schedulers: Schedulers = ()) -> Replayed:
    """Restore the state of a run from its whole journal ``data``, see `Replayer`."""
    return Replayer(data, path, schedulers).result()


def _next_whole(data: bytes, at: int) -> int | None:
    """The offset of the next whole frame from ``at`` on, or None."""
    for offset in range(at, len(data) - FRAME.size):
        if payload_at(data, offset) is not None:
            return offset
    return None
