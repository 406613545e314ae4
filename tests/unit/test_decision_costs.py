"""What a decision costs the bus and its worker, counted: calls, messages, bytes, writes.

Unlike times, these hardly depend on the machine. A bound is slightly above the present value.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from types import FrameType
from typing import Any

import pytest
import zmq

import asha_bus as ab
from asha_bus.core.events import RequestSuggestions, RunSettings, Suggested
from asha_bus.core.space import Space, uniform
from asha_bus.core.worker import Worker
from asha_bus.driver.auth import Keys
from asha_bus.driver.journal import Writer
from asha_bus.driver.listener import listen_at, tcp
from asha_bus.driver.pipe_end import PipeEnd
from asha_bus.driver.router import Router
from asha_bus.executor.client import Client
from asha_bus.executor.interrupt import Interrupter
from asha_bus.executor.runner import Runner
from asha_bus.formats import pipe
from asha_bus.formats.journal import Header, Replayer, replay
from asha_bus.formats.space_form import describe
from asha_bus.launching.job import BusAddress

TRIALS = 300
SPACE = Space(x=uniform(0, 1), y=uniform(0, 1))
SETTINGS = RunSettings(
    run="run", scheduler=ab.ASHA(max_resource=3**20), seed=7, max_trials=TRIALS, lease_s=3_600.0
)
HEADER = Header("test", SETTINGS, describe(SPACE), {"seed": 7}, "0")


class Calls:
    """Counts the calls of Python functions in a thread, once it is given to `sys.setprofile`."""

    def __init__(self) -> None:
        self.python = 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """Count one event."""
        self.python += event == "call"


class CountedBus:
    """A bus in a thread of this process, whose supervisor answers with random points."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.keys = Keys.generate()
        with listen_at("127.0.0.1", 0) as listener:
            self.endpoint = tcp("127.0.0.1", listener.getsockname()[1])
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
            self._file.write(HEADER.encode())
            self._file.flush()
            replayed = replay(HEADER.encode(), "journal")
            self.writer = Writer(self._file.fileno(), "journal", replayed.encoder, "never")
            (its_read, self._to_it), (from_it, its_write) = os.pipe(), os.pipe()
            self._from_it = os.fdopen(from_it, "rb")
            keys = (self.keys.server_public, self.keys.server_secret)
            setup = pipe.BusSetup(
                (*keys, self.keys.client_public, self.keys.client_secret),
                *(self._file.fileno(), "journal", None, False, "never"),
                *(os.dup(listener.fileno()), self.endpoint),
            )
            self._ends = its_read, its_write
            self._router = Router(
                replayed, self.writer, setup, time.monotonic(), PipeEnd(its_read, its_write)
            )
        self._threads = [threading.Thread(target=run) for run in (self._serve, self._suggest)]
        for thread in self._threads:
            thread.start()

    def _serve(self) -> None:
        sys.setprofile(self.calls)
        self._router.run(None, None)
        sys.setprofile(None)
        os.close(self._ends[1])

    def _suggest(self) -> None:
        random = Random(1)
        while (frame := pipe.read(self._from_it)) is not None:
            if isinstance(frame, RequestSuggestions):
                points = tuple((random.random(), random.random()) for _ in range(frame.number))
                os.write(self._to_it, pipe.encode(Suggested(frame.first, points)))

    def close(self) -> bytes:
        """End it, and return its journal."""
        os.close(self._to_it)
        for thread in self._threads:
            thread.join(timeout=10)
        os.close(self._ends[0])
        self._from_it.close()
        self._file.seek(0)
        with self._file:
            return self._file.read()


class CountingSocket:
    """A client's socket that counts its messages and their bytes."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self.messages = self.bytes = 0

    def send(self, body: bytes, flags: int = 0) -> None:
        """Send and count."""
        self._count(body)
        self._socket.send(body, flags)

    def recv(self) -> bytes:
        """Receive and count."""
        body = self._socket.recv()
        self._count(body)
        return body

    def _count(self, body: bytes) -> None:
        self.messages += 1
        self.bytes += len(body)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


@contextmanager
def profiled(calls: Calls) -> Iterator[None]:
    """Count the calls of this thread; whatever profiles it already comes back."""
    before = sys.getprofile()
    sys.setprofile(calls)
    try:
        yield
    finally:
        sys.setprofile(before)


@pytest.mark.timeout(60)
def test_a_decision_costs_no_more_calls_messages_bytes_and_writes_than_before() -> None:
    random = Random(3)

    def objective(trial: ab.Trial) -> None:
        resource = 1
        while trial.report(random.random(), resource):
            resource *= 3

    bus = CountedBus()
    try:
        keys = (bus.keys.server_public, bus.keys.client_public, bus.keys.client_secret)
        address = BusAddress("run", bus.endpoint, *keys)
        worker = Worker(run="run", slot="0", host="here", pid=os.getpid(), now=time.monotonic())
        client = Client(address, worker, "w")
        counted: Any = CountingSocket(client._socket)
        client._socket = counted
        client.join()
        own = Calls()
        with Interrupter() as interrupter, profiled(own):
            reason = Runner(client, interrupter, objective, SPACE).run()
        client.close()
    finally:
        journal = bus.close()
    experiment = Replayer(journal, "journal").result().experiment  # its bytes are valid
    decisions = experiment.counters.decisions
    assert ("max_trials", TRIALS) == (reason, experiment.table.finished)
    assert decisions > TRIALS
    figures = {
        "calls in the bus": bus.calls.python / decisions,
        "calls in the worker": own.python / decisions,
        "messages": counted.messages / decisions,
        "bytes": counted.bytes / decisions,
        "writes of the journal": bus.writer.figures.writes / decisions,
        "bytes of the journal": len(journal) / decisions,
    }
    bounds = {
        "calls in the bus": 70,
        "calls in the worker": 102,
        "messages": 2.1,
        "bytes": 75,
        "writes of the journal": 1.1,
        "bytes of the journal": 100,
    }
    assert {} == {name: value for name, value in figures.items() if value > bounds[name]}
