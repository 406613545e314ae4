"""The time limit of one attempt (``trial_timeout``), and what happens beyond it.

First the objective is interrupted, so that its ``finally`` blocks run. If it does not
end within a grace period, the worker reports the trial as failed and its process exits.
Native code that holds the GIL also blocks the threads that would do this. In that case
a watchdog outside the interpreter ends the process, and the bus loses the worker.
"""

from __future__ import annotations

import faulthandler
import sys
import traceback

#: Seconds that the objective has for its clean-up after the interrupt.
GRACE_S = 5.0

#: Seconds that the watchdog waits beyond the limit and the grace period.
_WATCHDOG_S = 5.0

_STDERR_FD = 2


class TimeLimit:
    """The limit of one attempt that began at ``now``; see `Interrupter.now` for the clock.

    A pause of the process (its machine slept, its container was frozen) does not count.
    """

    def __init__(self, trial: int, attempt: int, seconds: float, now: float) -> None:
        self.trial = trial
        self.attempt = attempt
        self._seconds = seconds
        self._ends_at = now + seconds
        self._tried_at: float | None = None
        #: Whether the objective was interrupted, even if it ignored that.
        self.is_over = False

    def start_watchdog(self) -> None:
        """Start a timer that ends the process some time after the limit in any case.

        A process has only one such timer (`faulthandler.dump_traceback_later`). An
        objective that sets it replaces this one. It cannot tell a pause of the process from
        native code that blocks: a longer pause costs the attempt, which is run again.
        """
        patience_s = self._seconds + GRACE_S + _WATCHDOG_S
        faulthandler.dump_traceback_later(patience_s, file=_STDERR_FD, exit=True)

    def stop_watchdog(self) -> None:
        """Cancel the timer: the attempt has ended."""
        faulthandler.cancel_dump_traceback_later()

    def postpone(self, seconds: float) -> None:
        """Do not count time for which the attempt was paused."""
        self._ends_at += seconds

    def wants_interrupt(self, now: float) -> bool:
        """Whether the objective should be interrupted now, for the first time or again."""
        if self.is_over or now < self._ends_at:
            return False
        if self._tried_at is None:
            self._tried_at = now
        return True

    def missed(self) -> None:
        """The interrupt came while the objective was calling the bus: try again."""
        self._tried_at = None

    def is_ignored(self, now: float) -> bool:
        """Whether the grace period after the interrupt has passed."""
        return self._tried_at is not None and now >= self._tried_at + GRACE_S

    def failure(self, trace: str | None) -> str:
        """The error text of the trial; ``trace`` is the traceback of its end, or None."""
        text = (
            f"TrialTimeout: the trial ran longer than trial_timeout={self._seconds:g} s; raise "
            f"trial_timeout, or have the objective do less in one trial"
        )
        if trace is None:
            return text
        head, _, last = trace.rstrip().rpartition("\n")
        is_ours = "asha_bus.executor.interrupt.TrialInterrupted" in last  # says less than the text
        return f"{head if is_ours else trace.rstrip()}\n{text}"

    def failure_of(self, thread: int) -> str:
        """The error text of a trial that ignores its interrupt in ``thread``."""
        frame = sys._current_frames().get(thread)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        text = self.failure(f"The objective was here (most recent call last):\n{stack}")
        return (
            f"{text}. It did not end within {GRACE_S:g} s of its interrupt, so its worker's "
            f"process was ended"
        )
