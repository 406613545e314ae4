"""A thread of its own for one trial, which takes turns with the worker's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

from asha_bus.executor.interrupt import TrialInterrupted

#: How often the worker's thread looks whether that of the trial still lives.
_LOOK_S = 1.0


class OwnThread:
    """Runs ``function`` in a thread, but only while the worker's thread waits in `step`.

    The thread is a daemon: one that never ends does not keep the process.
    """

    def __init__(self, function: Callable[[], object], name: str) -> None:
        self._function: Callable[[], object] | None = function
        self._turn = threading.Semaphore(0)
        self._turn_back = threading.Semaphore(0)
        self._error: BaseException | None = None
        #: Whether the function has returned or raised.
        self.has_ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise MemoryError(f"no thread for another trial: {error}") from error

    @property
    def ident(self) -> int:
        """The identifier of the thread."""
        assert self._thread.ident is not None
        return self._thread.ident

    def step(self) -> None:
        """Let the function run until it parks or ends; raises what it raised."""
        self._turn.release()
        while not self._turn_back.acquire(timeout=_LOOK_S):
            if not self._thread.is_alive():  # an interrupt struck after its last line
                self._error, self.has_ended = self._error or TrialInterrupted(), True
                break
        if self._error is not None:
            error, self._error = self._error, None
            try:
                raise error
            finally:
                del error  # its frames hold what the objective holds

    def park(self) -> None:
        """Return the turn to the worker's thread, and wait for the next one.

        Called in any thread of the objective: the one that reports.
        """
        self._turn_back.release()
        self._turn.acquire()

    def free(self) -> None:
        """Let nobody wait in `park` any more: the function has ended."""
        self._turn.release()

    def _run(self) -> None:
        self._turn.acquire()
        function, self._function = self._function, None
        assert function is not None
        try:
            function()
        except BaseException as error:  # `step` raises it in the worker's thread
            self._error = error
        del function
        self.has_ended = True
        self._turn_back.release()
