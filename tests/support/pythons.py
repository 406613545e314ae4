"""Other Pythons than this one, for the tasks of Spark."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def bare_python(folder: Path) -> Path:
    """A Python that has nothing but the standard library."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


def lend(python: Path, *modules: str) -> None:
    """Let ``python`` see some installed packages of this one."""
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    for name in modules:
        module = __import__(name)
        source = Path(str(module.__file__)).parent
        for path in source.parent.glob(f"{source.name}*"):
            (site / path.name).symlink_to(path)
    for path in Path(str(__import__("zmq").__file__)).parents[1].glob("pyzmq.libs"):
        if not (site / path.name).exists():
            (site / path.name).symlink_to(path)


def other_python(folder: Path) -> Path:
    """A Python of another version: an installed one, or a program that says that it is one."""
    here = sys.version_info[:2]
    for path in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python")):
        major, minor, *_ = path.parents[1].name.split(".")
        if (int(major), int(minor)) != here:
            return path
    folder.mkdir()
    path = folder / "python"
    path.write_text("#!/bin/sh\necho 2.7\n")
    path.chmod(0o755)
    return path
