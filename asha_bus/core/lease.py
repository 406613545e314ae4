"""Leases of the workers: a worker whose lease expires is considered lost."""

from __future__ import annotations

from heapq import heappop, heappush


class Leases:
    """The deadline of each lease holder: O(1) to renew, O(log n) to find expired ones.

    Time during which the bus was not running does not count (`stalled`), because it could
    not receive heartbeats then.
    """

    def __init__(self, duration_s: float) -> None:
        self.duration_s = duration_s
        self._deadlines: dict[str, float] = {}
        #: One entry per holder; that of a dropped holder stays until its deadline.
        self._heap: list[tuple[float, str]] = []
        self._in_heap: set[str] = set()
        self._stalled_s = 0.0

    def renew(self, holder: str, now: float, left_s: float | None = None) -> None:
        """Start or restart the lease of ``holder`` at ``now`` (seconds).

        ``left_s``: how long it is to last, where that is not the whole duration.
        """
        deadline = now - self._stalled_s + (self.duration_s if left_s is None else left_s)
        if holder not in self._in_heap:
            heappush(self._heap, (deadline, holder))
            self._in_heap.add(holder)
        self._deadlines[holder] = deadline

    def drop(self, holder: str) -> None:
        """Remove ``holder``; do nothing if it is not known."""
        self._deadlines.pop(holder, None)

    def left(self, now: float) -> dict[str, float]:
        """How long each lease will last."""
        return {
            holder: deadline + self._stalled_s - now for holder, deadline in self._deadlines.items()
        }

    def stalled(self, seconds: float) -> None:
        """Extend every lease by ``seconds`` in which the bus was not running."""
        self._stalled_s += seconds

    def expired(self, now: float) -> list[str]:
        """Remove and return the holders whose lease expired by ``now``."""
        found: list[str] = []
        # as in next_deadline: rounded otherwise, that moment would come and nothing expire
        while self._heap and self._heap[0][0] + self._stalled_s <= now:
            _, holder = heappop(self._heap)
            deadline = self._deadlines.get(holder)
            if deadline is not None and deadline + self._stalled_s > now:
                # renewed since this entry was pushed
                heappush(self._heap, (deadline, holder))
                continue
            self._in_heap.remove(holder)
            if deadline is not None:
                del self._deadlines[holder]
                found.append(holder)
        return found

    def next_deadline(self) -> float | None:
        """The time of the next call of `expired`; None: there are no holders."""
        return self._heap[0][0] + self._stalled_s if self._heap else None
