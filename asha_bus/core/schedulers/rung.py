"""A rung: who reached this resource, and who of them may go on."""

from __future__ import annotations

from heapq import heappush, heappushpop
from math import inf
from typing import NamedTuple


class Entry(NamedTuple):
    """What one entry met: the rung's size, its kept places, the cutoff, the verdict."""

    n: int
    keep: int
    #: The worst kept metric, smaller being better; infinite where none is a number.
    cutoff: float
    goes_on: bool


class Rung:
    """The entries of one rung, each a key ``(metric, lot)``, smaller being better.

    The best ``max(n // eta, 1)`` of ``n`` entries are kept in one heap, the rest
    in another, so that an entry costs O(log n) at any size. The lot breaks ties:
    were all equals to go on, a plateau would stop nobody, and were the earlier
    to win, nobody after the first would pass.
    """

    __slots__ = ("_kept", "_rest", "entries", "eta", "passed", "quorum", "resource")

    def __init__(self, resource: float, eta: int, quorum: int = 0) -> None:
        self.resource = resource
        self.eta = eta
        self.quorum = quorum
        self.entries = 0
        #: How many of them went on.
        self.passed = 0
        self._kept: list[tuple[float, int]] = []  # negated keys: the worst is on top
        self._rest: list[tuple[float, int]] = []

    def enter(self, metric: float, lot: int) -> Entry:
        """Enter a metric (``inf`` for one that is no number) and judge it.

        A number goes on if it is among the kept, or while the rung has at most
        ``quorum`` entries; what is no number never goes on, but counts.
        """
        self.entries = n = self.entries + 1
        keep = n // self.eta or 1
        kept = self._kept
        key = (metric, lot)
        negated = (-metric, -lot)
        if kept and negated > kept[0]:  # better than the worst kept
            if len(kept) < keep:
                heappush(kept, negated)
            else:
                worst = heappushpop(kept, negated)
                heappush(self._rest, (-worst[0], -worst[1]))
            is_kept = True
        elif len(kept) < keep:  # a place came free: the best of the others takes it
            best = heappushpop(self._rest, key)
            heappush(kept, (-best[0], -best[1]))
            is_kept = best == key
        else:
            heappush(self._rest, key)
            is_kept = False
        goes_on = metric != inf and (is_kept or n <= self.quorum)
        self.passed += goes_on
        return Entry(n, keep, -kept[0][0], goes_on)

    @property
    def cutoff(self) -> float | None:
        """The worst metric among the kept, smaller being better; None where that is no number."""
        return -self._kept[0][0] if self._kept and self._kept[0][0] != -inf else None

    def validate(self) -> None:
        """Check the invariants; AssertionError where one is broken."""
        assert 0 <= self.passed <= self.entries
        assert len(self._kept) + len(self._rest) == self.entries
        if self.entries:
            assert len(self._kept) == max(self.entries // self.eta, 1)
        if self._kept and self._rest:
            worst = (-self._kept[0][0], -self._kept[0][1])
            assert worst < self._rest[0]
