"""The process of a searcher that learns: ``python -m asha_bus.driver.searcher_process``.

Frames as in `asha_bus.formats.pipe`. It is sent ``["observe", row]``, ``["given", number,
point]`` for what a process before it had suggested or what was taken in the place of a
suggestion, and ``["suggest", first, count]``, which it answers by ``["points", first, points,
is_last, seconds]``; or it says ``["failed", text]``, and ends. It ends with the pipe.
"""

from __future__ import annotations

import logging
import os
import pickle
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from io import RawIOBase
from typing import Any

from asha_bus.core.errors import SearcherError
from asha_bus.formats import pipe
from asha_bus.searchers.suggestions import Search, Suggestions


def main() -> int:
    """Suggest until the supervisor closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.WARNING)
    source = os.fdopen(os.dup(0), "rb", 0)  # select sees all that is there
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a searcher prints must not get into the frames
    setup = pipe.read(source)
    if setup is None:
        return 0
    sys.path.extend(entry for entry in setup["sys_path"] if entry not in sys.path)

    def say(*frame: object) -> None:
        output.write(pipe.pack(frame))
        output.flush()

    try:
        suggestions = Suggestions(_search(setup["search"]))
        for verb, *arguments in frames_of(source):
            if verb == "observe":
                suggestions.observe(*arguments)
            elif verb == "given":
                suggestions.give(*arguments)
            else:
                first, count = arguments
                began = time.monotonic()
                points, is_last = suggestions.points(first, count)
                say("points", first, points, is_last, time.monotonic() - began)
    except SearcherError as error:
        say("failed", str(error))
        return 1
    return 0


def frames_of(source: RawIOBase) -> Iterator[Any]:
    """The frames of an unbuffered pipe: what is given at once, the others in their order.

    So nothing is suggested in vain for a trial that could not wait for it.
    """
    waiting: deque[Any] = deque()
    while True:
        if waiting and not select.select([source], [], [], 0)[0]:
            yield waiting.popleft()
            continue
        frame = pipe.read(source)
        if frame is None:
            return
        if frame[0] == "given":
            yield frame
        else:
            waiting.append(frame)


def _search(pickled: bytes) -> Search:
    try:
        found: Search = pickle.loads(pickled)
    except Exception as error:  # it runs what the searcher's and the options' classes say
        raise SearcherError(
            f"the searcher cannot be read in its own process: {type(error).__name__}: {error}; "
            f"what it is made of must be importable there"
        ) from error
    return found


if __name__ == "__main__":
    sys.exit(main())
