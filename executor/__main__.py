"""Run a worker as a local process: ``python -m asha_bus.executor`` reads its job from stdin.

The parent is the user's own process. It writes two pickles: the set-up that makes the
user's modules importable, then the job itself.
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
    """Read the job and work on it; return the exit status, 0 after a regular end."""
    setup: WorkerSetup = pickle.load(sys.stdin.buffer)
    sys.path.extend(entry for entry in setup.sys_path if entry not in sys.path)
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.WARNING)
    job = pickle.load(sys.stdin.buffer)
    # keep the objective from reading the rest of this pipe
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    # show what an objective prints at once, so that it is not lost if the process dies
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
