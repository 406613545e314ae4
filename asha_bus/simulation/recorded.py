"""The learning curves and the times of a recorded run, read from its journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from asha_bus.core import messages as m
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.events import AppendToJournal, Effect, Received, RunSettings, Send
from asha_bus.core.schedulers import Schedulers
from asha_bus.core.space import Space
from asha_bus.core.trial import Trial, TrialState
from asha_bus.core.trials import is_target
from asha_bus.formats.journal import Replayer, reading
from asha_bus.results.journals import read_journal
from asha_bus.simulation.workloads import Drawn, Row, Rows

#: The states of trials whose end is known.
_ENDED = frozenset({TrialState.COMPLETED, TrialState.STOPPED, TrialState.FAILED})

#: Pairs of a resource and the seconds of work until then.
_Times = list[tuple[float, float]]


@dataclass(frozen=True)
class Recorded:
    """What a journal tells of a run.

    Trials that were cancelled or lost, or had not ended, are left out, with their repeats.
    """

    settings: RunSettings
    space: Space
    rows: Sequence[Row]
    #: The points of its configurations, in order.
    points: Sequence[m.Point]
    #: When its workers joined, in seconds from its beginning.
    joins: Sequence[float]
    #: The mean seconds for a unit of resource.
    step_s: float

    def workload(
        self,
        step_s: Drawn | None,
        random: Random,
        most: float | None,
        is_target: Callable[[float], bool] | None,
    ) -> Rows:
        """The objective, to resource ``most``; ``step_s`` in place of the recorded times."""
        rows = self.rows
        if step_s is not None:
            rows = [
                Row(
                    row.number,
                    dict(zip(row.resources, row.metrics, strict=True)),
                    ends=row.ends,
                    error=row.error,
                )
                for row in rows
            ]
        given = self.step_s if step_s is None else step_s
        whole = self.settings.curves
        return Rows(rows, given, random, is_whole=whole, most=most, is_target=is_target)


class _Timer(Replayer):
    """Replays a journal, and notes how long trials worked between two decisions."""

    def __init__(self, data: bytes, path: str, schedulers: Schedulers) -> None:
        self.joins: list[float] = []
        #: The times of the latest attempt at each trial.
        self.times: dict[int, _Times] = {}
        self._at = 0.0
        self._began: dict[str, float] = {}
        super().__init__(data, path, schedulers)

    def feed(self, data: bytes) -> None:
        """Replay ``data`` with all effects, which the times are taken from."""
        for _ in self.walk(data):
            pass

    def _emit(self, effect: Effect) -> None:
        super()._emit(effect)
        if isinstance(effect, AppendToJournal):
            self._at = effect.now
            if isinstance(effect.event, Received):
                self._note(effect.event.sender, effect.event.message)
        elif isinstance(effect, Send):
            message = effect.message
            if isinstance(message, m.Assign):
                self._begin(effect.to, message.assignment)
            elif isinstance(message, (m.Stop, m.Pause)) and message.next is not None:
                self._begin(effect.to, message.next)
            elif isinstance(message, m.Continue):
                self._began[effect.to] = self._at

    def _begin(self, worker: str, assignment: m.Assignment) -> None:
        self._began[worker] = self._at
        if self._experiment.table[assignment.trial].resource == 0:
            self.times[assignment.trial] = []  # from the start

    def _note(self, worker: str, message: m.FromWorker) -> None:
        if isinstance(message, m.Hello):
            self.joins.append(self._at)
        elif isinstance(message, (m.Report, m.End)):
            began = self._began.pop(worker, None)
            times = self.times.get(message.trial)
            if began is not None and times is not None:
                before = times[-1][1] if times else 0.0
                times.append((message.resource, before + self._at - began))


def read(path: str | os.PathLike[str], schedulers: Schedulers = ()) -> Recorded:
    """Read the journal at ``path``.

    Raises:
        InvalidArgument: The file cannot be opened, or no trial of it has ended.
        JournalError: The file is not a journal, or is damaged.
    """
    where = os.fspath(path)
    timer = _Timer(read_journal(path), where, schedulers)
    replayed = timer.result()
    settings = replayed.experiment.settings
    trials = replayed.experiment.table.trials
    cut = {trial.configuration for trial in trials if trial.state not in _ENDED}
    kept = [trial for trial in trials if trial.configuration not in cut]
    if not kept:
        raise InvalidArgument(f"no trial of the journal {where!r} has ended: there are no curves")
    space = replayed.header.read_space(where)
    with reading(where, "its trials are not of this space"):
        for trial in kept:
            space.branch_of(trial.point)
    spent = [times[-1] for trial in kept if (times := timer.times.get(trial.id))]
    resource = sum(last for last, _ in spent)
    return Recorded(
        settings=settings,
        space=space,
        rows=[_row(trial, settings, timer.times.get(trial.id, ())) for trial in kept],
        points=[trial.point for trial in kept if not trial.repeat],
        joins=timer.joins,
        step_s=sum(seconds for _, seconds in spent) / resource if resource else 0.0,
    )


def _row(trial: Trial, settings: RunSettings, times: Sequence[tuple[float, float]]) -> Row:
    points = dict(trial.curve)
    points.update((record.resource, record.metric) for record in trial.rungs)
    if trial.metric is not None:
        points[trial.resource] = trial.metric
    ends: str | None = None
    if trial.state is TrialState.FAILED:
        ends = "failed"
    elif trial.state is TrialState.COMPLETED:
        full = settings.scheduler.full_resource
        was_cut = full is not None and trial.resource >= full
        if not was_cut and not is_target(trial.metric, settings.stop_at, settings.mode):
            ends = "completed"
    return Row(trial.id, points, ends=ends, error=trial.error, times=times)
