"""How a process beside a run begins: its side of a `Companion`."""

from __future__ import annotations

import logging
import os
import signal
import sys
from io import RawIOBase
from typing import IO

from asha_bus.driver.descriptors import keep_from_forks


def begin() -> tuple[RawIOBase, IO[bytes]]:
    """The two ends of its pipe, whose descriptors are its arguments: to read, and to write.

    Ctrl-C is the supervisor's to handle, and warnings go to stderr.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.WARNING)
    read_fd, write_fd = map(int, sys.argv[1:])
    for descriptor in (read_fd, write_fd):  # what users' code starts is not to keep them open
        os.set_inheritable(descriptor, False)
    source = open(read_fd, "rb", buffering=0)  # noqa: SIM115 - select sees all that is there
    output = open(write_fd, "wb")  # noqa: SIM115 - both are open until the end
    keep_from_forks(source, output)
    return source, output


def forget(output: IO[bytes]) -> None:
    """The driver is gone: what is left to be written has nowhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
