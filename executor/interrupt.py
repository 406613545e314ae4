"""Ending an objective that does not come to its next report.

First the worker's next report becomes a question to the bus, whose answer is to
stop. If none comes, the objective's thread gets an exception, so that its
``finally`` runs; if that does not help, the process ends.
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

logger = logging.getLogger("asha_bus.executor")

#: The exit status of a worker whose objective would not end.
EXIT_STATUS = 70


class TrialInterrupted(BaseException):
    """Raised inside an objective when the run has ended and it did not report.

    It is no `Exception`, so that an ``except Exception`` of the objective does not
    catch it.
    """


class Interrupter:
    """Raises `TrialInterrupted` in the thread that made it, while ``armed`` is set.

    In a main thread it comes by a signal, which ends a blocking system call, too;
    elsewhere it comes with the next Python instruction. ``armed`` is set while the
    user's code runs, and cleared while that has called the bus.
    """

    def __init__(self) -> None:
        self.armed = False
        self._thread = threading.get_ident()
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
            logger.warning("the objective did not end in time: this worker's process ends")
            logging.shutdown()
            os._exit(EXIT_STATUS)
        if now >= self._interrupt_at and self.armed:
            if self._by_signal:
                signal.pthread_kill(self._thread, signal.SIGINT)
            else:
                self.armed = False
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._thread), ctypes.py_object(TrialInterrupted)
                )

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.armed:
            self.armed = False
            raise TrialInterrupted("the run has ended")
