"""The supply of configurations: drawn ahead, so that nobody waits for a searcher."""

from __future__ import annotations

from collections import deque

from asha_bus.core.errors import LocalProtocolError
from asha_bus.core.messages import Point

#: How far ahead of the trials configurations are drawn, and in batches of how many:
#: the first one comes soon, the others disturb decisions seldom.
LOOK_AHEAD = 1_000
FIRST_DRAW = 50
DRAW_BATCH = 500


class Supply:
    """Points in the order of the trials they are for; asked for in batches."""

    def __init__(self, limit: int | None) -> None:
        #: There will be no more trials than this; None: no end.
        self.limit = limit
        self._asked = 0
        self._taken = 0
        self._points: deque[Point] = deque()

    @property
    def undrawn(self) -> int:
        """How many points were asked for and have not come."""
        return self._asked - self._taken - len(self._points)

    def __len__(self) -> int:
        return len(self._points)

    def wanted(self) -> tuple[int, int] | None:
        """The first trial and the number of the next batch to draw; None: enough is asked for."""
        if self._asked - self._taken > LOOK_AHEAD - DRAW_BATCH:
            return None
        first = self._asked
        count = DRAW_BATCH if first else FIRST_DRAW
        if self.limit is not None:
            count = min(count, self.limit - first)
        if count <= 0:
            return None
        self._asked += count
        return first, count

    def outstanding(self) -> tuple[int, int] | None:
        """The first trial and the number of those asked for and not delivered; None: all are."""
        delivered = self._taken + len(self._points)
        return (delivered, self._asked - delivered) if delivered < self._asked else None

    def deliver(self, first: int, points: tuple[Point, ...]) -> None:
        """Take the points of the trials from ``first`` on; they come in order."""
        expected = self._taken + len(self._points)
        if first != expected or expected + len(points) > self._asked:
            raise LocalProtocolError(
                f"points of {len(points)} trials from {first} on came, "
                f"but {self._asked - expected} from {expected} on were asked for"
            )
        self._points.extend(points)

    def take(self) -> Point:
        """The next trial's point."""
        self._taken += 1
        return self._points.popleft()
