"""Makes a zip of asha_bus for executors that do not have it installed."""

from __future__ import annotations

import atexit
import hashlib
import os
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from asha_bus.core.errors import AshaBusError
from asha_bus.objective.private import open_private, private_folder, remove_private

#: The packages, which may be in separate folders; each is found by its own search path.
_PACKAGES = ("asha_bus", "asha_bus.driver", "asha_bus.executor")

#: The zip that this process has made, by the process's id, with its digest.
_made: dict[int, tuple[Path, bytes]] = {}


def _sources() -> Iterator[tuple[str, bytes]]:
    """Every source file as a pair (path in the zip, content)."""
    for name in _PACKAGES:
        spec = find_spec(name)
        assert spec is not None and spec.submodule_search_locations is not None
        for root in spec.submodule_search_locations:
            for path in sorted(Path(root).rglob("*.py")):
                place = Path(*name.split(".")) / path.relative_to(root)
                yield place.as_posix(), path.read_bytes()


def make_zip() -> str:
    """Make the zip in a folder that no other user can enter, and return its path.

    The folder is removed at the end of this process. Until then Spark may send the zip to an
    executor that joins, so later calls return the same one, as long as it is unchanged.
    """
    made = _made.get(os.getpid())
    if made is None or not _is_whole(*made):
        made = _made[os.getpid()] = _make()
    return str(made[0])


def _make() -> tuple[Path, bytes]:
    folder = private_folder("zip")
    atexit.register(remove_private, folder, os.getpid())
    # Spark refuses two files of one name
    path = folder / f"asha_bus_{folder.name.rpartition('-')[2]}.zip"
    with path.open("xb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, content in _sources():
            archive.writestr(place, content)
    return path, hashlib.sha256(path.read_bytes()).digest()


def _is_whole(path: Path, digest: bytes) -> bool:
    """Whether the zip is there as it was made: old files of a temporary folder may be deleted."""
    try:
        with open_private(path) as file:
            return hashlib.sha256(file.read()).digest() == digest
    except (OSError, AshaBusError):
        return False
