"""The folder of what trials attach, which workers and the user's process share.

Each trial has a folder in it, whose name holds all that its rank depends on: so workers agree
on the best ones by listing names. A folder that is still being written has another name.
"""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

#: How a folder is named while it is written.
_UNFINISHED = ".trial-"
_ENTRY = re.compile(r"trial-(\d{1,18})-(\d{1,18})-(.{1,40})")
_ARTIFACT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")

#: What the name of an artifact must be.
ARTIFACT_WORDS = "letters, digits, '_', '.' and '-', 100 at most, not beginning with '.' or '-'"


def is_artifact_name(name: object) -> bool:
    """Whether ``name`` can name a file in any folder, and nothing outside of it."""
    return isinstance(name, str) and _ARTIFACT.fullmatch(name) is not None


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
        """The name of its folder."""
        return f"trial-{self.trial}-{self.attempt}-{self.metric!r}"


def kept_folder(folder: str) -> Path:
    """The path ``folder``, which must be absolute: what lies there is removed."""
    if not os.path.isabs(folder):
        raise ValueError(f"the folder of artifacts must be an absolute path, got {folder!r}")
    return Path(folder)


def unfinished_path(folder: Path, entry: Entry) -> Path:
    """Where an entry is written before its trial has ended."""
    return folder / f"{_UNFINISHED}{entry.trial}-{entry.attempt}"


def entries_in(folder: Path) -> list[Entry]:
    """What is kept in ``folder``; nothing if it is not there."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
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


def remove_entry(folder: Path, entry: Entry) -> None:
    """Remove an entry, if it is there; raises `OSError` if that fails."""
    with suppress(FileNotFoundError):  # another worker may be at it
        shutil.rmtree(folder / entry.name)


def remove_unfinished(folder: Path) -> None:
    """Remove what was never finished, and the folder if nothing is left; raises `OSError`."""
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if name.startswith(_UNFINISHED):
                shutil.rmtree(folder / name)
        if not os.listdir(folder):
            folder.rmdir()
