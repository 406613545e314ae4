"""A rung of successive halving: ranks the trials that reached one resource."""

from __future__ import annotations

from heapq import heappush, heappushpop
from math import inf
from typing import NamedTuple

from asha_bus.core.messages import of_fields


class Entry(NamedTuple):
    """The outcome of one entry: size of the rung, places kept, cutoff, and the decision."""

    n: int
    keep: int
    #: The worst kept metric (smaller is better); infinite if it is not a finite number.
    cutoff: float
    goes_on: bool


class Rung:
    """The entries of one rung, each a key ``(metric, lot)``; smaller is better.

    The best ``max(n // eta, 1)`` of ``n`` entries are kept in one heap and the others in
    another, so an entry costs O(log n). The lot, a pseudo-random number, breaks ties. If
    all tied trials continued, a plateau would stop no trial. If the earliest won, no later
    trial of a plateau would ever pass.
    """

    __slots__ = ("_kept", "_rest", "entries", "eta", "passed", "quorum", "resource")

    def __init__(self, resource: float, eta: int, quorum: int = 0) -> None:
        self.resource = resource
        self.eta = eta
        self.quorum = quorum
        self.entries = 0
        #: How many entries passed, so that their trials continued.
        self.passed = 0
        self._kept: list[tuple[float, int]] = []  # negated keys: the worst is on top
        self._rest: list[tuple[float, int]] = []

    def enter(self, metric: float, lot: int) -> Entry:
        """Enter a metric and decide; ``inf`` stands for a metric that is not finite.

        A finite metric passes if it is among the kept ones, or while the rung has at most
        ``quorum`` entries. A metric that is not finite counts, but never passes.
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
        elif len(kept) < keep:  # a new place: the best of the others gets it
            best = heappushpop(self._rest, key)
            heappush(kept, (-best[0], -best[1]))
            is_kept = best == key
        else:
            heappush(self._rest, key)
            is_kept = False
        goes_on = metric != inf and (is_kept or n <= self.quorum)
        self.passed += goes_on
        return of_fields(Entry, (n, keep, -kept[0][0], goes_on))

    @property
    def cutoff(self) -> float | None:
        """The worst kept metric (smaller is better); None if it is not a finite number."""
        return -self._kept[0][0] if self._kept and self._kept[0][0] != -inf else None

    def validate(self) -> None:
        """Check the invariants; raises `AssertionError` if one is broken."""
        assert 0 <= self.passed <= self.entries
        assert len(self._kept) + len(self._rest) == self.entries
        if self.entries:
            assert len(self._kept) == max(self.entries // self.eta, 1)
        if self._kept and self._rest:
            worst = (-self._kept[0][0], -self._kept[0][1])
            assert worst < self._rest[0]
