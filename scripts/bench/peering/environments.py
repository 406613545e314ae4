"""Makes a virtual environment for each tuner, once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.peering.catalog import ENVIRONMENTS, OURS

_INSTALL_S = 1200


class NotInstalled(Exception):
    """A tuner cannot be installed; the text is the installer's last words."""


def python_of(environment: str, folder: Path) -> str:
    """The interpreter of an environment under ``folder``, which is made if it is not there.

    One that could not be made is not tried again; delete its folder to try it.
    """
    if environment == OURS:
        return sys.executable
    wanted = "\n".join(ENVIRONMENTS[environment])
    place = folder / environment
    done, failed = place / "requirements.txt", place / "failed.txt"
    if not (done.exists() and done.read_text() == wanted):
        if failed.exists():
            raise NotInstalled(failed.read_text())
        shutil.rmtree(place, ignore_errors=True)
        _make(place, environment, failed)
        done.write_text(wanted)
    return os.fspath(place / "bin" / "python")


def _make(place: Path, environment: str, failed: Path) -> None:
    print(f"installing {environment} into {place}", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    command = [os.fspath(place / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    installed = subprocess.run(
        [*command, *ENVIRONMENTS[environment]],
        capture_output=True,
        text=True,
        timeout=_INSTALL_S,
    )
    if installed.returncode:
        why = why_failed(installed.stdout + installed.stderr)
        failed.write_text(why)
        raise NotInstalled(why)


def why_failed(output: str) -> str:
    """The first line of an installer's output that names an error."""
    lines = [line.strip(" \N{MULTIPLICATION SIGN}│╰─>") for line in output.splitlines()]
    for word in ("ERROR: ", "Error: ", "error: "):
        for line in lines:
            if word in line and "subprocess-exited" not in line:
                return line[:200]
    return (lines or ["no output"])[-1][:200]
