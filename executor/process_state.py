"""What an objective may change for its whole process, and a worker needs as it was."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

#: ``signal.getsignal`` without the enums that it makes, which every turn of trials would wait
#: for: all signals take 2 us instead of 28 (Python 3.11). Other Pythons may lack that module.
_handler_of: Callable[[int], Any] = sys.modules.get("_signal", signal).getsignal

_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class ProcessState:
    """The signal handlers, the blocked signals and the current folder at this moment.

    Made and used in the main thread, the only one that may set signal handlers.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Any] = {
            number: handler
            for number in map(int, signal.valid_signals())
            if (handler := _handler_of(number)) is not None  # set by native code
        }
        #: A timer that runs already belongs to somebody else.
        self._timers = [timer for timer in _TIMERS if not any(signal.getitimer(timer))]
        self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        # a descriptor, since the folder may be renamed, or its path lead elsewhere
        try:
            self._folder: int | None = os.open(".", os.O_RDONLY)
        except OSError:  # it was deleted, or may not be read
            self._folder = None

    def put_back_signals(self) -> None:
        """Set all handlers as they were, and turn off the timers that were off."""
        for timer in self._timers:
            signal.setitimer(timer, 0)
        signal.set_wakeup_fd(-1)  # of an event loop that is closed by now
        for number, handler in self._handlers.items():
            if _handler_of(number) != handler:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)

    def put_back_folder(self) -> None:
        """Return to the folder, unless that has become impossible."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                os.chdir(self._folder)

    def close(self) -> None:
        """Put everything back for the last time."""
        self.put_back_signals()
        self.put_back_folder()
        if self._folder is not None:
            os.close(self._folder)
