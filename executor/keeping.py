"""Keeps what the best trials attach: in the place of the run, and never on the bus."""

from __future__ import annotations

import math
import os
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import ObjectiveError
from asha_bus.launching.job import Keeping
from asha_bus.objective.kept import ARTIFACT_WORDS, Entry, Store, excess, is_artifact_name
from asha_bus.objective.stores import store_at


class Keeper:
    """Writes what trials have attached to the place of ``keeping``, and removes what is worse.

    Without a place nothing is written, as in a dry run; `take` checks all the same.
    """

    def __init__(self, keeping: Keeping) -> None:
        self._store = store_at(keeping.folder) if keeping.folder else None
        self._most = keeping.most
        self._max_bytes = keeping.max_bytes

    def take(self, name: Any, value: Any) -> bytes:
        """The bytes that ``value`` gives; raises `ObjectiveError` if they cannot be kept."""
        what = f"trial.attach({shortened(name)})"
        if not is_artifact_name(name):
            raise ObjectiveError(f"{what}: the name of an artifact must be {ARTIFACT_WORDS}")
        problem = None if self._store is None else self._store.problem()
        if problem is not None:
            raise ObjectiveError(
                f"{what}: {problem}; launch(artifacts=...) needs a folder that all workers can "
                f"write to"
            )
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

    def write(
        self, trial: int, attempt: int, metric: float | None, mode: str, files: dict[str, bytes]
    ) -> Written | None:
        """Write ``files`` beside their place; None: there is nothing to keep.

        Raises `OSError` if that fails, and leaves nothing behind.
        """
        store = self._store
        if not files or store is None or metric is None or not math.isfinite(metric):
            return None
        entry = Entry(trial, attempt, metric)
        if entry in excess([*store.entries(), entry], mode, self._most):
            return None
        store.write(entry, files)
        return Written(store, entry, mode, self._most)


class Written:
    """What is written of one trial, whose end the bus has not accepted yet."""

    def __init__(self, store: Store, entry: Entry, mode: str, most: int) -> None:
        self._store, self._entry, self._mode, self._most = store, entry, mode, most

    def keep(self) -> None:
        """Put it in its place, and remove what is not among the best; raises `OSError`."""
        self._store.keep(self._entry)
        for entry in excess(self._store.entries(), self._mode, self._most):
            self._store.remove(entry)

    def drop(self) -> None:
        """Remove it: the trial has not ended."""
        self._store.drop(self._entry)
