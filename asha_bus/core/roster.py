"""The roster of a run's workers: who is there, and how much of their time was used."""

from __future__ import annotations

from dataclasses import dataclass, field

from asha_bus.core.lease import Leases
from asha_bus.core.messages import Assign, Continue, Hello, Reply, Stop

#: A copy of a worker waits until its sibling missed so many heartbeats.
MISSED_BEATS = 3


@dataclass(slots=True)
class WorkerRecord:
    """What is known of one worker. Times are seconds on the bus's clock."""

    name: str
    seat: str
    host: str
    pid: int
    heard: float
    #: Its last request and the answer to it, kept for a repeat.
    seq: int
    reply: Reply | None = None
    trial: int | None = None
    active: bool = True
    #: It was told to wait, and its answer is still to come.
    waiting: bool = False
    first_assigned: float | None = None
    idle_s: float = 0.0
    #: idle_s when it got its first trial: waiting for that is no idling.
    idle_before_s: float = 0.0
    #: Round trips by bucket, as its heartbeats tell.
    latency: dict[int, int] = field(default_factory=dict)

    @property
    def believes_in_trial(self) -> bool:
        """Whether its last answer lets it run a trial, be that its own any more or not."""
        reply = self.reply
        return isinstance(reply, Assign | Continue) or (
            isinstance(reply, Stop) and reply.next is not None
        )


class Roster:
    """All workers that ever joined, by name; each seat has one live worker at most."""

    def __init__(self, lease_s: float, beat_s: float) -> None:
        self.workers: dict[str, WorkerRecord] = {}
        self.leases = Leases(lease_s)
        self._silence_s = MISSED_BEATS * beat_s
        self._seats: dict[str, str] = {}

    def get(self, name: str) -> WorkerRecord | None:
        """The worker of that name, if it ever joined."""
        return self.workers.get(name)

    def at(self, seat: str) -> WorkerRecord | None:
        """The last worker that took ``seat``."""
        return self.workers.get(self._seats.get(seat, ""))

    def is_silent(self, worker: WorkerRecord, now: float) -> bool:
        """Whether ``worker`` missed several heartbeats."""
        return now - worker.heard >= self._silence_s

    def join(self, name: str, hello: Hello, now: float) -> WorkerRecord:
        """Write a new worker down."""
        worker = WorkerRecord(name, hello.seat, hello.host, hello.pid, now, hello.seq)
        self.workers[name] = worker
        self._seats[hello.seat] = name
        self.leases.renew(name, now)
        return worker

    def hear(self, worker: WorkerRecord, now: float) -> None:
        """``worker`` spoke: its lease starts anew; one thought gone is back."""
        worker.heard = now
        worker.active = True
        self.leases.renew(worker.name, now)

    def leave(self, worker: WorkerRecord) -> None:
        """``worker`` is gone; it may come back under the same name."""
        worker.active = False
        worker.waiting = False
        self.leases.drop(worker.name)

    @property
    def active(self) -> int:
        """How many workers are there."""
        return sum(worker.active for worker in self.workers.values())

    def busy(self, now: float) -> tuple[float, float]:
        """Idle and wall seconds of all workers, each from its first trial on."""
        idle = wall = 0.0
        for worker in self.workers.values():
            if worker.first_assigned is not None:
                end = now if worker.active else worker.heard
                wall += end - worker.first_assigned
                idle += worker.idle_s - worker.idle_before_s
        return idle, wall
