"""The one owner of a run's state: events in, effects out, no I/O.

The bus process, the tests' fake network and whatever comes later drive the same
object, so the same events give the same trials, rungs and verdicts everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from asha_bus.core import messages as m
from asha_bus.core.assignments import Assignments
from asha_bus.core.curves import Curves
from asha_bus.core.ending import AT_MAX_TIME, AT_STOP, Ending, is_target, reason_to_end
from asha_bus.core.events import (
    AppendToJournal,
    Counters,
    Effect,
    Ended,
    Event,
    FallbackDrawn,
    GraceExpired,
    JournaledEvent,
    Received,
    Resumed,
    RunSettings,
    Send,
    StopRun,
    Suggested,
    WorkerExited,
    WorkerGone,
)
from asha_bus.core.messages import HEARTBEAT_SUFFIX
from asha_bus.core.roster import MAX_WORKERS, Roster, WorkerRecord
from asha_bus.core.searching import Searching
from asha_bus.core.trial import Trial, TrialState
from asha_bus.core.trials import TrialTable
from asha_bus.core.waiting import Waiting


class Experiment:
    """All trials, rungs and workers of one run.

    `handle` takes an event and `tick` the passing of time. What follows from them
    is given to ``emit`` to be carried out, in order and each effect as soon as it is
    certain: a reply need not wait until the books are closed. ``emit`` must not call
    back. Times are seconds on the clock of the run, which stands still between a
    launch and the next one that resumes it; those of trials are times of day.
    Whatever lasts follows from the events that are given out as `AppendToJournal`.
    """

    def __init__(self, settings: RunSettings, now: float, emit: Callable[[Effect], None]) -> None:
        self.settings = settings
        self.emit = emit
        self.table = TrialTable(
            settings.mode, settings.scheduler.full_resource, learns=settings.learns
        )
        self.roster = Roster(settings.lease_s, settings.heartbeat_s)
        self.counters = Counters()
        self.curves = Curves(settings.curves)
        self.started = now
        self.ended: Ended | None = None
        limit_s = settings.max_time_s
        self._ending = Ending(None if limit_s is None else now + limit_s)
        self.scheduler = settings.scheduler.new_state(mode=settings.mode, seed=settings.seed)
        self.assignments = Assignments(
            settings, self.table, self.roster, self.scheduler, self.counters
        )
        self._waiting = Waiting()
        self._searching = Searching(self.assignments, self._waiting)
        self._on_message: dict[type, Callable[[WorkerRecord, Any, float], None]] = {
            m.Report: lambda *_: None,  # see _receive
            m.End: self._on_end,
            m.Next: self._on_next,
            m.Telemetry: self._on_telemetry,
            m.Log: self._on_log,
            m.Leave: self._on_leave,
        }
        #: The same for what comes from their heartbeat sockets.
        self._on_beside: dict[type, Callable[..., None]]
        self._on_beside = {
            m.Heartbeat: self._on_heartbeat,
            m.Log: self._on_log,
            m.TrialHung: self._on_trial_hung,
        }

    # --- what the caller drives ----------------------------------------------

    def start(self) -> None:
        """Begin: have drawn what the first workers will ask for."""
        self._emit_all(self._searching.wanted())

    def restart(self, now: float, counters: Mapping[str, int]) -> None:
        """The bus came up again: leases begin anew, and what was asked for is asked again.

        ``counters`` are those of the bus before, as far as they are known: not all
        that is counted lasts.
        """
        self.counters.raise_to(counters)
        self.roster.hear_all(now)
        self._emit_all(self._searching.again())
        if self.ended is not None:
            self.emit(self.ended)

    def handle(self, event: Event, now: float) -> None:
        """Take one event."""
        if isinstance(event, Received):
            self._receive(event, now)
        elif isinstance(event, Suggested | FallbackDrawn):
            if self._searching.take(event):
                self._record(event, now)
                self._settle(now)
        elif isinstance(event, WorkerExited):
            worker = self.roster.at(event.slot)
            if worker is not None and (worker.active or worker.trial is not None):
                self._record(event, now)
                self._gone(worker, now)
        elif isinstance(event, WorkerGone):
            self._record(event, now)
            self._gone(self.roster.workers[event.worker], now)
        elif isinstance(event, StopRun):
            self._record(event, now)
            self._end(event, AT_MAX_TIME if event.reason == "max_time" else AT_STOP, now)
        elif isinstance(event, GraceExpired):
            self._record(event, now)
            self._on_grace_expired(now)
        elif isinstance(event, Resumed):
            self._record(event, now)
            self._resume(event, now)
        else:
            self.roster.leases.stalled(event.seconds)
        if self._waiting:
            self._serve_waiting(now)
        if not self._searching.is_idle:
            self._emit_all(self._searching.wanted())

    def tick(self, now: float) -> None:
        """Let time pass: leases, the end of max_time, workers that do not stop."""
        for name in self.roster.leases.expired(now):
            self.counters.leases_expired += 1
            self.handle(WorkerGone(name), now)
        due, grace_ends_at = self._ending.due, self._ending.grace_ends_at
        if due is not None and now >= due:
            self.handle(StopRun("max_time"), now)
        if grace_ends_at is not None and now >= grace_ends_at and self.ended is None:
            self.handle(GraceExpired(), now)
        self._emit_all(self._searching.spare(now))

    def next_deadline(self) -> float | None:
        """When `tick` has something to do at the latest; None: never."""
        deadlines = [self.roster.leases.next_deadline(), self._ending.due, self._searching.due]
        if self.ended is None:
            deadlines.append(self._ending.grace_ends_at)
        return min((at for at in deadlines if at is not None), default=None)

    def validate(self) -> None:
        """Check the invariants between the parts; AssertionError where one is broken."""
        self.scheduler.validate()
        self.table.validate()
        self.assignments.validate()
        self.roster.validate()
        self._waiting.validate(self.roster)
        if self.ended is not None:
            assert self.table.finished == len(self.table)

    # --- messages ------------------------------------------------------------

    def _record(self, event: JournaledEvent, now: float) -> None:
        self.emit(AppendToJournal(now, event))

    def _receive(self, event: Received, now: float) -> None:
        sender, message = event
        worker = self.roster.workers.get(sender)
        kind = type(message)
        handler = self._on_message.get(kind)
        if worker is None or handler is None:
            self._receive_outside(event, now)
            return
        seq = getattr(message, "seq", 0)
        if seq:
            if seq <= worker.seq:
                self._repeat(worker, event, seq, now)
                return
            worker.seq = seq
            self.roster.hear(worker, now)
        elif worker.active:  # words that may be lost do not bring anybody back
            self.roster.hear(worker, now)
        if kind is m.Report:
            self._on_report(worker, event, now)
            return
        if kind is not m.Log and (kind is not m.Telemetry or self.curves.kept):
            self._record(event, now)
        handler(worker, message, now)

    def _receive_outside(self, event: Received, now: float) -> None:
        """What needs no worker on the roster, or comes from none."""
        sender, message = event
        if (handler := self._on_beside.get(type(message))) is not None:
            worker = self.roster.get(sender.removesuffix(HEARTBEAT_SUFFIX))
            if worker is not None:
                handler(worker, message, now)
        elif isinstance(message, m.Hello):
            self._on_hello(event, message, now)
        elif isinstance(message, m.Ping):
            self._send(sender, m.Pong(message.seq))
        elif isinstance(message, m.Report | m.End | m.Next):
            self._refuse(sender, message.seq, "unknown worker: it must say HELLO first")

    def _repeat(self, worker: WorkerRecord, event: Received, seq: int, now: float) -> None:
        """A request came again: the recorded answer goes out again, and nothing else."""
        if seq < worker.seq or worker.reply is None:
            return  # an old copy, overtaken by newer requests
        self.counters.retried += 1
        if isinstance(worker.reply, m.Wait) and not worker.waiting:
            self._record(event, now)
            self.roster.hear(worker, now)
            self._answer_next(worker, now)  # it was thought gone meanwhile
            return
        if worker.active:  # one that is thought gone is back with its next new request
            self.roster.hear(worker, now)
        self._send(worker.name, worker.reply)

    def _refuse(self, to: str, seq: int, text: str) -> None:
        self.counters.refused += 1
        self._send(to, m.Refused(seq, text))

    def _on_hello(self, event: Received, hello: m.Hello, now: float) -> None:
        sender = event.sender
        if hello.run != self.settings.run:
            self._refuse(sender, hello.seq, f"this bus serves another run than {hello.run}")
            return
        if self.roster.get(sender) is None:
            sibling = self.roster.at(hello.slot)
            if sibling is not None and sibling.active:
                if not self.roster.is_silent(sibling, now) and self.ended is None:
                    # a speculative copy, or a retry before the loss is known: it asks
                    # again, and takes the slot when the sibling left or fell silent
                    self._send(sender, m.Wait(hello.seq))
                    return
                self.handle(WorkerGone(sibling.name), now)
            if not self.roster.make_room():
                self._refuse(sender, hello.seq, f"this bus has {MAX_WORKERS} workers, and no more")
                return
            self._record(event, now)
            self.roster.join(sender, hello, now)
        self._send(sender, self.settings.welcome(hello.seq))

    def _on_next(self, worker: WorkerRecord, message: m.Next, now: float) -> None:
        worker.idle_s = message.idle_s
        self._answer_next(worker, now)

    def _on_report(self, worker: WorkerRecord, event: Received, now: float) -> None:
        report: Any = event.message
        worker.idle_s = report.idle_s
        trial = self.assignments.held(worker, report.trial, report.attempt)
        if trial is None:
            self._record(event, now)
            self.counters.fenced += 1
            self._reply(worker, m.Stop(report.seq, "fenced", self._assign(worker, now)))
            return
        self.counters.reports += 1
        self.table.note(trial, report.resource, report.metric, report.best_metric)
        trial.extras = report.extras
        if self.settings.stop_at is not None and is_target(report.metric, self.settings):
            self._record(event, now)
            self.assignments.finish(trial, TrialState.COMPLETED, now)
            self._end(StopRun("stop_at"), AT_STOP, now)
            self._reply(worker, m.Stop(report.seq, "completed", None))
            self._settle(now)
            return
        decision = self.scheduler.report(trial, report.resource, report.metric)
        self.emit(AppendToJournal(now, event, decision.records))
        self.counters.decisions += 1
        self.table.enter(trial, decision.records)
        if decision.verdict == "complete":
            self._stop(worker, trial, TrialState.COMPLETED, "completed", now)
        elif decision.verdict == "stop":
            self._stop(worker, trial, TrialState.STOPPED, "stopped", now)
        elif self._ending.stop is not None:
            self._stop(worker, trial, TrialState.CANCELLED, "ended", now)
        else:
            self.table.consider(trial)
            self._reply(worker, m.Continue(report.seq, decision.next_resource))

    def _stop(
        self, worker: WorkerRecord, trial: Trial, state: TrialState, why: str, now: float
    ) -> None:
        """End a reporting trial; the same message carries the next one, if there is one."""
        worker.trial = None
        self._reply(worker, m.Stop(worker.seq, why, self._assign(worker, now)))
        self.assignments.close(trial, state, now)
        self._settle(now)

    def _on_end(self, worker: WorkerRecord, end: m.End, now: float) -> None:
        worker.idle_s = end.idle_s
        trial = self.assignments.held(worker, end.trial, end.attempt)
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
                self._fail(trial, end.error, now)
            else:
                self.assignments.finish(trial, TrialState.COMPLETED, now)
                if is_target(end.metric, self.settings):
                    self._end(StopRun("stop_at"), AT_STOP, now)
            self._settle(now)
        self._answer_next(worker, now)

    def _on_heartbeat(self, worker: WorkerRecord, heartbeat: m.Heartbeat, now: float) -> None:
        worker.latency = heartbeat.latency
        if worker.active:  # one that left, or whose slot is empty, stays gone
            self.roster.hear(worker, now)
        # one that was thought gone may still run what it had: it is ended, too
        ends = self._ending.stop is not None and worker.believes_in_trial
        self._send(worker.name + HEARTBEAT_SUFFIX, self._ending.interrupt if ends else m.Pong(0))

    def _on_trial_hung(self, worker: WorkerRecord, message: m.TrialHung, now: float) -> None:
        trial = self.assignments.held(worker, message.trial, message.attempt)
        if trial is not None:  # else this is a repeat, or the trial ended meanwhile
            self._record(Received(worker.name, message), now)
            self._fail(trial, message.error, now)
            self._settle(now)
        self._send(worker.name + HEARTBEAT_SUFFIX, m.Pong(message.seq))

    def _on_telemetry(self, worker: WorkerRecord, telemetry: m.Telemetry, now: float) -> None:
        trial = self.assignments.run_by(worker, telemetry.trial, telemetry.attempt)
        if trial is not None and telemetry.reports:
            self.counters.reports += len(telemetry.reports)
            self.curves.add(trial, telemetry.reports)
            resource, metric = telemetry.reports[-1]
            # else a rung's report overtook these
            if resource > trial.resource and trial.state is TrialState.RUNNING:
                self.table.note(trial, resource, metric, telemetry.best_metric)

    def _on_log(self, worker: WorkerRecord, log: m.Log, now: float) -> None:
        if self.table.log(log):
            self._record(Received(worker.name, log), now)

    def _on_leave(self, worker: WorkerRecord, leave: m.Leave, now: float) -> None:
        worker.latency = leave.latency
        self._gone(worker, now)

    # --- trials --------------------------------------------------------------

    def _lose(self, trial: Trial, now: float) -> None:
        self.assignments.lose(trial, now, is_over=self._ending.stop is not None)
        self._settle(now)

    def _fail(self, trial: Trial, error: str | None, now: float) -> None:
        self.assignments.fail(trial, error, now, is_over=self._ending.stop is not None)

    def _emit_all(self, effects: Iterator[Effect]) -> None:
        for effect in effects:
            self.emit(effect)

    def _assign(self, worker: WorkerRecord, now: float) -> m.Assignment | None:
        """Give the next trial to ``worker``; None where there is none now."""
        return None if self._ending.stop is not None else self.assignments.assign(worker, now)

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
            if self._waiting.add(worker, now):
                self._searching.waits()

    def _serve_waiting(self, now: float) -> None:
        while self._waiting and (self.assignments.has_next or self._ending.stop is not None):
            worker = self._waiting.pop(self.roster)
            if worker is not None:
                self._answer_next(worker, now)

    def _reply(self, worker: WorkerRecord, reply: m.Reply) -> None:
        worker.reply = reply
        self.emit(Send(worker.name, reply))

    def _send(self, to: str, message: m.Reply | m.Interrupt) -> None:
        self.emit(Send(to, message))

    # --- the end -------------------------------------------------------------

    def _end(self, stop: StopRun, interrupt: m.Interrupt, now: float) -> None:
        """Begin the end: nothing new starts, what runs is told to stop.

        A second call only makes haste, if it gives less time than the first.
        """
        if not self._ending.begin(stop, interrupt, now):
            return
        self.assignments.cancel_queue(now)
        for worker in self.roster.workers.values():
            if worker.active and worker.trial is not None:
                self._send(worker.name + HEARTBEAT_SUFFIX, interrupt)
        self._settle(now)

    def _settle(self, now: float) -> None:
        """See whether the run is to end, or has ended, with what just happened."""
        stop = self._ending.stop
        if stop is None:
            enough = reason_to_end(self.assignments)
            if enough is not None:
                self._end(enough, AT_STOP, now)
        elif self.ended is None and self.table.states[TrialState.RUNNING] == 0:
            self._emit_all(self._searching.untold())
            self.ended = Ended(stop.reason, stop.message)
            self.emit(self.ended)

    def _on_grace_expired(self, now: float) -> None:
        """End the trials that ran on past the end of the run."""
        for worker in self.roster.workers.values():
            if worker.trial is not None:
                self.assignments.finish(self.table[worker.trial], TrialState.CANCELLED, now)
        self._settle(now)

    def _resume(self, event: Resumed, now: float) -> None:
        """Begin anew with all trials and rungs, and none of the workers."""
        settings = self.settings = event.settings
        self.curves.kept = settings.curves
        self.roster = Roster(settings.lease_s, settings.heartbeat_s)
        self.assignments.resume(settings, self.roster)
        self._waiting.clear()
        limit_s = settings.max_time_s
        self._ending = Ending(None if limit_s is None else self.started + limit_s)
        self.ended = None
        again = {TrialState.RUNNING, TrialState.CANCELLED}
        if event.retry_failed:
            again |= {TrialState.FAILED, TrialState.LOST}
        self.table.reopen(frozenset(again))
        self._settle(now)
