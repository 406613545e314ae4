"""The process group of a worker: what its objectives have started and left behind ends with it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess

logger = logging.getLogger("asha_bus.executor")

#: Waits for the end of the worker, whose end of the pipe then closes, and ends its group. It
#: runs in the background, so that an objective that waits for its children does not wait for it.
_GUARD = 'exec 3<&0; { read -r word <&3; [ "$word" = done ] || kill -KILL "-$1"; } & '

#: Descriptors that no forked child may keep open: the worker would seem to live on in it.
_own: set[int] = set()


def _let_go() -> None:
    for fd in _own:
        os.close(fd)
    _own.clear()


os.register_at_fork(after_in_child=_let_go)


class OwnGroup:
    """Within ``with``, this process leads a process group, in which its children are.

    When it ends in whatever way, even by SIGKILL, the rest of the group is killed. At the end
    of ``with``, a process that led no group before returns to the one in which it was, and
    its own is killed. A child that shall live longer needs a session of its own.
    """

    def __init__(self) -> None:
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
        with contextlib.suppress(OSError):  # that group, of Spark's daemon, is gone
            os.setpgid(0, self._before)
            with contextlib.suppress(ProcessLookupError):  # nothing was left behind
                os.killpg(os.getpid(), signal.SIGKILL)
        self._dismiss_guard()

    @property
    def _leads(self) -> bool:
        return self._before == os.getpid()

    def _start_guard(self) -> None:
        reading, self._fd = os.pipe()
        _own.add(self._fd)
        try:
            subprocess.run(
                ["/bin/sh", "-c", _GUARD, "asha-bus-guard", str(os.getpid())],
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
