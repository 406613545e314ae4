"""The process group of a worker: what its objectives have started and left behind ends with it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess

logger = logging.getLogger("asha_bus.executor")

#: Waits for the end of the worker, whose end of the pipe then closes, and ends its group. On
#: Linux, it then ends the other groups of the worker's session: a shell or `timeout` makes such
#: groups. It runs in the background, so that an objective that waits for
#: its children does not wait for it.
_GUARD = """
exec 3<&0
{
    read -r word <&3
    [ "$word" = done ] && exit
    kill -KILL "-$1"
    [ "$2" ] || exit
    for folder in /proc/[0-9]*; do
        read -r stat <"$folder/stat" || continue
        set -- "$1" "$2" ${stat##*) }  # after the name: state, parent, group, session
        [ "$6" = "$2" ] && kill -KILL "${folder#/proc/}"
    done
} &
"""

#: Descriptors that no forked child may keep open: the worker would seem to live on in it.
_own: set[int] = set()


def _let_go() -> None:
    for fd in _own:
        os.close(fd)
    _own.clear()


os.register_at_fork(after_in_child=_let_go)


def _session() -> str:
    """The session that this process leads, if /proc shows its members; else empty."""
    pid = os.getpid()
    try:
        is_shown = os.readlink("/proc/self") == str(pid)  # else it is of other processes
    except OSError:
        is_shown = False
    return str(pid) if is_shown and os.getsid(0) == pid else ""


class OwnGroup:
    """Within ``with``, this process leads a process group, in which its children are.

    When it ends in whatever way, even by SIGKILL, the rest of the group is killed, on Linux with
    the rest of the session that it leads. At the end of ``with``, a process that led no group
    before returns to the one in which it was, and its own is killed. A child that shall live
    longer needs a session of its own.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._before = os.getpgrp()
        self._fd: int | None = None

    def __enter__(self) -> OwnGroup:
        try:
            if not self._leads:
                os.setpgid(0, 0)
        except OSError as error:
            logger.debug("no process group of its own: %s", error)
        else:
            self._start_guard()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._leads:
            return  # its end, which is near, is that of its group
        if os.getpid() != self._pid:
            return  # an objective has forked, and its child has returned: it owns no group
        try:
            os.setpgid(0, self._before)
        except OSError:  # that group, of Spark's daemon, is gone: so is this process, soon
            return
        with contextlib.suppress(ProcessLookupError):  # nothing was left behind
            os.killpg(os.getpid(), signal.SIGKILL)
        self._dismiss_guard()

    @property
    def _leads(self) -> bool:
        return self._before == self._pid

    def _start_guard(self) -> None:
        reading, self._fd = os.pipe()
        _own.add(self._fd)
        try:
            subprocess.run(
                ["/bin/sh", "-c", _GUARD, "asha-bus-guard", str(self._pid), _session()],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                check=False,
            )
        except OSError as error:  # no shell here, or no more processes
            logger.debug("children of this worker may outlive it: %s", error)
        finally:
            os.close(reading)

    def _dismiss_guard(self) -> None:
        if self._fd is None:
            return
        with contextlib.suppress(OSError):  # it was killed
            os.write(self._fd, b"done\n")
        _own.discard(self._fd)
        os.close(self._fd)
