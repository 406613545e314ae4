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
from typing import Any, NamedTuple

from asha_bus.core.errors import BusError, SearcherError
from asha_bus.core.events import RunSettings
from asha_bus.core.messages import Point
from asha_bus.driver import process
from asha_bus.driver.auth import Keys
from asha_bus.driver.journal import OpenJournal
from asha_bus.driver.scheduler_class import SchedulerClass
from asha_bus.driver.searcher_client import Suggester
from asha_bus.formats import pipe

logger = logging.getLogger("asha_bus")

#: From this length of the journal on, some 0.7 s to read, another bus follows it and
#: stands by, so that the death of the first costs no more time in a long run.
STANDBY_BYTES = 1 << 22

#: So many deaths in a row, without one accepted message between them, are too many.
MAX_RESTARTS = 5

#: A journal is read five times as fast on an idle machine.
_READ_BYTES_PER_S = 1e6
#: The bus answers the supervisor between two messages; this long only if it is stuck.
_CALL_TIMEOUT_S = 30.0
#: After the pipe was closed the bus ends by itself within this time.
_CLOSE_TIMEOUT_S = 5.0
#: Of the bus's status: what another bus in its place counts on from.
_COUNTED = (
    *("counters", "rejected", "server_latency", "journal"),
    *("busy_s", "router_cpu_s", "process_cpu_s"),
)
#: So many bytes of what a dead bus had said are shown, the last ones.
_OUTPUT_BYTES = 20_000


class Start(NamedTuple):
    """With what the bus is started. ``resumed``: how to go on with a journaled run, or None."""

    journal: OpenJournal
    sync: str
    resumed: RunSettings | None = None
    retry_failed: bool = False
    scheduler: SchedulerClass | None = None


class Supervisor:
    """The bus of one run, seen from the user's process.

    ``suggester`` draws what the bus asks for. ``on_end(reason, message)`` is called when
    the run is over, and ``on_death(error)`` if the bus ends again and again, both in the
    supervisor's thread.
    """

    def __init__(
        self,
        *,
        suggester: Suggester,
        on_end: Callable[[str, str], None],
        on_death: Callable[[BusError], None],
    ) -> None:
        self.suggester = suggester
        self._on_end = on_end
        self._on_death = on_death
        self.keys = Keys.generate()
        #: How many times the bus was started again.
        self.restarts = 0
        #: How long the bus that is there had to read the journal, in seconds.
        self.replay_s = 0.0
        self._listener: sockets.socket | None = None
        self._setup: dict[str, Any] = {}
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

    @property
    def pid(self) -> int:
        """The process id of the bus; another one after each restart."""
        return self._started.pid

    def start(self, start: Start, host: str, port: int, timeout_s: float) -> int:
        """Start the bus, wait until it listens, and return its port; BusError if it cannot.

        The journal is closed with the bus.
        """
        self._journal_fd = start.journal.fd
        try:
            self._listener = _listen_at(host, port)
        except BusError:
            self._release()
            raise
        address, bound = self._listener.getsockname()
        self._setup = {
            "keys": astuple(self.keys),
            "journal": (start.journal.fd, start.journal.path),
            "scheduler": start.scheduler,
            "sync": start.sync,
            "temporary": start.journal.is_temporary,
            "resumed": None
            if start.resumed is None
            else {"settings": start.resumed.to_plain(), "retry_failed": start.retry_failed},
            "listener": self._listener.fileno(),
            "endpoint": f"tcp://{address}:{bound}",
            "began": None,
            "before": {},
        }
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
        return int(bound)

    def call(self, verb: str, *arguments: Any) -> Any:
        """Ask the bus and wait for its answer; BusError if it is gone for good.

        While the bus is being started again, the question waits for the new one.
        """
        call = self._send(verb, arguments)
        if not call.done.wait(_CALL_TIMEOUT_S):
            raise BusError(f"the bus did not answer {verb!r} within {_CALL_TIMEOUT_S:g} s")
        if call.lost:
            raise BusError("the bus process has ended")
        if verb == "status":
            self._setup.update(before={name: call.value[name] for name in _COUNTED})
            self._see_to_standby()
        return call.value

    def tell(self, verb: str, *arguments: Any) -> None:
        """Tell the bus something whose answer does not matter; BusError as from `call`."""
        self._send(verb, arguments)

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

    def _spawn(self) -> None:
        """Start a bus, or have the one take over that stands by."""
        successor, self._standby = self._standby, None
        if successor is not None and successor.poll() is not None:
            process.end(successor, _CLOSE_TIMEOUT_S)
            successor = None
        self._process = successor or self._start_process()
        self._write(self._setup)

    def _start_process(self) -> subprocess.Popen[bytes]:
        fds = (self._setup["listener"], self._journal_fd)
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
            setup = {name: self._setup[name] for name in ("journal", "scheduler")}
            self._write_to(self._standby, {"standby": True, **setup})

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
                    self._take(*frame)
            status = current.wait()
            with self._lock:
                goes_on = self._was_up and not self._closing and self._failure is None
                goes_on = goes_on and self._is_journaled
                self._deaths_in_a_row += 1
                if goes_on and self._deaths_in_a_row <= MAX_RESTARTS:
                    self.restarts += 1
                    output = self._output()
                    logger.warning(
                        "the bus process ended with status %s and is started again%s",
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

    def _take(self, kind: str, *rest: Any) -> None:
        if kind == "reply":
            with self._lock:
                call = self._calls.pop(rest[0], None)
            if call is not None:  # else a repeat: the bus died between deed and word
                call.finish(rest[1])
        elif kind == "draw":
            first, count, is_fallback = rest
            if is_fallback:
                self._give_spare(first)
            else:
                self.suggester.ask(first, count)
        elif kind == "observed":
            self.suggester.observe(rest[0])
        elif kind == "ended":
            self._on_end(*rest)
        elif kind == "progress":
            self._deaths_in_a_row = 0
        elif kind == "warning":
            logger.warning("%s", rest[0])
        elif kind == "unjournaled":
            self._is_journaled = False
            logger.warning(
                "%s. This run's journal is a temporary one: it goes on without, and would end with "
                "its bus process",
                rest[0].partition(". ")[0],
            )
        elif kind == "ready":
            with self._lock:
                # from now on the clock goes on while the bus does not, and nothing is resumed
                self._setup.update(began=rest[0], resumed=None)
                self.replay_s = rest[1]
                self._was_up = True
                self._ready.set()
                for number, unanswered in self._calls.items():
                    self._write((number, *unanswered.frame))
        elif kind == "failed":
            self._failure = rest[0]
            self._ready.set()

    def _give_spare(self, number: int) -> None:
        try:
            point = self.suggester.spare(number)
        except SearcherError as error:
            self.suggester.fail(str(error))
            return
        if point is None:
            self._give("points", number, [], True)
        else:
            self._give("spare", number, point)

    def give_points(self, first: int, points: Sequence[Point], is_last: bool) -> None:
        """The searcher has drawn ``points`` of the trials from ``first`` on."""
        self._give("points", first, points, is_last)

    def _give(self, verb: str, *arguments: Any) -> None:
        """Tell the bus what it has asked for; one that died meanwhile asks again."""
        with self._lock:
            if not self._is_over and self._ready.is_set():
                self._write((0, verb, *arguments))

    def _end(self, status: int) -> None:
        """There will be no other bus."""
        output = self._output()
        if not self._was_up and self._failure is None:
            self._failure = f"its process ended with status {status}:\n{output}"
        self._ready.set()
        with self._lock:
            self._is_over = True
            lost, self._calls = list(self._calls.values()), {}
        for call in lost:
            call.lose()
        self._release()
        if not self._closing:
            text = self._failure or (
                f"the bus process ended with status {status}, {self._deaths_in_a_row} times in a "
                f"row without a message taken in between:\n{output}"
            )
            self._on_death(BusError(text))
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

    def _send(self, verb: str, arguments: tuple[Any, ...]) -> _Call:
        call = _Call((verb, *arguments))
        with self._lock:
            if self._is_over:
                raise BusError("the bus process has ended")
            self._last_call += 1
            self._calls[self._last_call] = call
            if self._ready.is_set():  # else it is sent when the bus is up
                self._write((self._last_call, *call.frame))
        return call

    def _write(self, frame: Any) -> None:
        """Write to the current bus; one that is gone is the listener's to replace."""
        self._write_to(self._started, frame)

    def _write_to(self, bus: subprocess.Popen[bytes], frame: Any) -> None:
        assert bus.stdin is not None
        try:
            bus.stdin.write(pipe.pack(frame))
            bus.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            logger.debug("the bus does not read: %s", error)


def _listen_at(host: str, port: int) -> sockets.socket:
    """A socket that listens there; BusError where that cannot be."""
    try:
        family, kind, number, _, address = sockets.getaddrinfo(
            host, port, sockets.AF_INET, sockets.SOCK_STREAM
        )[0]
        listener = sockets.socket(family, kind, number)
        try:
            listener.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1_000)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        where = f"{host}:{port}" if port else host
        raise BusError(
            f"the bus could not listen at {where}: {error.strerror}. Give a free port or "
            f"another address of this machine: BusOptions(host=..., port=...)"
        ) from error
    return listener


class _Call:
    """One question to the bus."""

    def __init__(self, frame: tuple[Any, ...]) -> None:
        self.frame = frame
        self.done = threading.Event()
        self.value: Any = None
        self.lost = False

    def finish(self, value: Any) -> None:
        self.value = value
        self.done.set()

    def lose(self) -> None:
        self.lost = True
        self.done.set()
