"""The one owner of a run's state: events in, effects out, no I/O.

The bus process, the tests' fake network and whatever comes later drive the same
object, so the same events give the same trials, rungs and verdicts everywhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Final

from asha_bus.core import messages as m
from asha_bus.core.ending import AT_MAX_TIME, AT_STOP, Ending
from asha_bus.core.events import (
    Counters,
    Draw,
    Effect,
    Ended,
    Event,
    Received,
    RunSettings,
    SeatEmpty,
    Send,
    Stalled,
    StopRun,
    Suggested,
)
from asha_bus.core.messages import BEAT_SUFFIX
from asha_bus.core.roster import MAX_WORKERS, Roster, WorkerRecord
from asha_bus.core.rung import mix, mix_in
from asha_bus.core.supply import Supply
from asha_bus.core.trial import Trial, TrialState
from asha_bus.core.trials import TrialTable, is_better

#: A run whose first so many trials all failed is ended: it would only go on so.
FIRST_FAILURES = 5

#: So many lines that objectives logged are held until they are collected.
MAX_LOG_LINES = 1_000

#: (seed, trial) gives trial.seed through `mix` with this salt; kept within 32 bits
#: since numpy and others take no larger seeds.
_SEED_SALT: Final = 1
_SEED_MASK: Final = 0xFFFFFFFF


class Experiment:
    """All trials, rungs and workers of one run.

    `handle` takes an event and `tick` the passing of time. What follows from them
    is given to ``emit`` to be carried out, in order and each effect as soon as it is
    certain: a reply need not wait until the books are closed. ``emit`` must not call
    back. Times are seconds on any monotonic clock.
    """

    def __init__(self, settings: RunSettings, now: float, emit: Callable[[Effect], None]) -> None:
        self.settings = settings
        self._emit = emit
        self.table = TrialTable(settings.mode)
        self.roster = Roster(settings.lease_s, settings.beat_s)
        self.counters = Counters()
        self.logs: deque[tuple[int, str, str]] = deque(maxlen=MAX_LOG_LINES)
        #: Idle and wall seconds of the workers up to the assignment of the last trial.
        self.busy_window: tuple[float, float] | None = None
        self.started = now
        self.ended: Ended | None = None
        limit_s = settings.max_time_s
        self._ending = Ending(None if limit_s is None else now + limit_s)
        self._rule = settings.scheduler.rule(mode=settings.mode, seed=settings.seed)
        self._random = Random(mix(settings.seed))
        self._trial_seeds = mix(settings.seed, _SEED_SALT)
        self._supply = Supply(settings.max_trials)
        #: The next new trial, made while nobody waits for it.
        self._prepared: Trial | None = None
        self._waiting: deque[str] = deque()
        self._on_message: dict[type, Callable[[WorkerRecord, Any, float], None]] = {
            m.Report: self._on_report,
            m.End: self._on_end,
            m.Next: self._on_next,
            m.Telemetry: self._on_telemetry,
            m.Log: self._on_log,
            m.Leave: self._on_leave,
        }

    # --- what the caller drives ----------------------------------------------

    def start(self) -> None:
        """Begin: have drawn what the first workers will ask for."""
        self._prepare()

    def handle(self, event: Event, now: float) -> None:
        """Take one event."""
        if isinstance(event, Received):
            self._receive(event.sender, event.message, now)
        elif isinstance(event, Suggested):
            self._supply.deliver(event.first, event.points)
        elif isinstance(event, SeatEmpty):
            worker = self.roster.at(event.seat)
            if worker is not None:
                self._gone(worker, now)
        elif isinstance(event, StopRun):
            self._end(event, AT_STOP, now)
        elif isinstance(event, Stalled):
            self.roster.leases.stalled(event.seconds)
        if self._waiting:
            self._serve_waiting(now)
        self._prepare()

    def tick(self, now: float) -> None:
        """Let time pass: leases, the end of max_time, workers that do not stop."""
        for name in self.roster.leases.expired(now):
            self.counters.leases_expired += 1
            self._gone(self.roster.workers[name], now)
        due, give_up_at = self._ending.due, self._ending.give_up_at
        if due is not None and now >= due:
            self._end(StopRun("max_time"), AT_MAX_TIME, now)
        if give_up_at is not None and now >= give_up_at and self.ended is None:
            for worker in self.roster.workers.values():
                if worker.trial is not None:
                    self._finish(self.table[worker.trial], TrialState.CANCELLED, now)
            self._settle(now)
        if self._waiting:
            self._serve_waiting(now)
        self._prepare()

    def next_deadline(self) -> float | None:
        """When `tick` has something to do at the latest; None: never."""
        deadlines = [self.roster.leases.next_deadline(), self._ending.due]
        if self.ended is None:
            deadlines.append(self._ending.give_up_at)
        return min((at for at in deadlines if at is not None), default=None)

    def validate(self) -> None:
        """Check the invariants between the parts; AssertionError where one is broken."""
        self._rule.validate()
        self.table.validate()
        holders = {w.trial: w.name for w in self.roster.workers.values() if w.trial is not None}
        running = [t for t in self.table.trials if t.state is TrialState.RUNNING]
        assert holders == {trial.id: trial.worker for trial in running}
        waiting = {w.name for w in self.roster.workers.values() if w.waiting}
        assert waiting <= set(self._waiting)
        queued = [w.name for w in self.roster.workers.values() if w.queued]
        assert sorted(queued) == sorted(self._waiting)
        if self.ended is not None:
            assert self.table.finished == len(self.table)

    # --- messages ------------------------------------------------------------

    def _receive(self, sender: str, message: Any, now: float) -> None:
        worker = self.roster.get(sender)
        handler = self._on_message.get(type(message))
        if worker is None or handler is None:
            self._receive_outside(sender, message, now)
            return
        seq = getattr(message, "seq", 0)
        if seq:
            if seq <= worker.seq:
                self._repeat(worker, seq, now)
                return
            worker.seq = seq
        self.roster.hear(worker, now)
        handler(worker, message, now)

    def _receive_outside(self, sender: str, message: Any, now: float) -> None:
        """What needs no worker on the roster, or comes from none."""
        if isinstance(message, m.Beat):
            worker = self.roster.get(sender.removesuffix(BEAT_SUFFIX))
            if worker is not None:
                self._on_beat(worker, message, now)
        elif isinstance(message, m.Hello):
            self._on_hello(sender, message, now)
        elif isinstance(message, m.Ping):
            self._send(sender, m.Pong(message.seq))
        elif isinstance(message, m.Report | m.End | m.Next):
            self._refuse(sender, message.seq, "unknown worker: it must say HELLO first")

    def _repeat(self, worker: WorkerRecord, seq: int, now: float) -> None:
        """A request came again: the recorded answer goes out again, and nothing else."""
        if seq < worker.seq or worker.reply is None:
            return  # an old copy, overtaken by newer requests
        self.counters.retried += 1
        self.roster.hear(worker, now)
        if isinstance(worker.reply, m.Wait) and not worker.waiting:
            self._answer_next(worker, now)  # it was thought gone meanwhile
        else:
            self._send(worker.name, worker.reply)

    def _refuse(self, to: str, seq: int, text: str) -> None:
        self.counters.refused += 1
        self._send(to, m.Refused(seq, text))

    def _on_hello(self, sender: str, hello: m.Hello, now: float) -> None:
        if hello.run != self.settings.run:
            self._refuse(sender, hello.seq, f"this bus serves another run than {hello.run}")
            return
        if self.roster.get(sender) is None:
            sibling = self.roster.at(hello.seat)
            if sibling is not None and sibling.active:
                if not self.roster.is_silent(sibling, now) and self.ended is None:
                    # a speculative copy, or a retry before the loss is known: it asks
                    # again, and takes the seat when the sibling left or fell silent
                    self._send(sender, m.Wait(hello.seq))
                    return
                self._gone(sibling, now)
            if not self.roster.make_room():
                self._refuse(sender, hello.seq, f"this bus has {MAX_WORKERS} workers, and no more")
                return
            self.roster.join(sender, hello, now)
        settings = self.settings
        self._send(sender, m.Welcome(hello.seq, settings.beat_s, settings.mode, settings.stop_at))

    def _on_next(self, worker: WorkerRecord, message: m.Next, now: float) -> None:
        worker.idle_s = message.idle_s
        self._answer_next(worker, now)

    def _on_report(self, worker: WorkerRecord, report: m.Report, now: float) -> None:
        worker.idle_s = report.idle_s
        trial = self._held(worker, report.trial, report.attempt)
        if trial is None:
            self.counters.fenced += 1
            self._reply(worker, m.Stop(report.seq, "fenced", self._assign(worker, now)))
            return
        self.counters.reports += 1
        self.table.note(trial, report.resource, report.metric, report.best_metric)
        trial.extras = report.extras
        if self.settings.stop_at is not None and self._hits_target(report.metric):
            self._finish(trial, TrialState.COMPLETED, now)
            self._end(StopRun("stop_at"), AT_STOP, now)
            self._reply(worker, m.Stop(report.seq, "completed", None))
            self._settle(now)
            return
        judgement = self._rule.report(trial, report.resource, report.metric)
        self.counters.decisions += 1
        trial.rungs.extend(judgement.records)
        if judgement.verdict == "complete":
            self._stop(worker, trial, TrialState.COMPLETED, "completed", now)
        elif judgement.verdict == "stop":
            self._stop(worker, trial, TrialState.STOPPED, "stopped", now)
        elif self._ending.stop is not None:
            self._stop(worker, trial, TrialState.CANCELLED, "ended", now)
        else:
            self.table.consider(trial)
            self._reply(worker, m.Continue(report.seq, judgement.next_resource))

    def _stop(
        self, worker: WorkerRecord, trial: Trial, state: TrialState, why: str, now: float
    ) -> None:
        """End a reporting trial; the same message carries the next one, if there is one."""
        worker.trial = None
        self._reply(worker, m.Stop(worker.seq, why, self._assign(worker, now)))
        self.table.finish(trial, state, now)
        self._settle(now)

    def _on_end(self, worker: WorkerRecord, end: m.End, now: float) -> None:
        worker.idle_s = end.idle_s
        trial = self._held(worker, end.trial, end.attempt)
        if trial is None:
            self.counters.fenced += 1
        else:
            if end.metric is not None:
                self.table.note(trial, end.resource, end.metric, end.best_metric)
            trial.extras = end.extras
            if end.outcome == "interrupted":
                # without an end of the run, somebody else interrupted the worker
                self._lose(trial, now)
            elif end.outcome == "failed":
                trial.error = end.error
                self._finish(trial, TrialState.FAILED, now)
            else:
                self._finish(trial, TrialState.COMPLETED, now)
                if self._hits_target(end.metric):
                    self._end(StopRun("stop_at"), AT_STOP, now)
            self._settle(now)
        self._answer_next(worker, now)

    def _on_beat(self, worker: WorkerRecord, beat: m.Beat, now: float) -> None:
        worker.latency = beat.latency
        if worker.active:  # one that left, or whose seat is empty, stays gone
            self.roster.hear(worker, now)
        # one that was thought gone may still run what it had: it is ended, too
        ends = self._ending.stop is not None and worker.believes_in_trial
        self._send(worker.name + BEAT_SUFFIX, self._ending.interrupt if ends else m.Pong(0))

    def _on_telemetry(self, worker: WorkerRecord, telemetry: m.Telemetry, now: float) -> None:
        trial = self._held(worker, telemetry.trial, telemetry.attempt)
        if trial is not None and telemetry.reports:
            self.counters.reports += len(telemetry.reports)
            resource, metric = telemetry.reports[-1]
            if resource > trial.resource:  # else a rung's report overtook these
                self.table.note(trial, resource, metric, telemetry.best_metric)

    def _on_log(self, worker: WorkerRecord, log: m.Log, now: float) -> None:
        self.logs.append((log.trial, log.level, log.text))

    def _on_leave(self, worker: WorkerRecord, leave: m.Leave, now: float) -> None:
        worker.latency = leave.latency
        self._gone(worker, now)

    # --- trials --------------------------------------------------------------

    def _held(self, worker: WorkerRecord, number: int, attempt: int) -> Trial | None:
        """The trial that ``worker`` speaks of, if it is this attempt that it holds."""
        if worker.trial != number:
            return None
        trial = self.table.trials[number]
        return trial if trial.attempt == attempt else None

    def _hits_target(self, metric: float | None) -> bool:
        target = self.settings.stop_at
        return target is not None and (
            metric == target or is_better(metric, target, self.settings.mode)
        )

    def _release(self, trial: Trial) -> None:
        if trial.worker is not None:
            self.roster.workers[trial.worker].trial = None

    def _finish(self, trial: Trial, state: TrialState, now: float) -> None:
        self._release(trial)
        self.table.finish(trial, state, now)

    def _lose(self, trial: Trial, now: float) -> None:
        """The attempt at ``trial`` is lost: queue it again, or give it up."""
        if self._ending.stop is not None:
            self._finish(trial, TrialState.CANCELLED, now)
        elif trial.attempt >= self.settings.max_attempts:
            trial.error = (
                f"lost with its worker {trial.attempt} times, the last one being {trial.worker}; "
                f"if the objective ends the process (memory, a crash in native code), see the "
                f"worker's output"
            )
            self._finish(trial, TrialState.LOST, now)
        else:
            self._release(trial)
            self.table.requeue(trial)
            self.counters.requeued += 1
        self._settle(now)

    def _prepare(self) -> None:
        """Have the next new trial ready, and the points of those after it drawn."""
        if self._prepared is None and self._supply:
            number = len(self.table)
            seed = mix_in(self._trial_seeds, number) & _SEED_MASK
            self._prepared = Trial(number, self._supply.take(), seed)
            self._rule.assign(self._prepared, self._random)
        while (wanted := self._supply.wanted()) is not None:
            self._emit(Draw(*wanted))

    def _assign(self, worker: WorkerRecord, now: float) -> m.Assignment | None:
        """Give the next trial to ``worker``; None where there is none now."""
        if self._ending.stop is not None or worker.trial is not None:
            return None
        if self.table.queue:
            trial = self.table[self.table.queue.popleft()]
        else:
            self._prepare()
            if self._prepared is None:
                return None
            trial, self._prepared = self._prepared, None
            self.table.add(trial, now)
        self.table.run(trial, worker.name)
        worker.trial = trial.id
        self.counters.assigned += 1
        if worker.first_assigned is None:
            worker.first_assigned = now
            worker.idle_before_s = worker.idle_s
        if len(self.table) == self.settings.max_trials and self.busy_window is None:
            self.busy_window = self.roster.busy(now)
        next_resource = self._rule.next_resource(trial)
        return m.Assignment(trial.id, trial.attempt, trial.point, trial.seed, next_resource)

    # --- workers -------------------------------------------------------------

    def _gone(self, worker: WorkerRecord, now: float) -> None:
        self.roster.leave(worker)
        if worker.trial is not None:
            self._lose(self.table[worker.trial], now)

    def _answer_next(self, worker: WorkerRecord, now: float) -> None:
        if worker.trial is not None:
            # it holds a trial that it knows nothing of: that attempt is lost
            self._lose(self.table[worker.trial], now)
        assignment = self._assign(worker, now)
        if assignment is not None:
            self._reply(worker, m.Assign(worker.seq, assignment))
        elif self._ending.stop is not None:
            self._reply(worker, m.Done(worker.seq, self._ending.stop.reason))
        else:
            self._reply(worker, m.Wait(worker.seq))
            if not worker.waiting:
                worker.waiting = True
                if not worker.queued:  # else from before it left and came back
                    worker.queued = True
                    self._waiting.append(worker.name)

    @property
    def _has_trial(self) -> bool:
        return self._prepared is not None or bool(self.table.queue) or bool(self._supply)

    def _serve_waiting(self, now: float) -> None:
        while self._waiting and (self._has_trial or self._ending.stop is not None):
            worker = self.roster.workers[self._waiting.popleft()]
            worker.queued = False
            if worker.waiting:
                worker.waiting = False
                self._answer_next(worker, now)

    def _reply(self, worker: WorkerRecord, reply: m.Reply) -> None:
        worker.reply = reply
        self._emit(Send(worker.name, reply))

    def _send(self, to: str, message: m.Reply | m.Interrupt) -> None:
        self._emit(Send(to, message))

    # --- the end -------------------------------------------------------------

    def _end(self, stop: StopRun, interrupt: m.Interrupt, now: float) -> None:
        """Begin the end: nothing new starts, what runs is told to stop.

        A second call only makes haste, if it gives less time than the first.
        """
        if not self._ending.begin(stop, interrupt, now):
            return
        self.table.cancel_queue(now)
        for worker in self.roster.workers.values():
            if worker.active and worker.trial is not None:
                self._send(worker.name + BEAT_SUFFIX, interrupt)
        self._settle(now)

    def _settle(self, now: float) -> None:
        """See whether the run is to end, or has ended, with what just happened."""
        stop = self._ending.stop
        if stop is None:
            failed, finished = self.table.failed, self.table.finished
            if finished == self.settings.max_trials:
                self._end(StopRun(self.settings.limit_reason), AT_STOP, now)
            elif finished == failed >= FIRST_FAILURES:
                self._end(StopRun("failed", f"the first {failed} trials all failed"), AT_STOP, now)
        elif self.ended is None and self.table.states[TrialState.RUNNING] == 0:
            self.ended = Ended(stop.reason, stop.message)
            self._emit(self.ended)
