"""The journal's file: opened and locked in the user's process, written by the bus."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import stat
import threading
import time
from collections.abc import Collection, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from asha_bus.core.checks import cut
from asha_bus.core.errors import InvalidArgument, JournalError
from asha_bus.core.events import AppendToJournal
from asha_bus.core.schedulers import Scheduler
from asha_bus.core.status import JournalFigures
from asha_bus.driver.holders import holders
from asha_bus.formats.journal import Header, is_journal, read_header
from asha_bus.formats.records import Encoder
from asha_bus.results.journals import check_is_file

logger = logging.getLogger("asha_bus")

#: With ``sync="interval"``, the longest time in seconds until written data is on disk.
SYNC_EVERY_S = 0.05
#: How long to wait for the lock: a bus whose driver is gone releases it within this time.
_LOCK_TIMEOUT_S = 5.0


class OpenJournal(NamedTuple):
    """A journal file that this process has locked; ``header`` is that of its run."""

    fd: int
    path: str
    header: Header
    #: Whether it already held a run, which is now continued.
    is_resumed: bool
    #: Whether it only serves a restart of the bus, and no run can be resumed from it.
    is_temporary: bool = False


def open_journal(path: Path, header: Header, *, resume: bool, seed_given: bool) -> OpenJournal:
    """Open the journal at ``path``: a new one with ``header``, or an existing one to continue.

    Raises `InvalidArgument` if the path cannot be used, or the file does not fit ``resume``
    and ``header``; `JournalError` if the journal is locked or cannot be read.
    """
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(path, flags | os.O_NONBLOCK, 0o600)  # a pipe must not block
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidArgument(
            f"journal={str(path)!r} cannot be opened: {why}; give a file in an "
            f"existing folder to which you may write"
        ) from error
    try:
        check_is_file(fd, path)
        _check_owner(fd, path)
        _lock(fd, path)
        opened = _claim(fd, path, header, resume=resume, seed_given=seed_given)
        _make_private(fd, path)  # a file that was refused stays as it was
        return opened
    except BaseException:
        os.close(fd)
        raise


@contextlib.contextmanager
def emptied_if_it_fails(journal: OpenJournal) -> Iterator[None]:
    """Empty a new journal whose run cannot begin, so that the next launch may use its path."""
    held = os.dup(journal.fd)  # the lock stays until the file is empty
    try:
        yield
    except BaseException:
        if not journal.is_resumed:
            with contextlib.suppress(OSError):  # an empty file is as good as none
                os.ftruncate(held, 0)
        raise
    finally:
        os.close(held)


def _check_owner(fd: int, path: Path) -> None:
    """Refuse another user's file; root may use each file, and each user those of root."""
    found = os.fstat(fd)
    if os.geteuid() not in (found.st_uid, 0) and found.st_uid != 0:
        raise InvalidArgument(
            f"journal={str(path)!r} belongs to user {found.st_uid}, who could change it during "
            f"the run; give another path, or copy the file"
        )


def _make_private(fd: int, path: Path) -> None:
    """Keep others from the journal."""
    found = os.fstat(fd)
    if not found.st_mode & 0o077:
        return
    with contextlib.suppress(OSError):  # some file systems have fixed modes
        os.fchmod(fd, 0o600)
    others = stat.S_IMODE(os.fstat(fd).st_mode) & 0o077
    logger.warning(
        "the journal %s could be used by others (mode %o); %s",
        path,
        stat.S_IMODE(found.st_mode),
        "its file system does not let this be changed" if others else "its mode is 600 now",
    )


def _lock(fd: int, path: Path) -> None:
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise JournalError(f"the journal {path} is in use by {_user(fd)}") from error
            time.sleep(0.05)


def _user(fd: int) -> str:
    """The processes that have the journal locked, and what to do."""
    found = holders(fd)
    pids = " ".join(map(str, sorted(found)))
    if found and all(found.values()):  # the driver would be among them
        return (
            f"the bus of a run whose driver is gone: it was stopped, or hangs. End it with: "
            f"kill -9 {pids}"
        )
    who = f" (process {pids.replace(' ', ', ')})" if found else ""
    return f"another run{who}; wait for its end, or give another path"


#: How many characters of a differing value are shown, and how many before the difference.
_SHOWN_CHARS = 300
_SHOWN_BEFORE = 60


def _claim(fd: int, path: Path, header: Header, *, resume: bool, seed_given: bool) -> OpenJournal:
    data = os.pread(fd, os.fstat(fd).st_size, 0)
    if not data:
        _begin(fd, header.encode(), path)
        return OpenJournal(fd, str(path.absolute()), header, is_resumed=False)
    if not resume:
        has_run = "holds a run; pass resume=True to continue it, or give another path"
        what = has_run if is_journal(data) else "is not an asha-bus journal; give another path"
        raise InvalidArgument(f"journal={str(path)!r} {what}")
    old, _ = read_header(data, str(path), [type(header.settings.scheduler)])
    differing = _differing(old, header, but=() if seed_given else ("seed",))
    if differing:
        raise InvalidArgument(
            f"journal={str(path)!r} belongs to another run: "
            f"{cut('; '.join(differing), 3_000)}. Pass the values that it was "
            f"started with, or give another path"
        )
    return OpenJournal(fd, str(path.absolute()), old, is_resumed=True)


def _differing(old: Header, new: Header, but: Collection[str]) -> list[str]:
    """What differs between two runs, in words; ``but``: names that are not compared."""
    names = dict.fromkeys([*old.identity, *new.identity])
    pairs = {
        name: (old.identity.get(name), new.identity.get(name))
        for name in names
        if name not in {*but, "scheduler"}
    }
    before, now = old.settings.scheduler, new.settings.scheduler
    if before.key() != now.key():
        pairs["scheduler"] = before, now
    else:  # its arguments one by one, as this version reads them from the journal
        was, given = _arguments(before), _arguments(now)
        pairs |= {f"scheduler's {name}": (was[name], given[name]) for name in given}
    return [
        f"{cut(name, 100)} was {shown[0]} and is {shown[1]}"
        for name, values in pairs.items()
        if values[0] != values[1]
        for shown in [_shown(*values)]
    ]


def _arguments(scheduler: Scheduler) -> dict[str, Any]:
    """The arguments of ``scheduler`` by name, with lists in place of tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(scheduler.to_plain(), default=repr))
    return plain


def _shown(*values: Any) -> list[str]:
    """Two different values as texts; of long ones, the part around the first difference."""
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


def _begin(fd: int, beginning: bytes, path: Path) -> None:
    """Write the header of a new journal, and wait for the disk."""
    try:
        _append(fd, beginning)
        os.fsync(fd)
        _sync_folder(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # an empty file is as good as none
            os.ftruncate(fd, 0)
        todo = "Free some space there" if error.errno == errno.ENOSPC else "Look at that disk"
        raise JournalError(
            f"the journal {path} cannot be begun: {error.strerror} in {path.absolute().parent}, "
            f"and no trial was run. {todo}, or give another path"
        ) from error


def _sync_folder(path: Path) -> None:
    """Sync the folder, so that the file's name is on disk."""
    folder = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(fd: int, data: bytes, path: Path | str) -> None:
    """Append all of ``data``, or nothing and raise `JournalError`."""
    try:
        _append(fd, data)
    except OSError as error:
        raise JournalError(
            f"the journal {path} cannot be written: {error.strerror}. Free some space, and pass "
            f"resume=True to continue: every answered request is in the journal"
        ) from error


#: Waits until the disk has the data of a file; macOS has only the one that also waits for more.
_sync_data = getattr(os, "fdatasync", os.fsync)


def _append(fd: int, data: bytes) -> None:
    """Append all of ``data``, or nothing and raise `OSError`."""
    written = 0
    try:
        written = os.write(fd, data)
        while written < len(data):
            written += os.write(fd, data[written:])
    except OSError:
        os.ftruncate(fd, os.fstat(fd).st_size - written)
        raise


class Writer:
    """Appends records; call `flush` before sending answers that depend on them.

    ``sync``: ``always`` waits for the disk at each flush, ``interval`` has a thread sync
    every 50 ms, ``never`` leaves it to the system. In every mode, the death of the process
    loses nothing; only a crash of the machine can.
    """

    def __init__(self, fd: int, path: str, encoder: Encoder, sync: str) -> None:
        self._fd = fd
        self._path = path
        self._encode = encoder.encode
        self._waits = sync == "always"
        #: The records that were added and are not written yet.
        self.pending = b""
        self._is_dirty = self._is_missed = False
        self._sync_error: OSError | None = None
        self._size_bytes = os.fstat(fd).st_size
        self._writes = self._syncs = 0
        self._write_s = self._sync_s = 0.0
        if sync == "interval":
            threading.Thread(target=self._keep_synced, name="asha-bus-sync", daemon=True).start()

    def add(self, record: AppendToJournal, body: bytes | None) -> None:
        """Add a record, which the next `flush` writes."""
        self.pending += self._encode(record, body)

    def flush(self) -> None:
        """Write the added records; raises `JournalError` if that fails."""
        if not self.pending:
            return
        data, self.pending = self.pending, b""
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
                f"the journal {self._path} cannot be synced: {self._sync_error.strerror}. "
                f"Pass resume=True to continue on a working disk"
            ) from self._sync_error

    @property
    def figures(self) -> JournalFigures:
        """The figures so far."""
        return JournalFigures(
            self._size_bytes, self._writes, self._write_s, self._syncs, self._sync_s
        )

    def go_on(self, before: JournalFigures) -> None:
        """Continue the counts of an earlier writer to the same file."""
        _, self._writes, self._write_s, self._syncs, self._sync_s = before

    def look(self) -> str | None:
        """What to tell the user once the file was deleted or renamed; None: all is well."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            found = None
        except (OSError, ValueError):  # it may be there, but cannot be seen
            return None
        is_there = found is not None and os.path.samestat(found, os.fstat(self._fd))
        was_missed, self._is_missed = self._is_missed, not is_there
        if is_there or was_missed:
            return None
        return (
            f"the journal {self._path} was deleted or renamed. The run continues and writes to "
            f"the same file, but it cannot be resumed under that name{self._way_to_it()}"
        )

    def _way_to_it(self) -> str:
        """How to get at a file that has no name any more; empty where there is no way."""
        path = f"/proc/{os.getpid()}/fd/{self._fd}"
        return f". Until it ends, you can copy the file from {path}" if os.path.exists(path) else ""

    def _sync(self) -> None:
        self._is_dirty = False
        began = time.monotonic()
        try:
            _sync_data(self._fd)
        except OSError as error:
            self._sync_error = error
        self._sync_s += time.monotonic() - began
        self._syncs += 1

    def _keep_synced(self) -> None:
        while self._sync_error is None:
            time.sleep(SYNC_EVERY_S)
            if self._is_dirty:
                self._sync()
