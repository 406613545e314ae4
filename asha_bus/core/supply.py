"""The supply of configurations: drawn ahead, so that nobody waits for a searcher."""

from __future__ import annotations

from collections.abc import Iterator

from asha_bus.core.messages import Point

#: How far ahead of the trials configurations are drawn by a searcher that does not
#: learn, and in batches of how many: the first one comes soon, the others disturb
#: decisions seldom.
LOOK_AHEAD = 1_000
FIRST_DRAW = 50
DRAW_BATCH = 500

#: One that learns is asked for the points of so many of the workers at once: each answer
#: wakes the bus, and what it does not know yet is no more than that.
LEARNER_BATCH = 1 / 4


class Supply:
    """Points of configurations, in the order of their trials; asked for ahead of them.

    Where nothing is repeated a configuration has the number of its trial.

    ``learns``: the searcher looks at what came of its points, so it is asked as late as
    it can be: one point for each worker, of a few workers at a time.
    """

    def __init__(self, limit: int | None, *, learns: bool = False) -> None:
        #: There will be no more configurations than this; None: no end.
        self.limit = limit
        self._learns = learns
        self._asked = 0
        self._taken = 0
        #: By the number of the configuration.
        self._points: dict[int, Point] = {}
        #: The searcher has told that it has no more.
        self.is_exhausted = False

    @property
    def undrawn(self) -> int:
        """How many points were asked for and have not come."""
        return self._asked - self._taken - len(self._points)

    def __len__(self) -> int:
        return len(self._points)

    @property
    def has_next(self) -> bool:
        """Whether the next point is there."""
        return self._taken in self._points

    def wanted(self, workers: int = 0, begun: int = 0) -> tuple[int, int] | None:
        """The first and the number of the next points to draw; None: enough is asked for.

        ``workers``: so many points may be needed at any moment. ``begun``: for how many
        configurations a trial was given out.
        """
        first = self._asked
        if self._learns:
            is_enough = self._asked - begun >= max(workers, 1)
            count = 0 if is_enough else max(int(workers * LEARNER_BATCH), 1)
        elif self._asked - self._taken > LOOK_AHEAD - DRAW_BATCH:
            count = 0
        else:
            count = DRAW_BATCH if first else FIRST_DRAW
        if self.limit is not None:
            count = min(count, self.limit - first)
        if count <= 0:
            return None
        self._asked += count
        return first, count

    def outstanding(self) -> Iterator[tuple[int, int]]:
        """The first and the number of the points of each batch asked for and not delivered."""
        missing = [n for n in range(self._taken, self._asked) if n not in self._points]
        while missing:
            first = missing[0]
            count = sum(number == first + i for i, number in enumerate(missing))
            yield first, count
            del missing[:count]

    def deliver(self, first: int, points: tuple[Point, ...], *, is_last: bool = False) -> None:
        """Take the points from ``first`` on; ``is_last``: there are no more.

        One that comes too late, since another was taken in its place, is left out, and so
        is one that was not asked for: a bus before may have done so, and it comes again.
        """
        end = first + len(points)
        if is_last:
            self.is_exhausted = True
            self.limit = end if self.limit is None else min(self.limit, end)
        for number, point in enumerate(points, first):
            if self._taken <= number < self._asked:
                self._points.setdefault(number, point)

    @property
    def missing(self) -> int | None:
        """The number of the next point where it was asked for and has not come."""
        is_missing = self._taken < self._asked and not self.has_next
        is_over = self.limit is not None and self._taken >= self.limit
        return self._taken if is_missing and not is_over else None

    def take(self) -> Point:
        """The next point."""
        point = self._points.pop(self._taken)
        self._taken += 1
        return point
