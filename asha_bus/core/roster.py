"""The roster of a run's workers: which are active, and how busy they were."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from asha_bus.core.latency import merged
from asha_bus.core.lease import Leases
from asha_bus.core.messages import Assign, Continue, Draw, Drops, Hello, Pause, Reply, Stop

if TYPE_CHECKING:
    from asha_bus.core.events import RunSettings

#: A worker is silent after this many missed heartbeats; then its slot may be taken over.
MISSED_HEARTBEATS = 3

#: The most residents that one message says are to be dropped.
MAX_DROPS = 1_000

#: The states of an active worker.
WORKER_STATES = ("running", "waiting", "idle", "silent")

#: The most workers in the roster. At the limit, the workers that left first are removed:
#: a share of all at a time, because finding them means a scan of the whole roster.
MAX_WORKERS = 20_000
_FORGOTTEN_SHARE = 0.1


class WorkerTime(NamedTuple):
    """Seconds of workers, each from its first trial on: all of them, and those between trials."""

    idle_s: float
    wall_s: float

    @property
    def share(self) -> float:
        """The share that was spent inside the objective; NaN where there was no trial."""
        return 1 - self.idle_s / self.wall_s if self.wall_s > 0 else math.nan


class HungWorker(NamedTuple):
    """A worker that was given up, and should be replaced by the engine."""

    name: str
    slot: str
    host: str
    pid: int


@dataclass(slots=True)
class WorkerRecord:
    """The record of one worker. Times are seconds on the bus's clock."""

    name: str
    slot: str
    host: str
    pid: int
    heard: float
    #: The seq of its last request; the answer is kept in case the request is repeated.
    seq: int
    reply: Reply | None = None
    #: Its last request for a value; it waits for that while there is no reply.
    asked: Draw | None = None
    trial: int | None = None
    active: bool = True
    #: Whether its lease has ended, and it has neither returned nor been given up since.
    may_return: bool = False
    #: Whether it was given up: the engine should replace it.
    is_hung: bool = False
    #: The trial and the attempt that it had when it fell silent, if another worker may take it.
    suspended: tuple[int, int] | None = None
    #: The paused trials that it keeps in memory, with their attempts, in the order in which they
    #: paused; those of them that are to go on; and those that it is to drop.
    residents: dict[int, int] = field(default_factory=dict)
    going_on: set[int] = field(default_factory=set)
    drops: list[int] = field(default_factory=list)
    #: Former residents whose states it was told to save, until it says whether it did.
    saving: set[int] = field(default_factory=set)
    #: The residents that it had when it fell silent.
    suspended_residents: dict[int, int] = field(default_factory=dict)
    #: The number of its last departure, counted over all workers.
    left: int = 0
    #: Whether it was answered `Wait`, and its final answer is still due.
    waiting: bool = False
    #: Whether its name is in the queue of waiting workers, even if it no longer waits.
    queued: bool = False
    first_assigned: float | None = None
    #: Seconds outside objectives, as it said last; and since when it waits for an answer, which
    #: counts in addition.
    idle_s: float = 0.0
    waits_since: float | None = None
    #: ``idle_s`` at its first trial, since waiting for that does not count as idle.
    idle_before_s: float = 0.0
    #: Round trips by bucket, from its last heartbeat.
    latency: dict[int, int] = field(default_factory=dict)

    @property
    def drops_now(self) -> Drops:
        """The residents that it is to drop, as many as one message holds."""
        return tuple(self.drops[:MAX_DROPS])

    def take_drops(self) -> Drops:
        """The residents that it is to drop, for an answer that will be repeated until it came."""
        if not self.drops:
            return ()
        drops, self.drops = self.drops_now, self.drops[MAX_DROPS:]
        return drops

    def take_pause(self) -> tuple[Drops, Drops]:
        """The same for a pause, and those of them that are to be saved."""
        drops = self.take_drops()
        return drops, tuple(number for number in drops if number in self.saving)

    @property
    def believes_in_trial(self) -> bool:
        """Whether its last answer lets it run a trial, even if that is no longer assigned to it."""
        reply = self.reply
        return (
            isinstance(reply, Assign | Continue)
            or (isinstance(reply, Stop | Pause) and reply.next is not None)
            or bool(self.residents)
        )


class Roster:
    """The workers that joined, by name; each slot has at most one live worker.

    ``before``: the roster of the launch that this one resumes, whose workers are gone.
    """

    def __init__(
        self,
        lease_s: float,
        heartbeat_s: float,
        hang_timeout_s: float | None = None,
        before: Roster | None = None,
    ) -> None:
        self.workers: dict[str, WorkerRecord] = {}
        self.leases = Leases(lease_s)
        #: How long silent workers may still return.
        self.returns = Leases(math.inf if hang_timeout_s is None else hang_timeout_s)
        self._silence_s = MISSED_HEARTBEATS * heartbeat_s
        self._slots: dict[str, str] = {}
        #: The number of workers that ever joined, including removed ones.
        self.joined: int = 0 if before is None else before.joined
        self._joined_before = self.joined
        #: The number of active workers.
        self.active = 0
        self._departures = 0 if before is None else before.left + before.active
        self._forgotten_latency: Mapping[int, int] = {}
        self._forgotten_busy = (0.0, 0.0)

    @classmethod
    def of(cls, settings: RunSettings, before: Roster | None = None) -> Roster:
        """The roster of a run with these ``settings``."""
        return cls(settings.lease_s, settings.heartbeat_s, settings.hang_timeout_s, before)

    def get(self, name: str) -> WorkerRecord | None:
        """The worker named ``name``, or None if it never joined."""
        return self.workers.get(name)

    def at(self, slot: str) -> WorkerRecord | None:
        """The last worker that joined for ``slot``, or None."""
        return self.workers.get(self._slots.get(slot, ""))

    def is_silent(self, worker: WorkerRecord, now: float) -> bool:
        """Whether ``worker`` missed several heartbeats."""
        return now - worker.heard >= self._silence_s

    def make_room(self) -> bool:
        """Remove workers that left long ago if the roster is full; return whether there is room.

        The limit is needed because a client with the run's key can join under any number
        of names.
        """
        if len(self.workers) < MAX_WORKERS:
            return True
        gone = [
            worker
            for worker in self.workers.values()
            if not (worker.active or worker.queued) and worker.trial is None
        ]
        gone.sort(key=lambda worker: worker.left)
        for worker in gone[: max(int(_FORGOTTEN_SHARE * MAX_WORKERS), 1)]:
            self._forgotten_latency = merged([self._forgotten_latency, worker.latency])
            (idle, wall), (its_idle, its_wall) = self._forgotten_busy, _busy(worker, worker.heard)
            self._forgotten_busy = idle + its_idle, wall + its_wall
            self.returns.drop(worker.name)
            del self.workers[worker.name]
            if self._slots[worker.slot] == worker.name:
                del self._slots[worker.slot]
        return bool(gone)

    def join(self, name: str, hello: Hello, now: float) -> WorkerRecord:
        """Add a new worker."""
        worker = WorkerRecord(name, hello.slot, hello.host, hello.pid, now, hello.seq)
        self.workers[name] = worker
        self.joined += 1
        self.active += 1
        self._slots[hello.slot] = name
        self.leases.renew(name, now)
        return worker

    def hear(self, worker: WorkerRecord, now: float) -> None:
        """Renew the lease of ``worker``, which sent a message; mark it active again if it left."""
        worker.heard = now
        if not worker.active:
            self.active += 1
            worker.active = True
            worker.is_hung = False
        self.leases.renew(worker.name, now)

    def hear_all(self, now: float, returns: Mapping[str, float]) -> None:
        """A new bus began: renew the leases of all active workers.

        ``returns``: how long each silent worker may still return. A longer time would never end
        where one bus after the other dies, and time without a bus does not count.
        """
        for worker in self.workers.values():
            if worker.active:
                self.hear(worker, now)
            elif worker.may_return:
                self.returns.renew(worker.name, now, returns.get(worker.name))

    def stalled(self, seconds: float) -> None:
        """The bus did not run for ``seconds``, in which it could hear nobody."""
        self.leases.stalled(seconds)
        self.returns.stalled(seconds)
        for worker in self.workers.values():
            worker.heard += seconds if worker.active else 0.0

    def fall_silent(self, worker: WorkerRecord, now: float) -> None:
        """Mark ``worker`` as gone for now; it may return before it is given up."""
        self.leave(worker)
        worker.may_return = True
        self.returns.renew(worker.name, now)

    def return_(self, worker: WorkerRecord, now: float) -> None:
        """Mark ``worker``, which was silent, as active again."""
        worker.may_return = False
        self.returns.drop(worker.name)
        self.hear(worker, now)

    def leave(self, worker: WorkerRecord) -> None:
        """Mark ``worker`` as gone; it may come back under the same name."""
        self._departures += 1
        worker.left = self._departures
        self.active -= worker.active
        worker.active = worker.waiting = False
        worker.may_return = worker.is_hung = False
        worker.suspended = None
        self.leases.drop(worker.name)
        self.returns.drop(worker.name)

    @property
    def hung(self) -> list[HungWorker]:
        """The workers that were given up, and whose end is not known yet."""
        return [
            HungWorker(worker.name, worker.slot, worker.host, worker.pid)
            for worker in self.workers.values()
            if worker.is_hung
        ]

    @property
    def joined_now(self) -> int:
        """The number of workers that joined in this launch."""
        return self.joined - self._joined_before

    @property
    def left(self) -> int:
        """How many times a worker left or was declared lost."""
        return self._departures

    def standing(self, now: float) -> dict[str, int]:
        """The number of active workers in each of `WORKER_STATES`."""
        counted = dict.fromkeys(WORKER_STATES, 0)
        for worker in self.workers.values():
            if worker.active:
                counted[self._state(worker, now)] += 1
        return counted

    def _state(self, worker: WorkerRecord, now: float) -> str:
        if self.is_silent(worker, now):
            return "silent"
        if worker.trial is not None:
            return "running"
        return "waiting" if worker.waiting else "idle"

    @property
    def waiting(self) -> int:
        """The number of workers that wait for a trial."""
        return sum(worker.waiting for worker in self.workers.values())

    def silence_s(self, now: float) -> float:
        """The longest time in seconds since the last message of any active worker."""
        return max((now - w.heard for w in self.workers.values() if w.active), default=0.0)

    def validate(self) -> None:
        """Check the invariants; raises `AssertionError` if one is broken."""
        assert self.active == sum(worker.active for worker in self.workers.values())

    def busy(self, now: float) -> WorkerTime:
        """Idle and wall-clock seconds of all workers, counted from the first trial of each."""
        idle, wall = self._forgotten_busy
        for worker in self.workers.values():
            its_idle, its_wall = _busy(worker, now if worker.active else worker.heard)
            idle += its_idle
            wall += its_wall
        return WorkerTime(idle, wall)

    def latency(self) -> dict[int, int]:
        """The counts of round trips of all workers, by bucket."""
        return merged([self._forgotten_latency, *(w.latency for w in self.workers.values())])


def _busy(worker: WorkerRecord, end: float) -> tuple[float, float]:
    """Idle and wall-clock seconds of ``worker`` from its first trial to ``end``."""
    if worker.first_assigned is None:
        return 0.0, 0.0
    since = worker.waits_since
    waited_s = 0.0 if since is None else max(end - since, 0.0)
    return worker.idle_s - worker.idle_before_s + waited_s, end - worker.first_assigned
