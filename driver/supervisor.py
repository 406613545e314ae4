"""Starts the bus process, starts it again when it dies, and talks to it over a pipe."""

from __future__ import annotations

import contextlib
import logging
import os
import socket as sockets
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any, TypeVar

from asha_bus.core.errors import BusError, SearcherError
from asha_bus.core.events import (
    Ended,
    FallbackDrawn,
    RequestSuggestions,
    Resumed,
    StopRun,
    Suggested,
)
from asha_bus.core.messages import Point
from asha_bus.core.status import Status
from asha_bus.driver import process
from asha_bus.driver.auth import Keys
from asha_bus.driver.journal import OpenJournal
from asha_bus.driver.listener import listen_at
from asha_bus.driver.searcher_client import Suggester
from asha_bus.formats import pipe

logger = logging.getLogger("asha_bus")

Answer = TypeVar("Answer")

#: From this length of the journal on, about 0.7 s to read, another bus follows it and
#: stands by, so that the death of the first costs no more time in a long run.
STANDBY_BYTES = 1 << 22

#: More deaths in a row than this, with no accepted message in between, end the run.
MAX_RESTARTS = 5

#: A journal is read five times as fast on an idle machine.
_READ_BYTES_PER_S = 1e6
#: The bus answers the supervisor between two messages; this long only if it is stuck.
_CALL_TIMEOUT_S = 30.0
#: After the pipe was closed the bus ends by itself within this time.
_CLOSE_TIMEOUT_S = 5.0
#: At most this many bytes of a dead bus's output are shown, the last ones.
_OUTPUT_BYTES = 20_000


class Supervisor:
    """The bus of one run, seen from the user's process.

    ``suggester`` draws what the bus asks for.
    """

    def __init__(self, suggester: Suggester) -> None:
        self.suggester = suggester
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
        #: Why the searcher could not go on, where it could not.
        self.search_failure: str | None = None
        self._setup: pipe.BusSetup | None = None
        self._listener: sockets.socket | None = None
        self._journal_fd = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._standby: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the bus
        self._lock = threading.Lock()
        self._calls: dict[int, _Call] = {}
        self._last_call = 0
        self._ready = threading.Event()
        self._was_up = False
        self._is_journaled = True
        self._failure: str | None = None
        self._deaths_in_a_row = 0
        self._is_over = False
        self._closing = False
        self._thread = threading.Thread(
            target=self._listen, name="asha-bus-supervisor", daemon=True
        )
        self._handlers: dict[type, Callable[[Any], None]] = {
            pipe.Ready: self._on_ready,
            pipe.Failed: self._on_failed,
            pipe.Reply: self._on_reply,
            pipe.Progress: self._on_progress,
            pipe.Notice: lambda notice: logger.warning("%s", notice.text),
            pipe.Unjournaled: self._on_unjournaled,
            pipe.Observe: lambda frame: suggester.observe(frame.row),
            RequestSuggestions: self._on_request_suggestions,
            Ended: self._on_ended,
        }

    @property
    def pid(self) -> int:
        """The process id of the bus; another one after each restart."""
        return self._started.pid

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
    ) -> int:
        """Start the bus, wait until it listens, and return its port; BusError if it cannot.

        ``resumed``: how to continue a journaled run. ``scheduler``: a third party's class. The
        journal is closed with the bus.
        """
        self._journal_fd = journal.fd
        self.suggester.open(self._on_points, self._on_search_failure)
        try:
            self._listener = listen_at(host, port)
        except BusError:
            self._release()
            raise
        address, bound = self._listener.getsockname()
        self._setup = pipe.BusSetup(
            keys=astuple(self.keys),
            journal_fd=journal.fd,
            journal_path=journal.path,
            scheduler=scheduler,
            is_temporary=journal.is_temporary,
            sync=sync,
            listener=self._listener.fileno(),
            endpoint=f"tcp://{address}:{bound}",
            resumed=resumed and pipe.Resume(resumed.settings.to_plain(), resumed.retry_failed),
        )
        length = os.fstat(self._journal_fd).st_size
        timeout_s += length / _READ_BYTES_PER_S
        if length > STANDBY_BYTES:
            logger.warning("reading %.0f MB of journal, which takes a while", length / 1e6)
        self._spawn()
        self._thread.start()
        if not self._ready.wait(timeout_s):
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
        self._see_to_standby()
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
        if not call.done.wait(_CALL_TIMEOUT_S):
            raise BusError(f"the bus did not answer {request!r} within {_CALL_TIMEOUT_S:g} s")
        if call.lost:
            raise self.error or BusError("the bus process has ended")
        return request.answer(call.value)

    def stop(self, reason: str, message: str = "") -> None:
        """Have the run end, which takes a while; nothing where the bus is gone."""
        try:
            self._send(StopRun(reason, message))
        except BusError:
            logger.debug("the bus is gone already")

    def close(self) -> None:
        """End the bus process and wait for its end."""
        self.suggester.close()
        with self._lock:
            self._closing = True
            current = self._process
            standby, self._standby = self._standby, None
        if standby is not None:
            process.end(standby, _CLOSE_TIMEOUT_S)
        if current is None:
            self._release()
            return
        process.end(current, _CLOSE_TIMEOUT_S, reads_on=True)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_CLOSE_TIMEOUT_S)

    # --- the process ---------------------------------------------------------

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise BusError("the bus was not started")
        return self._process

    @property
    def _given_setup(self) -> pipe.BusSetup:
        assert self._setup is not None
        return self._setup

    def _spawn(self) -> None:
        """Start a bus, or have the one take over that stands by."""
        successor, self._standby = self._standby, None
        if successor is not None and successor.poll() is not None:
            process.end(successor, _CLOSE_TIMEOUT_S)
            successor = None
        self._process = successor or self._start_process()
        self._write(self._given_setup)

    def _start_process(self) -> subprocess.Popen[bytes]:
        fds = (self._given_setup.listener, self._journal_fd)
        return process.start("asha_bus.driver", stderr=self._errors, pass_fds=fds)

    def _see_to_standby(self) -> None:
        """Have another bus stand by, once the journal takes long to read."""
        with self._lock:
            if self._closing or self._is_over or self._standby is not None:
                return
            if not self._is_journaled:
                return
            if os.fstat(self._journal_fd).st_size < STANDBY_BYTES:
                return
            self._standby = self._start_process()
            setup = self._given_setup
            standby = pipe.StandbySetup(setup.journal_fd, setup.journal_path, setup.scheduler)
            self._write_to(self._standby, standby)

    def _listen(self) -> None:
        """The supervisor's thread; whatever happens in it, nobody waits for it in vain."""
        try:
            self._follow()
        except Exception as error:  # a bug of ours, or an error of a searcher
            logger.exception("the supervisor's thread failed")
            with self._lock:
                self._failure = f"the supervisor's thread failed: {error!r}"
                current = self._started
            process.end(current, _CLOSE_TIMEOUT_S, reads_on=True)
            self._end(current.returncode)

    def _follow(self) -> None:
        """Follow one bus process after the other, until there is none any more."""
        while True:
            current = self._started
            assert current.stdout is not None
            with current.stdout as stdout:
                while (frame := pipe.read(stdout)) is not None:
                    self._handlers[type(frame)](frame)
            status = current.wait()
            with self._lock:
                goes_on = self._was_up and not self._closing and self._failure is None
                goes_on = goes_on and self._is_journaled
                self._deaths_in_a_row += 1
                if goes_on and self._deaths_in_a_row <= MAX_RESTARTS:
                    self.restarts += 1
                    output = self._output()
                    logger.warning(
                        "the bus process exited with status %s; restarting it%s",
                        status,
                        f"; it had said:\n{output}" if output else "",
                    )
                    assert current.stdin is not None
                    # it may still hold a frame that the dead bus did not read
                    with contextlib.suppress(BrokenPipeError):
                        current.stdin.close()
                    self._ready.clear()
                    self._spawn()
                    continue
            self._end(status)
            return

    # --- the bus's frames ----------------------------------------------------

    def _on_ready(self, ready: pipe.Ready) -> None:
        with self._lock:
            # from now on the clock goes on while the bus does not, and nothing is resumed
            self._setup = self._given_setup._replace(began=ready.began, resumed=None)
            self.replay_s = ready.replay_s
            self._was_up = True
            self._ready.set()
            for number, call in self._calls.items():
                self._write(pipe.Call(number, call.request))

    def _on_failed(self, failed: pipe.Failed) -> None:
        self._failure = failed.text
        self._ready.set()

    def _on_reply(self, reply: pipe.Reply) -> None:
        with self._lock:
            call = self._calls.pop(reply.number, None)
        if call is not None:  # else a repeat: the bus died between deed and word
            call.value = reply.value
            call.done.set()

    def _on_progress(self, progress: pipe.Progress) -> None:
        self._deaths_in_a_row = 0

    def _on_unjournaled(self, unjournaled: pipe.Unjournaled) -> None:
        self._is_journaled = False
        logger.warning(
            "%s. This run's journal is a temporary one: it goes on without, and would end with "
            "its bus process",
            unjournaled.text.partition(". ")[0],
        )

    def _on_request_suggestions(self, request: RequestSuggestions) -> None:
        if not request.is_fallback:
            self.suggester.ask(request.first, request.number)
            return
        try:
            point = self.suggester.fallback(request.first)
        except SearcherError as error:
            self.suggester.fail(str(error))
            return
        if point is None:
            self._on_points(request.first, (), True)
        else:
            self._give(FallbackDrawn(request.first, point))

    def _on_ended(self, ended: Ended) -> None:
        self.ending = ended
        self.ended.set()

    # --- the suggester's news, from any thread -------------------------------

    def _on_points(self, first: int, points: Sequence[Point], is_last: bool) -> None:
        self._give(Suggested(first, tuple(points), is_last))

    def _on_search_failure(self, text: str) -> None:
        self.search_failure = text
        self.stop("failed", text)

    def _give(self, event: Suggested | FallbackDrawn) -> None:
        """Tell the bus what it has asked for; one that died meanwhile asks again."""
        with self._lock:
            if not self._is_over and self._ready.is_set():
                self._write(event)

    def _end(self, status: int) -> None:
        """There will be no other bus."""
        output = self._output()
        if not self._was_up and self._failure is None:
            self._failure = f"its process ended with status {status}:\n{output}"
        self._ready.set()
        with self._lock:
            self._is_over = True
            if not self._closing:  # before anybody is let go, so that each learns the reason
                self.error = BusError(
                    self._failure
                    or f"the bus process ended with status {status}, {self._deaths_in_a_row} times "
                    f"in a row without a message taken in between:\n{output}"
                )
            lost, self._calls = list(self._calls.values()), {}
        for call in lost:
            call.lost = True
            call.done.set()
        self._release()
        if self.error is not None:
            self.ended.set()
        elif output:
            logger.warning("the bus said:\n%s", output)

    def _release(self) -> None:
        self._errors.close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._journal_fd >= 0:
            os.close(self._journal_fd)
            self._journal_fd = -1

    def _output(self) -> str:
        """What the bus has said since this was last asked for."""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(size - _OUTPUT_BYTES, 0))
        text = self._errors.read().decode(errors="replace").strip()
        self._errors.seek(0)
        self._errors.truncate()
        return text

    # --- frames --------------------------------------------------------------

    def _send(self, request: Any) -> _Call:
        call = _Call(request)
        with self._lock:
            if self._is_over:
                raise self.error or BusError("the bus process has ended")
            self._last_call += 1
            self._calls[self._last_call] = call
            if self._ready.is_set():  # else it is sent when the bus is up
                self._write(pipe.Call(self._last_call, request))
        return call

    def _write(self, frame: Any) -> None:
        """Write to the current bus; one that is gone is the listener's to replace."""
        self._write_to(self._started, frame)

    def _write_to(self, bus: subprocess.Popen[bytes], frame: Any) -> None:
        assert bus.stdin is not None
        try:
            bus.stdin.write(pipe.encode(frame))
            bus.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            logger.debug("the bus does not read: %s", error)


class _Call:
    """One question to the bus, and its answer."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.done = threading.Event()
        self.value: Any = None
        self.lost = False
