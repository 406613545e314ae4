"""The best of all keys that entered a rung, however many places there are."""

from __future__ import annotations

from heapq import heappop, heappush, heappushpop

from asha_bus.core.schedulers.configuration import Key


class Best:
    """The best keys, as many as there are places, in one heap, and the others in another.

    An entry, and each place more or less, costs O(log n). There are no places at first.
    """

    __slots__ = ("_kept", "_rest")

    def __init__(self) -> None:
        self._kept: list[Key] = []  # negated keys: the worst is on top
        self._rest: list[Key] = []

    def enter(self, key: Key) -> Key:
        """Enter ``key``; return the one that has no place: ``key``, or the worst before it."""
        out = _negated(heappushpop(self._kept, _negated(key))) if self._kept else key
        heappush(self._rest, out)
        return out

    def keep(self, places: int) -> list[Key]:
        """Let there be ``places``; return the keys that get a new one, the best one first."""
        found: list[Key] = []
        kept, rest = self._kept, self._rest
        while rest and len(kept) < places:
            found.append(rest[0])
            heappush(kept, _negated(heappop(rest)))
        while len(kept) > places:
            heappush(rest, _negated(heappop(kept)))
        return found

    def __contains__(self, key: Key) -> bool:
        """Whether ``key``, which has entered, has a place."""
        return bool(self._kept) and _negated(key) >= self._kept[0]

    def __len__(self) -> int:
        """How many have a place."""
        return len(self._kept)

    @property
    def worst(self) -> Key | None:
        """The worst key that has a place; None: there is none."""
        return _negated(self._kept[0]) if self._kept else None

    def validate(self, entries: int) -> None:
        """Check the invariants for this number of entries; `AssertionError` if one is broken."""
        assert len(self._kept) + len(self._rest) == entries
        assert not self._kept or not self._rest or _negated(self._kept[0]) < self._rest[0]

    def all_kept(self) -> set[Key]:
        """The keys that have a place."""
        return set(map(_negated, self._kept))


def _negated(key: Key) -> Key:
    return -key[0], -key[1], -key[2]
