"""The process of users' hooks: ``python -m asha_bus.driver.hook_process READ WRITE``.

The arguments are two descriptors of its pipe. It is set up and told by the frames of
`asha_bus.formats.pipe`, says what is to stop, and ends with the pipe.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Iterator
from io import RawIOBase

from asha_bus.core.trial import TrialRow
from asha_bus.driver.companion_side import Side
from asha_bus.driver.process import start_thread
from asha_bus.formats import pipe
from asha_bus.searchers.hooks import HookError, Hooks, Questions


def main() -> int:
    """Ask the hooks until the supervisor closes the pipe."""
    side = Side()
    setup = side.begin()
    if setup is None:
        return 0
    news = News()
    # the hooks have the main thread, and may hang there: the other one ends the process
    start_thread(_read, "asha-bus-hooks", lambda _: os._exit(1), side.source, news)
    try:
        questions = Questions(_hooks(setup.hooks))
        has_answered = False
        for frame in news:
            if isinstance(frame, pipe.Standing):
                trial, verdict = None, questions.stops_run(frame)
            else:
                trial, verdict = frame.id, questions.stops_trial(frame)
            if verdict:
                side.say(pipe.Stop(trial))
            if verdict is not None and not has_answered:
                has_answered = True
                side.say(pipe.Progress())
    except HookError as error:
        side.say(pipe.Failed(str(error)))
        return 1
    except BrokenPipeError:
        side.forget()
    return 0


class News:
    """What the hooks were not asked about yet: the latest of each trial, and of the run."""

    def __init__(self) -> None:
        self._has_some = threading.Condition()
        self._rows: dict[int, TrialRow] = {}
        self._standing: pipe.Standing | None = None

    def add(self, frame: pipe.Observe | pipe.Standing) -> None:
        """Take news, which replace what they are newer than."""
        with self._has_some:
            if isinstance(frame, pipe.Standing):
                self._standing = frame
            else:
                self._rows[frame.row.id] = frame.row
            self._has_some.notify()

    def __iter__(self) -> Iterator[TrialRow | pipe.Standing]:
        """Wait for news, and take them; there is no end."""
        while True:
            with self._has_some:
                while self._standing is None and not self._rows:
                    self._has_some.wait()
                found: TrialRow | pipe.Standing | None = self._standing
                self._standing = None
                if found is None:
                    found = self._rows.pop(next(iter(self._rows)))
            yield found


def _read(source: RawIOBase, news: News) -> None:
    """Take what comes until the pipe ends, and the process with it, whatever a hook does."""
    while (frame := pipe.read(source)) is not None:
        news.add(frame)
    os._exit(0)


def _hooks(pickled: bytes) -> Hooks:
    try:
        found: Hooks = pickle.loads(pickled)
    except Exception as error:  # it runs what the hooks' modules say
        raise HookError(
            f"stop_trial or stop_run cannot be read in a process of its own: "
            f"{type(error).__name__}: {error}; what it is made of must be importable there"
        ) from error
    return found


if __name__ == "__main__":
    sys.exit(main())
