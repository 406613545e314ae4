"""The run's side of its searcher: what it is asked for and told, and what if it takes too long."""

from __future__ import annotations

from collections.abc import Iterator

from asha_bus.core.assignments import Assignments
from asha_bus.core.events import FallbackDrawn, Observed, RequestSuggestions, Suggested
from asha_bus.core.waiting import Waiting


class Searching:
    """Joins the supply of points, those who wait for one, and the trials they came to."""

    def __init__(self, assignments: Assignments, waiting: Waiting) -> None:
        self._assignments = assignments
        self._table = assignments.table
        self._counters = assignments.counters
        self._waiting = waiting

    def take(self, event: Suggested | FallbackDrawn) -> bool:
        """Take points; whether that changes anything."""
        supply = self._assignments.supply
        if isinstance(event, Suggested):
            supply.deliver(event.first, event.points, is_last=event.is_last)
        elif supply.missing != event.number:
            return False  # the searcher's own came first
        else:
            self._counters.fallbacks += 1
            supply.deliver(event.number, (event.point,))
        return True

    def wanted(self) -> Iterator[Observed | RequestSuggestions]:
        """What to ask the searcher for, and before that what it was not told yet."""
        draws = list(self._assignments.prepare())
        if draws:
            yield from self.untold()
        yield from draws

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to ask and tell: the usual case of one that does not learn."""
        return self._assignments.is_prepared and self._table.unseen is None

    def again(self) -> Iterator[Observed | RequestSuggestions]:
        """The same for a searcher that may have missed what it was told and asked for."""
        if self._table.unseen is not None:
            self._table.unseen.update(range(len(self._table)))
        yield from self.untold()
        yield from self._assignments.outstanding()

    def waits(self) -> None:
        """A worker has to wait; count it where that is for the searcher."""
        self._counters.suggest_waits += self._assignments.supply.missing is not None

    @property
    def due(self) -> float | None:
        """When the searcher is not waited for any longer; None: nobody waits for it."""
        since = self._waiting.since
        if since is None or self._assignments.supply.missing is None:
            return None
        return since + self._assignments.settings.suggest_timeout_s

    def spare(self, now: float) -> Iterator[RequestSuggestions]:
        """What to draw at random, since the searcher takes too long."""
        number, due = self._assignments.supply.missing, self.due
        if number is not None and due is not None and now >= due:
            self._waiting.since = now
            yield RequestSuggestions(number, 1, is_fallback=True)

    def untold(self) -> Iterator[Observed]:
        """What is new of trials: told before the next question, since no word is worth a wake."""
        unseen = self._table.unseen
        if unseen:
            for number in sorted(unseen):
                yield Observed(self._table[number])
            unseen.clear()
