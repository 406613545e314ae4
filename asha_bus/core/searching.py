"""The run's side of its searcher: what it is asked for and told, and what if it takes too long."""

from __future__ import annotations

from collections.abc import Iterator

from asha_bus.core.assignments import Assignments
from asha_bus.core.events import Counters, Draw, FellBack, Observed, RunSettings, Suggested
from asha_bus.core.trials import TrialTable
from asha_bus.core.waiting import Waiting


class Searching:
    """Joins the supply of points, those who wait for one, and the trials they came to."""

    def __init__(
        self,
        settings: RunSettings,
        table: TrialTable,
        assignments: Assignments,
        waiting: Waiting,
        counters: Counters,
    ) -> None:
        self._timeout_s = settings.suggest_timeout_s
        self._learns = settings.learns
        self._table = table
        self._assignments = assignments
        self._waiting = waiting
        self._counters = counters

    def take(self, event: Suggested | FellBack) -> bool:
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

    def wanted(self) -> Iterator[Observed | Draw]:
        """What to tell the searcher, and what to ask it for."""
        if self._learns or not self._assignments.is_prepared:
            yield from self._untold()
            yield from self._assignments.prepare()

    def again(self) -> Iterator[Observed | Draw]:
        """The same for a searcher that may have missed what it was told and asked for."""
        if self._table.unseen is not None:
            self._table.unseen.update(range(len(self._table)))
        yield from self._untold()
        yield from self._assignments.outstanding()

    def waits(self) -> None:
        """A worker has to wait; count it where that is for the searcher."""
        self._counters.suggest_waits += self._assignments.supply.missing is not None

    @property
    def due(self) -> float | None:
        """When the searcher is not waited for any longer; None: nobody waits for it."""
        if self._waiting.since is None or self._assignments.supply.missing is None:
            return None
        return self._waiting.since + self._timeout_s

    def spare(self, now: float) -> Iterator[Draw]:
        """What to draw at random, since the searcher takes too long."""
        number, due = self._assignments.supply.missing, self.due
        if number is not None and due is not None and now >= due:
            self._waiting.since = now
            yield Draw(number, 1, is_spare=True)

    def _untold(self) -> Iterator[Observed]:
        unseen = self._table.unseen
        if unseen:
            for number in sorted(unseen):
                yield Observed(self._table[number])
            unseen.clear()
