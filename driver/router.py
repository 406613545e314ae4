"""The bus: one blocking loop that receives, lets the `Experiment` decide, and replies."""

from __future__ import annotations

import logging
import os
import time
from itertools import islice
from typing import Any

import zmq

from asha_bus.core.errors import JournalError, RemoteProtocolError
from asha_bus.core.events import (
    AppendToJournal,
    Effect,
    FallbackDrawn,
    JournalFailed,
    Received,
    RequestSuggestions,
    Resumed,
    Send,
    Stalled,
    StopRun,
    Suggested,
    TrialUpdated,
    WorkerExited,
)
from asha_bus.core.latency import Latencies
from asha_bus.core.messages import (
    DROPPED_KINDS,
    Interrupt,
    Refused,
    Report,
)
from asha_bus.core.status import changes, status
from asha_bus.driver.auth import Gatekeeper, Keys
from asha_bus.driver.journal import Writer, WriterFigures
from asha_bus.formats import wire
from asha_bus.formats.journal import Replayed
from asha_bus.formats.pipe import PipeEnd

logger = logging.getLogger("asha_bus.bus")

#: The loop turns at least so often, to see whether the parent is still there.
_TURN_S = 1.0
#: A turn that took this much longer means that the process did not run.
_STALL_S = 0.5
#: Who holds the run's key may send a lot and read nothing; a worker has one request
#: under way. So many messages are kept per peer and direction.
_HIGH_WATER = 200
#: A handshake takes milliseconds; a connection that has not done it is closed.
_HANDSHAKE_MS = 10_000
#: Trials per answer to ``rows``, to ``logs``, and to ``curves``.
_ROWS = 500
_LOGS = 50
_CURVES = 10
#: Changed trials and reports per answer to ``changes``: it comes in the middle of a
#: run, and decisions wait for it some 0.3 ms.
_CHANGED = 80
_POINTS = 200

# plain numbers and single frames: zmq's flags and its multipart calls take several
# times as long as the sockets themselves
_AT_ONCE = int(zmq.NOBLOCK)
_AT_ONCE_AND_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_MORE = int(zmq.RCVMORE)


class Router:
    """Owns the sockets and drives one `Experiment`. Everything happens in one thread.

    ``listener`` is the socket that listens at ``endpoint``; it is the supervisor's,
    so that the port is not lost when this process is. ``began`` is the monotonic
    time at 0 on the run's clock. ``is_temporary``: the journal has no name, and the
    run goes on without it where it cannot be written.
    """

    def __init__(
        self,
        replayed: Replayed,
        writer: Writer,
        keys: Keys,
        pipe: PipeEnd,
        *,
        listener: int,
        endpoint: str,
        began: float,
        is_temporary: bool,
    ) -> None:
        self._pipe = pipe
        self._parent = os.getppid()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._gatekeeper = Gatekeeper(self._context, self._socket, keys.client_public)
        self._socket.setsockopt(zmq.LINGER, 500)
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # else nobody hears of the unsent
        self._socket.setsockopt(zmq.MAXMSGSIZE, wire.MAX_FRAME_BYTES)
        self._socket.setsockopt(zmq.RCVHWM, _HIGH_WATER)
        self._socket.setsockopt(zmq.SNDHWM, _HIGH_WATER)
        self._socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        self._socket.setsockopt(zmq.BACKLOG, 1_000)
        self._socket.curve_server = True
        self._socket.curve_publickey = keys.server_public
        self._socket.curve_secretkey = keys.server_secret
        self._socket.zap_domain = b"asha-bus"
        self._socket.setsockopt(zmq.USE_FD, listener)
        self._socket.bind(endpoint)
        self._rejected = dict.fromkeys(DROPPED_KINDS, 0)
        self._latencies = Latencies()
        #: Seconds outside of the poll, and processor seconds of the buses before.
        self._busy_s = self._cpu_before_s = self._process_cpu_before_s = 0.0
        self._began = began
        #: None: the file took no more of a journal that was only for this bus's own death.
        self._writer: Writer | None = writer
        self._is_temporary = is_temporary
        #: The message that is being handled, as it arrived.
        self._body: bytes | None = None
        self._has_progressed = False
        #: Why the journal cannot be written, until the experiment is told.
        self._failure: str | None = None
        self._experiment = replayed.experiment
        self._experiment.emit = self._carry_out

    def _now(self) -> float:
        """Seconds on the run's clock."""
        return time.monotonic() - self._began

    def run(self, resumed: Resumed | None, before: dict[str, Any]) -> None:
        """Serve until the supervisor closes the pipe or is gone.

        ``before`` is the last status of the bus before: what it had counted goes on.
        """
        if before:
            self._rejected.update(before["rejected"])
            self._latencies = Latencies(before["server_latency"])
            self._busy_s = before["busy_s"]
            self._cpu_before_s = before["router_cpu_s"]
            self._process_cpu_before_s = before["process_cpu_s"]
            if self._writer is not None and before["journal"] is not None:
                self._writer.go_on(WriterFigures(*before["journal"]))
        if resumed is not None:
            self._experiment.handle(resumed, self._now())
        self._experiment.restart(self._now(), before.get("counters", {}))
        self._flush()
        self._pipe.flush()
        arrivals: list[tuple[Any, int]] = [
            (self._socket, zmq.POLLIN),
            (self._pipe.read_fd, zmq.POLLIN),
        ]
        departures: list[tuple[Any, int]] = [(self._pipe.write_fd, zmq.POLLOUT)]
        turned = looked = self._now()
        while not self._pipe.is_closed:
            deadline = self._experiment.next_deadline()
            patience = _TURN_S if deadline is None else min(max(deadline - turned, 0), _TURN_S)
            waiting = arrivals + departures if self._pipe.wants_write else arrivals
            self._busy_s += self._now() - turned
            ready = zmq.zmq_poll(waiting, int(patience * 1000) + 1)
            now = self._now()
            if now - turned > _TURN_S + _STALL_S:
                self._experiment.handle(Stalled(now - turned - _TURN_S), now)
            turned = now
            for where, _ in ready:
                if where is self._socket:
                    self._serve()
                elif where == self._pipe.read_fd:
                    for frame in self._pipe.frames():
                        self._obey(*frame)
            # what is there was heard first: nobody's lease ends for our own slowness
            if deadline is not None and now >= deadline:
                self._experiment.tick(now)
            self._flush()
            self._pipe.flush()
            if self._failure is not None:
                self._experiment.handle(JournalFailed(self._failure), now)
                self._failure = None
            if now - looked > _TURN_S:
                looked = now
                if os.getppid() != self._parent:
                    break
        self._socket.close()
        self._context.term()

    def _serve(self) -> None:
        """Take the message that has arrived and answer it."""
        socket = self._socket
        name, body = socket.recv(_AT_ONCE), socket.recv(_AT_ONCE)
        started = time.monotonic() - self._began
        try:
            sender = name.decode()
            message = wire.decode_from_worker(body)
        except UnicodeDecodeError:
            self._rejected["bad_name"] += 1
        except RemoteProtocolError as error:
            self._reject(sender, error)
        else:
            self._body = body
            self._experiment.handle(Received(sender, message), started)
            self._body = None
            if type(message) is Report:
                self._latencies.add(time.monotonic() - self._began - started)
        while socket.get(_MORE):
            socket.recv(_AT_ONCE)
            self._rejected["extra_frame"] += 1

    def _reject(self, sender: str, error: RemoteProtocolError) -> None:
        self._rejected[error.kind] += 1
        logger.debug("a message was dropped: %s", error)
        if error.seq:  # a request: who sent it waits for an answer
            self._send(Send(sender, Refused(error.seq, str(error))))

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, AppendToJournal):
            if self._failure is None:
                body = self._body if isinstance(effect.event, Received) else None
                if self._writer is not None:
                    self._writer.add(effect, body)
                if not self._has_progressed and body is not None:
                    self._has_progressed = True
                    self._pipe.send(("progress",))
        elif isinstance(effect, Send):
            self._flush()  # nobody hears of what could still be forgotten
            if self._failure is None or isinstance(effect.message, Interrupt):
                self._send(effect)
        elif isinstance(effect, TrialUpdated):
            self._pipe.put(("observed", effect.trial.to_row()))
        elif isinstance(effect, RequestSuggestions):
            self._pipe.put(("draw", *effect))
        else:
            self._pipe.send(("ended", effect.reason, effect.message))

    def _send(self, effect: Send) -> None:
        body = wire.encode(effect.message)
        try:
            self._socket.send(effect.to.encode(), _AT_ONCE_AND_MORE)
            self._socket.send(body, _AT_ONCE)
        except zmq.Again:  # the peer does not read: it will ask again
            self._rejected["unsent"] += 1
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._rejected["unreachable"] += 1

    def _flush(self) -> None:
        if self._failure is None and self._writer is not None:
            try:
                self._writer.flush()
            except JournalError as error:
                if self._is_temporary:  # nobody asked for it: the run is worth more
                    self._writer = None
                    self._pipe.send(("unjournaled", str(error)))
                else:
                    self._failure = str(error)
                    logger.error("%s", error)

    # --- the supervisor's verbs ----------------------------------------------

    def _obey(self, number: int, verb: str, *arguments: Any) -> None:
        value = getattr(self, f"_obey_{verb}")(*arguments)
        if number:
            self._pipe.send(("reply", number, value))

    def _obey_points(
        self, first: int, points: tuple[tuple[float, ...], ...], is_last: bool
    ) -> None:
        self._experiment.handle(Suggested(first, points, is_last), self._now())

    def _obey_spare(self, number: int, point: tuple[float, ...]) -> None:
        self._experiment.handle(FallbackDrawn(number, point), self._now())

    def _obey_stop(self, reason: str, message: str) -> None:
        self._experiment.handle(StopRun(reason, message), self._now())

    def _obey_empty(self, slot: str) -> bool:
        """A slot is empty; whether anybody had ever joined from it."""
        joined = self._experiment.roster.at(slot) is not None
        self._experiment.handle(WorkerExited(slot), self._now())
        return joined

    def _obey_status(self) -> dict[str, Any]:
        """What monitors and metrics show, in plain numbers."""
        return {
            **status(self._experiment, self._now()),
            "server_latency": self._latencies.to_counts(),
            "busy_s": self._busy_s,
            "router_cpu_s": self._cpu_before_s + time.thread_time(),
            "process_cpu_s": self._process_cpu_before_s + time.process_time(),
            "journal": tuple(self._writer.figures) if self._writer is not None else None,
            "rejected": {
                **self._rejected,
                "unauthenticated": self._rejected["unauthenticated"] + self._gatekeeper.refused,
            },
        }

    def _obey_changes(self) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], bool]:
        """Some trials that changed, some reports between rungs, and whether there are more."""
        return changes(self._experiment, _CHANGED, _POINTS)

    def _obey_rows(self, first: int) -> list[tuple[Any, ...]]:
        """Some trials from number ``first`` on; fewer than all of them."""
        return [trial.to_row() for trial in self._experiment.table.trials[first : first + _ROWS]]

    def _obey_logs(self, first: int) -> list[tuple[int, str]]:
        """Some trials from number ``first`` on that said something, and what it was."""
        trials = self._experiment.table.trials
        said = ((trial.id, str(trial.log)) for trial in islice(trials, first, None) if trial.log)
        return list(islice(said, _LOGS))

    def _obey_curves(self, first: int) -> list[tuple[int, list[tuple[float, float]]]]:
        """Some trials from number ``first`` on whose reports between rungs were kept."""
        trials = self._experiment.table.trials
        kept = ((trial.id, trial.curve) for trial in islice(trials, first, None) if trial.curve)
        return list(islice(kept, _CURVES))
