"""Notices a bus that hangs, and ends it, by time in which this process did run."""

from __future__ import annotations

import logging
import time

from asha_bus.core.running import RunningTime
from asha_bus.driver.bus_process import BusProcess

logger = logging.getLogger("asha_bus")

#: A bus that answers nothing for so long, while this process runs, is taken to hang. It
#: answers between two messages, and after having read the journal.
HANG_S = 10.0
#: Workers give up a silent bus: it is replaced in this share of their patience, within limits.
_HANG_SHARE = 0.5
_HANG_LEAST_S = 2.0

#: How often a supervisor looks.
STEP_S = 0.25


class Watchdog:
    """Kills a bus that hangs, which is then replaced.

    ``bus_timeout_s``: the workers' patience with a silent bus.
    """

    def __init__(self, bus_timeout_s: float) -> None:
        self.hang_s = min(max(_HANG_SHARE * bus_timeout_s, _HANG_LEAST_S), HANG_S)
        self._running = RunningTime(time.monotonic())
        self._heard_at = 0.0
        self._killed: BusProcess | None = None

    @property
    def running_s(self) -> float:
        """The seconds in which this process ran, up to the last look."""
        return self._running.seconds

    def heard(self) -> None:
        """The bus has said something, or another one was started."""
        self._heard_at = self._running.seconds

    def look(self, bus: BusProcess, more_s: float, *, waits: bool) -> bool:
        """Look at ``bus``, regularly; whether it hangs even though it was killed.

        ``more_s``: for how much longer than usual it may be silent. ``waits``: whether an
        answer is due.
        """
        silent_s = self._running.tick(time.monotonic()) - self._heard_at
        if not waits:
            self.heard()
        if not waits or silent_s <= self.hang_s + more_s:
            return False
        self.heard()
        if bus is self._killed:
            return True
        logger.warning(
            "the bus process %d did not answer for %.0f s: it is killed and replaced",
            bus.pid,
            silent_s,
        )
        self._killed = bus
        bus.kill()
        return False
