"""Trials, their states, and the table of allowed transitions, which is the specification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from asha_bus.core.curve import Curve
from asha_bus.core.log import TrialLog
from asha_bus.core.messages import Extras, Named, Point, of_fields


class TrialState(str, Enum):
    """The state of a trial. A state equals its name as a string.

    Attributes:
        PENDING: The trial waits for a worker, for its first attempt or another one.
        RUNNING: A worker runs the trial.
        PAUSED: The trial waits in the memory of its worker for the scheduler's verdict, or
            for that worker to have time for it.
        COMPLETED: The trial reached ``max_resource`` or the target, or ended by itself.
        STOPPED: The scheduler stopped the trial.
        CANCELLED: The run ended before the trial did.
        FAILED: The objective raised an exception or exceeded ``trial_timeout``.
        LOST: Every attempt was lost together with its worker.

    Example:
        >>> TrialState.STOPPED == "STOPPED"
        True
    """

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    STOPPED = "STOPPED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    LOST = "LOST"

    def __str__(self) -> str:
        return self.value

    __hash__ = str.__hash__  # implemented in C; Enum's own is slower Python code


#: The states as names of this module, for code that each decision runs: a name is found in
#: 15 ns, a member of the enum in 70 ns (Python 3.11).
PENDING, RUNNING, PAUSED, COMPLETED, STOPPED, CANCELLED, FAILED, LOST = TrialState

#: The states that each state may change to. Any other change is a bug.
TRANSITIONS: dict[TrialState, frozenset[TrialState]] = {
    PENDING: frozenset({RUNNING, PAUSED, STOPPED, CANCELLED}),
    RUNNING: frozenset(TrialState) - {RUNNING},
    PAUSED: frozenset({PENDING, RUNNING, STOPPED, CANCELLED}),
    COMPLETED: frozenset(),
    STOPPED: frozenset(),
    CANCELLED: frozenset(),
    FAILED: frozenset(),
    LOST: frozenset(),
}

#: The states that a trial never leaves within a run.
FINAL = frozenset(state for state, following in TRANSITIONS.items() if not following)


def mean_of(metrics: Sequence[float]) -> float:
    """The mean, within the bounds of ``metrics``; infinite or NaN if one of them is."""
    mean = sum(metric / len(metrics) for metric in metrics)  # their sum may overflow
    return min(max(mean, min(metrics)), max(metrics))


class RungRecord(NamedTuple):
    """The scheduler's decision about a trial at one rung.

    Attributes:
        rung: The number of the rung, from 0.
        resource: The level of the rung, in units of resource.
        metric: The metric with which the trial entered the rung.
        n: The number of entries of the rung at that time, including this one.
        keep: How many of these entries are among the best share, which may continue.
        cutoff: The worst metric among the ``keep`` best; None if it is not a finite number.
        verdict: ``continue``, ``stop``, ``pause`` (it is still to come), or ``complete`` in
            the last rung of a plan.
        mean: With repeats, the mean metric of the configuration's repeats that had entered
            the rung; it is compared in place of ``metric``. None without repeats.
        paused_n: The number of entries when the trial paused, if its verdict came later; else
            None.
        reason: Why a scheduler of your own decided so, in at most 200 characters;
            `Result.explain` shows it. None: no more than the numbers.

    Example:
        >>> RungRecord(0, 1, 0.25, 3, 1, 0.5, "continue").judged
        0.25
    """

    rung: int
    resource: float
    metric: float
    n: int
    keep: int
    cutoff: float | None
    verdict: str
    mean: float | None = None
    paused_n: int | None = None
    reason: str | None = None

    @property
    def judged(self) -> float:
        """The number that was compared: ``mean``, or ``metric`` without repeats."""
        return self.metric if self.mean is None else self.mean


class RungStanding(NamedTuple):
    """The current state of a rung. With repeats and a scheduler that pauses, it counts
    configurations, otherwise trials.

    Attributes:
        bracket: The number of the bracket; of the plan in `SuccessiveHalving` and `Hyperband`.
        rung: The number of the rung in its bracket.
        resource: The level of the rung, in units of resource.
        entries: How many have entered.
        passed: How many of them continued; in the last rung of a plan, how many of them are
            among those that it keeps.
        cutoff: The worst metric among those that would continue; None if it is not a finite
            number.
        paused: How many wait for the verdict of the rung.
        expected: How many will have entered in the end, if no more are lost; None: any number.
        keep: How many it keeps in the end; None: a share of those that enter.
        is_last: Whether it is the last rung of a plan, in which all that enter complete.

    Example:
        >>> standing = result.rungs[0]
        >>> stopped = standing.entries - standing.passed - standing.paused
    """

    bracket: int
    rung: int
    resource: float
    entries: int
    passed: int
    cutoff: float | None
    paused: int = 0
    expected: int | None = None
    keep: int | None = None
    is_last: bool = False


class TrialRow(NamedTuple):
    """What a result tells of a trial, in plain values: an array on its way between processes."""

    id: int
    point: Point
    seed: int
    bracket: int
    #: The value of a `TrialState`.
    state: str
    attempts: int
    worker: str | None
    metric: float | None
    best_metric: float | None
    resource: float
    extras: Extras
    error: str | None
    rungs: Sequence[RungRecord]
    start_time: float | None
    end_time: float | None
    repeat: int
    attempt_time: float | None
    best_resource: float | None
    pause_times: Sequence[float]
    named: Sequence[Named] = ()

    @classmethod
    def from_plain(cls, plain: Sequence[Any]) -> TrialRow:
        """The row in the array ``plain``."""
        row = cls._make(plain)
        return row._replace(rungs=[RungRecord(*record) for record in row.rungs])


class SavedState(NamedTuple):
    """The state of a paused trial that its worker saved before it was dropped."""

    #: The attempt that saved it.
    attempt: int
    #: Where it had paused.
    resource: float
    metric: float | None
    best_metric: float | None
    best_resource: float | None


#: The extras of trials that have none: one dict of their own would take 64 bytes each. Nobody
#: changes the extras of a trial, which are replaced as a whole.
NO_EXTRAS: Extras = {}


@dataclass(slots=True)
class Trial:
    """One trial of a configuration. Times are seconds since the epoch."""

    id: int
    point: Point
    seed: int
    bracket: int = 0
    state: TrialState = TrialState.PENDING
    attempt: int = 0
    worker: str | None = None
    metric: float | None = None
    best_metric: float | None = None
    #: The resource of the report with ``best_metric``; None: not known.
    best_resource: float | None = None
    resource: float = 0
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)
    error: str | None = None
    rungs: tuple[RungRecord, ...] = ()
    start_time: float | None = None
    end_time: float | None = None
    #: When its current or last attempt began.
    attempt_time: float | None = None
    #: When that attempt paused and continued, in turn.
    pause_times: tuple[float, ...] = ()
    #: Attempts that do not count towards ``max_attempts``: failed and retried ones, and those
    #: of earlier runs.
    forgiven: int = 0
    #: Attempts that failed and were retried.
    failures: int = 0
    #: Attempts that were interrupted by a pause of the worker or of the bus; also in ``forgiven``.
    pauses: int = 0
    #: The values that the searcher has drawn for it by name.
    drawn: tuple[Named, ...] = ()
    #: Those that its objective has asked for, as far as its worker has said.
    named: tuple[Named, ...] = ()
    #: A hook of the user's has stopped it, or will at its next report.
    is_hooked: bool = False
    #: Its worker fell silent: the attempt goes on if that returns before another one begins.
    is_suspended: bool = False
    #: The number of the repeat within its configuration, from 0.
    repeat: int = 0
    #: All repeats of its configuration so far, including this one; None: no repeats.
    siblings: list[Trial] | None = field(default=None, repr=False, compare=False)
    #: What the trial logged; None: nothing.
    log: TrialLog | None = field(default=None, repr=False, compare=False)
    #: The saved state from which another attempt would begin; None: that begins at the start.
    saved: SavedState | None = None
    #: Its reports between rungs, if any are kept.
    kept: Curve | None = field(default=None, repr=False, compare=False)

    @property
    def begins_at(self) -> float:
        """The resource at which another attempt would begin."""
        return 0 if self.saved is None else self.saved.resource

    @property
    def curve(self) -> list[tuple[float, float]]:
        """Its reports between rungs that are kept, as pairs (resource, metric)."""
        return [] if self.kept is None else self.kept.points()

    @property
    def extra_curves(self) -> dict[str, list[tuple[float, float]]]:
        """The same of its numeric extras, as pairs (resource, value) by name."""
        kept = self.kept
        return {} if kept is None else {name: kept.points(name) for name in kept.names}

    @property
    def is_undecided(self) -> bool:
        """Whether the scheduler's verdict on its last rung is still to come."""
        return bool(self.rungs) and self.rungs[-1].verdict == "pause"

    @property
    def configuration(self) -> int:
        """The number of the first trial of its configuration."""
        return self.id - self.repeat

    def mean_at(self, rung: int, metric: float) -> float | None:
        """The mean of ``metric`` and the metrics with which its siblings entered ``rung``.

        None if configurations are not repeated.
        """
        if self.siblings is None:
            return None
        met = [
            record.metric
            for sibling in self.siblings
            if sibling is not self
            for record in sibling.rungs
            if record.rung == rung
        ]
        return mean_of([*met, metric])

    def to_row(self) -> TrialRow:
        """The trial as plain values for a result."""
        row = (
            self.id,
            self.point,
            self.seed,
            self.bracket,
            self.state._value_,  # the same as .value, in a tenth of the time
            self.attempt,
            self.worker,
            self.metric,
            self.best_metric,
            self.resource,
            self.extras,
            self.error,
            self.rungs,
            self.start_time,
            self.end_time,
            self.repeat,
            self.attempt_time,
            self.best_resource,
            self.pause_times,
            self.named,
        )
        return of_fields(TrialRow, row)

    def compact(self) -> None:
        """Share what equals, since nothing more is reported: there may be a million trials."""
        if not self.extras:
            self.extras = NO_EXTRAS
        if self.best_metric == self.metric and type(self.best_metric) is type(self.metric):
            self.best_metric = self.metric

    def reopen(self) -> None:
        """Have the trial run again in a resumed run, even from a final state.

        One whose rung has not decided on it waits for that, without a worker.
        """
        self.state = TrialState.PAUSED if self.is_undecided else TrialState.PENDING
        self.worker = self.error = self.end_time = self.attempt_time = None
        self.pause_times = ()
        self.forgiven = self.attempt
        self.failures = self.pauses = 0
        self.is_suspended = False
