"""A trial and its states. The transition table below is the specification."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

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


class RungStanding(NamedTuple):
    """How a rung stands: its entries so far, how many went on, and the cutoff now."""

    bracket: int
    rung: int
    resource: float
    entries: int
    passed: int
    #: The worst metric among those that would go on; None where that is no number.
    cutoff: float | None


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
    #: None: it said nothing.
    log: TrialLog | None = field(default=None, repr=False, compare=False)
    #: Its reports between rungs, pairs of resource and metric, where they are kept.
    curve: list[tuple[float, float]] = field(default_factory=list, repr=False, compare=False)

    def move(self, state: TrialState) -> None:
        """Go to ``state``; `LocalProtocolError` where the table has no such step."""
        if state not in TRANSITIONS[self.state]:
            raise LocalProtocolError(f"trial {self.id} cannot go from {self.state} to {state}")
        self.state = state

    def to_row(self) -> tuple[object, ...]:
        """What a result tells of it, in plain values; to be used at once, as it holds the rungs."""
        return (
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
        )

    def reopen(self) -> None:
        """Wait for a worker again in a resumed run, which may leave a final state."""
        self.state = TrialState.PENDING
        self.worker = self.error = self.end_time = None
        self.forgiven = self.attempt
