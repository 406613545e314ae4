"""Workers that were told to wait for a trial, in the order in which they asked."""

from __future__ import annotations

from collections import deque

from asha_bus.core.roster import Roster, WorkerRecord


class Waiting:
    """The queue of waiting workers. Times are seconds on the run's clock."""

    def __init__(self) -> None:
        self._names: deque[str] = deque()
        #: Since when a worker waits, or when a fallback was last requested; None: none waits.
        self.since: float | None = None

    def __bool__(self) -> bool:
        return bool(self._names)

    def add(self, worker: WorkerRecord, now: float) -> bool:
        """``worker`` waits; returns whether it did not before."""
        if worker.waiting:
            return False
        worker.waiting = True
        worker.waits_since = now
        if not worker.queued:  # else its name is still there from before it left
            worker.queued = True
            self._names.append(worker.name)
        if self.since is None:
            self.since = now
        return True

    def pop(self, roster: Roster) -> WorkerRecord | None:
        """Take out the first worker that still waits; None if none does."""
        while self._names:
            worker = roster.workers[self._names.popleft()]
            worker.queued = False
            if not self._names:
                self.since = None
            if worker.waiting:
                worker.waiting = False
                return worker
        return None

    def stalled(self, seconds: float) -> None:
        """The bus did not run for ``seconds``, which count for nobody."""
        if self.since is not None:
            self.since += seconds

    def clear(self) -> None:
        """No worker waits any more."""
        self._names.clear()
        self.since = None

    def validate(self, roster: Roster) -> None:
        """Check that waiting workers are in the queue; AssertionError if they are not."""
        workers = roster.workers.values()
        assert {w.name for w in workers if w.waiting} <= set(self._names)
        assert sorted(w.name for w in workers if w.queued) == sorted(self._names)
        assert (self.since is not None) == bool(self._names)
