"""Run a worker as a local process: ``python -m asha_bus.executor READ WRITE``.

The arguments are descriptors of the pipe to its parent, the user's own process, which writes
two pickles: the set-up that makes the user's modules importable, then the job itself. A worker
that cannot load its job answers why.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import sys

from asha_bus.core.errors import BusError
from asha_bus.executor.orphan import end_with_parent
from asha_bus.executor.states import States
from asha_bus.executor.task import with_data, work
from asha_bus.launching.job import MAX_FAILURE_BYTES, CannotLoad, WorkerSetup


def main() -> int:
    """Read the job and work on it; return the exit status, 0 after a regular end."""
    end_with_parent()  # a parent that is gone already is noticed once the objective runs
    read_fd, write_fd = map(int, sys.argv[1:])
    with open(read_fd, "rb") as source:
        setup: WorkerSetup = pickle.load(source)
        sys.path.extend(entry for entry in setup.sys_path if entry not in sys.path)
        logging.basicConfig(format="%(name)s: %(message)s", level=logging.WARNING)
        try:
            job = with_data(pickle.load(source))
        except Exception as error:  # unpickling runs user code, which may raise anything
            job = CannotLoad.from_error(error)
    if isinstance(job, CannotLoad):
        os.write(write_fd, job.text.encode(errors="replace")[:MAX_FAILURE_BYTES])
        return 1
    os.close(write_fd)  # from now on it talks to the bus only
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
        if job.are_saves_private and os.getppid() != setup.parent:
            States(job.saves).remove_all()  # nobody else is left to do it
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
