"""A process beside a run that does what the user's classes and functions say."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from asha_bus.driver import process
from asha_bus.driver.process import start_thread
from asha_bus.driver.restarts import Restarts
from asha_bus.formats import pipe

logger = logging.getLogger("asha_bus")

_CLOSE_TIMEOUT_S = 2.0


class Kind(NamedTuple):
    """What a companion is: its module, and its name for people."""

    module: str
    #: As in "the searcher".
    whose: str
    #: What one that is of use gives, as in "a suggestion".
    gives: str


class Companion:
    """Follows such a process, and starts another one where it is killed.

    ``opening``: the frames that each one gets first, asked for with the ``lock`` held, under
    which `tell` must be called. ``on_frame`` gets what it says, ``on_failure`` why there is
    none any more; both are called from a thread.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        opening: Callable[[], Iterable[Any]],
        on_frame: Callable[[Any], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self._kind = kind
        self._opening, self._on_frame, self._on_failure = opening, on_frame, on_failure
        self.lock = threading.RLock()
        self._closing = threading.Event()
        self._frames: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._child: process.Child | None = None
        self._restarts = Restarts()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Start the first one; `OSError` or `RuntimeError` where the system has none left."""
        self._start()
        whose = self._kind.whose
        self._thread = start_thread(
            self._follow,
            f"asha-bus-{self._kind.module.rpartition('.')[-1]}",
            lambda error: self._on_failure(f"the thread that follows {whose} failed: {error!r}"),
        )

    def tell(self, frame: Any) -> None:
        """Write ``frame`` to it, in the end; the lock must be held."""
        self._frames.put(frame)

    def close(self) -> None:
        """End it at once: it may be in the middle of something long."""
        with self.lock:
            self._closing.set()
            current = self._child
        if current is not None:
            current.process.kill()
        if self._thread is not None:
            self._thread.join(_CLOSE_TIMEOUT_S)

    def _start(self) -> bool:
        """Start a process, and a thread that tells it what there is to tell; False once closed."""
        with self.lock:
            if self._closing.is_set():
                return False
            child = process.start(self._kind.module)
            frames: queue.SimpleQueue[Any] = queue.SimpleQueue()
            self._frames = frames
            for frame in self._opening():
                frames.put(frame)
            self._child = child
        # one that receives nothing is of no use: another one is started
        start_thread(_write, "asha-bus-telling", lambda _: child.process.kill(), child, frames)
        return True

    def _follow(self) -> None:
        """Take what it says; start another one where it is killed."""
        whose, gives = self._kind.whose, self._kind.gives
        while True:
            failure, status = self._follow_one()
            if self._closing.is_set():
                return
            if failure is not None:
                self._on_failure(failure)
                return
            why = f"ended with status {status}"
            while True:
                pause_s = self._restarts.next_pause_s()
                if self._restarts.is_in_vain:
                    self._on_failure(
                        f"{whose}'s process {why}, {self._restarts.fruitless} times in a row "
                        f"without {gives} in between: it was killed, or code of {whose} "
                        f"crashed or ended it; see its stderr"
                    )
                    return
                logger.warning("%s's process %s: started again", whose, why)
                if self._closing.wait(pause_s):
                    return
                try:
                    if not self._start():
                        return
                    break
                except (OSError, RuntimeError) as error:  # no processes or threads left
                    why = f"could not be started ({error})"

    def _follow_one(self) -> tuple[str | None, int]:
        """Take what one process says until it ends: its own error, and its status."""
        current = self._child
        assert current is not None
        failure = None
        with current.from_it as source:
            while (frame := pipe.read(source)) is not None:
                if isinstance(frame, pipe.Failed):
                    failure = frame.text
                else:
                    self._restarts.of_use()
                    self._on_frame(frame)
        self._frames.put(None)
        return failure, current.process.wait()


def _write(child: process.Child, frames: queue.SimpleQueue[Any]) -> None:
    """Write frames until there is None; nobody else waits for a child that does not read."""
    try:
        with child.to_it as to_it:
            while (frame := frames.get()) is not None:
                to_it.write(pipe.encode(frame))
                to_it.flush()
    except BrokenPipeError:
        logger.debug("a process beside the run does not read any more")
