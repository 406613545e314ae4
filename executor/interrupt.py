"""Interrupts an objective that must end but does not reach its next report.

At the end of a run the worker's next report becomes a request, which the bus answers
with `Stop`. If no report comes, an exception is raised in the objective's thread, so
that its ``finally`` blocks run. If the objective ignores the exception, the process
exits. In a trial that exceeds its time limit the exception is raised at once.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from types import FrameType

from asha_bus.core.messages import Interrupt
from asha_bus.core.running import RunningTime
from asha_bus.executor.limit import TimeLimit
from asha_bus.executor.process_state import ProcessState

logger = logging.getLogger("asha_bus.executor")

#: The signal that interrupts an objective. Programs and libraries have handlers of SIGINT, or
#: ignore it, but do not use this one. Systems without real-time signals have none for it.
SIGNAL = signal.SIGRTMIN + 1 if sys.platform.startswith("linux") else signal.SIGINT

#: The exit status of a worker whose objective did not end in time.
EXIT_STATUS = 70


class TrialInterrupted(BaseException):
    """Raised inside an objective that exceeds its time limit, or whose run has ended.

    It derives from `BaseException`, so an ``except Exception`` in the objective does not
    catch it.
    """


def end_process(why: str) -> None:
    """Exit this worker's process at once, without any clean-up."""
    logger.warning("%s: this worker's process exits", why)
    logging.shutdown()
    os._exit(EXIT_STATUS)


class Interrupter:
    """Raises `TrialInterrupted` in ``thread``, by default the one that created it, if ``armed``.

    In the main thread the exception comes by a signal, which also ends a blocking system
    call. In any other thread, and where the objective has a handler of that signal, it comes
    with the next Python instruction. ``armed`` is set while the user's code runs, and cleared
    while that code is inside a call to the bus.

    Within ``with``, it has handlers of `SIGNAL` and SIGINT, and `put_back` undoes what an
    objective has changed of its process.
    """

    def __init__(self) -> None:
        self.armed = False
        #: Whether the end of the run has interrupted the current attempt.
        self.has_ended_attempt = False
        #: The limit of the current attempt; None: no attempt is running, or it has no limit.
        self.limit: TimeLimit | None = None
        #: The limit that caused the pending signal; None: the end of the run caused it.
        self._aimed_at: TimeLimit | None = None
        #: The thread of the objective.
        self.thread = threading.get_ident()
        self._before: ProcessState | None = None
        self._own: ProcessState | None = None
        self._interrupt_at = self._exit_at = float("inf")
        self._running = RunningTime(time.monotonic(), time.process_time())
        self._lock = threading.Lock()  # the objective's thread also looks at the time

    def __enter__(self) -> Interrupter:
        if self._by_signal:
            self._before = ProcessState()
            for number in {SIGNAL, signal.SIGINT}:
                signal.signal(number, self._on_signal)
            self._own = ProcessState()
        return self

    def __exit__(self, *exception: object) -> None:
        self.armed = False
        for state in (self._own, self._before):
            if state is not None:
                state.close()

    def put_back(self, *, is_end: bool) -> None:
        """Undo what an objective has changed of its process, at its end or at a pause.

        Timers and signal handlers would strike the next trial. The current folder is restored at
        the end only.
        """
        if self._own is not None:
            self._own.put_back_signals()
            if is_end:
                self._own.put_back_folder()

    @property
    def _by_signal(self) -> bool:
        return self.thread == threading.main_thread().ident

    @property
    def ordered(self) -> bool:
        """Whether the run is ending."""
        return self._exit_at != float("inf")

    def now(self) -> float:
        """The clock of all times here: seconds that this process ran, or native code in it."""
        with self._lock:
            return self._running.tick(time.monotonic(), time.process_time())

    def order(self, order: Interrupt, now: float) -> None:
        """Set the deadlines at the end of the run; a later order can only shorten them."""
        self._interrupt_at = min(self._interrupt_at, now + order.interrupt_s)
        self._exit_at = min(self._exit_at, now + order.exit_s)

    def tick(self, now: float) -> None:
        """Interrupt or exit if that is due; another thread calls this regularly."""
        if now >= self._exit_at:
            end_process("the objective did not end in time")
        limit = self.limit
        if self.armed and now >= self._interrupt_at:
            self._interrupt(None)
        elif self.armed and limit is not None and limit.wants_interrupt(now):
            self._interrupt(limit)

    def _interrupt(self, limit: TimeLimit | None) -> None:
        thread = self.thread  # the worker's thread may change it at any point
        is_main = thread == threading.main_thread().ident
        if is_main and signal.getsignal(SIGNAL) == self._on_signal:
            self._aimed_at = limit
            signal.pthread_kill(thread, SIGNAL)
            return
        self._strike(limit)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread), ctypes.py_object(TrialInterrupted)
        )

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        limit, self._aimed_at = self._aimed_at, None
        if not self._by_signal:
            return  # the objective has a thread of its own now
        if limit is not None and limit is not self.limit:
            return  # the signal was meant for an earlier trial
        if self.armed:
            self._strike(limit)
            raise TrialInterrupted(
                "the run has ended" if limit is None else "trial_timeout has passed"
            )
        if limit is not None:
            limit.missed()

    def _strike(self, limit: TimeLimit | None) -> None:
        """Note that the objective is interrupted now."""
        self.armed = False
        if limit is not None:
            limit.is_over = True
        elif self.ordered:
            self.has_ended_attempt = True
