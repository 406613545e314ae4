"""The reports of a journal, handled without effects: most of what a journal holds.

`Experiment.handle` takes twice as long for a report, since it makes effects and answers that
nobody gets. This is a second way to the same state for the usual report only; whatever is unusual
goes through `Experiment.handle`. `tests/property/test_replay.py` compares both ways after random
stories.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asha_bus.core import messages as m
from asha_bus.core.experiment import Experiment
from asha_bus.core.roster import WorkerRecord
from asha_bus.core.schedulers import ASHA, MedianStopping, NoStopping
from asha_bus.core.trial import COMPLETED, RUNNING, STOPPED, RungRecord, Trial

#: Handles a report: worker, fields of the message, seconds on the run's clock. Returns the rungs
#: entered, or None if nothing was done, since the report is not a usual one.
HandleReport = Callable[[str, Any, float], "tuple[RungRecord, ...] | None"]


#: Schedulers that never pause a trial, and whose next resource follows from its rungs alone.
_SCHEDULERS = (ASHA, MedianStopping, NoStopping)


def _takes_usual_reports(experiment: Experiment) -> bool:
    """Whether nothing but a decision, and the next new trial, follows from a report now."""
    settings = experiment.settings
    return (
        type(settings.scheduler) in _SCHEDULERS
        and not (settings.tells or experiment.is_ending or experiment.table.queue)
        and settings.stop_at is None
        and experiment.assignments.budget.limit is None
    )


class Reports:
    """Handles the usual reports of a replay; ``experiment`` is driven by nobody else meanwhile.

    The last answer of a worker and its lease are owed until `settle`, which must be called before
    anybody else looks at the experiment or handles an event.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._owed: dict[str, tuple[WorkerRecord, Trial, str]] = {}

    def settle(self) -> None:
        """Make the answers that are owed, and renew the leases."""
        roster, assignments = self._experiment.roster, self._experiment.assignments
        trials = self._experiment.table.trials
        for worker, trial, why in self._owed.values():
            roster.hear(worker, worker.heard)
            if why:
                assert worker.trial is not None
                following = assignments.assignment(trials[worker.trial], worker.heard)
                worker.reply = m.Stop(worker.seq, why, following)
            else:
                worker.reply = m.Continue(worker.seq, assignments.next_resource(trial))
        self._owed.clear()

    def begin(self) -> HandleReport | None:
        """What handles usual reports until `settle` is called; None: there are none now.

        Local names, since each attribute costs more than what is done with it.
        """
        experiment = self._experiment
        if not _takes_usual_reports(experiment):
            return None
        table, suggestions = experiment.table, experiment.suggestions
        workers, counters = experiment.roster.workers, experiment.counters
        trials, states, changed = table.trials, table.states, table.changed
        decide, consider, make = experiment.scheduler.report, table.consider, suggestions.advance
        epoch, owed = experiment.settings.epoch, self._owed
        full = table.full_resource
        # the last trials may end the run
        limit = suggestions.limit
        room = -1 if limit is None else max(limit - len(trials) - 1, 0)

        def handle(sender: str, fields: Any, now: float) -> tuple[RungRecord, ...] | None:
            nonlocal room
            worker = workers.get(sender)
            seq, number, attempt, resource, metric, best, extras, idle_s, at, named = fields
            if (
                worker is None
                or worker.trial != number
                or seq <= worker.seq
                or not worker.active
                or worker.drops
                or not room
                or (following := suggestions.ready) is None
            ):
                return None
            trial = trials[number]
            if trial.attempt != attempt or trial.is_hooked:
                return None
            worker.seq, worker.heard, worker.idle_s, worker.waits_since = seq, now, idle_s, None
            if best is None:
                at = None
            elif at is None:
                is_known = best == trial.best_metric
                at = trial.best_resource if is_known else resource if best == metric else None
            table.spent += resource - trial.resource
            if changed is not None:
                changed.add(number)
            trial.resource, trial.metric = resource, metric
            trial.best_metric, trial.best_resource = best, at
            trial.extras, trial.named = extras, named or trial.named
            counters.reports += 1
            counters.decisions += 1
            verdict, records, _ = decide(trial, resource, metric)
            trial.saved = None
            trial.rungs += records
            if verdict == "continue":
                owed[sender] = worker, trial, ""
                consider(trial)
                return records
            room -= 1
            since = epoch + now
            following.start_time = following.attempt_time = since
            following.attempt, following.worker = 1, sender
            following.state = RUNNING  # instead of the one that ends
            trials.append(following)
            worker.trial = following.id
            counters.assigned += 1
            if changed is not None:
                changed.add(following.id)
            trial.end_time = since
            trial.compact()
            table.finished += 1
            if verdict == "stop":
                trial.state = STOPPED
                states[STOPPED] += 1
                if full is not None:
                    table.saved += full - trial.resource
                owed[sender] = worker, trial, "stopped"
            else:
                trial.state = COMPLETED
                states[COMPLETED] += 1
                owed[sender] = worker, trial, "completed"
            consider(trial)
            make()
            return records

        return handle
