"""A worker as a local process: ``python -m asha_bus.executor``, its job on stdin.

The parent, which is the user's own process, writes two pickles: what is needed to
find the user's modules, then the job itself.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import sys

from asha_bus.core.errors import BusError
from asha_bus.executor.task import work
from asha_bus.launching.job import WorkerSetup


def main() -> int:
    """Read the job and work; the exit status is 0 after a regular end."""
    setup: WorkerSetup = pickle.load(sys.stdin.buffer)
    sys.path.extend(entry for entry in setup.sys_path if entry not in sys.path)
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.WARNING)
    job = pickle.load(sys.stdin.buffer)
    # the objective must not read what is left of this pipe
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    # what an objective prints is seen at once, and not lost with its process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=False)
    try:
        work(
            job,
            slot=setup.slot,
            name=f"local-{setup.slot}",
            is_orphan=lambda: os.getppid() != setup.parent,
        )
    except BusError as error:
        logging.getLogger("asha_bus.executor").error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
