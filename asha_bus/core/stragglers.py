"""How long rungs have waited for their last trials."""

from __future__ import annotations

from collections.abc import Iterable

#: A bracket and one of its rungs.
RungKey = tuple[int, int]


class Stragglers:
    """Since when each rung waits for its last trials, all of which have begun.

    ``timeout_s`` None: rungs wait without limit. Times are seconds on the run's clock.
    """

    def __init__(self, timeout_s: float | None) -> None:
        self.timeout_s = timeout_s
        self._since: dict[RungKey, float] = {}

    def update(self, rungs: Iterable[RungKey], now: float) -> None:
        """These rungs wait, and no others."""
        self._since = {key: self._since.get(key, now) for key in rungs}

    def restart(self, now: float) -> None:
        """The bus was down, which counts for nobody: all times start again."""
        self._since = dict.fromkeys(self._since, now)

    def stalled(self, seconds: float) -> None:
        """The bus did not run for ``seconds``."""
        self._since = {key: since + seconds for key, since in self._since.items()}

    @property
    def due(self) -> float | None:
        """When the next rung has waited long enough; None: never."""
        if self.timeout_s is None or not self._since:
            return None
        return min(self._since.values()) + self.timeout_s

    def expired(self, now: float) -> list[RungKey]:
        """The rungs that have waited long enough."""
        if self.timeout_s is None:
            return []
        return [key for key, since in self._since.items() if now >= since + self.timeout_s]
