"""Waits that do not count the time in which this process stood still."""

from __future__ import annotations

import threading
import time

from asha_bus.core.running import RunningTime

#: The longest wait at a time, well below the longest step that counts in full.
_STEP_S = 0.5


def wait_for(event: threading.Event, seconds: float) -> bool:
    """Wait until ``event`` is set, or until this process waited for ``seconds``.

    While the process does not run (a laptop that sleeps, a container that is frozen), nothing
    can set the event, so that time does not count. Returns whether the event is set.
    """
    running = RunningTime(time.monotonic())
    while (left_s := seconds - running.tick(time.monotonic())) > 0:
        if event.wait(min(left_s, _STEP_S)):
            return True
    return event.is_set()
