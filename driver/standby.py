"""The buses that stand by: they follow a long journal, to take over when the bus dies."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from asha_bus.driver.bus_process import BusProcess
from asha_bus.driver.restarts import Restarts
from asha_bus.formats import pipe

logger = logging.getLogger("asha_bus")

#: From this length of the journal on, about 0.7 s to read, another bus follows it and
#: stands by, so that the death of the first costs no more time in a long run.
STANDBY_BYTES = 1 << 22
#: Up to this length two do, so that the death of the second costs no more either. In a longer
#: journal they would take too much memory.
TWO_STANDBYS_BYTES = 1 << 25


class Standbys:
    """Starts them when the journal is long; to be used by one thread at a time.

    The run continues without where none can be started, or each one dies.
    """

    def __init__(self, start: Callable[[], BusProcess]) -> None:
        self._start = start
        self._waiting: list[BusProcess] = []
        self._restarts = Restarts()
        self._due = 0.0

    def fill(self, setup: pipe.BusSetup) -> None:
        """Start another one, if the journal is so long that there should be more."""
        for dead in [waiting for waiting in self._waiting if waiting.has_exited]:
            self._waiting.remove(dead)
            dead.close(0.0)
        length = os.fstat(setup.journal_fd).st_size
        wanted = 2 if length < TWO_STANDBYS_BYTES else 1
        if length < STANDBY_BYTES or len(self._waiting) >= wanted:
            return
        # one after the other: a busy machine has no time for two that catch up
        if self._waiting and not self._waiting[-1].has_spoken:
            return
        if time.monotonic() < self._due or self._restarts.is_in_vain:
            return
        self._due = time.monotonic() + self._restarts.next_pause_s()
        try:
            started = self._start()
        except OSError as error:
            logger.warning("no second bus can stand by: %s", error)
            return
        started.write(pipe.StandbySetup(setup.journal_fd, setup.journal_path, setup.scheduler))
        self._waiting.append(started)

    def take(self) -> BusProcess | None:
        """The one that is to take over; None if there is none that lives."""
        while self._waiting:
            oldest = self._waiting.pop(0)
            if not oldest.has_exited:
                self._restarts.of_use()
                return oldest
            oldest.close(0.0)
        return None

    def close(self) -> None:
        """End them, at once: they write nothing."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.kill()
            one.close(1.0)
