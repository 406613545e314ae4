"""Where the points of a run come from: drawn here, or asked of the searcher's process."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from asha_bus.core.errors import SearcherError
from asha_bus.core.events import (
    FallbackDrawn,
    RequestSuggestions,
    RequestValue,
    Suggested,
    ValuesDrawn,
)
from asha_bus.core.messages import Point
from asha_bus.core.trial import TrialRow
from asha_bus.driver import process, readings
from asha_bus.driver.companion import Companion, Kind
from asha_bus.formats import pipe
from asha_bus.formats.named import is_by_name
from asha_bus.searchers.adapter import Search, SearcherAdapter

logger = logging.getLogger("asha_bus")

_KIND = Kind("asha_bus.driver.searcher_process", "the searcher", "a suggestion")

#: What answers the bus, and what takes that.
Drawn = Suggested | FallbackDrawn | ValuesDrawn
Give = Callable[[Drawn], None]


class Suggester(ABC):
    """Answers the bus's requests for points."""

    def __init__(self, search: Search) -> None:
        self._suggestions = SearcherAdapter(search)
        #: What was drawn so far.
        self.tally = readings.Suggested()

    def open(self, give: Give, on_failure: Callable[[str], None]) -> None:
        """Begin; both are called from any thread. ``on_failure`` gets why there are no more."""
        self._give, self._on_failure = give, on_failure

    def request(self, request: RequestSuggestions) -> None:
        """Do what the bus asks for."""
        if not request.is_fallback:
            self.ask(request.first, request.number)
            return
        try:
            point = self.fallback(request.first)
        except SearcherError as error:
            self.fail(str(error))
            return
        if point is None:
            self._give(Suggested(request.first, (), True))
        else:
            self._give(FallbackDrawn(request.first, point))

    @abstractmethod
    def ask(self, first: int, count: int) -> None:
        """Have the points of ``count`` trials from ``first`` on drawn."""

    def draw(self, request: RequestValue) -> None:
        """Have the value of one more parameter of a trial drawn."""
        self.fail(
            f"trial {request.trial} asks for {request.name!r}, but this searcher draws no values "
            f"by name"
        )

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
        batches, configurations, before = self.tally
        self.tally = readings.Suggested(batches + 1, configurations + len(points), before + seconds)


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
        self._give(Suggested(first, tuple(points), is_last))


class AskProcess(Suggester):
    """Asks the searcher in a process of its own, which may take its time.

    ``pickled``: the `Search`, as that process gets it. A process that is killed is
    restarted, and gets all updates that the one before had received.
    """

    def __init__(self, search: Search, pickled: bytes) -> None:
        super().__init__(search)
        self._pickled = pickled
        self._was_late = False
        #: What a trial gets for which the searcher is late.
        self._instead = (
            "begins without values, and asks for each of them by its name"
            if is_by_name(search.space)
            else "gets a random configuration"
        )
        #: What another process has to be told besides the points that were given: the
        #: last of each trial, and what was asked for and not answered.
        self._rows: dict[int, TrialRow] = {}
        self._asked: dict[int, int] = {}
        self._values: dict[tuple[int, str], RequestValue] = {}
        self._process = Companion(
            _KIND, opening=self._opening, on_frame=self._on_drawn, on_failure=self.fail
        )

    def open(self, give: Give, on_failure: Callable[[str], None]) -> None:
        super().open(give, on_failure)
        self._process.open()

    def ask(self, first: int, count: int) -> None:
        with self._process.lock:
            self._asked[first] = count
            self._process.tell(pipe.Suggest(first, count))

    def draw(self, request: RequestValue) -> None:
        with self._process.lock:
            self._values[request.trial, request.name] = request
            self._process.tell(request)

    def observe(self, row: TrialRow) -> None:
        with self._process.lock:
            self._rows[row.id] = row
            self._suggestions.keep_of(row)
            self._process.tell(pipe.Observe(row))

    def fallback(self, number: int) -> Point | None:
        with self._process.lock:
            point = super().fallback(number)
            if not self._was_late:
                self._was_late = True
                logger.warning(
                    "the searcher is late: trial %d %s, and so may others (see fallbacks in "
                    "Result.bus)",
                    number,
                    self._instead,
                )
            if point is not None:
                self._process.tell(pipe.Given(number, point))
        return point

    def close(self) -> None:
        self._process.close()

    # --- the process ---------------------------------------------------------

    def _opening(self) -> Iterator[Any]:
        yield pipe.SearcherSetup(self._pickled, process.import_paths())
        for number, point in self._suggestions.given.items():
            yield pipe.Given(number, point)
        for row in self._rows.values():
            yield pipe.Observe(row)
        for first, count in self._asked.items():
            yield pipe.Suggest(first, count)
        yield from self._values.values()

    def _on_drawn(self, drawn: pipe.Points | ValuesDrawn) -> None:
        if isinstance(drawn, ValuesDrawn):
            with self._process.lock:
                for name, distribution, _ in drawn.named:
                    # an attempt may have asked for something else since
                    if self._values.get((drawn.trial, name)) == (drawn.trial, name, distribution):
                        del self._values[drawn.trial, name]
            self._give(drawn)
            return
        try:
            with self._process.lock:
                self._asked.pop(drawn.first, None)
                accepted = self._accepted(drawn.first, drawn.points)
        except SearcherError as error:  # a condition of the space holds of no other draw
            self.fail(str(error))
            return
        self._count(drawn.points, drawn.seconds)
        is_last = drawn.is_last or len(accepted) < len(drawn.points)
        self._give(Suggested(drawn.first, tuple(accepted), is_last))

    def _accepted(self, first: int, points: Sequence[Point]) -> list[Point]:
        """What configurations from ``first`` on get for ``points``; fewer: there are no more."""
        accepted = []
        for number, point in enumerate(points, first):
            found = self._suggestions.accept(number, point)
            if found is None:
                break
            accepted.append(found)
            if found != point:
                self._process.tell(pipe.Given(number, found))
        return accepted


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
