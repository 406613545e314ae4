"""How a process beside a run begins and speaks: its side of a `Companion`."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Any

from asha_bus.driver.descriptors import keep_from_forks
from asha_bus.formats import pipe


class Side:
    """The pipe of this process, whose descriptors are its arguments: to read, and to write.

    Ctrl-C is the supervisor's to handle, and warnings go to stderr.
    """

    def __init__(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        logging.basicConfig(format="%(name)s: %(message)s", level=logging.WARNING)
        read_fd, write_fd = map(int, sys.argv[1:])
        for descriptor in (read_fd, write_fd):  # what users' code starts is not to keep them open
            os.set_inheritable(descriptor, False)
        self.source = open(read_fd, "rb", buffering=0)  # noqa: SIM115 - select sees all there is
        self._output = open(write_fd, "wb")  # noqa: SIM115 - both are open until the end
        keep_from_forks(self.source, self._output)

    def begin(self) -> Any | None:
        """The first frame, the setup, with its modules in reach; None: the pipe has ended."""
        setup = pipe.read(self.source)
        if setup is not None:
            sys.path.extend(entry for entry in setup.sys_path if entry not in sys.path)
        return setup

    def say(self, frame: Any) -> None:
        """Send ``frame``; `BrokenPipeError` if the driver is gone."""
        self._output.write(pipe.encode(frame))
        self._output.flush()

    def forget(self) -> None:
        """The driver is gone: what is left to be written has nowhere to go."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._output.fileno())
