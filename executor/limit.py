"""The time that one attempt may take, and what becomes of it beyond that.

First the objective is interrupted, so that its ``finally`` runs. If it does not end
within a grace, the bus is told that the trial failed, and the worker's process ends.
Native code that holds the interpreter's lock stops the threads that would do so; then
a watchdog outside of the interpreter ends the process, and the bus loses the worker.
"""

from __future__ import annotations

import faulthandler
import sys
import traceback

#: After the interrupt, so many seconds are left for the objective's clean-up.
GRACE_S = 5.0

#: The watchdog waits for so many seconds more than the worker itself would take.
_WATCHDOG_S = 5.0

_STDERR_FD = 2


class TimeLimit:
    """The limit of one attempt that began at ``now``; times are seconds on a monotonic clock."""

    def __init__(self, trial: int, attempt: int, seconds: float, now: float) -> None:
        self.trial = trial
        self.attempt = attempt
        self._seconds = seconds
        self._ends_at = now + seconds
        self._tried_at: float | None = None
        #: The objective was interrupted, whatever it made of that.
        self.is_over = False

    def start_watchdog(self) -> None:
        """From now on the process ends some time after the limit, whatever happens in it.

        There is one such timer in a process: an objective that sets it anew takes over.
        """
        patience_s = self._seconds + GRACE_S + _WATCHDOG_S
        faulthandler.dump_traceback_later(patience_s, file=_STDERR_FD, exit=True)

    def stop_watchdog(self) -> None:
        """The attempt has ended."""
        faulthandler.cancel_dump_traceback_later()

    def wants_interrupt(self, now: float) -> bool:
        """Whether the objective is to be interrupted, perhaps once more."""
        if self.is_over or now < self._ends_at:
            return False
        if self._tried_at is None:
            self._tried_at = now
        return True

    def missed(self) -> None:
        """The interrupt met the objective while it talked to the bus: try again."""
        self._tried_at = None

    def is_ignored(self, now: float) -> bool:
        """Whether the grace after the interrupt has passed."""
        return self._tried_at is not None and now >= self._tried_at + GRACE_S

    def failure(self, trace: str | None) -> str:
        """The error of the trial; ``trace`` is the traceback of its end, if it has one."""
        text = (
            f"TrialTimeout: the trial ran longer than trial_timeout={self._seconds:g} s; raise "
            f"trial_timeout, or have the objective do less in one trial"
        )
        return text if trace is None else f"{trace.rstrip()}\n{text}"

    def failure_of(self, thread: int) -> str:
        """The error of a trial that ignores its interrupt in ``thread``."""
        frame = sys._current_frames().get(thread)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        text = self.failure(f"The objective was here (most recent call last):\n{stack}")
        return (
            f"{text}. It did not end within {GRACE_S:g} s of its interrupt, so its worker's "
            f"process was ended"
        )
