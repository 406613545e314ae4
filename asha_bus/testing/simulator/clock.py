"""Virtual time: what happens when, in an order that depends on nothing else."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable


class Clock:
    """Seconds that pass only when somebody says so.

    Of two actions at the same moment the one that was planned first comes first.

    ::

        clock = Clock()
        clock.later(2.5, lambda: print(clock.now))
        clock.advance()  # prints 2.5
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._planned = 0

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Plan ``action`` for ``seconds`` from now."""
        self.at(self.now + seconds, action)

    def at(self, moment: float, action: Callable[[], object]) -> None:
        """Plan ``action`` for this very ``moment``."""
        self._planned += 1
        heapq.heappush(self._agenda, (moment, self._planned, action))

    @property
    def next_at(self) -> float:
        """When the next action is planned for; infinite where there is none."""
        return self._agenda[0][0] if self._agenda else math.inf

    def advance(self) -> None:
        """Let time pass until the next action, and do it."""
        self.now, _, action = heapq.heappop(self._agenda)
        action()
