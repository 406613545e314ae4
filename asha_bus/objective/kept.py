"""What trials attach: how it is named, and which of it stays.

Each trial has an entry, whose name holds all that its rank depends on: so workers agree on the
best ones by listing names. What is still being written has another name.
"""

from __future__ import annotations

import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_ENTRY = re.compile(r"trial-(\d{1,18})-(\d{1,18})-(.{1,40})")
_ARTIFACT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")

#: How an address begins that is not a folder, such as ``s3://`` or ``file://``.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

#: What the name of an artifact must be.
ARTIFACT_WORDS = "letters, digits, '_', '.' and '-', 100 at most, not beginning with '.' or '-'"


def is_artifact_name(name: object) -> bool:
    """Whether ``name`` can name a file in any folder, and nothing outside of it."""
    return isinstance(name, str) and _ARTIFACT.fullmatch(name) is not None


def is_address(place: object) -> bool:
    """Whether ``place`` is an address for fsspec, not the path of a folder."""
    return isinstance(place, str) and _ADDRESS.match(place) is not None


def place_of(keeps: str) -> str:
    """What ``launch(artifacts=...)`` got, of the place of the run in it."""
    return keeps.rpartition("/")[0] if is_address(keeps) else os.path.dirname(keeps)


def split_attached(value: Any) -> tuple[Any, Mapping[str, Any]]:
    """Split ``(metric, {"attach": {...}, ...})`` into the value without it, and what it has."""
    if type(value) is not tuple or len(value) != 2 or not isinstance(value[1], dict):
        return value, {}
    attached = value[1].get("attach")
    if not isinstance(attached, Mapping):
        return value, {}
    return (value[0], {k: v for k, v in value[1].items() if k != "attach"}), attached


class Entry(NamedTuple):
    """What is kept of one attempt at a trial."""

    trial: int
    attempt: int
    metric: float

    @property
    def name(self) -> str:
        """The name by which it is listed."""
        return f"trial-{self.trial}-{self.attempt}-{self.metric!r}"


def entries_among(names: Iterable[str]) -> list[Entry]:
    """The entries among ``names``; other names are left out."""
    return [entry for name in names if (entry := _entry(name)) is not None]


def _entry(name: str) -> Entry | None:
    found = _ENTRY.fullmatch(name)
    if found is None:
        return None
    try:
        metric = float(found[3])
    except ValueError:
        return None
    entry = Entry(int(found[1]), int(found[2]), metric)
    return entry if entry.name == name and math.isfinite(metric) else None


def excess(entries: Iterable[Entry], mode: str, most: int) -> list[Entry]:
    """Those that are not among the ``most`` best, and earlier attempts at the same trials."""
    latest: dict[int, Entry] = {}
    for entry in entries:
        known = latest.get(entry.trial)
        if known is None or known.attempt < entry.attempt:
            latest[entry.trial] = entry
    sign = 1 if mode == "min" else -1
    ranked = sorted(latest.values(), key=lambda entry: (sign * entry.metric, entry.trial))
    best = set(ranked[:most])
    return [entry for entry in entries if entry not in best]


class Store(ABC):
    """A place for the entries of one run, which its workers and the user's process share.

    Each method raises `OSError` if the place cannot be used.
    """

    @abstractmethod
    def problem(self) -> str | None:
        """Why nothing can be written here, in words; None: it can, as far as is known."""

    @abstractmethod
    def entries(self) -> list[Entry]:
        """What is kept; nothing if the place is not there."""

    @abstractmethod
    def write(self, entry: Entry, files: Mapping[str, bytes]) -> None:
        """Write ``files`` so that `keep` can keep them; leave nothing behind if that fails."""

    @abstractmethod
    def keep(self, entry: Entry) -> None:
        """Keep what was written: from now on it is an entry, in one step."""

    @abstractmethod
    def drop(self, entry: Entry) -> None:
        """Remove what was written and is not kept; never raises."""

    @abstractmethod
    def remove(self, entry: Entry) -> None:
        """Remove an entry, if it is there."""

    @abstractmethod
    def remove_unfinished(self) -> None:
        """Remove what was never kept, and the place itself if nothing is left."""

    @abstractmethod
    def names(self, entry: Entry) -> list[str]:
        """The names of the files of an entry, in order."""

    @abstractmethod
    def fetch(self, entry: Entry, name: str) -> Path:
        """The path of one of its files, or of a copy of it on this machine."""


def absolute(folder: str) -> Path:
    """The path ``folder``, which must be absolute: what lies there is removed."""
    if not os.path.isabs(folder):
        raise ValueError(f"the folder of artifacts must be an absolute path, got {folder!r}")
    return Path(folder)
