"""Takes away what of all systems only Linux has; a `sitecustomize` imports this.

It stands for macOS as far as that is possible here: calls that macOS lacks are gone, and
nothing lies below /proc.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from types import ModuleType

_MISSING: dict[ModuleType, tuple[str, ...]] = {
    os: (
        *("sched_getaffinity", "sched_setaffinity", "fdatasync", "memfd_create", "eventfd"),
        *("pidfd_open", "pipe2", "posix_fadvise", "posix_fallocate", "preadv", "pwritev"),
        *("waitid", "getresuid", "setresuid", "copy_file_range", "splice", "getrandom"),
        *("O_TMPFILE", "O_PATH", "O_DIRECT", "O_LARGEFILE", "O_NOATIME", "sched_yield"),
    ),
    select: ("epoll",),
    signal: ("SIGRTMIN", "SIGRTMAX", "sigtimedwait", "sigwaitinfo", "pidfd_send_signal"),
    socket: ("SOCK_CLOEXEC", "SOCK_NONBLOCK", "SO_PEERCRED"),
    time: ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC_RAW"),
}


def _look(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir", "glob.glob"):
        path = os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes)) else ""
        if path.startswith("/proc"):
            raise FileNotFoundError(2, "taken away", path)
    if event == "ctypes.dlsym" and arguments[1] == "prctl":
        raise AttributeError("prctl was taken away")


def take_away() -> None:
    """Take it all away from this process."""
    for module, names in _MISSING.items():
        for name in names:
            with contextlib.suppress(AttributeError):  # an older Python lacks it
                delattr(module, name)
    sys.platform = "darwin"
    proxies = ModuleType("_scproxy")  # macOS has this module, which urllib imports there
    vars(proxies).update(_get_proxies=dict, _get_proxy_settings=dict)
    sys.modules["_scproxy"] = proxies
    sys.addaudithook(_look)
