"""The buses that stand by: they follow a long journal, to take over when the bus dies."""

from __future__ import annotations

import select
import subprocess
from collections.abc import Callable

from asha_bus.driver import process

#: From this length of the journal on, some 0.7 s to read, another bus follows it and
#: stands by, so that the death of the first costs no more time in a long run.
STANDBY_BYTES = 1 << 22
#: Up to this length two do, so that the death of the second costs no more either. In a longer
#: journal they would take too much memory.
TWO_STANDBYS_BYTES = 1 << 25


class Standbys:
    """``start`` starts a bus that stands by; the caller holds a lock around each call."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self._waiting: list[subprocess.Popen[bytes]] = []

    def fill(self, journal_bytes: int) -> None:
        """Start another one, if the journal is so long that there should be more."""
        wanted = 2 if journal_bytes < TWO_STANDBYS_BYTES else 1
        if journal_bytes < STANDBY_BYTES or len(self._waiting) >= wanted:
            return
        # one after the other: a busy machine has no time for two that catch up
        if not self._waiting or _has_spoken(self._waiting[-1]):
            self._waiting.append(self._start())

    def take(self, timeout_s: float) -> subprocess.Popen[bytes] | None:
        """The one that is to take over; None: there is none that lives."""
        while self._waiting:
            oldest = self._waiting.pop(0)
            if oldest.poll() is None:
                return oldest
            process.end(oldest, timeout_s)
        return None

    def take_all(self) -> list[subprocess.Popen[bytes]]:
        """All of them, which the caller is to end."""
        waiting, self._waiting = self._waiting, []
        return waiting


def _has_spoken(standby: subprocess.Popen[bytes]) -> bool:
    """Whether a bus that stands by has caught up, as it says once, or has ended."""
    poll = select.poll()
    assert standby.stdout is not None
    poll.register(standby.stdout, select.POLLIN)
    return bool(poll.poll(0))
