"""Where the points of a run come from: drawn here, or asked of the searcher's process."""

from __future__ import annotations

import logging
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from asha_bus.core.errors import SearcherError
from asha_bus.core.messages import Point
from asha_bus.core.trial import TrialRow
from asha_bus.driver import process
from asha_bus.driver.process import start_thread
from asha_bus.driver.restarts import Restarts
from asha_bus.formats import pipe
from asha_bus.searchers.adapter import Search, SearcherAdapter

logger = logging.getLogger("asha_bus")

_CLOSE_TIMEOUT_S = 2.0

#: Given the first trial's number, points, and whether there are no more.
OnPoints = Callable[[int, Sequence[Point], bool], None]


class Suggester(ABC):
    """Answers the bus's requests for points, by ``on_points``."""

    def __init__(self, search: Search) -> None:
        self._suggestions = SearcherAdapter(search)
        #: Batches that were drawn, the points in them, and the seconds that took.
        self.draws = self.drawn = 0
        self.draw_s = 0.0

    def open(self, on_points: OnPoints, on_failure: Callable[[str], None]) -> None:
        """Begin; both are called from any thread. ``on_failure`` gets why there are no more."""
        self._on_points, self._on_failure = on_points, on_failure

    @abstractmethod
    def ask(self, first: int, count: int) -> None:
        """Have the points of ``count`` trials from ``first`` on drawn."""

    def observe(self, row: TrialRow) -> None:  # noqa: B027 - who does not learn ignores it
        """Tell what came of a trial."""

    def fallback(self, number: int) -> Point | None:
        """A point for configuration ``number`` without the searcher, at once.

        None: there are no more. What the searcher says of it later does not count. Raises
        `SearcherError` where none can be drawn.
        """
        return self._suggestions.fallback(number)

    def fail(self, why: str) -> None:
        """There are no more points, since something went wrong."""
        self._on_failure(why)

    def close(self) -> None:  # noqa: B027 - there may be nothing to close
        """Draw no more."""

    def _count(self, points: Sequence[Point], seconds: float) -> None:
        self.draws += 1
        self.drawn += len(points)
        self.draw_s += seconds


class DrawHere(Suggester):
    """Draws at once, in the caller's thread: for searchers that do not learn."""

    def ask(self, first: int, count: int) -> None:
        began = time.monotonic()
        try:
            points, is_last = self._suggestions.points(first, count)
        except SearcherError as error:
            self.fail(str(error))
            return
        self._count(points, time.monotonic() - began)
        self._on_points(first, points, is_last)


class AskProcess(Suggester):
    """Asks the searcher in a process of its own, which may take its time.

    ``pickled``: the `Search`, as that process gets it. A process that is killed is
    restarted, and gets all updates that the one before had received.
    """

    def __init__(self, search: Search, pickled: bytes) -> None:
        super().__init__(search)
        self._pickled = pickled
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._frames: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._child: process.Child | None = None
        self._restarts = Restarts()
        self._was_late = False
        #: What another process has to be told besides the points that were given: the
        #: last of each trial, and what was asked for and not answered.
        self._rows: dict[int, TrialRow] = {}
        self._asked: dict[int, int] = {}
        self._thread: threading.Thread | None = None

    def open(self, on_points: OnPoints, on_failure: Callable[[str], None]) -> None:
        super().open(on_points, on_failure)
        self._start()
        self._thread = start_thread(
            self._follow,
            "asha-bus-suggester",
            lambda error: self.fail(f"the thread that follows the searcher failed: {error!r}"),
        )

    def ask(self, first: int, count: int) -> None:
        with self._lock:
            self._asked[first] = count
            self._frames.put(pipe.Suggest(first, count))

    def observe(self, row: TrialRow) -> None:
        with self._lock:
            self._rows[row.id] = row
            self._suggestions.keep_of(row)
            self._frames.put(pipe.Observe(row))

    def fallback(self, number: int) -> Point | None:
        with self._lock:
            point = super().fallback(number)
            if not self._was_late:
                self._was_late = True
                logger.warning(
                    "the searcher is late: trial %d gets a random configuration, and so may "
                    "others (see fallbacks in Result.bus)",
                    number,
                )
            if point is not None:
                self._frames.put(pipe.Given(number, point))
        return point

    def close(self) -> None:
        with self._lock:
            self._closing.set()
            current = self._child
        if current is not None:
            current.process.kill()  # it may be in the middle of a long suggestion
        if self._thread is not None:
            self._thread.join(_CLOSE_TIMEOUT_S)

    # --- the process ---------------------------------------------------------

    def _start(self) -> None:
        """Start a process, and a thread that tells it what there is to tell."""
        with self._lock:
            child = process.start("asha_bus.driver.searcher_process")
            frames: queue.SimpleQueue[Any] = queue.SimpleQueue()
            self._frames = frames
            frames.put(pipe.SearcherSetup(self._pickled, process.import_paths()))
            for number, point in self._suggestions.given.items():
                frames.put(pipe.Given(number, point))
            for row in self._rows.values():
                frames.put(pipe.Observe(row))
            for first, count in self._asked.items():
                frames.put(pipe.Suggest(first, count))
            self._child = child
        # a searcher that receives nothing is of no use: another one is started
        start_thread(_write, "asha-bus-asking", lambda _: child.process.kill(), child, frames)

    def _follow(self) -> None:
        """Take what it says; start another one where it is killed."""
        while True:
            failure, status = self._follow_one()
            if self._closing.is_set():
                return
            if failure is not None:
                self.fail(failure)
                return
            why = f"ended with status {status}"
            while True:
                pause_s = self._restarts.next_pause_s()
                if self._restarts.is_in_vain:
                    self.fail(
                        f"the searcher's process {why}, {self._restarts.fruitless} times in a row "
                        f"without a suggestion in between: it was killed, or code of the searcher "
                        f"crashed or ended it; see its stderr"
                    )
                    return
                logger.warning("the searcher's process %s: started again", why)
                if self._closing.wait(pause_s):
                    return
                try:
                    self._start()
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
                    self._on_drawn(frame)
        self._frames.put(None)
        return failure, current.process.wait()

    def _on_drawn(self, drawn: pipe.Points) -> None:
        try:
            with self._lock:
                self._asked.pop(drawn.first, None)
                accepted = self._accepted(drawn.first, drawn.points)
        except SearcherError as error:  # a condition of the space holds of no other draw
            self.fail(str(error))
            return
        self._count(drawn.points, drawn.seconds)
        is_last = drawn.is_last or len(accepted) < len(drawn.points)
        self._on_points(drawn.first, accepted, is_last)

    def _accepted(self, first: int, points: Sequence[Point]) -> list[Point]:
        """What configurations from ``first`` on get for ``points``; fewer: there are no more."""
        accepted = []
        for number, point in enumerate(points, first):
            found = self._suggestions.accept(number, point)
            if found is None:
                break
            accepted.append(found)
            if found != point:
                self._frames.put(pipe.Given(number, found))
        return accepted


def _write(child: process.Child, frames: queue.SimpleQueue[Any]) -> None:
    """Write frames until there is None; nobody else waits for a child that does not read."""
    try:
        with child.to_it as to_it:
            while (frame := frames.get()) is not None:
                to_it.write(pipe.encode(frame))
                to_it.flush()
    except BrokenPipeError:
        logger.debug("the searcher's process does not read any more")


def make_suggester(search: Search, dumps: Callable[[Any], bytes]) -> Suggester:
    """Where the points of ``search`` come from; ``dumps``: pickles it, where it has to travel.

    Raises `SearcherError` where it cannot be pickled.
    """
    if not search.learns:
        return DrawHere(search)
    try:
        return AskProcess(search, dumps(search))
    except Exception as error:  # whatever it holds may refuse
        raise SearcherError(
            f"the searcher cannot be sent to its own process: {error!r}; make what it holds "
            f"when suggest() is first called"
        ) from error
