"""Starts the bus process, watches it, and talks to it over a pipe."""

from __future__ import annotations

import logging
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

from asha_bus.core.errors import BusError
from asha_bus.core.events import RunSettings
from asha_bus.driver import control, process
from asha_bus.driver.auth import Keys

logger = logging.getLogger("asha_bus")

#: The bus answers the supervisor between two messages; this long only if it is stuck.
_CALL_TIMEOUT_S = 30.0
#: After the pipe was closed the bus ends by itself within this time.
_CLOSE_TIMEOUT_S = 5.0


class Supervisor:
    """The bus of one run, seen from the user's process.

    ``on_draw(first, count)`` returns the points of so many trials;
    ``on_end(reason, message)`` is called when the run is over, and
    ``on_death(error)`` if the bus ends before it was closed. All are called in the
    supervisor's thread.
    """

    def __init__(
        self,
        *,
        on_draw: Callable[[int, int], list[tuple[float, ...]]],
        on_end: Callable[[str, str], None],
        on_death: Callable[[BusError], None],
    ) -> None:
        self._on_draw = on_draw
        self._on_end = on_end
        self._on_death = on_death
        self.keys = Keys.generate()
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the bus
        self._lock = threading.Lock()
        self._calls: dict[int, _Call] = {}
        self._last_call = 0
        self._ready = threading.Event()
        self._failure: str | None = None
        self._closing = False
        self._thread = threading.Thread(
            target=self._listen, name="asha-bus-supervisor", daemon=True
        )

    @property
    def pid(self) -> int:
        """The process id of the bus."""
        return self._started.pid

    def start(self, settings: RunSettings, host: str, port: int, timeout_s: float) -> int:
        """Start the bus, wait until it listens, and return its port; BusError if it cannot."""
        self._process = process.start("asha_bus.driver", stderr=self._errors)
        setup = {
            "settings": settings.to_plain(),
            "keys": astuple(self.keys),
            "host": host,
            "port": port,
        }
        self._write(setup)
        self._thread.start()
        if not self._ready.wait(timeout_s):
            self.close()
            raise BusError(
                f"the bus was not up after {timeout_s:g} s; raise "
                f"BusOptions(start_timeout_s=...) if this machine is that slow"
            )
        if self._failure is not None:
            self.close()
            where = f"{host}:{port}" if port else host
            raise BusError(
                f"the bus could not listen at {where}: {self._failure}. Give a free port or "
                f"another address of this machine: BusOptions(host=..., port=...)"
            )
        return self._port

    def call(self, verb: str, *arguments: Any) -> Any:
        """Ask the bus and wait for its answer; BusError if it is gone."""
        call = _Call()
        with self._lock:
            self._last_call += 1
            number = self._last_call
            self._calls[number] = call
        self._write((number, verb, *arguments))
        if not call.done.wait(_CALL_TIMEOUT_S):
            raise BusError(f"the bus did not answer {verb!r} within {_CALL_TIMEOUT_S:g} s")
        if call.lost:
            raise BusError("the bus process has ended")
        return call.value

    def tell(self, verb: str, *arguments: Any) -> None:
        """Tell the bus something that needs no answer."""
        self._write((0, verb, *arguments))

    def close(self) -> None:
        """End the bus process and wait for its end."""
        self._closing = True
        if self._process is None:
            return
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            logger.debug("the bus was gone already")
        try:
            self._process.wait(_CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            logger.warning("the bus process %d did not end by itself: killed", self._process.pid)
            self._process.kill()
            self._process.wait()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_CLOSE_TIMEOUT_S)

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise BusError("the bus was not started")
        return self._process

    def _write(self, frame: Any) -> None:
        stdin = self._started.stdin
        assert stdin is not None
        with self._lock:
            try:
                stdin.write(control.pack(frame))
                stdin.flush()
            except (BrokenPipeError, ValueError) as error:
                if not self._ready.is_set():
                    return  # the listener tells why it could not start
                raise BusError("the bus process has ended") from error

    def _listen(self) -> None:
        stdout = self._started.stdout
        assert stdout is not None
        while (frame := control.read(stdout)) is not None:
            kind, *rest = frame
            if kind == "reply":
                with self._lock:
                    call = self._calls.pop(rest[0])
                call.finish(rest[1])
            elif kind == "draw":
                first, count = rest
                self.tell("points", first, self._on_draw(first, count))
            elif kind == "ended":
                self._on_end(*rest)
            elif kind == "ready":
                self._port = rest[0]
                self._ready.set()
            elif kind == "failed":
                self._failure = rest[0]
                self._ready.set()
        stdout.close()
        self._died(self._started.wait())

    def _died(self, status: int) -> None:
        self._errors.seek(0)
        output = self._errors.read().decode(errors="replace").strip()
        self._errors.close()
        if not self._ready.is_set():
            self._failure = f"its process ended with status {status}:\n{output}"
            self._ready.set()
        with self._lock:
            lost, self._calls = list(self._calls.values()), {}
        for call in lost:
            call.lose()
        if not self._closing and self._failure is None:
            self._on_death(BusError(f"the bus process ended with status {status}:\n{output}"))
        elif output:
            logger.warning("the bus said:\n%s", output)


class _Call:
    """One question to the bus."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: Any = None
        self.lost = False

    def finish(self, value: Any) -> None:
        self.value = value
        self.done.set()

    def lose(self) -> None:
        self.lost = True
        self.done.set()
