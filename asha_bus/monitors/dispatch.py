"""Tells the monitors of a run what happens, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

from asha_bus.monitors.base import Monitor, RunInfo, Snapshot, TrialEvent, tell
from asha_bus.monitors.screen import print_text
from asha_bus.results.result import Result

#: So many happenings wait for a busy monitor; what comes on top of them is left out.
MOST_WAITING = 10_000

#: Seconds that all monitors together are waited for at the end.
_FINISH_S = 5.0


class Dispatcher:
    """Stands between a run and its monitors: none of them can hold up or break the run.

    An exception of a monitor is logged once, and switches that monitor off. While one
    is busy, what happens waits for it, up to `MOST_WAITING` happenings, and of the
    snapshots the newest.
    """

    def __init__(self, monitors: Sequence[Monitor], logger: logging.Logger) -> None:
        self._posts = [_Post(monitor, logger) for monitor in monitors]
        self._logger = logger
        #: Whether any of them looks at the trials.
        self.follows_trials = any(monitor.follows_trials for monitor in monitors)

    def start(self, run: RunInfo) -> None:
        """The run begins; to be called once, before `update` and `finish`."""
        for post in self._posts:
            post.start(run)

    def update(self, events: Sequence[TrialEvent], snapshot: Snapshot) -> None:
        """Pass on what has happened since the last call, and how the run stands now."""
        for post in self._posts:
            post.put(events, snapshot)

    def write(self, text: str) -> None:
        """Show a line that a worker printed: by the first monitor that does, or on stdout.

        May be called at any time from any thread.
        """
        if not any(post.write(text) for post in self._posts):
            print_text(f"{text}\n")

    def finish(self, result: Result | None) -> None:
        """The run is over: wait some seconds for the monitors, and leave behind who is not done."""
        for post in self._posts:
            post.finish(result)
        deadline = time.monotonic() + _FINISH_S
        for post in self._posts:
            if not post.wait(deadline - time.monotonic()):
                self._logger.warning(
                    "monitor %s is still busy %.0f s after the end of the run, and is left behind",
                    post.name,
                    _FINISH_S,
                )


class _Post:
    """One monitor with its thread, and what waits for it."""

    def __init__(self, monitor: Monitor, logger: logging.Logger) -> None:
        self.name = type(monitor).__name__
        self._monitor = monitor
        self._logger = logger
        self._changed = threading.Condition()
        self._happenings: deque[TrialEvent] = deque()
        self._snapshot: Snapshot | None = None
        self._left_out = 0
        self._result: Result | None = None
        self._is_over = False
        self._is_off = False
        self._thread: threading.Thread | None = None

    def start(self, run: RunInfo) -> None:
        self._thread = threading.Thread(
            target=self._work, args=(run,), name=f"asha-bus-monitor-{self.name}", daemon=True
        )
        self._thread.start()

    def put(self, events: Sequence[TrialEvent], snapshot: Snapshot) -> None:
        with self._changed:
            if self._is_off:
                return
            room = MOST_WAITING - len(self._happenings)
            self._happenings.extend(events[:room])
            self._snapshot = snapshot
            lost = max(len(events) - room, 0)
            is_first = lost > 0 and not self._left_out
            self._left_out += lost
            self._changed.notify()
        if is_first:
            self._logger.warning(
                "monitor %s is too slow: what happens is left out there from now and then on; "
                "how much, the log tells at the end",
                self.name,
            )

    def write(self, text: str) -> bool:
        if self._is_off:
            return False
        try:
            return bool(self._monitor.write(text))
        except Exception:
            self._switch_off()
            return False

    def finish(self, result: Result | None) -> None:
        with self._changed:
            self._result, self._is_over = result, True
            self._changed.notify()

    def wait(self, timeout: float) -> bool:
        """Whether the monitor is done within ``timeout`` seconds."""
        if self._thread is not None:
            self._thread.join(max(timeout, 0.0))
            if self._thread.is_alive():
                return False
        if self._left_out:
            self._logger.warning(
                "monitor %s: %d happenings were left out", self.name, self._left_out
            )
        return True

    # --- the monitor's own thread ---------------------------------------------

    def _work(self, run: RunInfo) -> None:
        try:
            self._monitor.on_start(run)
            while self._tell_more():
                pass
        except BaseException:  # SystemExit, too, is no affair of the run
            self._switch_off()

    def _tell_more(self) -> bool:
        """Wait for what happens, and tell it; False after the end."""
        with self._changed:
            self._changed.wait_for(self._has_news)
            events, self._happenings = self._happenings, deque()
            snapshot, self._snapshot = self._snapshot, None
            is_over = self._is_over
        for event in events:
            if self._is_off:  # its write() failed
                return False
            tell(self._monitor, event)
        if self._is_off:
            return False
        if snapshot is not None:
            self._monitor.on_refresh(snapshot)
        if is_over:
            self._monitor.on_finish(self._result)
        return not is_over

    def _has_news(self) -> bool:
        return bool(self._happenings or self._snapshot or self._is_over or self._is_off)

    def _switch_off(self) -> None:
        """Log the exception that is being handled, the first one only."""
        with self._changed:
            if self._is_off:
                return
            self._is_off = True
            self._happenings.clear()
            self._snapshot = None
            self._changed.notify()
        self._logger.exception("monitor %s failed and is switched off", self.name)
