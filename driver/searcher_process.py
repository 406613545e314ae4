"""The process of a searcher that learns: ``python -m asha_bus.driver.searcher_process READ WRITE``.

The arguments are two descriptors of its pipe. It is set up, told and asked by the frames of
`asha_bus.formats.pipe`, and ends with the pipe.
"""

from __future__ import annotations

import pickle
import select
import sys
import time
from collections import deque
from collections.abc import Iterator
from io import RawIOBase

from asha_bus.core.errors import SearcherError
from asha_bus.core.events import RequestValue, ValuesDrawn
from asha_bus.driver.companion_side import Side
from asha_bus.formats import pipe
from asha_bus.searchers.adapter import Search, SearcherAdapter


def main() -> int:
    """Suggest until the supervisor closes the pipe."""
    side = Side()
    setup = side.begin()
    if setup is None:
        return 0
    try:
        suggestions = SearcherAdapter(_search(setup.search))
        for frame in frames_of(side.source):
            if isinstance(frame, pipe.Observe):
                suggestions.observe(frame.row)
            elif isinstance(frame, pipe.Given):
                suggestions.give(frame.number, frame.point)
            elif isinstance(frame, RequestValue):
                side.say(suggestions.value(*frame))
            else:
                began = time.monotonic()
                points, is_last = suggestions.points(frame.first, frame.number)
                for trial, named in suggestions.take_values():
                    side.say(ValuesDrawn(trial, named))
                side.say(pipe.Points(frame.first, points, is_last, time.monotonic() - began))
    except SearcherError as error:
        side.say(pipe.Failed(str(error)))
        return 1
    except BrokenPipeError:  # the driver is gone, and what is left has nowhere to go
        side.forget()
    return 0


def frames_of(
    source: RawIOBase,
) -> Iterator[pipe.Observe | pipe.Given | pipe.Suggest | RequestValue]:
    """The frames of an unbuffered pipe: what is given at once, the others in their order.

    Requests of trials that run pass those for suggestions, after what was observed before them.

    So nothing is suggested in vain for a trial that could not wait for it.
    """
    waiting: deque[pipe.Observe | pipe.Suggest] = deque()
    while True:
        if waiting and not select.select([source], [], [], 0)[0]:
            yield waiting.popleft()
            continue
        frame = pipe.read(source)
        if frame is None:
            return
        if isinstance(frame, RequestValue):
            yield from (one for one in waiting if isinstance(one, pipe.Observe))
            waiting = deque(one for one in waiting if not isinstance(one, pipe.Observe))
        if isinstance(frame, pipe.Given | RequestValue):
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
