"""Makes zips of asha_bus, and of what it needs, for executors that do not have them."""

from __future__ import annotations

import atexit
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path

from asha_bus.core.errors import AshaBusError, WorkerError
from asha_bus.objective.private import open_private, private_folder, remove_private

#: The packages, which may be in separate folders; each is found by its own search path.
_PACKAGES = ("asha_bus", "asha_bus.driver", "asha_bus.executor")

#: What of a package no executor needs.
_LEFT_OUT = (".pyc", ".pyi", ".pxd", ".pyx", ".h")

Entries = Callable[[], Iterator[tuple[str, bytes]]]

#: The zips that this process has made, by the process's id and their name, with their digests.
_made: dict[tuple[int, str], tuple[Path, bytes]] = {}


def _sources() -> Iterator[tuple[str, bytes]]:
    """Every source file as a pair (path in the zip, content)."""
    for name in _PACKAGES:
        spec = find_spec(name)
        assert spec is not None and spec.submodule_search_locations is not None
        for root in spec.submodule_search_locations:
            for path in sorted(Path(root).rglob("*.py")):
                place = Path(*name.split(".")) / path.relative_to(root)
                yield place.as_posix(), path.read_bytes()


def _installed(packages: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Every file of the installed ``packages`` that is needed to import them, in the same way."""
    for package in packages:
        try:
            listed = files(package) or ()
        except PackageNotFoundError:
            listed = ()
        found = [
            (file.as_posix(), Path(str(file.locate())))
            for file in listed
            if file.suffix not in _LEFT_OUT and "tests" not in file.parts and ".." not in file.parts
        ]
        if not any(place.endswith("/__init__.py") for place, _ in found):
            raise WorkerError(
                f"ship_packages=True cannot send {package}: pip does not list its files here. "
                f"Install it here with pip, or install it for the executors"
            )
        for place, path in found:
            if path.is_file():
                yield place, path.read_bytes()


def make_zip() -> str:
    """Make the zip of asha_bus in a folder that no other user can enter, and return its path.

    The folder is removed at the end of this process. Until then Spark may send the zip to an
    executor that joins, so later calls return the same one, as long as it is unchanged.
    """
    return _zip_of("asha_bus", _sources)


def make_packages_zip(packages: tuple[str, ...]) -> str:
    """Make a zip of installed ``packages``, as `make_zip` does; it must be unpacked for use.

    Raises `WorkerError` if their files are not known.
    """
    return _zip_of("asha_bus_packages", lambda: _installed(packages))


def _zip_of(name: str, entries: Entries) -> str:
    key = (os.getpid(), name)
    made = _made.get(key)
    if made is None or not _is_whole(*made):
        made = _made[key] = _make(name, entries)
    return str(made[0])


def _make(name: str, entries: Entries) -> tuple[Path, bytes]:
    folder = private_folder("zip")
    atexit.register(remove_private, folder, os.getpid())
    # Spark refuses two files of one name
    path = folder / f"{name}_{folder.name.rpartition('-')[2]}.zip"
    with path.open("xb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, content in entries():
            archive.writestr(place, content)
    return path, hashlib.sha256(path.read_bytes()).digest()


def _is_whole(path: Path, digest: bytes) -> bool:
    """Whether the zip is there as it was made: old files of a temporary folder may be deleted."""
    try:
        with open_private(path) as file:
            return hashlib.sha256(file.read()).digest() == digest
    except (OSError, AshaBusError):
        return False
