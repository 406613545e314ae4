"""Starts and ends the Python processes of asha-bus, and the threads that wait for them."""

from __future__ import annotations

import contextlib
import logging
import os
import site
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from asha_bus import core
from asha_bus.driver.descriptors import keep_from_forks, open_standard, starting
from asha_bus.driver.twins import Twin

logger = logging.getLogger("asha_bus")

#: A killed process is gone within this time, unless it waits for a disk.
_KILL_TIMEOUT_S = 1.0

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


@dataclass(frozen=True)
class Peer:
    """A process of asha-bus, and the pipe between it and this one."""

    process: subprocess.Popen[bytes] | Twin
    to_it: IO[bytes]
    from_it: IO[bytes]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid


@dataclass(frozen=True)
class Child(Peer):
    """One that this process has started."""

    process: subprocess.Popen[bytes]


def start(
    module: str,
    env: Mapping[str, str] | None = None,
    *,
    output: Any = None,
    pass_fds: Sequence[int] = (),
) -> Child:
    """Run ``module`` in a new session, so that Ctrl-C reaches only this process.

    The pipe has descriptors above 2, whose numbers are the module's two arguments: where it
    reads, and where it writes. So nothing that is printed there, by a sitecustomize for
    example, gets into it. What is printed goes to ``output``; None: to stderr. Raises
    `OSError` where no process can be started. Another thread that forks waits meanwhile.
    """
    open_standard()
    with starting, ExitStack() as opened:
        to_it, from_it, theirs = open_pipes(opened)
        child = subprocess.Popen(
            [*command(module), *map(str, theirs)],
            stdin=subprocess.DEVNULL,
            stdout=2 if output is None else output,
            stderr=subprocess.STDOUT,
            env=environment(env),
            start_new_session=True,
            pass_fds=(*theirs, *pass_fds),
        )
        opened.pop_all()
        close_all(theirs)
        if child.stdout is not None:
            keep_from_forks(child.stdout)
    return Child(child, to_it, from_it)


def open_pipes(opened: ExitStack) -> tuple[IO[bytes], IO[bytes], tuple[int, int]]:
    """Two pipes: what this process writes to and reads from, and the other's reading and writing.

    They are closed with ``opened``.
    """
    its_reading, our_writing = os.pipe()
    opened.callback(os.close, its_reading)
    to_it = opened.enter_context(os.fdopen(our_writing, "wb"))
    our_reading, its_writing = os.pipe()
    opened.callback(os.close, its_writing)
    from_it = opened.enter_context(os.fdopen(our_reading, "rb"))
    keep_from_forks(to_it, from_it)
    return to_it, from_it, (its_reading, its_writing)


def close_all(descriptors: Iterable[int]) -> None:
    """Close each of ``descriptors``."""
    for descriptor in descriptors:
        os.close(descriptor)


def end(child: Peer, timeout_s: float, *, reads_on: bool = False) -> None:
    """End ``child`` by closing the pipe to it; kill it if it has not exited after ``timeout_s``.

    ``reads_on``: another thread reads from it to the end and closes that pipe. A process that
    waits for a disk that does not answer outlives its kill, and is left behind.
    """
    with contextlib.suppress(OSError):  # it has exited, and left something unread
        child.to_it.close()
    if not _has_exited(child, timeout_s):
        logger.warning("process %d did not exit in time; killing it", child.pid)
        child.process.kill()
        if not _has_exited(child, _KILL_TIMEOUT_S):
            logger.warning("process %d does not end even when it is killed", child.pid)
            return
    if not reads_on:
        child.from_it.close()


def _has_exited(child: Peer, timeout_s: float) -> bool:
    try:
        child.process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def import_paths() -> list[str]:
    """Where this process imports from, as absolute paths, for a process elsewhere.

    Entries that Python itself would skip are left out: those that are no texts, and the
    current folder where it was deleted.
    """
    found = []
    for entry in sys.path:
        if isinstance(entry, str):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.path.abspath(entry))
    return found


def start_thread(
    target: Callable[..., None],
    name: str,
    on_error: Callable[[BaseException], None],
    *arguments: Any,
) -> threading.Thread:
    """Run ``target`` in a daemon thread that does not die unnoticed.

    Whatever it raises is logged and given to ``on_error``, which ends what waits for the thread.
    """
    thread = threading.Thread(
        target=guarded, args=(target, name, on_error, *arguments), name=name, daemon=True
    )
    thread.start()
    return thread


def guarded(
    target: Callable[..., None],
    name: str,
    on_error: Callable[[BaseException], None],
    *arguments: Any,
) -> None:
    """Call ``target``, and ``on_error`` if it fails; see `start_thread`."""
    try:
        target(*arguments)
    except BaseException as error:
        logger.exception("the thread %s failed", name)
        on_error(error)
