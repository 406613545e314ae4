"""The folder of a run's saved states, which its workers and the user's process share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_PREFIX = "trial-"


def states_folder(folder: str) -> Path:
    """The path ``folder``, which must be absolute: the whole folder is removed in the end."""
    if not os.path.isabs(folder):
        raise ValueError(f"the folder of saved states must be an absolute path, got {folder!r}")
    return Path(folder)


def path_of(folder: Path, trial: int, attempt: int) -> Path:
    """Where the state of an attempt lies in ``folder``."""
    return folder / f"{_PREFIX}{trial}-{attempt}"


def remove_states(folder: Path, *, ignore_errors: bool = False) -> None:
    """Remove all saved states in ``folder``, and then the folder, unless it holds anything else.

    Raises `OSError` if that fails. ``ignore_errors``: not for the states themselves.
    """
    for path in folder.iterdir():
        if path.name.startswith(_PREFIX):
            shutil.rmtree(path, ignore_errors=ignore_errors)
    folder.rmdir()
