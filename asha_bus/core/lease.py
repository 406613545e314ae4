"""Leases: who has been heard of lately."""

from __future__ import annotations

from heapq import heappop, heappush


class Leases:
    """Deadlines of holders, renewed in O(1) and found expired in O(log n).

    The clock of the leases stands still while the bus itself was not running
    (`stalled`), since nobody could be heard then.
    """

    def __init__(self, duration_s: float) -> None:
        self.duration_s = duration_s
        self._deadlines: dict[str, float] = {}
        #: One entry per holder, dropped ones included until its time has come.
        self._heap: list[tuple[float, str]] = []
        self._in_heap: set[str] = set()
        self._stalled_s = 0.0

    def renew(self, holder: str, now: float) -> None:
        """Start the lease of ``holder`` anew at ``now`` (seconds)."""
        deadline = now - self._stalled_s + self.duration_s
        if holder not in self._in_heap:
            heappush(self._heap, (deadline, holder))
            self._in_heap.add(holder)
        self._deadlines[holder] = deadline

    def drop(self, holder: str) -> None:
        """Forget ``holder``; one that is not known is no error."""
        self._deadlines.pop(holder, None)

    def stalled(self, seconds: float) -> None:
        """Add ``seconds`` to every lease: the bus was not running meanwhile."""
        self._stalled_s += seconds

    def expired(self, now: float) -> list[str]:
        """Take out and return the holders whose lease ended by ``now``."""
        found: list[str] = []
        now -= self._stalled_s
        while self._heap and self._heap[0][0] <= now:
            _, holder = heappop(self._heap)
            deadline = self._deadlines.get(holder)
            if deadline is not None and deadline > now:  # renewed since this entry was pushed
                heappush(self._heap, (deadline, holder))
                continue
            self._in_heap.remove(holder)
            if deadline is not None:
                del self._deadlines[holder]
                found.append(holder)
        return found

    def next_deadline(self) -> float | None:
        """When `expired` is worth asking again; None: nobody holds a lease."""
        return self._heap[0][0] + self._stalled_s if self._heap else None
