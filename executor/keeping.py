"""Keeps what the best trials attach: in a folder of the run, and never on the bus."""

from __future__ import annotations

import math
import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import ObjectiveError
from asha_bus.launching.job import Keeping
from asha_bus.objective.kept import (
    ARTIFACT_WORDS,
    Entry,
    entries_in,
    excess,
    is_artifact_name,
    kept_folder,
    remove_entry,
    unfinished_path,
)


class Keeper:
    """Writes what trials have attached to the folder of ``keeping``, and removes what is worse.

    Without a folder nothing is written, as in a dry run; `take` checks all the same.
    """

    def __init__(self, keeping: Keeping) -> None:
        self._folder = kept_folder(keeping.folder) if keeping.folder else None
        self._most = keeping.most
        self._max_bytes = keeping.max_bytes

    def take(self, name: Any, value: Any) -> bytes:
        """The bytes that ``value`` gives; raises `ObjectiveError` if they cannot be kept."""
        what = f"trial.attach({shortened(name)})"
        if not is_artifact_name(name):
            raise ObjectiveError(f"{what}: the name of an artifact must be {ARTIFACT_WORDS}")
        if self._folder is not None:
            self._check_folder(what, self._folder.parent)
        if isinstance(value, bytes | bytearray | memoryview):
            size = memoryview(value).nbytes
            self._check_size(what, size)
            return bytes(value)
        if not isinstance(value, str | os.PathLike):
            raise ObjectiveError(
                f"{what} takes bytes or the path of a file, got {shortened(value)} of type "
                f"{type(value).__name__}; serialize it first, as with pickle.dumps(model)"
            )
        try:
            with open(os.path.expanduser(value), "rb") as file:
                self._check_size(what, os.fstat(file.fileno()).st_size)
                data = file.read(self._max_bytes + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ObjectiveError(
                f"{what}: the file {shortened(os.fspath(value))} cannot be read: {reason}; pass "
                f"the path of one file, or bytes"
            ) from error
        self._check_size(what, len(data))
        return data

    def _check_size(self, what: str, size: int) -> None:
        if size > self._max_bytes:
            raise ObjectiveError(
                f"{what}: it has {size:,} bytes, and the limit is {self._max_bytes:,}; attach "
                f"less, or raise BusOptions(max_artifact_bytes=...)"
            )

    def _check_folder(self, what: str, parent: Path) -> None:
        is_there = parent.is_dir()
        if not is_there or not os.access(parent, os.W_OK | os.X_OK):
            problem = "cannot be written to" if is_there else "does not exist"
            raise ObjectiveError(
                f"{what}: the folder {os.fspath(parent)!r} {problem} on {socket.gethostname()}; "
                f"launch(artifacts=...) needs a folder that all workers can write to"
            )

    def write(
        self, trial: int, attempt: int, metric: float | None, mode: str, files: dict[str, bytes]
    ) -> Written | None:
        """Write ``files`` beside their place; None: there is nothing to keep.

        Raises `OSError` if that fails, and leaves nothing behind.
        """
        if not files or self._folder is None or metric is None or not math.isfinite(metric):
            return None
        entry = Entry(trial, attempt, metric)
        if entry in excess([*entries_in(self._folder), entry], mode, self._most):
            return None
        self._folder.mkdir(mode=0o700, exist_ok=True)  # its parent must be there: all share it
        path = unfinished_path(self._folder, entry)
        with suppress(FileNotFoundError):
            shutil.rmtree(path)  # of an earlier launch, whose journal has lost its end
        path.mkdir()
        try:
            for name, data in files.items():
                (path / name).write_bytes(data)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        return Written(self._folder, entry, mode, self._most)


class Written:
    """What is written of one trial, whose end the bus has not accepted yet."""

    def __init__(self, folder: Path, entry: Entry, mode: str, most: int) -> None:
        self._folder, self._entry, self._mode, self._most = folder, entry, mode, most

    def keep(self) -> None:
        """Put it in its place, and remove what is not among the best; raises `OSError`."""
        os.replace(unfinished_path(self._folder, self._entry), self._folder / self._entry.name)
        for entry in excess(entries_in(self._folder), self._mode, self._most):
            remove_entry(self._folder, entry)

    def drop(self) -> None:
        """Remove it: the trial has not ended."""
        shutil.rmtree(unfinished_path(self._folder, self._entry), ignore_errors=True)
