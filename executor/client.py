"""The worker's two sockets: one for requests (objective's thread), one for heartbeats."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable

import zmq

from asha_bus.core import messages as m
from asha_bus.core.attempt import Attempt
from asha_bus.core.errors import AshaBusError, BusError, RemoteProtocolError
from asha_bus.core.latency import Latencies
from asha_bus.core.running import RunningTime
from asha_bus.core.worker import RETRY_FIRST_S, RETRY_LAST_S, Worker, cut
from asha_bus.executor.interrupt import Interrupter, end_process
from asha_bus.executor.limit import TimeLimit
from asha_bus.executor.output import Outbox
from asha_bus.formats import wire
from asha_bus.launching.job import BusAddress

logger = logging.getLogger("asha_bus.executor")

#: How long a closing socket tries to send its last messages.
_LINGER_MS = 200

#: How often the heartbeat thread looks at the clock; a message of the bus wakes it at once.
_WATCH_MS = 100

#: The clean-up of a stopped trial may take this long (seconds) before it is warned of.
CLEAN_UP_S = 10.0

#: How long a worker that must exit waits for the bus to acknowledge its `TrialHung`.
_HUNG_TIMEOUT_S = 2.0

#: When the driver is gone: seconds until the objective is interrupted and the worker exits.
ORPHANED = m.Interrupt(0.0, 5.0)


def connect(
    context: zmq.Context[zmq.Socket[bytes]], address: BusAddress, identity: str
) -> zmq.Socket[bytes]:
    """Open an encrypted DEALER socket to the bus under ``identity``."""
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.IDENTITY, identity.encode())
    socket.setsockopt(zmq.LINGER, _LINGER_MS)
    socket.setsockopt(zmq.IMMEDIATE, 0)
    socket.setsockopt(zmq.IPV6, 1)  # IPv4 works as before
    socket.setsockopt(zmq.RECONNECT_IVL, 100)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1_000)
    socket.setsockopt(zmq.MAXMSGSIZE, wire.MAX_FRAME_BYTES)
    socket.curve_serverkey = address.server_key
    socket.curve_publickey = address.client_key
    socket.curve_secretkey = address.client_secret
    socket.connect(address.endpoint)
    return socket


def ping(address: BusAddress, identity: str, timeout_s: float) -> bool:
    """Whether the bus answers a ping within ``timeout_s``."""
    with zmq.Context() as context, connect(context, address, identity) as socket:
        socket.send(wire.encode(m.Ping(1)))
        if not socket.poll(int(timeout_s * 1000)):
            return False
        return wire.decode_to_worker(socket.recv()) == m.Pong(1)


def send_or_drop(socket: zmq.Socket[bytes], message: m.FromWorker) -> None:
    """Send a one-way message without blocking; drop it if the queue is full."""
    try:
        socket.send(wire.encode(message), zmq.NOBLOCK)
    except zmq.Again:
        logger.debug("dropped a %s: the bus is not keeping up", type(message).__name__)


def decode_or_drop(body: bytes) -> m.ToWorker | None:
    """Decode a message from the bus; log a warning and return None if it is invalid."""
    try:
        return wire.decode_to_worker(body)
    except RemoteProtocolError as error:
        logger.warning("dropped a message from the bus: %s", error)
        return None


class Client:
    """The I/O half of a worker: sends the requests of `Worker` over a socket.

    Every request is repeated until it is answered. `BusError` is raised once the bus has
    been silent for ``bus_timeout_s``.
    """

    def __init__(self, address: BusAddress, worker: Worker, name: str) -> None:
        self.worker = worker
        self.latencies = Latencies()
        self.outbox = Outbox()
        #: Called while a worker waits for a trial and is to end paused ones (`Worker.drops`).
        self.on_drops: Callable[[], None] | None = None
        #: The attempt that had paused and runs its clean-up now.
        self.ending: Attempt | None = None
        self._address = address
        self._name = name
        self._pid = os.getpid()
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = connect(self.context, address, name)
        self._running = RunningTime(time.monotonic())
        self._lock = threading.Lock()  # both threads look at the time
        #: When the bus was last heard, in seconds that this process ran.
        self._heard_at = 0.0
        self._patience_s = 0.0

    def join(self) -> None:
        """Send `Hello` and wait for the answer."""
        self.ask(self.worker.hello())

    def ask(self, request: m.Request) -> m.Reply:
        """Send ``request``, repeat it until it is answered, and return the answer.

        Must be called in the worker's process, see `check_process`.
        """
        body = wire.encode(request)
        started = time.monotonic()
        patience_s, waited = RETRY_FIRST_S, False
        self._wait_at_most(patience_s)
        self._socket.send(body)
        while True:
            try:
                message = decode_or_drop(self._socket.recv())
            except zmq.Again:
                self._check_silence()
                patience_s = min(2 * patience_s, RETRY_LAST_S)
                self._wait_at_most(patience_s)
                self._socket.send(body)
                continue
            if message is None:
                continue
            self.on_heard()
            reply = self.worker.receive(message)
            if reply is None:
                waited = waited or isinstance(message, m.Wait)
                if isinstance(message, m.Wait) and self.on_drops is not None:
                    self.on_drops()
            elif isinstance(reply, m.Refused):
                raise BusError(f"the bus refused this worker: {reply.text}")
            else:
                if not waited:
                    self.latencies.add(time.monotonic() - started)
                return reply

    def _wait_at_most(self, seconds: float) -> None:
        """Set the timeout of the next receives, which is cheaper than a poll before each."""
        if seconds != self._patience_s:
            self._patience_s = seconds
            self._socket.setsockopt(zmq.RCVTIMEO, int(seconds * 1000))

    def _check_silence(self) -> None:
        why = self.worker.leaving or self.silence()
        if why is not None:
            raise BusError(why)

    def silence(self) -> str | None:
        """Say that the bus was silent for too long; None: it was not."""
        silent_s = self.silent_s()
        if silent_s <= self._address.bus_timeout_s:
            return None
        return (
            f"the bus at {self._address.endpoint} was silent for {silent_s:.0f} s; "
            f"the driver is probably gone"
        )

    def send_lines(self) -> None:
        """Send the lines that wait, after the bus has answered: else they could be lost."""
        if self.outbox.has_lines():
            self.ask(self.worker.ping())
        for log in self.outbox.take():
            self.tell(log)

    def tell(self, message: m.OneWay) -> None:
        """Send a one-way message, which may be lost."""
        self.check_process()
        send_or_drop(self._socket, message)

    def on_heard(self) -> None:
        """Note that one of the sockets received a message."""
        self._heard_at = self._running.seconds

    def silent_s(self) -> float:
        """Seconds since the last message from the bus in which this process ran."""
        with self._lock:
            return self._running.tick(time.monotonic()) - self._heard_at

    def close(self) -> None:
        """Send `Leave` and close the socket."""
        if self.is_own_process:
            self.tell(m.Leave(self.latencies.to_counts()))
            self._socket.close()
            self.context.term()

    @property
    def is_own_process(self) -> bool:
        """Whether this is the worker's process, not a forked child of it."""
        return os.getpid() == self._pid

    def check_process(self) -> None:
        """Raise `AshaBusError` in a forked child, which must not use the sockets."""
        if os.getpid() != self._pid:  # as in `is_own_process`: each report comes here twice
            raise AshaBusError(
                f"the bus was used in process {os.getpid()}, a child of worker {self._pid}; "
                f"report from the process that runs the objective, not from a forked one"
            )


class Heartbeat:
    """A thread that renews the lease and receives the end of the run at any time.

    It also drives ``interrupter`` and sends the lines in the outbox of ``client``.
    ``is_orphan`` returns whether the process that started this worker is gone. If it is,
    or if the bus has been silent for ``bus_timeout_s``, the objective is interrupted as
    at the end of a run, and the worker leaves. Time in which this process did not run does
    not count: nothing could be heard then.
    """

    def __init__(
        self,
        address: BusAddress,
        client: Client,
        interrupter: Interrupter,
        name: str,
        is_orphan: Callable[[], bool],
    ) -> None:
        self._address = address
        self._client = client
        self._interrupter = interrupter
        self._name = name
        self._is_orphan = is_orphan
        self._last_seq = 0
        #: Lines are sent after the answer to this, which is repeated at ``_ping_at``.
        self._ping: m.Ping | None = None
        self._ping_at = 0.0
        #: The attempt that was stopped last, and when its clean-up is warned of.
        self._stopped: tuple[Attempt, float] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="asha-bus-heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread; the first heartbeat follows once the worker has joined."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for its end."""
        self._stopping.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        name = self._name + m.HEARTBEAT_SUFFIX
        sent: float | None = None
        watch_ms = _WATCH_MS
        with connect(self._client.context, self._address, name) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            while not self._stopping.is_set():
                now = time.monotonic()
                every_s = self._client.worker.heartbeat_s
                if every_s is not None and (sent is None or now - sent >= every_s):
                    send_or_drop(socket, m.Heartbeat(self._client.latencies.to_counts()))
                    sent = now
                    watch_ms = min(_WATCH_MS, int(every_s * 500) + 1)
                self._ask_before_lines(socket, now)
                if socket.poll(watch_ms):
                    self._send_lines_after(self._handle_message(socket.recv()), socket)
                self._check_peers()
                self._check_clean_up(self._interrupter.now())
                limit = self._interrupter.limit
                if limit is not None and limit.is_ignored(self._interrupter.now()):
                    self._on_grace_expired(socket, limit)

    def _ask_before_lines(self, socket: zmq.Socket[bytes], now: float) -> None:
        """Ping the bus if lines are to be sent: one that hangs or has died would lose them."""
        if not self._client.outbox.has_lines(now):
            return
        if self._ping is None:
            self._last_seq += 1
            self._ping, self._ping_at = m.Ping(self._last_seq), now
        if now >= self._ping_at:
            self._ping_at = now + RETRY_FIRST_S
            send_or_drop(socket, self._ping)

    def _send_lines_after(self, answer: m.ToWorker | None, socket: zmq.Socket[bytes]) -> None:
        if self._ping is not None and answer == m.Pong(self._ping.seq):
            self._ping = None
            for log in self._client.outbox.take(time.monotonic()):
                send_or_drop(socket, log)

    def _check_clean_up(self, now: float) -> None:
        """Warn once of a stopped trial whose clean-up does not end."""
        attempt = self._client.ending or self._client.worker.attempt
        if attempt is None or attempt.stopped is None:
            self._stopped = None
        elif self._stopped is None or self._stopped[0] is not attempt:
            self._stopped = (attempt, now + CLEAN_UP_S)
        elif now >= self._stopped[1]:
            self._stopped = (attempt, math.inf)
            text = (
                f"the trial was stopped {CLEAN_UP_S:g} s ago and its clean-up still runs, so its "
                f"worker cannot begin another one; trial_timeout limits clean-ups"
            )
            trial, number, *_ = attempt.assignment
            self._client.outbox.put(m.Log(trial, number, "warning", text))

    def _handle_message(self, body: bytes) -> m.ToWorker | None:
        message = decode_or_drop(body)
        if message is not None:
            self._client.on_heard()
            if isinstance(message, m.Interrupt):
                self._end(message)
            elif isinstance(message, m.Ask):
                self._client.worker.receive(message)
        return message

    def _on_grace_expired(self, socket: zmq.Socket[bytes], limit: TimeLimit) -> None:
        """The objective ignored its interrupt: report the trial as failed and exit."""
        for log in self._client.outbox.take():
            send_or_drop(socket, log)
        self._last_seq += 1
        error = cut(limit.failure_of(self._interrupter.thread))
        message = m.TrialHung(self._last_seq, limit.trial, limit.attempt, error)
        deadline = time.monotonic() + _HUNG_TIMEOUT_S
        while time.monotonic() < deadline and not self._is_acknowledged(socket, message):
            pass  # repeat it, since it may have been lost
        if self._interrupter.limit is limit:  # otherwise the objective has ended meanwhile
            end_process(f"trial {limit.trial} did not end at its trial_timeout")

    def _is_acknowledged(self, socket: zmq.Socket[bytes], message: m.TrialHung) -> bool:
        """Send ``message`` once; return whether it was answered before the next repeat is due."""
        send_or_drop(socket, message)
        again = time.monotonic() + RETRY_FIRST_S
        while (left_s := again - time.monotonic()) > 0:
            answered = socket.poll(int(left_s * 1000) + 1)
            if answered and self._handle_message(socket.recv()) == m.Pong(message.seq):
                return True
        return False

    def _check_peers(self) -> None:
        """Interrupt the objective if the bus or the driver is gone."""
        silence = self._client.silence()
        if not self._interrupter.ordered:
            why = silence or ("the driver is gone" if self._is_orphan() else None)
            if why is not None:
                logger.error("%s: this worker exits", why)
                self._client.worker.leaving = why
                self._end(ORPHANED)
        self._interrupter.tick(self._interrupter.now())

    def _end(self, order: m.Interrupt) -> None:
        self._client.worker.must_ask = True
        self._interrupter.order(order, self._interrupter.now())
