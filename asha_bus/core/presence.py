"""Which workers are there: they exit, leave, fall silent, return, and are given up."""

from __future__ import annotations

from collections.abc import Callable

from asha_bus.core.assignments import Assignments
from asha_bus.core.conversation import Conversation
from asha_bus.core.events import WorkerExited, WorkerGone, WorkerReturned, WorkerSilent
from asha_bus.core.roster import Roster, WorkerRecord


class Presence:
    """Handles the events about workers that come and go.

    A worker whose lease has ended may have died, but it may also have been paused: its
    machine slept, its container was frozen, native code kept the interpreter's lock. So its
    trial may be taken by another worker, and goes on in this one if it returns before that.
    What it had is lost once its end is certain: it exited, or did not return in time.

    ``is_over``: whether the run is ending. ``settle``: called after a trial was lost.
    """

    def __init__(
        self,
        roster: Roster,
        assignments: Assignments,
        talk: Conversation,
        is_over: Callable[[], bool],
        settle: Callable[[float], None],
    ) -> None:
        self.roster = roster
        self._assignments = assignments
        self._talk = talk
        self._is_over = is_over
        self._settle = settle

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
        self.roster.fall_silent(worker, now)
        if worker.trial is None:
            return
        if self._is_over():
            self.lose(worker, now)
        else:
            self._assignments.suspend(worker)

    def on_returned(self, event: WorkerReturned, now: float) -> None:
        """A worker that was silent is heard again."""
        self._talk.record(event, now)
        worker = self.roster.workers[event.worker]
        self.roster.return_(worker, now)
        self._assignments.take_back(worker)

    def on_gone(self, event: WorkerGone, now: float) -> None:
        """A worker did not return in time."""
        self._talk.record(event, now)
        worker = self.roster.workers[event.worker]
        self._gone(worker, now)
        worker.is_hung = True

    def leave(self, worker: WorkerRecord, now: float) -> None:
        """A worker leaves on purpose, and returns its trial if it has one.

        That is no fault of the trial: the bus was silent, or the driver seemed to be gone.
        """
        if worker.trial is not None and self._assignments.settings.hang_timeout_s is not None:
            self._assignments.forgive(self._assignments.table[worker.trial])
        self._gone(worker, now)

    def lose(self, worker: WorkerRecord, now: float, how: str = "") -> None:
        """The attempt of ``worker`` is lost. ``how``: what is known of the worker's end."""
        assert worker.trial is not None
        trial = self._assignments.table[worker.trial]
        self._assignments.lose(trial, now, how, is_over=self._is_over())
        self._settle(now)

    def _gone(self, worker: WorkerRecord, now: float, how: str = "") -> None:
        self.roster.leave(worker)
        if worker.trial is not None:
            self.lose(worker, now, how)
