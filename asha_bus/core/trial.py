"""A trial and its states. The transition table below is the specification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from asha_bus.core.errors import LocalProtocolError
from asha_bus.core.log import TrialLog
from asha_bus.core.messages import Extras, Point


class TrialState(str, Enum):
    """Where a trial stands; the same words on the wire and in results."""

    PENDING = "PENDING"  #: waits for a worker, for the first time or again
    RUNNING = "RUNNING"  #: a worker holds it
    COMPLETED = "COMPLETED"  #: reached max_resource or the target, or ended by itself
    STOPPED = "STOPPED"  #: stopped by the scheduler's rule
    CANCELLED = "CANCELLED"  #: the run ended first
    FAILED = "FAILED"  #: the user's code raised
    LOST = "LOST"  #: all its attempts were lost with their workers

    def __str__(self) -> str:
        return self.value

    __hash__ = str.__hash__  # in C, where that of Enum is a function in Python


_S = TrialState

#: From each state, the states it may go to. What is not here is a bug.
TRANSITIONS: dict[TrialState, frozenset[TrialState]] = {
    _S.PENDING: frozenset({_S.RUNNING, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.PENDING, _S.COMPLETED, _S.STOPPED, _S.CANCELLED, _S.FAILED, _S.LOST}),
    _S.COMPLETED: frozenset(),
    _S.STOPPED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.FAILED: frozenset(),
    _S.LOST: frozenset(),
}

#: States that nothing leaves within a run.
FINAL = frozenset(state for state, following in TRANSITIONS.items() if not following)


def mean_of(metrics: Sequence[float]) -> float:
    """The mean, which lies within their bounds; infinite or NaN where one of them is."""
    mean = sum(metric / len(metrics) for metric in metrics)  # their sum may be too large
    return min(max(mean, min(metrics)), max(metrics))


class RungRecord(NamedTuple):
    """One decision: what a trial met when it entered a rung."""

    rung: int
    #: The rung's level, in units of resource.
    resource: float
    metric: float
    #: Entries of the rung, this one included, and how many of them go on.
    n: int
    keep: int
    #: The worst metric among those that go on; None where that is no number.
    cutoff: float | None
    #: ``continue`` or ``stop``.
    verdict: str
    #: What was judged in place of ``metric`` where configurations are repeated: the mean of
    #: the repeats that had entered the rung by then.
    mean: float | None = None

    @property
    def judged(self) -> float:
        """The number that the verdict is about."""
        return self.metric if self.mean is None else self.mean


class RungStanding(NamedTuple):
    """How a rung stands: its entries so far, how many went on, and the cutoff now."""

    bracket: int
    rung: int
    resource: float
    entries: int
    passed: int
    #: The worst metric among those that would go on; None where that is no number.
    cutoff: float | None


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

    @classmethod
    def from_plain(cls, plain: Sequence[Any]) -> TrialRow:
        """The row in the array ``plain``."""
        *first, rungs, start_time, end_time, repeat = plain
        records = [RungRecord(*record) for record in rungs]
        return cls._make((*first, records, start_time, end_time, repeat))


#: Makes a row from all of its fields, in half the time.
_new = tuple.__new__


@dataclass(slots=True)
class Trial:
    """One configuration being tried. Times are seconds since the epoch."""

    id: int
    point: Point
    seed: int
    bracket: int = 0
    state: TrialState = TrialState.PENDING
    attempt: int = 0
    worker: str | None = None
    metric: float | None = None
    best_metric: float | None = None
    resource: float = 0
    extras: Extras = field(default_factory=dict)
    error: str | None = None
    rungs: list[RungRecord] = field(default_factory=list)
    start_time: float | None = None
    end_time: float | None = None
    #: Attempts that do not count towards the most there may be: it was given up then.
    forgiven: int = 0
    #: Attempts that failed and were begun again.
    failures: int = 0
    #: Which of its configuration's repeats this is, from 0.
    repeat: int = 0
    #: All repeats of its configuration so far, this one included; None: there are none.
    siblings: list[Trial] | None = field(default=None, repr=False, compare=False)
    #: None: it said nothing.
    log: TrialLog | None = field(default=None, repr=False, compare=False)
    #: Its reports between rungs, pairs of resource and metric, where they are kept.
    curve: list[tuple[float, float]] = field(default_factory=list, repr=False, compare=False)

    def move(self, state: TrialState) -> None:
        """Go to ``state``; `LocalProtocolError` where the table has no such step."""
        if state not in TRANSITIONS[self.state]:
            raise LocalProtocolError(f"trial {self.id} cannot go from {self.state} to {state}")
        self.state = state

    @property
    def configuration(self) -> int:
        """The number of the first trial of its configuration."""
        return self.id - self.repeat

    def mean_at(self, rung: int, metric: float) -> float | None:
        """The mean of ``metric`` and of those with which its siblings entered ``rung``.

        None where configurations are not repeated.
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
        """What a result tells of it; to be used at once, as it holds the rungs themselves."""
        row = (
            self.id,
            self.point,
            self.seed,
            self.bracket,
            self.state._value_,  # what .value returns, at a tenth of the time
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
        )
        return _new(TrialRow, row)

    def reopen(self) -> None:
        """Wait for a worker again in a resumed run, which may leave a final state."""
        self.state = TrialState.PENDING
        self.worker = self.error = self.end_time = None
        self.forgiven = self.attempt
        self.failures = 0
