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
    JournalFailed,
    Received,
    Resumed,
    RunSettings,
    Send,
    Stalled,
    StopRun,
    Suggested,
    WorkerExited,
    WorkerGone,
)
from asha_bus.core.messages import HEARTBEAT_SUFFIX
from asha_bus.core.roster import MAX_WORKERS, Roster, WorkerRecord
from asha_bus.core.suggestions import SuggestionQueue
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
        self._waiting = Waiting()
        self.suggestions = SuggestionQueue(settings, self.scheduler, self.table, self._waiting)
        self.assignments = Assignments(
            settings, self.table, self.roster, self.scheduler, self.suggestions, self.counters
        )
        self._is_journaled = True
        self._on_event: dict[type, Callable[[Any, float], None]] = {
            Received: self._on_received,
            Suggested: self._on_suggested,
            FallbackDrawn: self._on_fallback_drawn,
            WorkerExited: self._on_worker_exited,
            WorkerGone: self._on_worker_gone,
            StopRun: self._on_stop_run,
            GraceExpired: self._on_grace_expired,
            Resumed: self._on_resumed,
            Stalled: self._on_stalled,
            JournalFailed: self._on_journal_failed,
        }
        self._on_message: dict[type, Callable[[Received, float], None]] = {
            m.Hello: self._on_hello,
            m.Next: self._on_next,
            m.Report: self._on_report,
            m.End: self._on_end,
            m.Ping: self._on_ping,
            m.TrialHung: self._on_trial_hung,
            m.Telemetry: self._on_telemetry,
            m.Log: self._on_log,
            m.Heartbeat: self._on_heartbeat,
            m.Leave: self._on_leave,
        }

    # --- what the caller drives ----------------------------------------------

    def start(self) -> None:
        """Begin: have drawn what the first workers will ask for."""
        self._request_suggestions()

    def restart(self, now: float, counters: Mapping[str, int]) -> None:
        """The bus came up again: leases begin anew, and what was asked for is asked again.

        ``counters`` are those of the bus before, as far as they are known: not all
        that is counted lasts.
        """
        self.counters.raise_to(counters)
        self.roster.hear_all(now)
        self._emit_all(self.suggestions.requests_again())
        if self.ended is not None:
            self.emit(self.ended)

    def handle(self, event: Event, now: float) -> None:
        """Take one event."""
        self._on_event[type(event)](event, now)
        if self._waiting:
            self._serve_waiting(now)
        if not self.suggestions.is_idle:
            self._request_suggestions()

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
        self._emit_all(self.suggestions.fallback(now))

    def next_deadline(self) -> float | None:
        """When `tick` has something to do at the latest; None: never."""
        deadlines = [self.roster.leases.next_deadline(), self._ending.due, self.suggestions.due]
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

    # --- events --------------------------------------------------------------

    def _record(self, event: JournaledEvent, now: float) -> None:
        if self._is_journaled:
            self.emit(AppendToJournal(now, event))

    def _on_received(self, event: Received, now: float) -> None:
        self._on_message[type(event.message)](event, now)

    def _on_suggested(self, event: Suggested, now: float) -> None:
        self.suggestions.add(event.first, event.points, is_last=event.is_last)
        self._record(event, now)
        self._settle(now)

    def _on_fallback_drawn(self, event: FallbackDrawn, now: float) -> None:
        if event.number == self.suggestions.missing:  # else the searcher's own came first
            self.counters.fallbacks += 1
            self.suggestions.add(event.number, (event.point,))
            self._record(event, now)
            self._settle(now)

    def _on_worker_exited(self, event: WorkerExited, now: float) -> None:
        worker = self.roster.at(event.slot)
        if worker is not None and (worker.active or worker.trial is not None):
            self._record(event, now)
            self._gone(worker, now)

    def _on_worker_gone(self, event: WorkerGone, now: float) -> None:
        self._record(event, now)
        self._gone(self.roster.workers[event.worker], now)

    def _on_stop_run(self, event: StopRun, now: float) -> None:
        self._record(event, now)
        self._end(event, AT_MAX_TIME if event.reason == "max_time" else AT_STOP, now)

    def _on_grace_expired(self, event: GraceExpired, now: float) -> None:
        """End the trials that ran on past the end of the run."""
        self._record(event, now)
        for worker in self.roster.workers.values():
            if worker.trial is not None:
                self.assignments.finish(self.table[worker.trial], TrialState.CANCELLED, now)
        self._settle(now)

    def _on_resumed(self, event: Resumed, now: float) -> None:
        """Continue with all trials and rungs, and none of the workers."""
        self._record(event, now)
        settings = self.settings = event.settings
        self.curves.kept = settings.curves
        self.roster = Roster(settings.lease_s, settings.heartbeat_s)
        self.suggestions.resume(settings)
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

    def _on_stalled(self, event: Stalled, now: float) -> None:
        self.roster.leases.stalled(event.seconds)

    def _on_journal_failed(self, event: JournalFailed, now: float) -> None:
        """End the run; from now on nothing is decided, recorded or promised."""
        self._is_journaled = False
        self._on_message.update(dict.fromkeys((m.Report, m.Next, m.End), self._dismiss))
        self._end(StopRun("failed", event.text), AT_STOP, now)

    # --- messages ------------------------------------------------------------

    def _requester(self, event: Received, now: float) -> WorkerRecord | None:
        """The worker that sends a new request; None: there was no more to do than this did."""
        sender = event.sender
        seq: int = event.message.seq  # type: ignore[union-attr]
        worker = self.roster.workers.get(sender)
        if worker is None:
            self._refuse(sender, seq, "unknown worker: it must say HELLO first")
            return None
        if seq <= worker.seq:
            self._repeat(worker, event, seq, now)
            return None
        worker.seq = seq
        self.roster.hear(worker, now)
        return worker

    def _teller(self, event: Received, now: float) -> WorkerRecord | None:
        """The worker that sends a one-way message, which does not revive one declared dead."""
        worker = self.roster.workers.get(event.sender)
        if worker is not None and worker.active:
            self.roster.hear(worker, now)
        return worker

    def _owner(self, event: Received) -> WorkerRecord | None:
        """The worker whose heartbeat socket a message comes from."""
        return self.roster.get(event.sender.removesuffix(HEARTBEAT_SUFFIX))

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

    def _dismiss(self, event: Received, now: float) -> None:
        """Send the worker home with an answer that promises nothing."""
        seq: int = event.message.seq  # type: ignore[union-attr]
        is_report = isinstance(event.message, m.Report)
        goodbye = m.Stop(seq, "ended", None) if is_report else m.Done(seq, "failed")
        self.emit(Send(event.sender, goodbye))

    def _on_ping(self, event: Received, now: float) -> None:
        self._send(event.sender, m.Pong(event.message.seq))

    def _on_hello(self, event: Received, now: float) -> None:
        sender = event.sender
        hello = event.message
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

    def _on_next(self, event: Received, now: float) -> None:
        worker = self._requester(event, now)
        if worker is not None:
            self._record(event, now)
            worker.idle_s = event.message.idle_s
            self._answer_next(worker, now)

    def _on_report(self, event: Received, now: float) -> None:
        worker = self._requester(event, now)
        if worker is None:
            return
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

    def _on_end(self, event: Received, now: float) -> None:
        worker = self._requester(event, now)
        if worker is None:
            return
        self._record(event, now)
        end: Any = event.message
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

    def _on_heartbeat(self, event: Received, now: float) -> None:
        worker = self._owner(event)
        if worker is None:
            return
        worker.latency = event.message.latency
        if worker.active:  # one that left, or whose slot is empty, stays gone
            self.roster.hear(worker, now)
        # one that was thought gone may still run what it had: it is ended, too
        ends = self._ending.stop is not None and worker.believes_in_trial
        self._send(worker.name + HEARTBEAT_SUFFIX, self._ending.interrupt if ends else m.Pong(0))

    def _on_trial_hung(self, event: Received, now: float) -> None:
        worker = self._owner(event)
        if worker is None:
            return
        message: Any = event.message
        trial = self.assignments.held(worker, message.trial, message.attempt)
        if trial is not None:  # else this is a repeat, or the trial ended meanwhile
            self._record(Received(worker.name, message), now)
            self._fail(trial, message.error, now)
            self._settle(now)
        self._send(worker.name + HEARTBEAT_SUFFIX, m.Pong(message.seq))

    def _on_telemetry(self, event: Received, now: float) -> None:
        worker = self._teller(event, now)
        if worker is None:
            return
        if self.curves.kept:
            self._record(event, now)
        telemetry: Any = event.message
        trial = self.assignments.run_by(worker, telemetry.trial, telemetry.attempt)
        if trial is not None and telemetry.reports:
            self.counters.reports += len(telemetry.reports)
            self.curves.add(trial, telemetry.reports)
            resource, metric = telemetry.reports[-1]
            # else a rung's report overtook these
            if resource > trial.resource and trial.state is TrialState.RUNNING:
                self.table.note(trial, resource, metric, telemetry.best_metric)

    def _on_log(self, event: Received, now: float) -> None:
        worker = self._teller(event, now) or self._owner(event)
        if worker is not None and self.table.log(event.message):
            self._record(Received(worker.name, event.message), now)

    def _on_leave(self, event: Received, now: float) -> None:
        worker = self._teller(event, now)
        if worker is not None:
            self._record(event, now)
            worker.latency = event.message.latency
            self._gone(worker, now)

    # --- trials --------------------------------------------------------------

    def _lose(self, trial: Trial, now: float) -> None:
        self.assignments.lose(trial, now, is_over=self._ending.stop is not None)
        self._settle(now)

    def _fail(self, trial: Trial, error: str | None, now: float) -> None:
        self.assignments.fail(trial, error, now, is_over=self._ending.stop is not None)

    def _request_suggestions(self) -> None:
        self._emit_all(self.suggestions.requests(self.roster.active))

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
                self.counters.suggest_waits += self.suggestions.missing is not None

    def _serve_waiting(self, now: float) -> None:
        while self._waiting and (self.assignments.has_next or self._ending.stop is not None):
            worker = self._waiting.pop(self.roster)
            if worker is not None:
                self._answer_next(worker, now)

    def _reply(self, worker: WorkerRecord, reply: m.Reply) -> None:
        worker.reply = reply
        self._send(worker.name, reply)

    def _send(self, to: str, message: m.Reply | m.Interrupt) -> None:
        if self._is_journaled or isinstance(message, m.Interrupt):
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
            enough = reason_to_end(self.settings, self.table, self.suggestions)
            if enough is not None:
                self._end(enough, AT_STOP, now)
        elif self.ended is None and self.table.states[TrialState.RUNNING] == 0:
            self._emit_all(self.suggestions.updates())
            self.ended = Ended(stop.reason, stop.message)
            self.emit(self.ended)
