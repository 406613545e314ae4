"""Ending an objective that does not come to its next report.

First the worker's next report becomes a question to the bus, whose answer is to
stop. If none comes, the objective's thread gets an exception, so that its
``finally`` runs; if that does not help, the process ends. A trial that runs longer
than its limit gets the exception at once.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from asha_bus.core.messages import Interrupt
from asha_bus.executor.limit import TimeLimit

logger = logging.getLogger("asha_bus.executor")

#: The exit status of a worker whose objective would not end.
EXIT_STATUS = 70


class TrialInterrupted(BaseException):
    """Raised inside an objective whose time is over, or when the run has ended.

    It is no `Exception`, so that an ``except Exception`` of the objective does not
    catch it.
    """


def end_process(why: str) -> None:
    """End this worker's process, now and without any clean-up."""
    logger.warning("%s: this worker's process ends", why)
    logging.shutdown()
    os._exit(EXIT_STATUS)


class Interrupter:
    """Raises `TrialInterrupted` in the thread that made it, while ``armed`` is set.

    In a main thread it comes by a signal, which ends a blocking system call, too;
    elsewhere it comes with the next Python instruction. ``armed`` is set while the
    user's code runs, and cleared while that has called the bus.
    """

    def __init__(self) -> None:
        self.armed = False
        #: That of the attempt that runs now; None: there is none, or it has no limit.
        self.limit: TimeLimit | None = None
        #: Whose interrupt is under way; None: that of the run's end.
        self._aimed_at: TimeLimit | None = None
        self.thread = threading.get_ident()
        self._by_signal = threading.current_thread() is threading.main_thread()
        self._previous: Any = None
        self._interrupt_at = self._exit_at = float("inf")

    def __enter__(self) -> Interrupter:
        if self._by_signal:
            self._previous = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.armed = False
        if self._by_signal:
            signal.signal(signal.SIGINT, self._previous)

    @property
    def ordered(self) -> bool:
        """Whether the run is ending."""
        return self._exit_at != float("inf")

    def order(self, order: Interrupt, now: float) -> None:
        """The run ends: set the times; a later order can only shorten them."""
        self._interrupt_at = min(self._interrupt_at, now + order.interrupt_s)
        self._exit_at = min(self._exit_at, now + order.exit_s)

    def tick(self, now: float) -> None:
        """Do what is due; called by another thread every now and then."""
        if now >= self._exit_at:
            end_process("the objective did not end in time")
        limit = self.limit
        if self.armed and now >= self._interrupt_at:
            self._interrupt(None)
        elif self.armed and limit is not None and limit.wants_interrupt(now):
            self._interrupt(limit)

    def _interrupt(self, limit: TimeLimit | None) -> None:
        if self._by_signal:
            self._aimed_at = limit
            signal.pthread_kill(self.thread, signal.SIGINT)
            return
        self.armed = False
        if limit is not None:
            limit.is_over = True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self.thread), ctypes.py_object(TrialInterrupted)
        )

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        limit, self._aimed_at = self._aimed_at, None
        if limit is not None and limit is not self.limit:
            return  # it was for the trial before
        if self.armed:
            self.armed = False
            if limit is None:
                raise TrialInterrupted("the run has ended")
            limit.is_over = True
            raise TrialInterrupted("trial_timeout is over")
        if limit is not None:
            limit.missed()
