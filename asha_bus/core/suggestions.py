"""The searcher's suggestions: requested ahead of time, and made into trials in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Final

from asha_bus.core.events import RequestSuggestions, RunSettings, TrialUpdated
from asha_bus.core.messages import Named, Point
from asha_bus.core.pseudorandom import mix, mix_in
from asha_bus.core.schedulers import SchedulerState
from asha_bus.core.trial import Trial
from asha_bus.core.trials import TrialTable
from asha_bus.core.waiting import Waiting

#: How many points of a searcher that does not learn are requested ahead, and in batches
#: of how many: the first batch comes soon, the others disturb decisions seldom.
LOOK_AHEAD = 1_000
FIRST_BATCH = 50
BATCH = 500

#: A searcher that learns is asked for the points of this share of the workers at once:
#: each answer wakes the bus, and each point of a batch is suggested without the others'
#: outcomes.
LEARNER_BATCH = 1 / 4

#: (seed, trial) gives trial.seed through `mix` with this salt; kept within 32 bits
#: since numpy and others take no larger seeds.
_SEED_SALT: Final = 1
_SEED_MASK: Final = 0xFFFFFFFF


class SuggestionQueue:
    """The points that were requested, those that have come, and the trials they become.

    Points are numbered by configuration, in the order of their trials; where nothing is
    repeated a configuration has the number of its trial.

    A searcher that does not learn is asked far ahead, so that nobody waits for it. One
    that learns is asked as late as possible: for one point per worker. Trial updates are
    sent only with the next request, so they never wake the searcher; with hooks, at once.
    """

    def __init__(
        self, settings: RunSettings, scheduler: SchedulerState, table: TrialTable, waiting: Waiting
    ) -> None:
        self._scheduler, self._table, self._waiting = scheduler, table, waiting
        self._learns, self._repeats = settings.learns, settings.repeats
        self._random = Random(mix(settings.seed))
        self._seeds = mix(settings.seed, _SEED_SALT)
        #: How many points were requested, and how many of them became trials.
        self._requested = self._taken = 0
        #: The points that came and were not taken, by number.
        self._points: dict[int, Point] = {}
        #: Values that were drawn by name for trials that are still to be made, by trial.
        self._drawn: dict[int, tuple[Named, ...]] = {}
        #: The next trial, made while nobody waits for it; None: it is still to be made.
        self.ready: Trial | None = None
        #: The trials of the latest configuration, where configurations are repeated.
        self._siblings: list[Trial] = []
        self.resume(settings)

    def resume(self, settings: RunSettings) -> None:
        """Continue under other settings."""
        self._timeout_s = settings.suggest_timeout_s
        self._hooks = settings.hooks
        #: How many trials there are at most; None: no limit.
        self.limit = most = settings.max_trials
        #: There will be no more points than this; None: no limit.
        self._most = None if most is None else self._configurations(most)
        #: The searcher has said that it has no more.
        self.is_exhausted = False

    @property
    def depths(self) -> tuple[int, int]:
        """How many points are there for trials to come, and how many were requested only."""
        undelivered = self._requested - self._taken - len(self._points)
        return len(self._points) + (self.ready is not None), undelivered

    # --- to the searcher ------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether `requests` has nothing to do: the usual case without updates."""
        return self.ready is not None and self._table.unseen is None

    def requests(self, workers: int) -> Iterable[TrialUpdated | RequestSuggestions]:
        """Make the next trial; then what to ask the searcher for, and before that the updates.

        ``workers``: how many there are, each of which may need a trial at any moment.
        """
        self.peek()
        count = self._shortfall(workers)
        return self._requests(workers, count) if count > 0 or self._hooks else ()

    def _requests(self, workers: int, count: int) -> Iterator[TrialUpdated | RequestSuggestions]:
        """The same, if ``count`` points are to be requested, or there are hooks."""
        if self._hooks:
            yield from self.updates()
        while count > 0:
            first = self._requested
            self._requested += count
            yield from self.updates()
            yield RequestSuggestions(first, count)
            count = self._shortfall(workers)

    def _shortfall(self, workers: int) -> int:
        """How many points to request now; 0 or less: none."""
        requested = self._requested
        if self._learns:
            needed = self._configurations(workers)
            ahead = requested - self._configurations(len(self._table))
            count = 0 if ahead >= max(needed, 1) else max(int(needed * LEARNER_BATCH), 1)
        elif requested - self._taken > LOOK_AHEAD - BATCH:
            count = 0
        else:
            count = BATCH if requested else FIRST_BATCH
        return count if self._most is None else min(count, self._most - requested)

    def requests_again(self) -> Iterator[TrialUpdated | RequestSuggestions]:
        """All updates and unanswered requests, for a searcher that may have missed them."""
        unseen = self._table.unseen
        if unseen is not None:
            unseen.update(range(len(self._table)))
        yield from self.updates()
        missing = [n for n in range(self._taken, self._requested) if n not in self._points]
        while missing:
            first = missing[0]
            count = sum(number == first + i for i, number in enumerate(missing))
            yield RequestSuggestions(first, count)
            del missing[:count]

    def updates(self) -> Iterator[TrialUpdated]:
        """The trials that changed since the searcher was last told."""
        unseen = self._table.unseen
        if unseen:
            for number in sorted(unseen):
                yield TrialUpdated(self._table[number])
            unseen.clear()

    # --- when it takes too long -----------------------------------------------

    @property
    def missing(self) -> int | None:
        """The number of the next point, if it was requested and has not come."""
        number = self._taken
        is_over = self._most is not None and number >= self._most
        is_there = number in self._points
        return None if is_over or is_there or number >= self._requested else number

    @property
    def due(self) -> float | None:
        """When a fallback replaces the next point; None: no worker waits for it."""
        since = self._waiting.since
        return None if since is None or self.missing is None else since + self._timeout_s

    def fallback(self, now: float) -> Iterator[RequestSuggestions]:
        """The request for a random point, if the searcher has taken too long."""
        number, due = self.missing, self.due
        if number is not None and due is not None and now >= due:
            self._waiting.since = now
            yield RequestSuggestions(number, 1, is_fallback=True)

    # --- from the searcher ----------------------------------------------------

    def add(self, first: int, points: Sequence[Point], *, is_last: bool = False) -> None:
        """Take the points from number ``first`` on; ``is_last``: there are no more.

        Ignores points that arrive after a fallback was used, and points nobody requested:
        a bus before this one may have requested them, and they will come again.
        """
        end = first + len(points)
        if is_last:
            self.is_exhausted = True
            self._most = end if self._most is None else min(self._most, end)
            limit = self._most * self._repeats
            self.limit = limit if self.limit is None else min(self.limit, limit)
        for number, point in enumerate(points, first):
            if self._taken <= number < self._requested:
                self._points.setdefault(number, point)

    def keep_drawn(self, trial: int, named: tuple[Named, ...]) -> None:
        """Keep values by name for a trial that is still to be made; the first ones count."""
        if self.ready is not None and self.ready.id == trial:
            self.ready.drawn = self.ready.drawn or named
        else:
            self._drawn.setdefault(trial, named)

    # --- to the workers -------------------------------------------------------

    def peek(self) -> Trial | None:
        """The next new trial; None while its point is missing, and when there are no more."""
        number, limit = len(self._table.trials), self.limit
        if limit is not None and number >= limit:
            return None
        if self.ready is None:
            self.ready = self._make(number)
        return self.ready

    def take(self) -> None:
        """The trial that `peek` returned was added to the table."""
        self.ready = None

    def advance(self) -> None:
        """What `take` and `requests` do, in a replay: requests are counted, and made by nobody.

        The searcher does not learn, and there are more trials to come.
        """
        self.ready = self._make(len(self._table.trials))
        while (count := self._shortfall(0)) > 0:
            self._requested += count

    def _make(self, number: int) -> Trial | None:
        """Trial ``number``, if its point is there: a repeat has that of the one before it."""
        seed = mix_in(self._seeds, number) & _SEED_MASK
        repeat = number % self._repeats
        if repeat:
            first = self._siblings[0]
            trial = Trial(number, first.point, seed, first.bracket, repeat=repeat)
        elif self._taken in self._points:
            trial = Trial(number, self._points.pop(self._taken), seed)
            self._taken += 1
            self._scheduler.assign(trial, self._random)
        else:
            return None
        trial.drawn = self._drawn.pop(number, ())
        if self._repeats > 1:
            if not repeat:
                self._siblings = []
            trial.siblings = self._siblings
            trial.siblings.append(trial)
        return trial

    def _configurations(self, trials: int) -> int:
        """How many configurations the first ``trials`` trials are of."""
        return -(-trials // self._repeats)
