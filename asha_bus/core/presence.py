"""Which workers are there: they exit, leave, fall silent, return, and are given up."""

from __future__ import annotations

from collections.abc import Callable

from asha_bus.core import messages as m
from asha_bus.core.assignments import Assignments
from asha_bus.core.conversation import Conversation
from asha_bus.core.events import (
    Received,
    Send,
    WorkerExited,
    WorkerGone,
    WorkerReturned,
    WorkerSilent,
)
from asha_bus.core.roster import MAX_WORKERS, Roster, WorkerRecord


class Presence:
    """Handles the events about workers that come and go.

    A worker whose lease has ended may have died, but it may also have been paused: its
    machine slept, its container was frozen, native code kept the interpreter's lock. So its
    trial may be taken by another worker, and goes on in this one if it returns before that.
    What it had is lost once its end is certain: it exited, or did not return in time.

    ``interrupt``: what ends objectives; None as long as the run goes on. ``is_ended``: whether it
    is over. ``handle``: handles an event at once. ``settle``: called after a trial was lost.
    """

    def __init__(
        self,
        roster: Roster,
        assignments: Assignments,
        talk: Conversation,
        *,
        interrupt: Callable[[], m.Interrupt | None],
        is_ended: Callable[[], bool],
        handle: Callable[[WorkerSilent | WorkerGone, float], None],
        settle: Callable[[float], None],
    ) -> None:
        self.roster = roster
        self._assignments = assignments
        self._talk = talk
        self._interrupt, self._is_ended = interrupt, is_ended
        self._handle, self._settle = handle, settle

    def tick(self, now: float) -> None:
        """Handle the ends of leases, and of the time to return after that."""
        for name in self.roster.leases.expired(now):
            self._assignments.counters.leases_expired += 1
            self._handle(WorkerSilent(name), now)
        for name in self.roster.returns.expired(now):
            self._handle(WorkerGone(name), now)

    def on_hello(self, event: Received, hello: m.Hello, now: float) -> None:
        """A worker asks to join; its slot has one worker at a time."""
        sender, settings = event.sender, self._assignments.settings
        if hello.run != settings.run:
            self._talk.refuse(sender, hello.seq, f"this bus serves another run than {hello.run}")
            return
        if self.roster.get(sender) is None:
            sibling = self.roster.at(hello.slot)
            if sibling is not None and sibling.active:
                if not self.roster.is_silent(sibling, now) and not self._is_ended():
                    # a speculative copy, or a retry before the loss is known: it asks
                    # again, and takes the slot once the sibling left or fell silent
                    self._talk.send(sender, m.Wait(hello.seq))
                    return
                self._handle(WorkerSilent(sibling.name), now)
            if not self.roster.make_room():
                self._talk.refuse(
                    sender, hello.seq, f"this bus has {MAX_WORKERS} workers, and no more"
                )
                return
            self._talk.record(event, now)
            self.roster.join(sender, hello, now)
        self._talk.send(sender, settings.welcome(hello.seq))

    def on_exited(self, event: WorkerExited, now: float) -> None:
        """The process or the Spark job of a slot has ended."""
        worker = self.roster.at(event.slot)
        if worker is not None and (
            worker.active or worker.trial is not None or worker.may_return or worker.is_hung
        ):
            self._talk.record(event, now)
            self._gone(worker, now, event.how)

    def on_silent(self, event: WorkerSilent, now: float) -> None:
        """A worker may be dead, or may return."""
        self._talk.record(event, now)
        worker = self.roster.workers[event.worker]
        self._assignments.residents.lose(worker, may_return=True)
        self.roster.fall_silent(worker, now)
        if worker.trial is None:
            return
        if self._interrupt() is not None:
            self.lose(worker, now)
        else:
            self._assignments.suspend(worker)

    def on_returned(self, event: WorkerReturned, now: float) -> None:
        """A worker that was silent is heard again."""
        self._talk.record(event, now)
        worker = self.roster.workers[event.worker]
        self.roster.return_(worker, now)
        self._assignments.residents.take_back(worker)
        self._assignments.take_back(worker)

    def on_gone(self, event: WorkerGone, now: float) -> None:
        """A worker did not return in time."""
        self._talk.record(event, now)
        worker = self.roster.workers[event.worker]
        self._gone(worker, now)
        worker.is_hung = True

    def on_heartbeat(self, event: Received, heartbeat: m.Heartbeat, now: float) -> None:
        """A worker is alive; tell it, if the run is ending."""
        if (worker := self._talk.living_owner(event.sender, now)) is None:
            return
        worker.latency = heartbeat.latency
        if worker.active:  # one that left, or whose slot is empty, stays gone
            self.roster.hear(worker, now)
        # one that was declared dead may still run what it had, which must end
        interrupt = self._interrupt() if worker.believes_in_trial else None
        self._talk.beside(worker, interrupt or m.Pong(0))

    def on_ping(self, event: Received, ping: m.Ping, now: float) -> None:
        """Somebody asks whether the bus is there."""
        self._talk.emit(Send(event.sender, m.Pong(ping.seq)))  # it promises nothing of a journal

    def on_trial_hung(self, event: Received, hung: m.TrialHung, now: float) -> None:
        """An objective ignored its time limit: the trial fails, and its worker exits."""
        if (worker := self._talk.living_owner(event.sender, now)) is None:
            return
        trial = self._assignments.held(worker, hung.trial, hung.attempt)
        if trial is not None:  # else this is a repeat, or the trial ended meanwhile
            self._talk.record(Received(worker.name, hung), now)
            is_over = self._interrupt() is not None
            self._assignments.fail(trial, hung.error, now, is_over=is_over)
            self._settle(now)
        elif (
            worker.trial not in (None, hung.trial)
            and self._assignments.run_by(worker, hung.trial, hung.attempt) is not None
        ):  # it got that one when this one was stopped, and exits without having begun it
            self._talk.record(Received(worker.name, hung), now)
            self._assignments.drop(self._assignments.table[worker.trial])
        self._talk.beside(worker, m.Pong(hung.seq))

    def on_saved(self, event: Received, saved: m.Saved, now: float) -> None:
        """A worker has dropped a paused trial, whose state it was to save."""
        worker = self._talk.teller(event.sender, now)
        residents = self._assignments.residents
        if worker is not None and residents.awaits(worker, saved):
            self._talk.record(event, now)
            residents.on_saved(worker, saved)
        self._talk.emit(Send(event.sender, m.Pong(saved.seq)))  # to a repeat likewise

    def on_dropped(self, event: Received, dropped: m.Dropped, now: float) -> None:
        """A worker had to drop paused trials."""
        worker = self._talk.teller(event.sender, now)
        if worker is not None:
            self._talk.record(event, now)
            self._assignments.residents.forget(worker, dropped.trials)

    def on_leave(self, event: Received, leave: m.Leave, now: float) -> None:
        """A worker leaves on purpose, and returns its trial if it has one.

        That is no fault of the trial: the bus was silent, or the driver seemed to be gone.
        """
        worker = self._talk.teller(event.sender, now)
        if worker is None:
            return
        self._talk.record(event, now)
        worker.latency = leave.latency
        if worker.trial is not None and self._assignments.settings.hang_timeout_s is not None:
            self._assignments.forgive(self._assignments.table[worker.trial])
        self._gone(worker, now)

    def lose(self, worker: WorkerRecord, now: float, how: str = "") -> None:
        """The attempt of ``worker`` is lost. ``how``: what is known of the worker's end."""
        assert worker.trial is not None
        trial = self._assignments.table[worker.trial]
        self._assignments.lose(trial, now, how, is_over=self._interrupt() is not None)
        self._settle(now)

    def _gone(self, worker: WorkerRecord, now: float, how: str = "") -> None:
        self._assignments.residents.lose(worker)
        self.roster.leave(worker)
        if worker.trial is not None:
            self.lose(worker, now, how)
