"""Reports between rungs: counted, shown, and kept in the curves of their trials."""

from __future__ import annotations

from asha_bus.core import messages as m
from asha_bus.core.assignments import Assignments
from asha_bus.core.conversation import Conversation
from asha_bus.core.curves import Curves
from asha_bus.core.events import Kept, Received
from asha_bus.core.trial import Trial, TrialState


class Telemetry:
    """Handles one-way reports, and what a journal has of them."""

    def __init__(self, talk: Conversation, assignments: Assignments, curves: Curves) -> None:
        self._talk = talk
        self._assignments = assignments
        self._curves = curves

    def on_telemetry(self, event: Received, telemetry: m.Telemetry, now: float) -> None:
        """Reports without extras, all that there were."""
        number, attempt, best_metric, reports = telemetry
        count = max(len(reports), 1)
        message = m.Reports(number, attempt, best_metric, count, reports, {})
        self.on_reports(event, message, now)

    def on_reports(self, event: Received, message: m.Reports, now: float) -> None:
        """Count and show them, and write down what the trial's curve keeps."""
        worker = self._talk.teller(event.sender, now)
        if worker is None or not message.reports:
            return
        trial = self._assignments.run_by(worker, message.trial, message.attempt)
        if trial is None:
            return
        self._curves.add(trial, message)
        part = self._curves.choose(trial, message)
        if part is not None:
            self._talk.record(Kept(event.sender, part), now)
            self._curves.fit(self._assignments.table.trials)
        self._note(trial, message)

    def on_log(self, event: Received, log: m.Log, now: float) -> None:
        """A line of a trial, from either socket."""
        sender = event.sender
        worker = self._talk.teller(sender, now) or self._talk.owner(sender)
        if worker is not None and self._assignments.table.log(log):
            self._talk.record(Received(worker.name, log), now)

    def on_kept(self, event: Kept, now: float) -> None:
        """A journal is read: keep what was kept."""
        sender, part = event
        self._talk.record(event, now)
        worker = self._talk.roster.get(sender)
        if worker is None or not part.reports:
            return
        trial = self._assignments.run_by(worker, part.trial, part.attempt)
        if trial is not None:
            self._curves.keep(trial, part)
            self._curves.fit(self._assignments.table.trials)
            self._note(trial, part)

    def _note(self, trial: Trial, message: m.Reports) -> None:
        self._assignments.counters.reports += message.total
        resource, metric = message.reports[-1]
        # else a rung's report overtook these
        if resource > trial.resource and trial.state is TrialState.RUNNING:
            self._assignments.table.note(trial, message, resource, metric)
