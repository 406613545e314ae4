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
import threading
import time
from types import FrameType
from typing import Any

from asha_bus.core.messages import Interrupt
from asha_bus.core.running import RunningTime
from asha_bus.executor.limit import TimeLimit

logger = logging.getLogger("asha_bus.executor")

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
    call. In any other thread it comes with the next Python instruction. ``armed`` is set
    while the user's code runs, and cleared while that code is inside a call to the bus.
    """

    def __init__(self) -> None:
        self.armed = False
        #: The limit of the current attempt; None: no attempt is running, or it has no limit.
        self.limit: TimeLimit | None = None
        #: The limit that caused the pending signal; None: the end of the run caused it.
        self._aimed_at: TimeLimit | None = None
        #: The thread of the objective.
        self.thread = threading.get_ident()
        self._previous: Any = None
        self._interrupt_at = self._exit_at = float("inf")
        self._running = RunningTime(time.monotonic(), time.process_time())
        self._lock = threading.Lock()  # the objective's thread also looks at the time

    def __enter__(self) -> Interrupter:
        if self._by_signal:
            self._previous = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        self.armed = False
        if self._by_signal:
            signal.signal(signal.SIGINT, self._previous)

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
        if thread == threading.main_thread().ident:
            self._aimed_at = limit
            signal.pthread_kill(thread, signal.SIGINT)
            return
        self.armed = False
        if limit is not None:
            limit.is_over = True
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
            self.armed = False
            if limit is None:
                raise TrialInterrupted("the run has ended")
            limit.is_over = True
            raise TrialInterrupted("trial_timeout has passed")
        if limit is not None:
            limit.missed()
