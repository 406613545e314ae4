"""Simulated workers with real sockets: many of them in one process, each with both connections.

They speak the protocol with CURVE as real workers do, and train nothing. In lock-step each
reports again at once. At a given rate, reports are due at fixed times, evenly spread over the
workers, and a latency counts from the time at which the report was due: a report that waits for
the answer to the one before it counts with its wait (open loop).
"""

from __future__ import annotations

import json
import math
import os
import resource
import select
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import zmq

from asha_bus.core import messages as m
from asha_bus.core.errors import BusError
from asha_bus.driver import process
from asha_bus.executor.client import connect
from asha_bus.formats import wire
from asha_bus.launching.job import BusAddress

#: Each worker has two sockets, and each socket two descriptors.
_DESCRIPTORS_EACH = 4
_DESCRIPTORS_BESIDE = 100
_JOIN_S = 120.0
#: The longest wait for the last answers of a load.
_LAST_ANSWERS_S = 30.0
#: How often a worker says that it is alive, as in a run with the default options.
_HEARTBEAT_S = 2.0


@dataclass(frozen=True)
class Load:
    """What the workers of one process do.

    ``rate``: reports per second of all of them; 0: as fast as answers come. ``cost_s``: a worker
    takes so long from an answer to its next report, in lock-step.
    """

    workers: int
    seconds: float
    rate: float = 0.0
    cost_s: float = 0.0


@dataclass(frozen=True)
class Figures:
    """What came of it. Latencies are in microseconds, ascending."""

    latencies: list[int]
    seconds: float
    sent_bytes: int
    received_bytes: int

    def percentile(self, share: float) -> float:
        """The percentile ``share`` of the latencies, in microseconds; NaN without any."""
        found = self.latencies
        return found[math.ceil(share * len(found)) - 1] if found else math.nan

    def to_plain(self) -> dict[str, float]:
        """The figures by name; two messages make a decision."""
        decisions = len(self.latencies) or math.nan
        return {
            "decisions_per_s": len(self.latencies) / self.seconds,
            "p50_us": self.percentile(0.5),
            "p99_us": self.percentile(0.99),
            "sent_bytes_per_decision": self.sent_bytes / decisions,
            "received_bytes_per_decision": self.received_bytes / decisions,
        }


class Client:
    """One simulated worker."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: BusAddress, name: str):
        self._name, self._run = name, address.run
        self.socket = connect(context, address, name)
        self.side = connect(context, address, name + m.HEARTBEAT_SUFFIX)
        self._seq = 0
        self._trial = self._attempt = 0
        self._resource: float | None = None
        self.sent_bytes = self.received_bytes = 0
        #: When the report was due that waits for its answer, in ns; None: none does.
        self.due: int | None = None
        self.has_trial = False
        #: When reports were due that wait for the answer to the one before, in ns.
        self.backlog: deque[int] = deque()

    def _ask(self, message: m.FromWorker) -> None:
        body = wire.encode(message)
        self.sent_bytes += len(body)
        self.socket.send(body)

    def join(self) -> None:
        """Say HELLO."""
        self._seq = 1
        self._ask(m.Hello(1, self._run, self._name, "simulated", os.getpid()))

    def report(self, metric: float, due: int) -> None:
        """Report at the rung that the worker has reached; ``due``: when that was to happen."""
        self.due = due
        self._seq += 1
        assert self._resource is not None, "the scheduler has a rung at every resource"
        self._ask(
            m.Report(self._seq, self._trial, self._attempt, self._resource, metric, metric, {}, 0.0)
        )

    def heartbeat(self) -> None:
        """Say that the worker is alive, and read what was answered before."""
        self.side.send(wire.encode(m.Heartbeat({})))
        try:
            while True:
                self.side.recv(zmq.NOBLOCK)
        except zmq.Again:
            pass

    def receive(self) -> bool:
        """Read what has come; whether that answers a report."""
        answered = False
        while int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            body = self.socket.recv(zmq.NOBLOCK)
            self.received_bytes += len(body)
            answer = wire.decode_to_worker(body)
            if isinstance(answer, m.Welcome):
                self._seq += 1
                self._ask(m.Next(self._seq, 0.0))
            elif isinstance(answer, m.Continue):
                self._resource = answer.next_resource
                answered = True
            elif isinstance(answer, m.Assign):
                self._take(answer.assignment)
            elif isinstance(answer, m.Stop):
                answered = True
                if answer.next is None:
                    self._seq += 1
                    self.has_trial = False
                    self._ask(m.Next(self._seq, 0.0))
                else:
                    self._take(answer.next)
        return answered

    def _take(self, assignment: m.Assignment) -> None:
        self.has_trial = True
        self._trial, self._attempt, _, _, self._resource, *_ = assignment


class Clients:
    """The simulated workers of this process."""

    def __init__(self, address: BusAddress, first: int, count: int) -> None:
        raise_descriptor_limit(count * _DESCRIPTORS_EACH + _DESCRIPTORS_BESIDE)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        context.set(zmq.MAX_SOCKETS, 2 * count + 10)
        self._random = Random(first)
        self._poll = select.epoll()
        self._clients: dict[int, Client] = {}
        for number in range(first, first + count):
            client = Client(context, address, f"simulated-{number}")
            fd = client.socket.getsockopt(zmq.FD)
            assert isinstance(fd, int)
            self._clients[fd] = client
            self._poll.register(fd, select.EPOLLIN)
            client.join()
        deadline = time.monotonic() + _JOIN_S
        while not all(client.has_trial for client in self._clients.values()):
            if time.monotonic() > deadline:
                raise BusError(f"not all of {count} simulated workers have a trial")
            for fd, _ in self._poll.poll(0.05):
                self._clients[fd].receive()
            for client in self._clients.values():
                client.receive()

    def run(self, load: Load) -> Figures:
        """Put ``load`` on the bus."""
        clients = list(self._clients.values())
        for client in clients:
            client.sent_bytes = client.received_bytes = 0
            client.backlog.clear()
        self._latencies: list[int] = []
        self._cost_ns = None if load.rate else int(load.cost_s * 1e9)
        began = time.monotonic_ns()
        end = began + int(load.seconds * 1e9)
        self._later = deque((began, client) for client in clients if not load.rate)
        period_ns = int(1e9 / load.rate) if load.rate else 0
        heartbeat_ns = int(_HEARTBEAT_S * 1e9 / len(clients))
        turn = beat = 0
        while (now := time.monotonic_ns()) < end:
            while period_ns and began + turn * period_ns <= now:
                client = clients[turn % len(clients)]
                client.backlog.append(began + turn * period_ns)
                turn += 1
                self._serve(client)
            while self._later and self._later[0][0] <= now:
                due, client = self._later.popleft()
                client.backlog.append(due)
                self._serve(client)
            while began + beat * heartbeat_ns <= now:
                clients[beat % len(clients)].heartbeat()
                beat += 1
            following = [end, began + beat * heartbeat_ns]
            if period_ns:
                following.append(began + turn * period_ns)
            elif self._later:
                following.append(self._later[0][0])
            patience_s = (min(following) - time.monotonic_ns()) / 1e9
            # the kernel waits for whole milliseconds; the last one is spent looking
            for fd, _ in self._poll.poll(max(patience_s - 0.001, 0)):
                self._serve(self._clients[fd])
        seconds = (time.monotonic_ns() - began) / 1e9
        self._finish(clients)
        sent = sum(client.sent_bytes for client in clients)
        received = sum(client.received_bytes for client in clients)
        return Figures(sorted(self._latencies), seconds, sent, received)

    def _finish(self, clients: list[Client]) -> None:
        """Wait for the last answers, which would count as those of the next load."""
        for client in clients:
            client.backlog.clear()
        deadline = time.monotonic() + _LAST_ANSWERS_S
        while any(client.due is not None for client in clients):
            if time.monotonic() > deadline:
                raise BusError(f"the bus did not answer for {_LAST_ANSWERS_S:g} s")
            for fd, _ in self._poll.poll(0.05):
                self._serve(self._clients[fd])

    def _serve(self, client: Client) -> None:
        """Read what has come, also while this sends, which raises no event; send what is due."""
        while True:
            if client.receive() and client.due is not None:
                done = time.monotonic_ns()
                self._latencies.append((done - client.due) // 1000)
                client.due = None
                if self._cost_ns is not None:
                    self._later.append((done + self._cost_ns, client))
            if client.due is not None or not client.backlog or not client.has_trial:
                return
            client.report(self._random.random(), client.backlog.popleft())


def raise_descriptor_limit(needed: int) -> None:
    """Have the system let this process open ``needed`` files; `BusError` if it does not."""
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < needed:
        if most != resource.RLIM_INFINITY and most < needed:
            raise BusError(
                f"{needed} open files are needed, and the system lets a process have {most}; "
                f"raise that (ulimit -Hn), or simulate fewer workers"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))


class ClientProcess:
    """A process of simulated workers, from ``first`` on."""

    def __init__(self, address: BusAddress, first: int, count: int) -> None:
        self._process = process.start("asha_bus.bench.clients")
        keys = (address.server_key, address.client_key, address.client_secret)
        place = [address.run, address.endpoint, *(key.decode() for key in keys)]
        self.send([*place, first, count])

    def send(self, value: Any) -> None:
        """Send a line."""
        self._process.to_it.write(json.dumps(value).encode() + b"\n")
        self._process.to_it.flush()

    def receive(self) -> Any:
        """The next line; BusError if the process has ended instead."""
        line = self._process.from_it.readline()
        if not line:
            raise BusError("a process of simulated workers has ended; its error stands above")
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        process.end(self._process, 10.0)


def put(processes: list[ClientProcess], load: Load) -> Figures:
    """Put ``load``, divided by the processes, on the bus."""
    share = len(processes)
    workers, rate = load.workers // share, load.rate / share
    for one in processes:
        one.send(asdict(Load(workers, load.seconds, rate, load.cost_s)))
    found = [Figures(**one.receive()) for one in processes]
    return Figures(
        sorted(latency for one in found for latency in one.latencies),
        max(one.seconds for one in found),
        sum(one.sent_bytes for one in found),
        sum(one.received_bytes for one in found),
    )


def main() -> None:
    """Serve the parent until it closes the pipe."""
    read_fd, write_fd = map(int, sys.argv[1:])
    with os.fdopen(read_fd, "rb") as source, os.fdopen(write_fd, "w") as sink:
        run, endpoint, *keys, first, count = json.loads(source.readline())
        address = BusAddress(run, endpoint, *(key.encode() for key in keys))
        clients = Clients(address, first, count)
        print(json.dumps("joined"), file=sink, flush=True)
        for line in source:
            figures = clients.run(Load(**json.loads(line)))
            print(json.dumps(asdict(figures)), file=sink, flush=True)


if __name__ == "__main__":
    main()
