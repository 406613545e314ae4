"""The one owner of a run's state: events in, effects out, no I/O.

The bus process, the tests' fake network and whatever comes later drive the same
object, so the same events give the same trials, rungs and verdicts everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from asha_bus.core import messages as m
from asha_bus.core.assignments import Assignments
from asha_bus.core.conversation import Conversation
from asha_bus.core.curves import Curves
from asha_bus.core.ending import AT_MAX_TIME, AT_STOP, Ending, reason_to_end
from asha_bus.core.events import (
    Counters,
    Effect,
    Ended,
    Event,
    FallbackDrawn,
    GraceExpired,
    JournalFailed,
    Kept,
    Rebalanced,
    Received,
    Resumed,
    RungTimedOut,
    RunSettings,
    Stalled,
    StopRun,
    StopTrial,
    Suggested,
    ValuesDrawn,
    WorkerExited,
    WorkerGone,
    WorkerReturned,
    WorkerSilent,
)
from asha_bus.core.naming import Naming
from asha_bus.core.pausing import Pausing
from asha_bus.core.presence import Presence
from asha_bus.core.roster import Roster, WorkerRecord
from asha_bus.core.schedulers import state_of
from asha_bus.core.stragglers import Stragglers
from asha_bus.core.suggestions import SuggestionQueue
from asha_bus.core.telemetry import Telemetry
from asha_bus.core.trial import CANCELLED, COMPLETED, RUNNING, STOPPED, Trial, TrialState
from asha_bus.core.trials import TrialTable, is_target
from asha_bus.core.waiting import Waiting


class Experiment:
    """All trials, rungs and workers of one run.

    `handle` takes an event and `tick` the passing of time. The effects that follow are
    given to ``emit``, in order and each as soon as it is certain; ``emit`` must not call
    back. Whatever lasts follows from the events in `AppendToJournal`. Times are seconds on
    the clock of the run, which stands still between a launch and the next one that resumes
    it; those of trials are times of day.

    If effects were returned, the reply to a report would leave after 9.1 us instead of 6.1 us
    (ASHA with 16 workers, medians of five interleaved runs of 60,000 decisions).
    """

    def __init__(self, settings: RunSettings, now: float, emit: Callable[[Effect], None]) -> None:
        self.settings = settings
        self.table = TrialTable(
            settings.mode, settings.scheduler.full_resource, is_told=settings.tells
        )
        self.roster, self.counters = Roster.of(settings), Counters()
        self.curves = Curves(settings.curves)
        self.started = now
        self.ended: Ended | None = None
        self._ending = Ending(now, settings.max_time_s)
        self.scheduler = state_of(settings.scheduler, mode=settings.mode, seed=settings.seed)
        self._talk = Conversation(self.roster, self.counters, emit, self._answer_next, self.handle)
        self._waiting = Waiting()
        self.suggestions = SuggestionQueue(settings, self.scheduler, self.table, self._waiting)
        self.assignments = Assignments(
            settings, self.table, self.roster, self.scheduler, self.suggestions, self.counters
        )
        self._budget, self._pauses = self.assignments.budget, settings.scheduler.pauses
        self._stragglers = Stragglers(settings.scheduler.rung_timeout)
        self._pausing = Pausing(
            self.scheduler,
            self.assignments,
            self.suggestions,
            self._talk,
            self._stragglers,
            self._waiting,
            answer=self._answer_next,
        )
        self._expect()
        self._naming = Naming(
            self._talk, self.assignments, self.suggestions, self._assign, self._stop_early
        )
        telemetry = Telemetry(self._talk, self.assignments, self.curves)
        self._presence = Presence(
            self.roster,
            self.assignments,
            self._talk,
            interrupt=lambda: self._ending.interrupt if self._ending.stop is not None else None,
            is_ended=lambda: self.ended is not None,
            handle=self.handle,
            settle=self._settle,
        )
        self._on_event: dict[type, Callable[[Any, float], None]] = {
            Kept: telemetry.on_kept,
            Suggested: self._on_suggested,
            FallbackDrawn: self._on_fallback_drawn,
            ValuesDrawn: self._naming.on_values_drawn,
            WorkerExited: self._presence.on_exited,
            WorkerSilent: self._presence.on_silent,
            WorkerReturned: self._presence.on_returned,
            WorkerGone: self._presence.on_gone,
            StopRun: self._on_stop_run,
            StopTrial: self._pausing.on_stop_trial,
            RungTimedOut: self._pausing.on_timed_out,
            Rebalanced: self._pausing.on_rebalanced,
            GraceExpired: self._on_grace_expired,
            Resumed: self._on_resumed,
            Stalled: self._on_stalled,
            JournalFailed: self._on_journal_failed,
        }
        self._on_message: dict[type, Callable[[Received, Any, float], None]] = {
            m.Hello: self._presence.on_hello,
            m.Next: self._on_next,
            m.Report: self._on_report,
            m.End: self._on_end,
            m.Ping: self._presence.on_ping,
            m.TrialHung: self._presence.on_trial_hung,
            m.Saved: self._presence.on_saved,
            m.Draw: self._naming.on_draw,
            m.Telemetry: telemetry.on_telemetry,
            m.Reports: telemetry.on_reports,
            m.Log: telemetry.on_log,
            m.Dropped: self._presence.on_dropped,
            m.Heartbeat: self._presence.on_heartbeat,
            m.Leave: self._presence.on_leave,
        }

    # --- what the caller drives ----------------------------------------------

    @property
    def emit(self) -> Callable[[Effect], None]:
        """What carries out the effects."""
        return self._talk.emit

    @emit.setter
    def emit(self, emit: Callable[[Effect], None]) -> None:
        self._talk.emit = emit

    @property
    def is_ending(self) -> bool:
        """Whether trials that still run were told to stop, since the run ends."""
        return self._ending.stop is not None

    def start(self) -> None:
        """Request the suggestions that the first workers will need."""
        self._talk.emit_all(self.suggestions.requests(self.roster.active))

    def restart(
        self, now: float, counters: Mapping[str, int], returns: Mapping[str, float]
    ) -> None:
        """Continue in a new bus: renew all leases, and repeat the unanswered requests.

        ``counters`` and ``returns`` (see `Status`) are those of the bus before, as far as they
        are known: a journal does not tell all of them.
        """
        self.counters.raise_to(counters)
        self.roster.hear_all(now, returns)
        self._stragglers.restart(now)
        self._talk.emit_all([*self.suggestions.requests_again(), *self._naming.requests_again()])
        if self.ended is not None:
            self.emit(self.ended)

    def handle(self, event: Event, now: float) -> None:
        """Handle one event."""
        if isinstance(event, Received):
            self._on_message[type(event.message)](event, event.message, now)
        else:
            self._on_event[type(event)](event, now)
        if self._pauses:
            self._pausing.after(now)
            self._settle(now)
        if self._waiting.since is not None:
            self._serve_waiting(now)
        if self._budget.limit is not None and not self.is_ending and self.assignments.is_short:
            self._end(StopRun("max_total_resource"), AT_STOP, now)
            self._serve_waiting(now)
        if not self.suggestions.is_idle:
            self._talk.emit_all(self.suggestions.requests(self.roster.active))

    def tick(self, now: float) -> None:
        """Handle what is due at ``now``: leases, max_time, the end of the grace, fallbacks."""
        self._presence.tick(now)
        for event in self._pausing.due(now):
            self.handle(event, now)
        due, grace_ends_at = self._ending.due, self._ending.grace_ends_at
        if due is not None and now >= due:
            self.handle(StopRun("max_time"), now)
        if grace_ends_at is not None and now >= grace_ends_at and self.ended is None:
            self.handle(GraceExpired(), now)
        self._talk.emit_all(self.suggestions.fallback(now))

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest; None: never."""
        first, roster = self._ending.due, self.roster
        grace = self._ending.grace_ends_at if self.ended is None else None
        others = (self.suggestions.due, self._pausing.next_deadline, grace)
        for at in (*others, roster.leases.next_deadline(), roster.returns.next_deadline()):
            if at is not None and (first is None or at < first):
                first = at
        return first

    def validate(self) -> None:
        """Check the invariants; AssertionError if one is broken."""
        self.scheduler.validate()
        self.table.validate()
        self.assignments.validate()
        self.roster.validate()
        self._waiting.validate(self.roster)
        if self.ended is not None:
            assert self.table.finished == len(self.table)

    # --- events --------------------------------------------------------------

    def _on_suggested(self, event: Suggested, now: float) -> None:
        self.suggestions.add(event.first, event.points, is_last=event.is_last)
        self._talk.record(event, now)
        if event.is_last:
            self._expect()
        self._settle(now)

    def _expect(self) -> None:
        """Tell the scheduler how many trials there will be."""
        self.scheduler.expect(self.suggestions.limit, self.settings.repeats)

    def _on_fallback_drawn(self, event: FallbackDrawn, now: float) -> None:
        if event.number == self.suggestions.missing:  # else the searcher's own came first
            self.counters.fallbacks += 1
            self.suggestions.add(event.number, (event.point,))
            self._talk.record(event, now)
            self._settle(now)

    def _on_stop_run(self, event: StopRun, now: float) -> None:
        self._talk.record(event, now)
        self._end(event, AT_MAX_TIME if event.reason == "max_time" else AT_STOP, now)

    def _on_grace_expired(self, event: GraceExpired, now: float) -> None:
        """Cancel the trials that did not stop in time."""
        self._talk.record(event, now)
        self.assignments.cancel_running(now)
        self._settle(now)

    def _on_resumed(self, event: Resumed, now: float) -> None:
        """Continue with all trials and rungs, and none of the workers."""
        self._talk.record(event, now)
        settings = self.settings = event.settings
        self.curves.kept = settings.curves
        self.table.unseen = set() if settings.tells else None  # a restart tells all again
        self.roster = self._talk.roster = self._presence.roster = Roster.of(settings, self.roster)
        self.suggestions.resume(settings)
        self.assignments.resume(settings, self.roster)
        self._waiting.clear()
        self._expect()
        self._ending = Ending(self.started, settings.max_time_s)
        self.ended = None
        self._pausing.is_over = False
        for trial in self.table.reopen(retry_failed=event.retry_failed):
            self.scheduler.rejoin(trial)
        self.table.logs.clear()  # the launch before has logged them
        self._settle(now)

    def _on_stalled(self, event: Stalled, now: float) -> None:
        self.roster.stalled(event.seconds)
        self._waiting.stalled(event.seconds)
        self._stragglers.stalled(event.seconds)

    def _on_journal_failed(self, event: JournalFailed, now: float) -> None:
        """End the run; from now on nothing is decided, recorded or promised."""
        self._talk.is_journaled = False
        self._on_message.update(dict.fromkeys((m.Report, m.Next, m.End), self._talk.dismiss))
        self._end(StopRun("failed", event.text), AT_STOP, now)

    # --- messages ------------------------------------------------------------

    def _on_next(self, event: Received, request: m.Next, now: float) -> None:
        if (worker := self._talk.requester(event.sender, request, now)) is not None:
            self._talk.record(event, now)
            worker.idle_s = request.idle_s
            self._answer_next(worker, now)

    def _on_report(self, event: Received, report: m.Report, now: float) -> None:
        if (worker := self._talk.requester(event.sender, report, now)) is None:
            return
        worker.idle_s = report.idle_s
        trial = self.assignments.held(worker, report.trial, report.attempt)
        if trial is None:
            self._talk.record(event, now)
            self.counters.fenced += 1
            self._talk.reply(worker, m.Stop(report.seq, "fenced", self._assign(worker, now)))
            return
        self.counters.reports += 1
        self.table.note(trial, report, report.resource, report.metric)
        trial.extras, trial.named = report.extras, report.named or trial.named
        if is_limited := (self._budget.limit is not None):
            self._budget.settle(trial.id, report.resource)
        stop_at = self.settings.stop_at
        if stop_at is not None and is_target(report.metric, stop_at, self.settings.mode):
            self._talk.record(event, now)
            self.assignments.finish(trial, COMPLETED, now)
            self._end(StopRun("stop_at"), AT_STOP, now)
            self._talk.reply(worker, m.Stop(report.seq, "completed", None))
            self._settle(now)
            return
        if trial.is_hooked:
            self._talk.record(event, now)
            self._stop_early(worker, trial, now)
            return
        decision = self.scheduler.report(trial, report.resource, report.metric)
        verdict, records, until = decision
        self._talk.record(event, now, records)
        self.counters.decisions += 1
        self.table.enter(trial, records)
        if self._pauses:
            self._pausing.after_report(worker, trial, decision, now, is_ending=self.is_ending)
        if verdict == "complete":
            self._stop(worker, trial, COMPLETED, "completed", now)
        elif verdict == "stop":
            self._stop(worker, trial, STOPPED, "stopped", now)
        elif self._ending.stop is not None:
            self._stop(worker, trial, CANCELLED, "ended", now)
        elif verdict == "pause":
            following = self._assign(worker, now)
            self._talk.reply(worker, m.Pause(report.seq, following, *worker.take_pause()))
            self.table.consider(trial)
        elif is_limited and not self._budget.grant(trial.id, report.resource, until):
            self._stop(worker, trial, CANCELLED, "ended", now)
        else:
            until = self._budget.ask_at(until) if is_limited else until
            drops = worker.take_drops() if worker.drops else ()
            self._talk.reply(worker, m.of_fields(m.Continue, (report.seq, until, drops)))
            self.table.consider(trial)

    def _stop_early(self, worker: WorkerRecord, trial: Trial, now: float) -> None:
        """End a trial whose worker waits, since a hook or a pruner says so."""
        self.scheduler.leave(trial)
        self._stop(worker, trial, STOPPED, "stopped", now)

    def _stop(
        self, worker: WorkerRecord, trial: Trial, state: TrialState, why: str, now: float
    ) -> None:
        """End a reporting trial; the same message carries the next one, if there is one."""
        worker.trial = None
        following = self._assign(worker, now)
        fields = (worker.seq, why, following, worker.take_drops() if worker.drops else ())
        self._talk.reply(worker, m.of_fields(m.Stop, fields))
        self.assignments.close(trial, state, now)
        self._settle(now)

    def _on_end(self, event: Received, end: m.End, now: float) -> None:
        if (worker := self._talk.requester(event.sender, end, now)) is None:
            return
        self._talk.record(event, now)
        worker.idle_s = end.idle_s
        trial = self.assignments.held(worker, end.trial, end.attempt)
        if trial is None:
            self.counters.fenced += 1
        else:
            if end.metric is not None:
                self.table.note(trial, end, end.resource, end.metric)
            trial.extras, trial.named = end.extras, end.named or trial.named
            self._budget.settle(trial.id, end.resource)
            if end.outcome == "interrupted":
                # unless the run is ending, somebody else interrupted the worker
                self._presence.lose(worker, now)
            elif end.outcome == "dropped":
                self.assignments.drop(trial)
            elif end.outcome == "failed":
                self.assignments.fail(trial, end.error, now, is_over=self.is_ending)
            else:
                self.assignments.finish(trial, COMPLETED, now)
                if is_target(end.metric, self.settings.stop_at, self.settings.mode):
                    self._end(StopRun("stop_at"), AT_STOP, now)
            self._settle(now)
        self._answer_next(worker, now)

    # --- trials --------------------------------------------------------------

    def _assign(self, worker: WorkerRecord, now: float) -> m.Assignment | None:
        """Give the next trial to ``worker``; None where there is none now."""
        return None if self._ending.stop is not None else self.assignments.assign(worker, now)

    # --- workers -------------------------------------------------------------

    def _answer_next(self, worker: WorkerRecord, now: float) -> None:
        if worker.waits_since is not None:
            worker.idle_s += now - worker.waits_since
            worker.waits_since = None
        if worker.trial is not None:
            # it holds a trial that it does not know of: that attempt is lost
            self._presence.lose(worker, now)
        assignment = self._assign(worker, now)
        if assignment is not None:
            self._talk.reply(worker, m.Assign(worker.seq, assignment, worker.take_drops()))
        elif self._ending.stop is not None:
            self._talk.reply(worker, m.Done(worker.seq, self._ending.stop.reason))
        else:
            self._talk.reply(worker, m.Wait(worker.seq))
            if self._waiting.add(worker, now):
                self.counters.suggest_waits += self.suggestions.missing is not None

    def _serve_waiting(self, now: float) -> None:
        while self._waiting and (self.assignments.has_next or self._ending.stop is not None):
            worker = self._waiting.pop(self.roster)
            if worker is not None:
                self._answer_next(worker, now)

    # --- the end -------------------------------------------------------------

    def _end(self, stop: StopRun, interrupt: m.Interrupt, now: float) -> None:
        """Begin the end: nothing new starts, and running trials are stopped.

        A second call counts only if it gives less time than the first.
        """
        if not self._ending.begin(stop, interrupt, now):
            return
        self.assignments.cancel_queue(now)
        if self._pauses:
            self._pausing.cancel(now)
        for worker in self.roster.workers.values():
            if worker.active and worker.trial is not None:
                self._talk.beside(worker, interrupt)
        self._settle(now)

    def _settle(self, now: float) -> None:
        """Begin the end of the run, or end it, if what just happened does so."""
        stop = self._ending.stop
        if stop is None:
            enough = self._pausing.close_if_idle(now) if self._pauses else None
            enough = reason_to_end(self.settings, self.table, self.suggestions) or enough
            if enough is not None:
                self._end(enough, AT_STOP, now)
        elif self.ended is None and self.table.states[RUNNING] == 0:
            self._talk.emit_all(self.suggestions.updates())
            self.ended = Ended(stop.reason, stop.message)
            self.emit(self.ended)
