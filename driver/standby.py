"""A second bus that follows the journal, to take the place of the first."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from asha_bus.driver.bus_process import BusProcess
from asha_bus.driver.restarts import Restarts
from asha_bus.formats import pipe

logger = logging.getLogger("asha_bus")


class Standby:
    """Starts one when the journal is long; to be used by one thread at a time.

    The run goes on without where none can be started, or each one dies.
    """

    def __init__(self, start: Callable[[], BusProcess]) -> None:
        self._start = start
        self._process: BusProcess | None = None
        self._restarts = Restarts()
        self._due = 0.0

    def see_to_it(self, setup: pipe.BusSetup, least_bytes: int) -> None:
        """Have one stand by, if the journal has ``least_bytes`` and there is none."""
        if self._process is not None and not self._process.has_exited:
            return
        if os.fstat(setup.journal_fd).st_size < least_bytes:
            return
        if time.monotonic() < self._due or self._restarts.is_in_vain:
            return
        self.close()
        self._due = time.monotonic() + self._restarts.next_pause_s()
        try:
            self._process = self._start()
        except OSError as error:
            logger.warning("no second bus can stand by: %s", error)
            return
        self._process.write(
            pipe.StandbySetup(setup.journal_fd, setup.journal_path, setup.scheduler)
        )

    def take(self) -> BusProcess | None:
        """The one that stands by, which is to serve from now on; None if there is none."""
        found, self._process = self._process, None
        if found is not None and found.has_exited:
            found.close(0.0)
            return None
        self._restarts.of_use()
        return found

    def close(self) -> None:
        """End it, at once: it writes nothing."""
        found, self._process = self._process, None
        if found is not None:
            found.kill()
            found.close(1.0)
