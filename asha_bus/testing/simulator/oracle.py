"""The rules of rungs as they are written down: sort all entries, and look."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite

from asha_bus.core.schedulers.rung import Entry


class Oracle:
    """Decides like `asha_bus.core.schedulers.rung.Rung`, slowly."""

    def __init__(self, eta: int, quorum: int = 0) -> None:
        self._eta, self._quorum = eta, quorum
        self._keys: list[tuple[float, int]] = []

    def enter(self, metric: float, lot: int) -> Entry:
        """Enter a metric (``inf`` for one that is not finite) and judge it."""
        key = (metric, lot)
        self._keys.append(key)
        n = len(self._keys)
        keep = max(n // self._eta, 1)
        kept = sorted(self._keys)[:keep]
        goes_on = metric != inf and (key in kept or n <= self._quorum)
        return Entry(n, keep, kept[-1][0], goes_on)


def best_of(entries: Mapping[int, float], keep: int, lots: Mapping[int, int]) -> set[int]:
    """Who continues at a rung that waits for all: the ``keep`` best finite ones.

    ``entries``: the metrics by configuration, smaller being better; ``lots`` decide between
    equal ones.
    """
    finite = [number for number, metric in entries.items() if isfinite(metric)]
    return set(sorted(finite, key=lambda number: (entries[number], lots[number]))[:keep])
