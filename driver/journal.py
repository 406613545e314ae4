"""The journal's file: opened and locked in the user's process, written in the bus."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from asha_bus.core.errors import InvalidArgument, JournalError
from asha_bus.core.events import AppendToJournal
from asha_bus.core.status import JournalFigures
from asha_bus.formats.journal import Encoder, Header, is_journal, read_header

logger = logging.getLogger("asha_bus")

#: With ``sync="interval"`` what was written is on the disk after so many seconds.
SYNC_EVERY_S = 0.05
#: A bus whose driver is gone lets go of the journal within this time.
_LOCK_TIMEOUT_S = 5.0


class OpenJournal(NamedTuple):
    """A journal that no other process can open meanwhile.

    ``settings`` and ``name`` are those of the run that it belongs to.
    """

    fd: int
    path: str
    header: Header
    #: Whether there was a run in it to go on with.
    is_resumed: bool
    #: Nobody can resume it: it is there for the bus's own death.
    is_temporary: bool = False


def open_journal(path: Path, header: Header, *, resume: bool, seed_given: bool) -> OpenJournal:
    """Open the journal at ``path``: a new one with ``header``, or one to go on with.

    Raises `InvalidArgument` where the path cannot be used, or ``resume`` does not
    fit what is there; `JournalError` where it is locked or cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidArgument(
            f"journal={str(path)!r} cannot be opened: {error.strerror}; give a file in a folder "
            f"that exists and that you may write to"
        ) from error
    try:
        _lock(fd, path)
        return _claim(fd, path, header, resume=resume, seed_given=seed_given)
    except BaseException:
        os.close(fd)
        raise


def _lock(fd: int, path: Path) -> None:
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise JournalError(
                    f"the journal {path} is in use by another run; wait for its end, or give "
                    f"another path"
                ) from error
            time.sleep(0.05)


#: Of a value that differs so many characters are shown, so many of them before the difference.
_SHOWN_CHARS = 300
_SHOWN_BEFORE = 60


def _claim(fd: int, path: Path, header: Header, *, resume: bool, seed_given: bool) -> OpenJournal:
    data = os.pread(fd, os.fstat(fd).st_size, 0)
    if not data:
        beginning = header.encode()
        _write(fd, beginning, path)
        os.fsync(fd)
        _sync_folder(path)
        return OpenJournal(fd, str(path), header, is_resumed=False)
    if not resume:
        what = "holds a run" if is_journal(data) else "is a file that is no journal"
        raise InvalidArgument(
            f"journal={str(path)!r} {what}; go on with it by resume=True, or give another path"
        )
    old, _ = read_header(data, str(path))
    names = dict.fromkeys([*old.identity, *header.identity])
    if not seed_given:
        del names["seed"]
    differing = [
        f"{name} was {was} and is {now}"
        for name in names
        if old.identity.get(name) != header.identity.get(name)
        for was, now in [_shown(old.identity.get(name), header.identity.get(name))]
    ]
    if differing:
        raise InvalidArgument(
            f"journal={str(path)!r} belongs to another run: {'; '.join(differing)}. Give what it "
            f"was begun with, or another path"
        )
    return OpenJournal(fd, str(path), old, is_resumed=True)


def _shown(*values: Any) -> list[str]:
    """Two values that differ; of long ones the part where they begin to."""
    texts = ["not given" if value is None else repr(value) for value in values]
    begin = 0
    if max(map(len, texts)) > _SHOWN_CHARS:
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False))
        begin = max(sum(1 for _ in alike) - _SHOWN_BEFORE, 0)
    return [
        f"{'...' if begin else ''}{text[begin : begin + _SHOWN_CHARS]}"
        f"{'...' if len(text) > begin + _SHOWN_CHARS else ''}"
        for text in texts
    ]


def _sync_folder(path: Path) -> None:
    """Make the file's name last, too."""
    folder = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(fd: int, data: bytes, path: Path | str) -> None:
    """Append all of ``data`` or nothing; JournalError where that fails."""
    written = 0
    try:
        written = os.write(fd, data)
        while written < len(data):
            written += os.write(fd, data[written:])
    except OSError as error:
        os.ftruncate(fd, os.fstat(fd).st_size - written)
        raise JournalError(
            f"the journal {path} cannot be written: {error.strerror}. Make room, and go on with "
            f"resume=True: all that was answered is in it"
        ) from error


class Writer:
    """Appends records; `flush` before the answers that depend on them leave.

    ``sync``: ``always`` waits for the disk at each flush, ``interval`` has a thread
    see to it every 50 ms, ``never`` leaves it to the system. A killed process loses
    nothing in any of them; only the loss of the machine does.
    """

    def __init__(self, fd: int, path: str, encoder: Encoder, sync: str) -> None:
        self._fd = fd
        self._path = path
        self._encoder = encoder
        self._waits = sync == "always"
        self._pending = b""
        self._is_dirty = False
        self._sync_error: OSError | None = None
        self._size_bytes = os.fstat(fd).st_size
        self._writes = self._syncs = 0
        self._write_s = self._sync_s = 0.0
        if sync == "interval":
            threading.Thread(target=self._keep_synced, name="asha-bus-sync", daemon=True).start()

    def add(self, record: AppendToJournal, body: bytes | None) -> None:
        """Take a record to be written with the next `flush`."""
        self._pending += self._encoder.encode(record, body)

    def flush(self) -> None:
        """Write what was added; JournalError where the file does not take it."""
        if not self._pending:
            return
        data, self._pending = self._pending, b""
        began = time.monotonic()
        _write(self._fd, data, self._path)
        self._write_s += time.monotonic() - began
        self._writes += 1
        self._size_bytes += len(data)
        self._is_dirty = True
        if self._waits:
            self._sync()
        if self._sync_error is not None:
            raise JournalError(
                f"the disk did not take the journal {self._path}: {self._sync_error.strerror}. "
                f"Go on with resume=True on a disk that works"
            ) from self._sync_error

    @property
    def figures(self) -> JournalFigures:
        """What was written so far."""
        return JournalFigures(
            self._size_bytes, self._writes, self._write_s, self._syncs, self._sync_s
        )

    def go_on(self, before: JournalFigures) -> None:
        """Count on from what another writer to the same file had counted."""
        _, self._writes, self._write_s, self._syncs, self._sync_s = before

    def _sync(self) -> None:
        self._is_dirty = False
        began = time.monotonic()
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            self._sync_error = error
        self._sync_s += time.monotonic() - began
        self._syncs += 1

    def _keep_synced(self) -> None:
        while self._sync_error is None:
            time.sleep(SYNC_EVERY_S)
            if self._is_dirty:
                self._sync()
