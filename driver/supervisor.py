"""Starts the bus process, starts it again when it dies, and talks to it over a pipe."""

from __future__ import annotations

import io
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import astuple
from typing import Any, TypeVar

from asha_bus.core.errors import BusError
from asha_bus.core.events import (
    Ended,
    RequestSuggestions,
    RequestValue,
    Resumed,
    StopRun,
    StopTrial,
)
from asha_bus.core.status import Status
from asha_bus.driver.auth import Keys
from asha_bus.driver.bus_process import BusProcess, Output
from asha_bus.driver.calls import Call, Calls
from asha_bus.driver.descriptors import keep_from_forks
from asha_bus.driver.gate import Gate
from asha_bus.driver.hook_client import HookClient
from asha_bus.driver.journal import OpenJournal
from asha_bus.driver.listener import listen_at, tcp
from asha_bus.driver.patience import wait_for
from asha_bus.driver.process import start_thread
from asha_bus.driver.restarts import Restarts
from asha_bus.driver.searcher_client import Drawn, Suggester
from asha_bus.driver.silence import STEP_S, Watchdog
from asha_bus.driver.standby import STANDBY_BYTES, Standby
from asha_bus.formats import pipe

logger = logging.getLogger("asha_bus")

Answer = TypeVar("Answer")

#: A journal is read five times as fast on an idle machine.
_READ_BYTES_PER_S = 1e6
#: A bus that hangs is replaced before this.
_CALL_TIMEOUT_S = 30.0
#: After the pipe was closed the bus ends by itself within this time.
_CLOSE_TIMEOUT_S = 5.0
#: A bus that no other can replace may be silent for so much longer.
_UNJOURNALED_S = 60.0
#: How long it is tried to start another bus where the system has no processes left.
_START_AGAIN_S = 30.0


class Supervisor:
    """The bus of one run, seen from the user's process.

    ``suggester`` draws what the bus asks for, ``hooks`` say what is to stop.
    """

    def __init__(self, suggester: Suggester | Gate, hooks: HookClient | None = None) -> None:
        self.suggester, self._hooks = suggester, hooks
        self.keys = Keys.generate()
        #: How many times the bus was restarted.
        self.restarts = 0
        #: How long the bus that is there had to read the journal, in seconds.
        self.replay_s = 0.0
        #: Set when the run is over: as ``ending`` says, or by ``error``.
        self.ended = threading.Event()
        self.ending = Ended("failed", "")
        #: The bus ended again and again.
        self.error: BusError | None = None
        #: A stop had to be over by a certain time, and the bus did not answer until then.
        self.is_abandoned = False
        #: Why the searcher or a hook could not go on, where it could not.
        self.search_failure: str | None = None
        self._setup: pipe.BusSetup | None = None
        self._bus: BusProcess | None = None
        self._standby = Standby(self._start_process)
        self._output = Output()
        #: The journal, the listener and the output.
        self._opened = ExitStack()
        self._opened.callback(self._output.close)
        self._lock = threading.Lock()
        self._calls = Calls()
        self._ready = threading.Event()
        self._was_up = False
        self._is_journaled = True
        self._failure: str | None = None
        self._restarts = Restarts()
        self._watchdog = Watchdog(60.0)
        #: When a stop must be over, on the monotonic clock.
        self._deadline: float | None = None
        self._is_over = False
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._handlers: dict[type, Callable[[Any], None]] = {
            pipe.Ready: self._on_ready,
            pipe.Failed: self._on_failed,
            pipe.Reply: self._on_reply,
            pipe.Progress: lambda _: self._restarts.of_use(),
            pipe.CaughtUp: lambda _: None,  # while it stood by; see Standby
            pipe.Notice: lambda notice: logger.warning("%s", notice.text),
            pipe.Unjournaled: self._on_unjournaled,
            pipe.Observe: self._on_observe,
            pipe.Standing: self._on_standing,
            RequestSuggestions: suggester.request,
            RequestValue: suggester.draw,
            Ended: self._on_ended,
        }

    @property
    def pid(self) -> int:
        """The process id of the bus; another one after each restart."""
        return self._started.pid

    @property
    def journal_fd(self) -> int:
        """The descriptor of the journal, which stays open until `close`."""
        return self._given_setup.journal_fd

    def start(
        self,
        journal: OpenJournal,
        resumed: Resumed | None,
        scheduler: pipe.SchedulerClass | None = None,
        *,
        sync: str,
        host: str,
        port: int,
        timeout_s: float,
        bus_timeout_s: float = 60.0,
    ) -> int:
        """Start the bus, wait until it listens, and return its port; BusError if it cannot.

        ``resumed``: how to continue a journaled run. ``scheduler``: a third party's class. The
        journal is closed with the bus. ``bus_timeout_s``: the workers' patience with a silent bus.
        """
        keep_from_forks(self._opened.enter_context(io.FileIO(journal.fd, "r+")))
        self._watchdog = Watchdog(bus_timeout_s)
        try:
            self.suggester.open(self._give, self._on_search_failure)
            if self._hooks is not None:
                self._hooks.open(self.tell, self._on_search_failure)
            listener = self._opened.enter_context(listen_at(host, port))
            keep_from_forks(listener)
            address, bound = listener.getsockname()[:2]
            self._setup = pipe.BusSetup(
                keys=astuple(self.keys),
                journal_fd=journal.fd,
                journal_path=journal.path,
                scheduler=scheduler,
                is_temporary=journal.is_temporary,
                sync=sync,
                listener=listener.fileno(),
                endpoint=tcp(address, bound),
                resumed=resumed and pipe.Resume(resumed.settings.to_plain(), resumed.retry_failed),
            )
            length = os.fstat(journal.fd).st_size
            timeout_s += length / _READ_BYTES_PER_S
            if length > STANDBY_BYTES:
                logger.warning("reading %.0f MB of journal, which takes a while", length / 1e6)
            self._spawn()
            on_error = self._on_thread_failure
            self._thread = start_thread(self._follow, "asha-bus-supervisor", on_error)
            start_thread(self._watch, "asha-bus-watch", on_error)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError | RuntimeError):  # no processes or threads left
                raise BusError(f"the bus could not be started: {error}") from error
            raise
        if not wait_for(self._ready, timeout_s):
            self.close()
            raise BusError(
                f"the bus was not up after {timeout_s:g} s; raise "
                f"BusOptions(start_timeout_s=...) if this machine is that slow"
            )
        if self._failure is not None:
            self.close()
            raise BusError(f"the bus could not be started: {self._failure}")
        self.status()
        return int(bound)

    def status(self) -> Status:
        """The status that the bus gives now, which is then the last one; BusError as `call`."""
        found = self.call(pipe.StatusRequest())
        with self._lock:
            before = self._given_setup.before
            if before is None or before.elapsed_s < found.elapsed_s:
                self._setup = self._given_setup._replace(before=found)
            if self._is_journaled and not (self._is_over or self._closing.is_set()):
                self._standby.fill(self._given_setup)
        return found

    @property
    def last_status(self) -> Status:
        """The latest status that the bus gave; there is one once `start` has returned."""
        before = self._given_setup.before
        assert before is not None
        return before

    def call(self, request: pipe.Request[Answer]) -> Answer:
        """Ask the bus and wait for its answer; BusError if it is gone for good.

        During a restart of the bus, the request waits for the new one.
        """
        call = self._send(request)
        if not wait_for(call.done, _CALL_TIMEOUT_S):
            raise BusError(f"the bus did not answer {request!r} within {_CALL_TIMEOUT_S:g} s")
        if call.is_lost:
            raise self.error or BusError("the bus process has ended")
        return request.answer(call.value)

    def stop(self, reason: str, message: str = "", *, within_s: float | None = None) -> None:
        """Have the run end, which takes a while; nothing where the bus is gone.

        ``within_s``: after that time a bus that has not ended the run is abandoned.
        """
        if within_s is not None and self._deadline is None:
            self._deadline = time.monotonic() + within_s
        self.tell(StopRun(reason, message))

    def tell(self, event: StopRun | StopTrial) -> None:
        """Tell the bus, or the next one if it dies meanwhile; nothing where it is gone for good."""
        try:
            self._send(event)
        except BusError:
            logger.debug("the bus is gone already")

    def close(self) -> None:
        """End the bus process and wait for its end."""
        self.suggester.close()
        if self._hooks is not None:
            self._hooks.close()
        with self._lock:
            self._closing.set()
            current = self._bus
            if current is not None and self.is_abandoned:
                current.kill()
            self._standby.close()
        if current is not None:
            within_s = _CLOSE_TIMEOUT_S if self._deadline is None else 1.0
            current.close(within_s, reads_on=True)
        if self._thread is not None:
            self._thread.join(1.0)
        self._opened.close()

    # --- the process ---------------------------------------------------------

    @property
    def _started(self) -> BusProcess:
        if self._bus is None:
            raise BusError("the bus was not started")
        return self._bus

    @property
    def _given_setup(self) -> pipe.BusSetup:
        assert self._setup is not None
        return self._setup

    def _spawn(self) -> None:
        """Start a bus, or have the one take over that stands by; OSError as `BusProcess`."""
        self._bus = self._standby.take() or self._start_process()
        self._watchdog.heard()
        self._standby.set_up(self._bus, self._given_setup)

    def _start_process(self) -> BusProcess:
        return BusProcess.start(self._output.file, (self._given_setup.listener, self.journal_fd))

    def _follow(self) -> None:
        """Follow one bus process after the other, until there is none any more."""
        while True:
            current = self._started
            for frame in current.frames():
                self._watchdog.heard()
                self._handlers[type(frame)](frame)
            status = current.wait()
            if not self._replace(status):
                self._end(status)
                return

    def _replace(self, status: int) -> bool:
        """Start another bus after one that ended with ``status``; False: there is to be none."""
        waited_s = 0.0
        is_first = True
        while True:
            with self._lock:
                goes_on = self._was_up and not self._closing.is_set() and not self._is_over
                if not goes_on or self._failure is not None or not self._is_journaled:
                    return False
                if is_first:
                    self._restarts.next_pause_s(self._watchdog.running_s)
                    if self._restarts.is_in_vain:
                        return False
                    self._ready.clear()
                    self.restarts += 1
                    output = self._output.take()
                    logger.warning(
                        "the bus process exited with status %s; restarting it%s",
                        status,
                        f"; it had said:\n{output}" if output else "",
                    )
                try:
                    self._spawn()
                    return True
                except OSError as error:
                    if is_first:
                        logger.warning("no other bus can be started yet: %s", error)
                    if waited_s > _START_AGAIN_S:
                        self._failure = f"no other bus could be started: {error}"
                        return False
                    pause_s = 0.1 + waited_s / 4
            is_first = False
            self._closing.wait(pause_s)
            waited_s += pause_s

    # --- a bus that hangs ----------------------------------------------------

    def _watch(self) -> None:
        """Replace a bus that does not answer, and end a stop that takes too long."""
        while not self._closing.wait(STEP_S) and not self._is_over:
            with self._lock:
                current = self._started
                waits = len(self._calls) > 0 or not self._ready.is_set()
            current.flush()
            if self._deadline is not None and time.monotonic() > self._deadline:
                self._abandon()
            elif self._was_up and self._watchdog.look(current, self._more_s(), waits=waits):
                self._give_up(
                    f"the bus process {current.pid} hangs, and does not end even when it is "
                    f"killed: does the disk of its journal answer?"
                )

    def _more_s(self) -> float:
        """How much longer than usual the bus may be silent."""
        if not self._is_journaled:  # no other bus could take its place
            return _UNJOURNALED_S
        if self._ready.is_set():
            return 0.0
        return os.fstat(self.journal_fd).st_size / _READ_BYTES_PER_S

    def _abandon(self) -> None:
        """A stop must be over now: whoever waits for the bus does so in vain."""
        logger.warning("the bus did not end the run in time, and is given up")
        self.is_abandoned = True
        if not self.ended.is_set():
            self.ending = Ended("stopped", "")
        self._lose_calls()
        self.ended.set()

    def _give_up(self, text: str) -> None:
        """The run ends by an error."""
        if not self._closing.is_set() and not self.ended.is_set():
            self.error = BusError(text)  # before anybody is let go, so that each learns the reason
        self._lose_calls()
        self._ready.set()
        self.ended.set()

    def _lose_calls(self) -> None:
        with self._lock:
            self._is_over = True
            self._calls.lose()

    def _on_thread_failure(self, error: BaseException) -> None:
        """A thread of ours failed: a bug, or an error of a searcher. Nobody waits in vain."""
        self._failure = f"the supervisor's thread failed: {error!r}"
        if self._bus is not None:
            self._bus.kill()
        self._give_up(self._failure)

    # --- the bus's frames ----------------------------------------------------

    def _on_ready(self, ready: pipe.Ready) -> None:
        with self._lock:
            # from now on the clock goes on while the bus does not, and nothing is resumed
            self._setup = self._given_setup._replace(began=ready.began, resumed=None)
            self.replay_s = ready.replay_s
            self._was_up = True
            self._ready.set()
            for frame in self._calls.frames():
                self._started.write(frame)

    def _on_failed(self, failed: pipe.Failed) -> None:
        self._failure = failed.text
        self._ready.set()

    def _on_reply(self, reply: pipe.Reply) -> None:
        with self._lock:
            self._calls.answer(reply)

    def _on_unjournaled(self, unjournaled: pipe.Unjournaled) -> None:
        self._is_journaled = False
        logger.warning(
            "%s. This run's journal is a temporary one: it goes on without, and would end with "
            "its bus process",
            unjournaled.text.partition(". ")[0],
        )

    def _on_observe(self, frame: pipe.Observe) -> None:
        self.suggester.observe(frame.row)
        if self._hooks is not None:
            self._hooks.observe(frame.row)

    def _on_standing(self, standing: pipe.Standing) -> None:
        if self._hooks is not None:
            self._hooks.sum_up(standing)

    def _on_ended(self, ended: Ended) -> None:
        self.ending = ended
        self.ended.set()

    # --- the suggester's news, from any thread -------------------------------

    def _on_search_failure(self, text: str) -> None:
        self.search_failure = text
        self.stop("failed", text)

    def _give(self, event: Drawn) -> None:
        """Tell the bus what it has asked for; one that died meanwhile asks again."""
        with self._lock:
            if not self._is_over and self._ready.is_set():
                self._started.write(event)

    def _end(self, status: int) -> None:
        """There will be no other bus."""
        if self._is_over:  # it was given up before
            return
        output = self._output.take()
        if not self._was_up and self._failure is None:
            self._failure = f"its process ended with status {status}:\n{output}"
        if self._closing.is_set() and output:
            logger.warning("the bus said:\n%s", output)
        self._give_up(
            self._failure
            or (
                f"the bus process ended with status {status}, {self._restarts.fruitless} times in "
                f"a row without a message taken in between:\n{output}"
            )
        )

    def _send(self, request: Any) -> Call:
        with self._lock:
            if self._is_over:
                raise self.error or BusError("the bus process has ended")
            call, frame = self._calls.add(request)
            if self._ready.is_set():  # else it is sent when the bus is up
                self._started.write(frame)
        return call
