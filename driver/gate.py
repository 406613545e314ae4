"""Holds the next trials back until the user's process has seen how those before them ended."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from asha_bus.core.events import RequestSuggestions, RequestValue
from asha_bus.core.trial import FINAL, TrialRow, TrialState
from asha_bus.driver.process import start_thread
from asha_bus.driver.readings import Suggested
from asha_bus.driver.searcher_client import Give, Suggester

#: Seconds for which the end of a run waits for a call of ``after``.
_CLOSE_S = 1.0
#: How often the workers are counted, which come and go on a cluster.
_POLL_S = 0.5


class Gate:
    """Passes the bus's requests on to ``suggester``, no more than one trial ahead of ``after``.

    ``after`` gets each trial that has ended, one after the other in a thread of the gate; True
    keeps the gate shut for good. So when it says so, each of ``workers`` has at most the trial
    that it is running, and there is no other. A trial that has paused keeps no other one back.
    ``workers()``: how many there are now. ``repeats``: how many trials each configuration has.
    """

    def __init__(
        self,
        suggester: Suggester,
        after: Callable[[TrialRow], bool],
        *,
        workers: Callable[[], int],
        repeats: int,
    ) -> None:
        self._suggester, self._after = suggester, after
        self._workers, self._repeats = workers, repeats
        self._lock = threading.Lock()
        #: The configurations that the bus has requested and the suggester has not.
        self._held: set[int] = set()
        #: The trials that were seen at their end, or have paused.
        self._passed: set[int] = set()
        self._rows: queue.SimpleQueue[TrialRow | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def tally(self) -> Suggested:
        """What the suggester has drawn so far."""
        return self._suggester.tally

    def open(self, give: Give, on_failure: Callable[[str], None]) -> None:
        """Begin; as with a `Suggester`."""
        self._suggester.open(give, on_failure)
        self._thread = start_thread(
            self._see,
            "asha-bus-gate",
            lambda error: on_failure(f"the trials that ended were seen no more: {error!r}"),
        )

    def request(self, request: RequestSuggestions) -> None:
        """Do what the bus asks for, at once or when the gate opens."""
        with self._lock:
            if not request.is_fallback:
                self._held.update(range(request.first, request.first + request.number))
                self._release()
            elif request.first not in self._held:  # else it is not the searcher who is late
                self._suggester.request(request)

    def draw(self, request: RequestValue) -> None:
        """Pass on the request of a trial that runs."""
        self._suggester.draw(request)

    def observe(self, row: TrialRow) -> None:
        """A trial entered a rung or ended."""
        self._suggester.observe(row)
        self._rows.put(row)

    def close(self) -> None:
        """Let no more through."""
        self._rows.put(None)
        self._suggester.close()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)

    def _see(self) -> None:
        """Have ``after`` see the trials that end, and let others through."""
        ended: set[int] = set()
        while True:
            try:
                row = self._rows.get(timeout=_POLL_S)
            except queue.Empty:  # a worker may have come
                with self._lock:
                    self._release()
                continue
            if row is None:
                return
            state = TrialState(row.state)
            if state in FINAL and row.id not in ended:  # a new bus tells all of them again
                ended.add(row.id)
                if self._after(row):
                    return
            elif state is not TrialState.PAUSED:
                continue
            with self._lock:
                self._passed.add(row.id)
                self._release()

    def _release(self) -> None:
        """Ask for what may begin now; the lock is held."""
        limit = len(self._passed) + self._workers()
        free = sorted(number for number in self._held if number * self._repeats < limit)
        self._held.difference_update(free)
        for number in free:
            self._suggester.request(RequestSuggestions(number, 1))
