"""Starts and ends the Python processes of asha-bus."""

from __future__ import annotations

import logging
import os
import site
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asha_bus import core

logger = logging.getLogger("asha_bus")

#: Does what the option -P does, for Python 3.10.
_SAFELY = (
    "import sys; sys.path.pop(0); import runpy; "
    "runpy.run_module({!r}, run_name='__main__', alter_sys=True)"
)


def command(module: str) -> list[str]:
    """The command line that runs ``module`` without the current folder on sys.path."""
    run = ["-P", "-m", module] if sys.version_info >= (3, 11) else ["-c", _SAFELY.format(module)]
    return [sys.executable, *run]


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, changed so that a child process finds the same asha_bus.

    An installed package is found without a change. A package that was added to sys.path, as
    a zip or a folder, is added to PYTHONPATH.
    """
    env = {**os.environ, **(changes or {})}
    package = Path(core.__file__).resolve().parents[1]
    root = str(package.parent)
    is_mapped = not (package / "driver").exists() and package.suffix != ".zip"
    installed = {os.path.realpath(path) for path in (*site.getsitepackages(), site.USER_SITE or "")}
    if root not in installed and not (is_mapped and package.is_dir()):
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (root, env.get("PYTHONPATH"))))
    return env


def start(
    module: str,
    env: Mapping[str, str] | None = None,
    *,
    stderr: Any = None,
    pass_fds: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Run ``module`` in a new session, so that Ctrl-C reaches only this process."""
    return subprocess.Popen(
        command(module),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment(env),
        start_new_session=True,
        pass_fds=pass_fds,
    )


def end(child: subprocess.Popen[bytes], timeout_s: float, *, reads_on: bool = False) -> None:
    """End ``child`` by closing its stdin; kill it if it has not exited after ``timeout_s``.

    ``reads_on``: another thread reads its stdout to the end and closes that pipe.
    """
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.close()
    except BrokenPipeError:
        logger.debug("process %d had already exited", child.pid)
    try:
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        logger.warning("process %d did not exit in time; killing it", child.pid)
        child.kill()
        child.wait()
    if not reads_on:
        child.stdout.close()
