"""Dispatches the events of a run to its monitors, each in its own thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

from asha_bus.monitors.base import Monitor, RunInfo, Snapshot, TrialEvent, dispatch
from asha_bus.monitors.screen import print_text
from asha_bus.results.result import Result

#: At most this many events are queued for a busy monitor; later ones are dropped.
MOST_WAITING = 10_000

#: Seconds to wait at the end for all monitors together.
_FINISH_S = 5.0


class Dispatcher:
    """Stands between a run and its monitors, so that no monitor can delay or break the run.

    An exception of a monitor is logged once and switches that monitor off. While a monitor is
    busy, up to `MOST_WAITING` events and the newest snapshot are queued for it.
    """

    def __init__(self, monitors: Sequence[Monitor], logger: logging.Logger) -> None:
        self._threads = [_MonitorThread(monitor, logger) for monitor in monitors]
        self._logger = logger
        #: Whether any monitor needs the trials.
        self.follows_trials = any(monitor.follows_trials for monitor in monitors)

    def start(self, run: RunInfo) -> None:
        """Start the monitors; call it once, before `update` and `finish`."""
        for thread in self._threads:
            thread.start(run)

    def update(self, events: Sequence[TrialEvent], snapshot: Snapshot) -> None:
        """Pass on the events since the last call and the current snapshot."""
        for thread in self._threads:
            thread.put(events, snapshot)

    def write(self, text: str) -> None:
        """Show a line that a worker printed, by the first monitor that shows it or on stdout.

        It may be called at any time from any thread.
        """
        if not any(thread.write(text) for thread in self._threads):
            print_text(f"{text}\n")

    def finish(self, result: Result | None, within_s: float | None = None) -> None:
        """End the monitors, and wait at most ``within_s`` for them, `_FINISH_S` by default."""
        within_s = _FINISH_S if within_s is None else within_s
        for thread in self._threads:
            thread.finish(result)
        deadline = time.monotonic() + within_s
        for thread in self._threads:
            if not thread.wait(deadline - time.monotonic()):
                self._logger.warning(
                    "monitor %s is still busy %.0f s after the end of the run; no longer waiting",
                    thread.name,
                    within_s,
                )


class _MonitorThread:
    """One monitor with its thread and its queue."""

    def __init__(self, monitor: Monitor, logger: logging.Logger) -> None:
        self.name = type(monitor).__name__
        self._monitor = monitor
        self._logger = logger
        self._changed = threading.Condition()
        self._events: deque[TrialEvent] = deque()
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
            room = MOST_WAITING - len(self._events)
            self._events.extend(events[:room])
            self._snapshot = snapshot
            lost = max(len(events) - room, 0)
            is_first = lost > 0 and not self._left_out
            self._left_out += lost
            self._changed.notify()
        if is_first:
            self._logger.warning(
                "monitor %s is too slow, so some events are dropped; their number is logged at "
                "the end of the run",
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
        """Wait at most ``timeout`` seconds; return whether the monitor has finished."""
        if self._thread is not None:
            self._thread.join(max(timeout, 0.0))
            if self._thread.is_alive():
                return False
        if self._left_out:
            self._logger.warning("monitor %s: %d events were dropped", self.name, self._left_out)
        return True

    # --- the monitor's own thread ---------------------------------------------

    def _work(self, run: RunInfo) -> None:
        try:
            self._monitor.on_start(run)
            while self._handle_next():
                pass
        except BaseException:  # even SystemExit must not end the run
            self._switch_off()

    def _handle_next(self) -> bool:
        """Wait for events and pass them to the monitor; return False after the end."""
        with self._changed:
            self._changed.wait_for(self._has_work)
            events, self._events = self._events, deque()
            snapshot, self._snapshot = self._snapshot, None
            is_over = self._is_over
        for event in events:
            if self._is_off:  # its write() failed
                return False
            dispatch(self._monitor, event)
        if self._is_off:
            return False
        if snapshot is not None:
            self._monitor.on_refresh(snapshot)
        if is_over:
            self._monitor.on_finish(self._result)
        return not is_over

    def _has_work(self) -> bool:
        return bool(self._events or self._snapshot or self._is_over or self._is_off)

    def _switch_off(self) -> None:
        """Log the current exception, unless the monitor is already off, and switch it off."""
        with self._changed:
            if self._is_off:
                return
            self._is_off = True
            self._events.clear()
            self._snapshot = None
            self._changed.notify()
        self._logger.exception("monitor %s failed and is switched off", self.name)
