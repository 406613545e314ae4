"""The bus: one blocking loop that receives, lets the `Experiment` decide, and replies."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from typing import Any

import zmq

from asha_bus.core.errors import JournalError, RemoteProtocolError
from asha_bus.core.events import (
    AppendToJournal,
    Effect,
    Event,
    FallbackDrawn,
    JournalFailed,
    Received,
    RequestSuggestions,
    Resumed,
    Send,
    Stalled,
    StopRun,
    StopTrial,
    Suggested,
    TrialUpdated,
    ValuesDrawn,
    WorkerExited,
)
from asha_bus.core.latency import Latencies
from asha_bus.core.messages import (
    DROPPED_KINDS,
    Done,
    Interrupt,
    Refused,
    Report,
    of_fields,
)
from asha_bus.core.status import BusFigures, Status, changes, status
from asha_bus.core.trial import TrialRow
from asha_bus.driver.auth import Keys
from asha_bus.driver.bus_socket import bus_socket
from asha_bus.driver.journal import Writer
from asha_bus.driver.pipe_end import PipeEnd
from asha_bus.formats import pipe, wire
from asha_bus.formats.journal import Replayed

logger = logging.getLogger("asha_bus.bus")

#: The loop turns at least so often, to see whether the parent is still there.
_TURN_S = 1.0
#: A turn that took this much longer means that the process did not run.
_STALL_S = 0.5
#: Hooks learn how the run stands at most this often, and never later than so.
_STANDING_S = 0.2
#: Trials per answer to `RowsRequest`, `TextsRequest` and `CurvesRequest`.
_ROWS = 500
_TEXTS = 50
_CURVES = 10
#: Changed trials and reports per answer to `ChangesRequest`: it comes in the middle of a
#: run, and decisions wait for it about 0.3 ms.
_CHANGED = 80
_POINTS = 200

#: Messages that are handled before a worker's end is: more than all workers send in a pause.
_LAST_WORDS = 100_000

# plain numbers and single frames: zmq's flags and its multipart calls take several
# times as long as the sockets themselves
_AT_ONCE = int(zmq.NOBLOCK)
_AT_ONCE_AND_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_MORE = int(zmq.RCVMORE)


class Router:
    """Owns the sockets and drives one `Experiment`. Everything happens in one thread.

    ``setup.listener`` is the supervisor's, so that the port is not lost when this process
    is. ``began`` is the monotonic time at 0 on the run's clock.
    """

    def __init__(
        self,
        replayed: Replayed,
        writer: Writer,
        setup: pipe.BusSetup,
        began: float,
        pipe_end: PipeEnd,
    ) -> None:
        keys = Keys(*setup.keys)
        self._pipe = pipe_end
        self._parent = os.getppid()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket, self._gatekeeper = bus_socket(
            self._context, keys, setup.listener, setup.endpoint
        )
        # of the class below, without the Python code for options that are not used here
        self._send_frame = super(zmq.Socket, self._socket).send
        self._rejected = dict.fromkeys(DROPPED_KINDS, 0)
        self._latencies = Latencies()
        #: Seconds outside of the poll, and processor seconds of the buses before.
        self._busy_s = self._cpu_before_s = self._process_cpu_before_s = 0.0
        self._began = began
        #: None: the file took no more of a journal that was only for this bus's own death.
        self._writer: Writer | None = writer
        self._is_temporary = setup.is_temporary
        #: The message that is being handled, as it arrived.
        self._body: bytes | None = None
        self._has_progressed = False
        #: Whether something came of a trial since hooks were told how the run stands, and
        #: when they may be told next.
        self._has_news = False
        self._standing_due = 0.0
        #: Why the journal cannot be written, until the experiment is notified.
        self._failure: str | None = None
        self._experiment = replayed.experiment
        self._experiment.emit = self._carry_out
        self._handlers: dict[type, Callable[[Any], Any]] = {
            pipe.Call: self._on_call,
            Suggested: self._on_event,
            FallbackDrawn: self._on_event,
            ValuesDrawn: self._on_event,
            StopRun: self._on_event,
            StopTrial: self._on_event,
            pipe.SlotEmpty: self._on_slot_empty,
            pipe.StatusRequest: self._on_status,
            pipe.ChangesRequest: lambda _: changes(self._experiment, _CHANGED, _POINTS),
            pipe.LogsRequest: lambda request: self._experiment.table.logs_after(request.place),
            pipe.RowsRequest: self._on_rows,
            pipe.TextsRequest: self._on_texts,
            pipe.CurvesRequest: self._on_curves,
        }

    def _now(self) -> float:
        """Seconds on the run's clock."""
        return time.monotonic() - self._began

    def run(self, resumed: Resumed | None, before: Status | None) -> None:
        """Serve until the supervisor closes the pipe or is gone.

        ``before`` is the last status of the bus before: what it had counted goes on.
        """
        if before is not None:
            figures = before.bus
            self._rejected.update(figures.rejected)
            self._latencies = Latencies(figures.server_latency)
            self._busy_s = figures.busy_s
            self._cpu_before_s = figures.router_cpu_s
            self._process_cpu_before_s = figures.process_cpu_s
            if self._writer is not None and figures.journal is not None:
                self._writer.go_on(figures.journal)
        if resumed is not None:
            self._experiment.handle(resumed, self._now())
        counters = asdict(before.counters) if before else {}
        self._experiment.restart(self._now(), counters, before.returns if before else {})
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
            most = _STANDING_S if self._has_news else _TURN_S
            patience = most if deadline is None else min(max(deadline - turned, 0), most)
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
                        self._handlers[type(frame)](frame)
            # what is there was heard first: nobody's lease ends for our own slowness
            if deadline is not None and now >= deadline:
                self._experiment.tick(now)
            self._flush()
            if self._has_news and now >= self._standing_due:
                self._has_news, self._standing_due = False, now + _STANDING_S
                self._pipe.put(self._standing(now))
            self._pipe.flush()
            if self._failure is not None:
                self._experiment.handle(JournalFailed(self._failure), now)
                self._failure = None
            if now - looked > _TURN_S:
                looked = now
                if os.getppid() != self._parent:
                    break
                self._look_for_journal()
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
            self._experiment.handle(of_fields(Received, (sender, message)), started)
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
                    self._pipe.send(pipe.Progress())
        elif isinstance(effect, Send):
            if self._writer is not None and self._writer.pending:
                self._flush()  # nobody hears of what could still be forgotten
            if self._failure is None or isinstance(effect.message, Interrupt):
                self._send(effect)
        elif isinstance(effect, TrialUpdated):
            self._pipe.put(pipe.Observe(effect.trial.to_row()))
            self._has_news = self._experiment.settings.hooks
        elif isinstance(effect, RequestSuggestions):
            self._pipe.put(effect)
        else:
            self._pipe.send(effect)

    def _send(self, effect: Send) -> None:
        body = wire.encode(effect.message)
        try:
            self._send_frame(effect.to.encode(), _AT_ONCE_AND_MORE)
            self._send_frame(body, _AT_ONCE)
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
                    self._pipe.send(pipe.Unjournaled(str(error)))
                else:
                    self._failure = str(error)
                    logger.error("%s", error)

    def _look_for_journal(self) -> None:
        if self._writer is not None and not self._is_temporary:
            missed = self._writer.look()
            if missed is not None:
                self._pipe.send(pipe.Notice(missed))

    # --- the supervisor's frames ---------------------------------------------

    def _on_call(self, call: pipe.Call) -> None:
        value = self._handlers[type(call.request)](call.request)
        self._flush()  # whoever is answered does not ask another bus for the same
        self._pipe.send(pipe.Reply(call.number, value))

    def _on_event(self, event: Event) -> None:
        self._experiment.handle(event, self._now())

    def _on_slot_empty(self, request: pipe.SlotEmpty) -> pipe.Departure:
        # what it said before its end comes first, as if this process had been there to hear it
        for _ in range(_LAST_WORDS):
            if not self._socket.poll(0):
                break
            self._serve()
        worker = self._experiment.roster.at(request.slot)
        dismissed = worker is not None and isinstance(worker.reply, Done)
        self._experiment.handle(WorkerExited(request.slot, request.how), self._now())
        return pipe.Departure(worker is not None, dismissed)

    def _standing(self, now: float) -> pipe.Standing:
        experiment = self._experiment
        table, leader = experiment.table, experiment.table.leader
        return pipe.Standing(
            now - experiment.started,
            table.states,
            None if leader is None else leader.to_row(),
            table.spent,
            experiment.roster.active,
        )

    def _on_status(self, request: pipe.StatusRequest) -> Status:
        unauthenticated = self._rejected["unauthenticated"] + self._gatekeeper.refused
        figures = BusFigures(
            server_latency=self._latencies.to_counts(),
            busy_s=self._busy_s,
            router_cpu_s=self._cpu_before_s + time.thread_time(),
            process_cpu_s=self._process_cpu_before_s + time.process_time(),
            journal=None if self._writer is None else self._writer.figures,
            rejected={**self._rejected, "unauthenticated": unauthenticated},
        )
        return status(self._experiment, self._now(), figures)

    def _on_rows(self, request: pipe.RowsRequest) -> list[TrialRow]:
        first = request.first
        return [trial.to_row() for trial in self._experiment.table.trials[first : first + _ROWS]]

    def _on_texts(self, request: pipe.TextsRequest) -> list[tuple[int, str]]:
        trials = islice(self._experiment.table.trials, request.first, None)
        said = ((trial.id, str(trial.log)) for trial in trials if trial.log)
        return list(islice(said, _TEXTS))

    def _on_curves(self, request: pipe.CurvesRequest) -> list[tuple[int, pipe.Curves]]:
        trials = islice(self._experiment.table.trials, request.first, None)
        kept = ((t.id, (t.curve, t.extra_curves)) for t in trials if t.curve)
        return list(islice(kept, _CURVES))
