"""Keeps what trials attach at an address that fsspec knows, such as ``s3://bucket/folder``.

An object store renames nothing in one step. So the files of an attempt lie where they were
written, and an empty object beside them, written last, makes them an entry.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from asha_bus.objective.kept import Entry, Store, entries_among

#: How the folder with the files of an attempt is named.
_FILES = "files-"

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _raises_os_error(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """``method``, whose errors are an `OSError`: each file system has some of its own."""

    @functools.wraps(method)
    def wrapped(*args: _P.args, **named: _P.kwargs) -> _R:
        try:
            return method(*args, **named)
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{type(error).__name__}: {error}") from error

    return wrapped


class RemoteStore(Store):
    """The entries at ``address``.

    Raises `ImportError` without fsspec or the package that it needs for the address, and what
    that package raises if the address cannot be used.
    """

    #: Copies of what was fetched, which are gone with this process.
    _copies: tempfile.TemporaryDirectory[str] | None = None

    def __init__(self, address: str) -> None:
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise ImportError("fsspec is not installed: pip install 'asha-bus[fsspec]'") from error
        self._address = address
        fs, path = url_to_fs(address)
        self._fs: Any = fs
        self._path = str(path).rstrip("/")

    def problem(self) -> str | None:
        return None  # a look at each attached file would cost a round trip; `write` finds out

    @_raises_os_error
    def probe(self) -> None:
        """Write and remove a small file beside the place, or raise `OSError`."""
        path = f"{self._path}-probe"
        self._fs.pipe_file(path, b"asha-bus")
        self._fs.rm_file(path)

    @_raises_os_error
    def entries(self) -> list[Entry]:
        return entries_among(self._names(self._path))

    @_raises_os_error
    def write(self, entry: Entry, files: Mapping[str, bytes]) -> None:
        self._make_folder(self._path)
        self._remove_files(self._files(entry))  # of an earlier launch
        self._make_folder(self._files(entry))
        try:
            for name, data in files.items():
                self._fs.pipe_file(f"{self._files(entry)}/{name}", data)
        except BaseException:
            self.drop(entry)
            raise

    @_raises_os_error
    def keep(self, entry: Entry) -> None:
        self._fs.pipe_file(f"{self._path}/{entry.name}", b"")

    def drop(self, entry: Entry) -> None:
        with suppress(Exception):
            self._remove_files(self._files(entry))

    @_raises_os_error
    def remove(self, entry: Entry) -> None:
        with suppress(FileNotFoundError):  # another worker may be at it
            self._fs.rm_file(f"{self._path}/{entry.name}")
        self._remove_files(self._files(entry))

    @_raises_os_error
    def remove_unfinished(self) -> None:
        kept = {self._files(entry) for entry in self.entries()}
        for name in self._names(self._path):
            path = f"{self._path}/{name}"
            if name.startswith(_FILES) and path not in kept:
                self._remove_files(path)
        if not self._names(self._path):
            with suppress(FileNotFoundError, NotImplementedError):  # few stores have folders
                self._fs.rmdir(self._path)

    @_raises_os_error
    def names(self, entry: Entry) -> list[str]:
        return sorted(self._names(self._files(entry)))

    @_raises_os_error
    def fetch(self, entry: Entry, name: str) -> Path:
        if RemoteStore._copies is None:
            RemoteStore._copies = tempfile.TemporaryDirectory(prefix="asha-bus-")
        copy = Path(tempfile.mkdtemp(dir=RemoteStore._copies.name)) / name
        self._fs.get_file(f"{self._files(entry)}/{name}", str(copy))
        return copy

    def _files(self, entry: Entry) -> str:
        return f"{self._path}/{_FILES}{entry.name}"

    def _names(self, path: str) -> list[str]:
        self._fs.invalidate_cache()  # other processes write there
        try:
            found = self._fs.ls(path, detail=False)
        except FileNotFoundError:
            return []
        return [one.rstrip("/").rpartition("/")[2] for one in found]

    def _make_folder(self, path: str) -> None:
        """Make a folder where there are any; its parent must be there, so no bucket is made."""
        with suppress(FileExistsError, NotImplementedError):
            self._fs.mkdir(path, create_parents=False)

    def _remove_files(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._fs.rm(path, recursive=True)
