"""A run in virtual time: the real experiment, searcher and workers, and nobody who waits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from asha_bus.core import messages as m
from asha_bus.core.events import (
    AppendToJournal,
    Event,
    FallbackDrawn,
    Received,
    RequestSuggestions,
    RunSettings,
    Suggested,
)
from asha_bus.core.messages import HEARTBEAT_SUFFIX, Point
from asha_bus.core.trial import Trial, TrialRow
from asha_bus.testing.simulator.bus import Bus
from asha_bus.testing.simulator.link import Link
from asha_bus.testing.simulator.objectives import Objective
from asha_bus.testing.simulator.worker import States, VirtualWorker


class Searcher(Protocol):
    """Where points come from; `asha_bus.searchers.adapter.SearcherAdapter` is one."""

    def points(self, first: int, count: int) -> tuple[Sequence[Point], bool]:
        """``count`` points from number ``first`` on, and whether there are no more."""

    def fallback(self, number: int) -> Point | None:
        """A random draw where the searcher takes too long; None: there are no more."""

    def observe(self, row: TrialRow) -> None:
        """A trial entered a rung or ended."""


class Simulation(Bus):
    """A run whose network, searcher and workers keep nobody waiting but by the objective's time.

    The same arguments give the same run. Leases and heartbeats are real ones; settings with
    a long ``lease_s`` and ``heartbeat_s`` save the time that they take.

    Args:
        settings: The run's settings, as the bus has them.
        objective: What workers run.
        searcher: Where points come from.
        workers: How many workers join at the start; `join` adds others.

    Example::

        suggestions = SearcherAdapter(Search(ab.TPE(), space, seed, "min"))
        simulation = Simulation(settings, objective, suggestions, workers=100)
        simulation.run()
        simulation.experiment.table.trials
    """

    def __init__(
        self, settings: RunSettings, objective: Objective, searcher: Searcher, *, workers: int = 0
    ) -> None:
        super().__init__(settings)
        self.objective, self.searcher = objective, searcher
        self.link = Link(self.clock)
        #: All workers that ever were, by name, and those that are there.
        self.workers: dict[str, VirtualWorker] = {}
        self.alive: dict[str, VirtualWorker] = {}
        #: The states of trials that workers have saved.
        self.states: States = {}
        self.start()
        for number in range(workers):
            self.join(f"slot {number}")

    def join(self, slot: str, name: str | None = None) -> VirtualWorker:
        """Let a new worker take ``slot``.

        Over a link that loses nothing no request is repeated: there each worker needs a slot
        of its own.

        Args:
            slot: Where it runs.
            name: What the bus calls it; None: ``worker`` and a number.

        Returns:
            The worker, which has asked to join.
        """
        name = name or f"worker {len(self.workers)}"
        worker = VirtualWorker(
            name,
            slot,
            run=self.settings.run,
            clock=self.clock,
            objective=self.objective,
            send=self._leave_worker,
            left=self._left,
            repeats=self.link.is_lossy,
            states=self.states,
        )
        self.workers[name] = self.alive[name] = worker
        worker.start()
        return worker

    def _left(self, worker: VirtualWorker) -> None:
        del self.alive[worker.name]

    # --- time ----------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether the run and all its workers have ended."""
        return self.ended is not None and not self.alive

    def run(self, until: float = math.inf) -> None:
        """Let time pass.

        Args:
            until: Seconds on the clock at which to stop; without it, the end of the run.

        Raises:
            AssertionError: The run has not ended, and nothing will ever happen again.
        """
        while not self.is_over and self.advance(until):
            pass

    def advance(self, until: float = math.inf) -> bool:
        """Let the next thing happen, unless that is after ``until``.

        Returns:
            Whether it happened.
        """
        deadline = self._next_tick()
        planned_at = self.clock.next_at
        at = planned_at if deadline is None else min(deadline, planned_at)
        assert at < math.inf, "nothing will ever happen again"
        if at > until:
            return False
        if at == deadline:
            self.clock.now = max(self.clock.now, at)
            self.tick()
        else:
            self.clock.advance()
        return True

    def _next_tick(self) -> float | None:
        """When the bus looks at the time next; None: when something else happens."""
        return self.experiment.next_deadline()

    # --- messages ------------------------------------------------------------

    def _leave_worker(self, sender: str, message: m.FromWorker) -> None:
        if self._is_heard(sender):
            self.link.to_bus(message, lambda message: self.handle(Received(sender, message)))

    def _deliver(self, to: str, message: m.ToWorker) -> None:
        if self._is_heard(to):
            worker = self.workers[to.removesuffix(HEARTBEAT_SUFFIX)]
            self.link.to_worker(message, worker.receive)

    def _is_heard(self, socket: str) -> bool:
        worker = self.workers.get(socket.removesuffix(HEARTBEAT_SUFFIX))
        return worker is not None and self.clock.now >= worker.silent_until

    def _record(self, record: AppendToJournal) -> None:
        """It has no journal."""

    # --- the searcher --------------------------------------------------------

    def _request(self, request: RequestSuggestions) -> None:
        first, count, is_fallback = request
        if is_fallback:
            point = self.searcher.fallback(first)
            if point is not None:
                self._answer(FallbackDrawn(first, point), is_fallback=True)
                return
            count = 0
        points, is_last = self.searcher.points(first, count)
        self._answer(Suggested(first, tuple(points), is_last or is_fallback), is_fallback=False)

    def _answer(self, event: Event, *, is_fallback: bool) -> None:
        """The searcher's answer reaches the bus."""
        self.clock.later(0.0, lambda: self.handle(event))

    def _observe(self, trial: Trial) -> None:
        super()._observe(trial)
        self.searcher.observe(trial.to_row())
