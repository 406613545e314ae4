"""A run that goes on, seen from the user's process: its trials, and what has happened since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

from asha_bus.core.events import RunSettings
from asha_bus.core.space import Space
from asha_bus.core.status import Changes, Status
from asha_bus.core.trial import FINAL, RungRecord, TrialRow
from asha_bus.monitors.base import (
    Assigned,
    Decided,
    Reported,
    RunInfo,
    Snapshot,
    TrialEnded,
    TrialEvent,
)
from asha_bus.results.records import UNFINISHED, BusReport, TrialRecord
from asha_bus.results.result import Result

#: A curve that is longer loses every second of its points.
MAX_POINTS = 500
#: At most this many requests to the bus per refresh; the rest follow at the next.
_MOST_QUESTIONS = 400

Report = tuple[float, float]


class Live:
    """Follows a run by the trials that changed, and finds out what happened to each.

    ``changes``: asks the source for more; trials that changed twice in between are
    reported once, with everything, so nothing is missing after a pause.
    """

    def __init__(
        self,
        info: RunInfo,
        space: Space,
        changes: Callable[[], Changes],
        settings: RunSettings | None = None,
    ) -> None:
        self.info = info
        self._settings = settings
        self._space = space
        self._changes = changes
        #: By number; one is missing where its turn has not come yet.
        self._trials: dict[int, TrialRecord] = {}
        #: The highest resource of its attempt that was told of each.
        self._told: dict[int, float] = {}

    def refresh(self, *, to_the_end: bool = False) -> list[TrialEvent]:
        """What happened since the last call: of each trial in order.

        ``to_the_end``: the run is over, so all of it.
        """
        rows: dict[int, TrialRow] = {}
        points: dict[int, list[tuple[int, Report]]] = {}
        questions = 0
        while to_the_end or questions < _MOST_QUESTIONS:
            changes = self._changes()
            questions += 1
            rows.update((row.id, row) for row in changes.rows)
            for trial, attempt, resource, metric in changes.points:
                points.setdefault(trial, []).append((attempt, (resource, metric)))
            if not changes.has_more:
                break
        numbers = sorted(rows.keys() | (points.keys() & self._trials.keys()))
        return list(
            chain.from_iterable(
                self._update(number, rows.get(number), points.get(number, ())) for number in numbers
            )
        )

    def snapshot(self, status: Status) -> Snapshot:
        """How the run stands, by the bus's ``status``."""
        leader = status.leader
        return Snapshot(
            elapsed_s=status.elapsed_s,
            states=status.states,
            trials=status.trials,
            finished=status.finished,
            workers=status.workers,
            reports=status.counters.reports,
            decisions=status.counters.decisions,
            best=None if leader is None else TrialRecord.from_row(leader, self._space),
            result=lambda: self._result(status),
            is_ending=status.is_ending,
        )

    def _result(self, status: Status) -> Result:
        trials = list(self._trials.values())
        return Result(
            name=self.info.name,
            mode=self.info.mode,
            seed=self.info.seed,
            space=self._space,
            trials=sorted(trials, key=lambda trial: trial.id),
            reason=UNFINISHED,
            message="it is running",
            elapsed_s=status.elapsed_s,
            bus=BusReport.from_status(status),
            settings=self._settings,
            trial_warnings=status.warnings,
            rungs=status.rungs,
        )

    def _update(
        self, number: int, row: TrialRow | None, points: Sequence[tuple[int, Report]]
    ) -> list[TrialEvent]:
        """Take what is new of one trial, and tell what has happened to it."""
        old = self._trials.get(number)
        new = old if row is None else TrialRecord.from_row(row, self._space)
        assert new is not None
        is_new_attempt = old is None or new.attempts > old.attempts
        fresh = [report for attempt, report in points if attempt == new.attempts]
        reports = () if old is None or is_new_attempt else old.reports
        new = replace(new, reports=_thinned((*reports, *fresh)))
        self._trials[number] = new
        if old is not None and old.state in FINAL and not is_new_attempt:
            return []  # reports that came after its end
        events: list[TrialEvent] = []
        if is_new_attempt and new.attempts:
            self._told[number] = 0.0
            events.append(Assigned(new))
        known = () if old is None else old.rungs
        events += self._reported(new, fresh, new.rungs[len(known) :])
        # the verdicts that were to come when the trial paused
        events += [Decided(new, b) for a, b in zip(known, new.rungs, strict=False) if a != b]
        if new.state in FINAL:
            events.append(TrialEnded(new))
        return events

    def _reported(
        self, new: TrialRecord, fresh: Sequence[Report], entered: Sequence[RungRecord]
    ) -> list[TrialEvent]:
        """The reports between rungs, those at rungs with their verdicts, and the last one."""
        told: dict[float, list[TrialEvent]] = {}
        last = self._told.get(new.id, 0.0)
        for resource, metric in fresh:
            if resource > last:  # else it was late
                told[resource] = [Reported(new, resource, metric)]
        for record in entered:
            told[record.resource] = [
                Reported(new, record.resource, record.metric),
                Decided(new, record),
            ]
        last = max((last, *told))
        if new.metric is not None and new.resource > last:
            last = new.resource
            told[last] = [Reported(new, last, new.metric)]
        self._told[new.id] = last
        return [event for resource in sorted(told) for event in told[resource]]


def _thinned(reports: tuple[Report, ...]) -> tuple[Report, ...]:
    return reports if len(reports) <= MAX_POINTS else reports[::2]
