"""Workers and network of a simulated run: events in one heap, around the real experiment.

The pure half of a worker (`asha_bus.core.worker.Worker`) is left out: its requests are made
here with the same fields, and a test holds that both ways give the same trials. There are no
heartbeats, as leases are made long; nothing is encoded; and between two decisions a trial is
one event.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Any

from asha_bus.core import messages as m
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.events import (
    AppendToJournal,
    Effect,
    Ended,
    Received,
    RequestSuggestions,
    RunSettings,
    Send,
    StopRun,
    Suggested,
    TrialUpdated,
    WorkerExited,
)
from asha_bus.core.trial import Trial
from asha_bus.simulation.workloads import Drawn, Workload, drawing
from asha_bus.testing.simulator.bus import Bus
from asha_bus.testing.simulator.simulation import Searcher

_NO_EXTRAS: m.Extras = {}
_NO_NAMES: tuple[m.Named, ...] = ()

#: What happens to a worker beside its messages.
_LOST = "lost"
_INTERRUPTED = "interrupted"
#: What happens to the run.
_MAX_TIME = "max_time"


@dataclass(frozen=True)
class Conditions:
    """What a fleet goes through; see `asha_bus.simulate`."""

    workers: int
    joins: Sequence[float] = ()
    leaves: Sequence[float] = ()
    latency_s: Drawn = 0.0
    service_s: float = 0.0
    failures: float = 0.0
    losses: float = 0.0
    replace_s: float = 0.0


class _Attempt:
    """An attempt at a trial, in the memory of its worker."""

    __slots__ = ("assignment", "best", "best_at", "best_key", "metric", "resource", "work")

    def __init__(self, assignment: m.Assignment, work: Any) -> None:
        self.assignment, self.work = assignment, work
        self.resource: float = 0
        self.metric: float | None = None
        #: The best metric, and what it is compared by: smaller is better.
        self.best: float | None = None
        self.best_key = math.inf
        self.best_at: float | None = None


class _Worker:
    """A simulated worker."""

    __slots__ = ("attempt", "idle_s", "idle_since", "name", "residents", "seq", "slot", "turn")

    def __init__(self, name: str, slot: str, now: float) -> None:
        self.name, self.slot = name, slot
        self.seq = 0
        #: Counts what it did: an event that was planned for an earlier turn does not happen.
        self.turn = 0
        self.idle_s, self.idle_since = 0.0, now
        self.attempt: _Attempt | None = None
        self.residents: dict[int, _Attempt] = {}


class Fleet(Bus):
    """A run in virtual time.

    The router is one server: it takes messages in the order of their arrival, each for
    ``service_s``. Answers leave at the end of that time.
    """

    def __init__(
        self,
        settings: RunSettings,
        workload: Workload,
        searcher: Searcher,
        given: Conditions,
        random: Random,
    ) -> None:
        super().__init__(settings)
        self.experiment.emit = self._emit
        self._workload, self._searcher, self._random = workload, searcher, random
        self._latency = drawing(given.latency_s, random, "latency_s")
        self._service_s = given.service_s
        self._failures, self._losses, self._replace_s = (
            given.failures,
            given.losses,
            given.replace_s,
        )
        #: Time, a number for equal times, worker, its turn, and what happens.
        self._heap: list[tuple[float, int, _Worker | None, int, Any]] = []
        self._planned = 0
        self._workers: dict[str, _Worker] = {}
        self._joined = 0
        self._free_at = 0.0
        self._requests: list[RequestSuggestions] = []
        #: Whether something is due by the experiment's clock, beside ``max_time``.
        self._is_timed = settings.scheduler.rung_timeout is not None
        #: For how long the router was busy, and the longest that a message waited for it.
        self.served_s = self.longest_queued_s = 0.0
        #: When the best metric of all reports so far became better, and to what.
        self.best: list[tuple[float, float]] = []
        self._sign = 1.0 if settings.mode == "min" else -1.0
        self._best_key = math.inf
        for number in range(given.workers):
            self._plan(0.0, None, 0, f"slot {number}")
        for number, at in enumerate(given.joins, given.workers):
            self._plan(at, None, 0, f"slot {number}")
        for at in given.leaves:
            self._plan(at, None, 0, None)
        if settings.max_time_s is not None:
            self._plan(settings.max_time_s, None, 0, _MAX_TIME)

    # --- time ----------------------------------------------------------------

    def _plan(self, at: float, worker: _Worker | None, turn: int, what: Any) -> None:
        self._planned += 1
        heappush(self._heap, (at, self._planned, worker, turn, what))

    def run(self) -> None:
        """Let time pass until the run ends."""
        was_enabled = gc.isenabled()
        gc.disable()  # there are millions of objects, and none is garbage in a cycle
        try:
            self.experiment.start()
            self._suggest()
            while self.ended is None:
                if not (self._is_timed and self._tick()):
                    self._advance()
        finally:
            if was_enabled:
                gc.enable()

    def _tick(self) -> bool:
        """Let the experiment see the time, if that is the next thing to happen."""
        due = self.experiment.next_deadline()
        if due is None or (self._heap and self._heap[0][0] < due):
            return False
        self.clock.now = max(self.clock.now, due)
        self.experiment.tick(self.clock.now)
        self._suggest()
        return True

    def _advance(self) -> None:
        if not self._heap:  # not even an end of the time
            assert not self._workers, "workers wait, and nothing will ever happen again"
            self.handle(StopRun("stopped", "all workers have left"))
            assert self.ended is not None
            return
        at, _, worker, turn, what = heappop(self._heap)
        clock = self.clock
        if worker is None:
            clock.now = max(clock.now, at)
            if what is None:
                self._send_home()
            elif what is _MAX_TIME:
                self.tick()
            else:
                self._join(what)
            return
        if worker.turn != turn:
            return
        worker.turn = turn + 1
        if type(what) is str:
            clock.now = max(clock.now, at)
            if what is _LOST:
                self._lose(worker)
            elif worker.attempt is not None:
                attempt = worker.attempt
                trial = self.experiment.table[attempt.assignment.trial]  # as far as it reported
                attempt.resource, attempt.metric = trial.resource, trial.metric
                best = attempt.best = trial.best_metric
                attempt.best_key = math.inf if best is None else self._sign * best
                attempt.best_at = trial.best_resource
                self._end_attempt(worker, at, what, None)
            return
        start = self._free_at
        if start > at:
            self.longest_queued_s = max(self.longest_queued_s, start - at)
        else:
            start = at
        self.served_s += self._service_s
        self._free_at = start + self._service_s
        if start < clock.now:
            start = clock.now
        clock.now = start
        kind = type(what)
        if kind is m.Report or kind is m.End:
            metric = what.metric
            if metric is not None and -math.inf < self._sign * metric < self._best_key:
                self._best_key = self._sign * metric
                self.best.append((start, metric))
        self.experiment.handle(m.of_fields(Received, (worker.name, what)), start)
        if self._requests:
            self._suggest()

    # --- effects -------------------------------------------------------------

    def _emit(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            self._deliver(effect.to, effect.message)
        elif isinstance(effect, AppendToJournal):
            pass  # there is no journal
        elif isinstance(effect, RequestSuggestions):
            self._requests.append(effect)
        elif isinstance(effect, TrialUpdated):
            self._observe(effect.trial)
        elif isinstance(effect, Ended):
            self.ended = effect

    def carry_out(self) -> None:
        self._suggest()

    def _suggest(self) -> None:
        """Answer the requests for points, at once."""
        while self._requests:
            self._request(self._requests.pop(0))

    def _request(self, request: RequestSuggestions) -> None:
        points, is_last = self._searcher.points(request.first, request.number)
        event = Suggested(request.first, tuple(points), is_last)
        self.experiment.handle(event, self.clock.now)

    def _record(self, record: AppendToJournal) -> None:
        """It has no journal."""

    def _observe(self, trial: Trial) -> None:
        self._searcher.observe(trial.to_row())

    # --- what workers do -----------------------------------------------------

    def _join(self, slot: str) -> None:
        worker = _Worker(f"worker {self._joined}", slot, self.clock.now)
        self._joined += 1
        self._workers[worker.name] = worker
        worker.seq = 1
        hello = m.Hello(1, self.settings.run, slot, "host", 1)
        self._plan(self.clock.now + self._latency(), worker, 0, hello)

    def _send_home(self) -> None:
        """The worker that joined last leaves, and what it holds is lost."""
        if self._workers:
            _, worker = self._workers.popitem()
            worker.turn += 1
            self.handle(Received(worker.name, m.Leave({})))

    def _lose(self, worker: _Worker) -> None:
        """A worker dies, which is noticed at once; another one takes its place later."""
        del self._workers[worker.name]
        self.handle(WorkerExited(worker.slot))
        self._plan(self.clock.now + self._replace_s, None, 0, worker.slot)

    def _deliver(self, to: str, message: m.ToWorker) -> None:
        """``to`` gets an answer, and works on until it has something to say again."""
        worker = self._workers.get(to)
        at = self._free_at
        if at < self.clock.now:
            at = self.clock.now
        at += self._latency()
        if worker is None:
            if isinstance(message, m.Interrupt):
                self._is_timed = True
                busy = self._workers.get(to.removesuffix(m.HEARTBEAT_SUFFIX))
                if busy is not None:
                    self._plan(at + message.interrupt_s, busy, busy.turn, _INTERRUPTED)
            return
        if isinstance(message, m.Stop):
            worker.attempt = None
            self._next(worker, message.next, message.drops, at)
        elif isinstance(message, m.Continue):
            if message.drops:
                self._drop(worker, message.drops)
            assert worker.attempt is not None
            self._go_on(worker, worker.attempt, message.next_resource, at)
        elif isinstance(message, m.Pause):
            attempt, worker.attempt = worker.attempt, None
            assert attempt is not None
            worker.residents[attempt.assignment.trial] = attempt
            self._next(worker, message.next, message.drops, at)
        elif isinstance(message, m.Assign):
            self._next(worker, message.assignment, message.drops, at)
        elif isinstance(message, m.Wait):
            self._drop(worker, message.drops)
        elif isinstance(message, m.Done):
            del self._workers[to]
            self._plan(at + self._latency(), worker, worker.turn, m.Leave({}))
        else:
            if isinstance(message, m.Refused):
                raise InvalidArgument(f"{message.text}: simulate fewer of them")
            assert isinstance(message, m.Welcome), message
            self._next(worker, None, (), at)

    def _drop(self, worker: _Worker, trials: m.Drops) -> None:
        for number in trials:
            worker.residents.pop(number, None)

    def _next(
        self, worker: _Worker, assignment: m.Assignment | None, drops: m.Drops, at: float
    ) -> None:
        """Begin a trial, resume it, or ask for one."""
        if drops:
            self._drop(worker, drops)
        if assignment is None:
            worker.seq += 1
            idle_s = worker.idle_s + (at - worker.idle_since)
            sent = m.Next(worker.seq, idle_s)
            self._plan(at + self._latency(), worker, worker.turn, sent)
            return
        attempt = worker.residents.pop(assignment.trial, None) if worker.residents else None
        if attempt is None or attempt.assignment.attempt != assignment.attempt:
            attempt = _Attempt(assignment, self._workload.open(assignment))
        worker.attempt = attempt
        self._go_on(worker, attempt, assignment.next_resource, at)

    def _go_on(self, worker: _Worker, attempt: _Attempt, to: float | None, at: float) -> None:
        """Work from ``at`` to the next decision or to the end, unless something happens before."""
        worker.idle_s += at - worker.idle_since
        stretch = self._workload.stretch(attempt.work, attempt.resource, to)
        seconds, resource, metric, ends, error = stretch
        if self._failures or self._losses:
            fails_s, lost_s = self._luck(self._failures), self._luck(self._losses)
            if lost_s < min(fails_s, seconds):
                worker.idle_since = at + lost_s
                self._plan(at + lost_s, worker, worker.turn, _LOST)
                return
            if fails_s < seconds:
                self._end_attempt(worker, at + fails_s, "failed", "a simulated failure")
                return
        worker.idle_since = sent = at + seconds
        if metric is not None:
            attempt.resource, attempt.metric = resource, metric
            key = self._sign * metric
            if -math.inf < key < attempt.best_key:
                attempt.best, attempt.best_at, attempt.best_key = metric, resource, key
        if ends != "report":
            self._end_attempt(worker, sent, ends, error)
            return
        worker.seq += 1
        assignment = attempt.assignment
        assert metric is not None
        fields = (
            worker.seq,
            assignment.trial,
            assignment.attempt,
            resource,
            metric,
            attempt.best,
            _NO_EXTRAS,
            worker.idle_s,
            attempt.best_at,
            _NO_NAMES,
        )
        self._planned += 1
        arrives_at = sent + self._latency()
        heappush(
            self._heap,
            (arrives_at, self._planned, worker, worker.turn, m.of_fields(m.Report, fields)),
        )

    def _luck(self, rate: float) -> float:
        """The seconds until something happens that comes ``rate`` times a second."""
        return self._random.expovariate(rate) if rate else math.inf

    def _end_attempt(self, worker: _Worker, at: float, outcome: str, error: str | None) -> None:
        attempt, worker.attempt = worker.attempt, None
        if attempt is None:
            return
        worker.seq += 1
        worker.idle_since = at
        end = m.End(
            worker.seq,
            attempt.assignment.trial,
            attempt.assignment.attempt,
            attempt.resource,
            attempt.metric,
            attempt.best,
            _NO_EXTRAS,
            outcome,
            error,
            worker.idle_s,
            attempt.best_at,
        )
        self._plan(at + self._latency(), worker, worker.turn, end)
