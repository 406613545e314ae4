"""The bus that stands by: it follows a long journal, to take over when the bus dies."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from asha_bus.driver.bus_process import BusProcess
from asha_bus.driver.restarts import Restarts
from asha_bus.formats import pipe

logger = logging.getLogger("asha_bus")

#: From this length of the journal on, about 0.4 s to read, another bus follows it and
#: stands by, so that the death of the first costs no more time in a long run.
STANDBY_BYTES = 1 << 22


class Standby:
    """Keeps one when the journal is long; to be used by one thread at a time.

    A bus that is set up with a long journal forks it, which takes some milliseconds, so that
    the next death may follow at once. One that is started has to read the journal.

    The run continues without where none can be started, or each one dies.
    """

    def __init__(self, start: Callable[[], BusProcess]) -> None:
        self._start = start
        self._waiting: BusProcess | None = None
        self._restarts = Restarts()
        self._due = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether it lives, and has read the journal."""
        waiting = self._waiting
        return waiting is not None and waiting.has_spoken

    def fill(self, setup: pipe.BusSetup) -> None:
        """Start one, if the journal is so long that there should be one, and there is none."""
        if self._waiting is not None:
            if not self._waiting.has_exited:
                return
            self.close()
        if not _is_long(setup) or time.monotonic() < self._due or self._restarts.is_in_vain:
            return
        self._due = time.monotonic() + self._restarts.next_pause_s()
        try:
            self._waiting = self._start()
        except OSError as error:
            logger.warning("no second bus can stand by: %s", error)
            return
        self._waiting.write(
            pipe.StandbySetup(setup.journal_fd, setup.journal_path, setup.scheduler)
        )

    def take(self) -> BusProcess | None:
        """The one that is to take over; None if there is none that lives."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return None
        if waiting.meet():
            self._restarts.of_use()
            return waiting
        waiting.kill()
        waiting.close(0.0)
        return None

    def set_up(self, bus: BusProcess, setup: pipe.BusSetup) -> None:
        """Have ``bus`` begin, which then has a twin if the journal is long."""
        if _is_long(setup):
            try:
                self._waiting = bus.twin()
                setup = setup._replace(twins=bus.their_twins)
            except OSError as error:
                logger.warning("no second bus can stand by: %s", error)
        bus.write(setup)

    def close(self) -> None:
        """End it, at once: it writes nothing."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.kill()
            waiting.close(1.0)


def _is_long(setup: pipe.BusSetup) -> bool:
    return os.fstat(setup.journal_fd).st_size >= STANDBY_BYTES
