"""What the bus and its workers say to each other: each request is answered exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from asha_bus.core import messages as m
from asha_bus.core.events import (
    AppendToJournal,
    Counters,
    Effect,
    Event,
    JournaledEvent,
    Received,
    Send,
    WorkerReturned,
)
from asha_bus.core.roster import Roster, WorkerRecord
from asha_bus.core.trial import RungRecord


class Conversation:
    """Finds who speaks, answers repeated requests from record, and emits messages.

    ``answer``: finds a new answer for a worker that was told to wait and then declared
    dead. ``handle``: handles an event at once: a silent worker has returned. Once
    ``is_journaled`` is False nothing is recorded, and nothing leaves but interrupts and
    `dismiss`: nobody hears of what would be forgotten.
    """

    def __init__(
        self,
        roster: Roster,
        counters: Counters,
        emit: Callable[[Effect], None],
        answer: Callable[[WorkerRecord, float], None],
        handle: Callable[[Event, float], None],
    ) -> None:
        self.roster = roster
        self._counters = counters
        self.emit = emit
        self._answer = answer
        self._handle = handle
        self.is_journaled = True

    # --- who speaks -----------------------------------------------------------

    def requester(
        self, sender: str, request: m.Next | m.Report | m.End | m.Draw, now: float
    ) -> WorkerRecord | None:
        """The worker that sends a new request; None: it is a repeat or a stranger's, and is done.

        It is heard, which revives it if it was declared dead.
        """
        seq = request.seq
        worker = self.roster.workers.get(sender)
        if worker is None:
            self.refuse(sender, seq, "unknown worker: it must say HELLO first")
            return None
        if seq <= worker.seq:
            self._repeat(worker, request, now)
            return None
        if worker.may_return:
            self._handle(WorkerReturned(worker.name), now)
        worker.seq = seq
        worker.waits_since = None
        self.roster.hear(worker, now)
        return worker

    def _repeat(
        self, worker: WorkerRecord, request: m.Next | m.Report | m.End | m.Draw, now: float
    ) -> None:
        """A request came again: the recorded answer goes out again, and nothing else."""
        if request.seq < worker.seq or worker.reply is None:
            return  # an old copy, overtaken by newer requests
        self._counters.retried += 1
        if worker.may_return:
            self._handle(WorkerReturned(worker.name), now)
        if isinstance(worker.reply, m.Wait) and not worker.waiting:
            self.record(Received(worker.name, request), now)
            self.roster.hear(worker, now)
            self._answer(worker, now)  # it was declared dead meanwhile
            return
        if worker.active:  # one that was declared dead is back with its next new request
            self.roster.hear(worker, now)
        self.send(worker.name, worker.reply)

    def teller(self, sender: str, now: float) -> WorkerRecord | None:
        """The worker that sends a one-way message, which does not revive one declared dead."""
        worker = self.roster.workers.get(sender)
        if worker is not None and worker.active:
            self.roster.hear(worker, now)
        return worker

    def owner(self, sender: str) -> WorkerRecord | None:
        """The worker whose heartbeat socket ``sender`` is."""
        return self.roster.get(sender.removesuffix(m.HEARTBEAT_SUFFIX))

    def living_owner(self, sender: str, now: float) -> WorkerRecord | None:
        """The same; if it was silent, it has returned."""
        worker = self.owner(sender)
        if worker is not None and worker.may_return:
            self._handle(WorkerReturned(worker.name), now)
        return worker

    # --- sending --------------------------------------------------------------

    def emit_all(self, effects: Iterable[Effect]) -> None:
        """Emit each of ``effects``."""
        for effect in effects:
            self.emit(effect)

    def record(
        self, event: JournaledEvent, now: float, decisions: tuple[RungRecord, ...] = ()
    ) -> None:
        """Have ``event`` written down before the answers that follow from it."""
        if self.is_journaled:
            self.emit(m.of_fields(AppendToJournal, (now, event, decisions)))

    def reply(self, worker: WorkerRecord, reply: m.Reply) -> None:
        """Answer the last request of ``worker``, and keep the answer for a repeat."""
        worker.reply = reply
        if self.is_journaled:
            self.emit(m.of_fields(Send, (worker.name, reply)))

    def send(self, to: str, message: m.Reply | m.Interrupt | m.Ask) -> None:
        """Send what no repeat has to get again."""
        if self.is_journaled or isinstance(message, m.Interrupt):
            self.emit(Send(to, message))

    def beside(self, worker: WorkerRecord, message: m.Pong | m.Interrupt | m.Ask) -> None:
        """Send to the heartbeat socket of ``worker``."""
        self.send(worker.name + m.HEARTBEAT_SUFFIX, message)

    def refuse(self, to: str, seq: int, text: str) -> None:
        """Say why a request cannot be served."""
        self._counters.refused += 1
        self.send(to, m.Refused(seq, text))

    def dismiss(self, event: Received, request: m.Next | m.Report | m.End, now: float) -> None:
        """Send a worker home with an answer that promises nothing."""
        is_report = isinstance(request, m.Report)
        goodbye = m.Stop(request.seq, "ended", None) if is_report else m.Done(request.seq, "failed")
        self.emit(Send(event.sender, goodbye))
