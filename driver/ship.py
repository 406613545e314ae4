"""Makes a zip of asha_bus for executors that do not have it installed."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

#: The packages, which may be in separate folders; each is found by its own __path__.
_PACKAGES = ("asha_bus", "asha_bus.driver", "asha_bus.executor")


def _sources() -> Iterator[tuple[str, bytes]]:
    """Every source file as a pair (path in the zip, content)."""
    for name in _PACKAGES:
        package = import_module(name)
        for root in package.__path__:
            for path in sorted(Path(root).rglob("*.py")):
                place = Path(*name.split(".")) / path.relative_to(root)
                yield place.as_posix(), path.read_bytes()


def make_zip() -> str:
    """Write the zip, unless it already exists, and return its path.

    Its name contains a hash of its content, so Spark loads the same zip only once.
    """
    sources = dict(_sources())
    digest = hashlib.sha256()
    for place, content in sources.items():
        digest.update(place.encode() + b"\0" + content)
    folder = Path(tempfile.gettempdir()) / f"asha-bus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"asha_bus_{digest.hexdigest()[:16]}.zip"
    if not target.exists():
        partial = target.with_suffix(f".{os.getpid()}")
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for place, content in sources.items():
                archive.writestr(place, content)
        partial.replace(target)
    return str(target)
