"""The bus process: ``python -m asha_bus.driver READ WRITE``, two descriptors of its pipe.

It reads its settings and keys there. It ends when its parent closes the pipe or dies.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import resource
import select
import signal
import sys
import time
from dataclasses import replace
from typing import Any

from asha_bus.core.errors import JournalError
from asha_bus.core.events import Resumed, RunSettings
from asha_bus.driver.journal import Writer
from asha_bus.driver.pipe_end import PipeEnd
from asha_bus.driver.router import Router
from asha_bus.driver.scheduler_class import imported
from asha_bus.driver.twins import fork
from asha_bus.formats import pipe
from asha_bus.formats.journal import Replayer

#: A standby reads so much of the journal at a time, waits so long between two pieces,
#: and looks so often whether there is more.
_STANDBY_FIRST = 1 << 20
_STANDBY_CHUNK = 1 << 18
_STANDBY_CATCH_UP_S = 0.05
_STANDBY_LOOK_S = 0.5

#: The bus raises its limit of open descriptors to this, if the system allows it.
_DESCRIPTORS = 65_536
#: A worker has two connections, and the bus some files and sockets of its own.
DESCRIPTORS_OF_A_WORKER = 2
_DESCRIPTORS_BESIDE = 64


def main() -> int:
    """Read the settings, serve, and end with the supervisor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.WARNING)
    # trials and rungs are no cyclic garbage, and looking through all of them takes long
    gc.disable()
    descriptors = _raise_descriptor_limit()
    read_fd, write_fd = map(int, sys.argv[1:])
    setup = _read_frame(read_fd)
    if setup is None:
        return 0
    fd, path = setup.journal_fd, setup.journal_path
    schedulers = imported(setup.scheduler)
    reading_since = time.monotonic()
    try:
        stands_by = isinstance(setup, pipe.StandbySetup)
        size = os.fstat(fd).st_size
        begin = _read(fd, 0, min(size, _STANDBY_FIRST) if stands_by else size)
        replayer = Replayer(begin, path, schedulers)
        while True:
            if stands_by:
                setup = _stand_by(replayer, fd, read_fd, write_fd)
                if setup is None:
                    return 0
                reading_since = time.monotonic()  # what it had read before held up nobody
            replayer.feed(_read(fd, replayer.read, os.fstat(fd).st_size))
            replayed = replayer.result()
            replay_s = time.monotonic() - reading_since
            if replayed.torn:
                os.ftruncate(fd, replayed.end)
                replayer.forget()
            ends = None if setup.twins is None else fork(setup.twins, read_fd, write_fd)
            if ends is None:
                break
            read_fd, write_fd = ends
            stands_by = True
    except JournalError as error:
        PipeEnd(read_fd, write_fd).send(pipe.Failed(str(error)))
        return 1
    assert isinstance(setup, pipe.BusSetup)
    end = PipeEnd(read_fd, write_fd)
    if replayed.torn:
        end.send(
            pipe.Notice(
                f"{path}: cut off {replayed.torn} bytes of an incomplete last record; "
                f"no answer depended on it",
            )
        )
    missing = too_few_descriptors(replayed.experiment.settings.workers, descriptors)
    if missing is not None:
        end.send(pipe.Notice(missing))
    began = setup.began
    if began is None:  # the clock goes on where it stopped, whenever that was
        began = time.monotonic() - replayed.now
    resumed = None
    if setup.resumed is not None:
        settings = RunSettings.from_plain(setup.resumed.settings, schedulers)
        epoch = time.time() - (time.monotonic() - began)
        resumed = Resumed(replace(settings, epoch=epoch), setup.resumed.retry_failed)
    writer = Writer(fd, path, replayed.encoder, setup.sync)
    router = Router(replayed, writer, setup, began, end)
    end.send(pipe.Ready(began, replay_s))
    router.run(resumed, setup.before)
    return 0


def _read(fd: int, begin: int, end: int) -> bytes:
    return os.pread(fd, end - begin, begin)


def _read_frame(read_fd: int) -> Any:
    """The next frame; None at the end of the pipe."""
    # unbuffered: the frames after it are read from the descriptor itself
    with open(read_fd, "rb", buffering=0, closefd=False) as stream:
        return pipe.read(stream)


def _stand_by(replayer: Replayer, fd: int, read_fd: int, write_fd: int) -> Any:
    """Follow the journal that another bus writes until this one is to take its place.

    Returns how it is to be set up, or None if it is not needed any more. It is never
    far behind, and takes half of a processor's time at most to get there.
    """
    patience_s = 0.0
    is_behind = True
    while not select.select([read_fd], [], [], patience_s)[0]:
        size = os.fstat(fd).st_size
        begin = replayer.read
        replayer.feed(_read(fd, begin, min(size, begin + _STANDBY_CHUNK)))
        patience_s = _STANDBY_CATCH_UP_S
        if size <= begin + _STANDBY_CHUNK:
            patience_s = _STANDBY_LOOK_S
            if is_behind:
                is_behind = False
                os.write(write_fd, pipe.encode(pipe.CaughtUp(os.getpid())))
    return _read_frame(read_fd)


def too_few_descriptors(workers: int | None, limit: int) -> str | None:
    """What to tell the user if ``workers`` may not all connect; None: nothing."""
    room = max((limit - _DESCRIPTORS_BESIDE) // DESCRIPTORS_OF_A_WORKER, 0)
    if workers is None or workers <= room:
        return None
    return (
        f"the system lets the bus have {limit} open files, which is enough for about {room} of "
        f"{workers} workers; raise the hard limit (ulimit -Hn) of the driver's machine, or pass a "
        f"smaller workers="
    )


def _raise_descriptor_limit() -> int:
    """Raise the limit of open descriptors, the usual 1,024; what it is then."""
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if most == resource.RLIM_INFINITY else min(_DESCRIPTORS, most)
    if limit != resource.RLIM_INFINITY and limit < wanted:
        # macOS has a lower limit of its own, which it does not tell
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _DESCRIPTORS if limit == resource.RLIM_INFINITY else limit


if __name__ == "__main__":
    sys.exit(main())
