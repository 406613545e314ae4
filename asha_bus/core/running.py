"""Measures for how long a process ran, so that a pause of it counts for nobody's silence."""

from __future__ import annotations

#: A longer step between two looks means that the process, or all of its threads but one,
#: stood still: its machine slept, its container was frozen, native code kept the
#: interpreter's lock.
LONGEST_STEP_S = 1.0


class RunningTime:
    """Seconds that a process ran, as seen by somebody who looks at the clock often.

    A step that is longer than `LONGEST_STEP_S` counts as that, or as the processor time that
    the process spent in it, if the caller measures that. One thread calls `tick`, or the
    caller holds a lock.
    """

    def __init__(self, now: float, cpu_s: float = 0.0) -> None:
        self.seconds = 0.0
        self._now = now
        self._cpu_s = cpu_s

    def tick(self, now: float, cpu_s: float = 0.0) -> float:
        """Count the time until ``now``; return all seconds so far.

        ``now`` is on a monotonic clock; ``cpu_s`` is the processor time of the process.
        """
        step_s, used_s = now - self._now, cpu_s - self._cpu_s
        self.seconds += max(min(step_s, max(LONGEST_STEP_S, used_s)), 0.0)
        self._now, self._cpu_s = max(now, self._now), cpu_s
        return self.seconds
