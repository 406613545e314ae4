"""Keeps what trials attach in a folder that all workers see: a folder for each entry."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from asha_bus.objective.kept import Entry, Store, absolute, entries_among

#: How the folder of an entry is named while it is written.
_UNFINISHED = ".trial-"


class FolderStore(Store):
    """The entries in ``folder``, an absolute path, which is made when it is needed."""

    def __init__(self, folder: str) -> None:
        self._folder = absolute(folder)

    def problem(self) -> str | None:
        parent = self._folder.parent
        is_there = parent.is_dir()
        if is_there and os.access(parent, os.W_OK | os.X_OK):
            return None
        what = "cannot be written to" if is_there else "does not exist"
        return f"the folder {os.fspath(parent)!r} {what} on {socket.gethostname()}"

    def entries(self) -> list[Entry]:
        try:
            return entries_among(os.listdir(self._folder))
        except FileNotFoundError:
            return []

    def write(self, entry: Entry, files: Mapping[str, bytes]) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)  # its parent must be there: all share it
        path = self._unfinished(entry)
        with suppress(FileNotFoundError):
            shutil.rmtree(path)  # of an earlier launch, whose journal has lost its end
        path.mkdir()
        try:
            for name, data in files.items():
                (path / name).write_bytes(data)
        except BaseException:
            self.drop(entry)
            raise

    def keep(self, entry: Entry) -> None:
        os.replace(self._unfinished(entry), self._folder / entry.name)

    def drop(self, entry: Entry) -> None:
        shutil.rmtree(self._unfinished(entry), ignore_errors=True)

    def remove(self, entry: Entry) -> None:
        with suppress(FileNotFoundError):  # another worker may be at it
            shutil.rmtree(self._folder / entry.name)

    def remove_unfinished(self) -> None:
        with suppress(FileNotFoundError):
            for name in os.listdir(self._folder):
                if name.startswith(_UNFINISHED):
                    shutil.rmtree(self._folder / name)
            if not os.listdir(self._folder):
                self._folder.rmdir()

    def names(self, entry: Entry) -> list[str]:
        return sorted(os.listdir(self._folder / entry.name))

    def fetch(self, entry: Entry, name: str) -> Path:
        return self._folder / entry.name / name

    def _unfinished(self, entry: Entry) -> Path:
        return self._folder / f"{_UNFINISHED}{entry.trial}-{entry.attempt}"
