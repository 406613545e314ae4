"""How soon a helper process is started again, and when that is in vain."""

from __future__ import annotations

#: The number of fruitless starts in a row after which more are in vain.
MAX_FRUITLESS = 5
#: Ends further apart than this (seconds of the driver's running time) are not in a row.
APART_S = 600.0
#: The pause before the next start: the first and the longest; it doubles for each
#: fruitless one.
_PAUSE_FIRST_S = 0.1
_PAUSE_LAST_S = 10.0


class Restarts:
    """Counts the starts in a row after which a process did nothing of use."""

    def __init__(self) -> None:
        #: How many in a row.
        self.fruitless = 0
        self._ended_s = 0.0

    def of_use(self) -> None:
        """The process that was started last has done something of use."""
        self.fruitless = 0

    def next_pause_s(self, now_s: float = 0.0) -> float:
        """The process has ended, or could not be started; seconds until the next start.

        ``now_s``: the running time of this process, where ends far apart do not add up.
        """
        if now_s - self._ended_s > APART_S:
            self.fruitless = 0
        self._ended_s = now_s
        self.fruitless += 1
        return min(_PAUSE_FIRST_S * 2.0 ** min(self.fruitless - 1, 10), _PAUSE_LAST_S)

    @property
    def is_in_vain(self) -> bool:
        """Whether too many in a row were fruitless."""
        return self.fruitless > MAX_FRUITLESS
