"""What a monitor is, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from asha_bus.core.events import RunSettings
from asha_bus.core.space import Space
from asha_bus.core.trial import RungRecord, TrialState
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import Result

#: Seconds between two looks at the run.
REFRESH_S = 0.5


@dataclass(frozen=True)
class RunInfo:
    """What is known of a run before its first trial."""

    name: str
    mode: str
    seed: int
    #: The space's parameters in order.
    parameters: tuple[str, ...]
    #: The scheduler in words.
    scheduler: str
    #: So many trials there are at most; None: only time ends the run.
    max_trials: int | None
    #: Seconds since the epoch.
    start_time: float

    @classmethod
    def of(cls, name: str, settings: RunSettings, space: Space) -> RunInfo:
        """The run ``name`` over ``space``."""
        return cls(
            name=name,
            mode=settings.mode,
            seed=settings.seed,
            parameters=tuple(space.names),
            scheduler=repr(settings.scheduler),
            max_trials=settings.max_trials,
            start_time=settings.epoch,
        )


@dataclass(frozen=True)
class Snapshot:
    """How a run stands at one moment. Times are in seconds."""

    elapsed_s: float
    #: The number of trials in each state, and of those in a final one.
    states: Mapping[TrialState, int]
    trials: int
    finished: int
    #: Workers that are there, reports taken, and rung decisions among them.
    workers: int
    reports: int
    decisions: int
    best: TrialRecord | None
    #: The run so far as a `Result` with reason ``unfinished``; made when called.
    result: Callable[[], Result]


class Assigned(NamedTuple):
    """A worker took an attempt at ``trial``."""

    trial: TrialRecord


class Reported(NamedTuple):
    """``trial`` reported ``metric`` at ``resource``."""

    trial: TrialRecord
    resource: float
    metric: float


class Decided(NamedTuple):
    """``trial`` entered a rung: ``record`` has the verdict."""

    trial: TrialRecord
    record: RungRecord


class TrialEnded(NamedTuple):
    """``trial`` came into a final state."""

    trial: TrialRecord


TrialEvent = Assigned | Reported | Decided | TrialEnded


class Monitor:
    """Shows or keeps what happens in a run; every method does nothing by default.

    The methods are called in a thread of the monitor's own, off the decision path, in
    the order of events, some 0.5 s after they happened. An exception is logged, and
    switches this monitor off; one that is slow holds up nobody but itself, and where
    it falls far behind, events are left out, which is logged.
    """

    #: False where only `on_refresh` matters, and of a snapshot not its `Snapshot.result`:
    #: the bus is then not asked for the trials, if that goes for all monitors of a run.
    follows_trials = True

    def on_start(self, run: RunInfo) -> None:
        """The run begins."""

    def on_assign(self, trial: TrialRecord) -> None:
        """A worker took an attempt at ``trial``."""

    def on_report(self, trial: TrialRecord, resource: float, metric: float) -> None:
        """``trial`` reported; between rungs reports may be left out where there are many."""

    def on_decision(self, trial: TrialRecord, record: RungRecord) -> None:
        """``trial`` entered a rung."""

    def on_end(self, trial: TrialRecord) -> None:
        """``trial`` came into a final state."""

    def on_refresh(self, snapshot: Snapshot) -> None:
        """Every 0.5 s: how the run stands, after the events up to now."""

    def on_finish(self, result: Result | None) -> None:
        """The run is over; ``result`` is None where it ended with an error."""

    def write(self, text: str) -> bool:
        """Show a line that a worker printed; False: leave that to others.

        Called at any time from other threads, so it has to be quick and thread-safe.
        """
        return False


def tell(monitor: Monitor, event: TrialEvent) -> None:
    """Call the method of ``monitor`` that ``happening`` is for."""
    if isinstance(event, Reported):
        monitor.on_report(*event)
    elif isinstance(event, Decided):
        monitor.on_decision(*event)
    elif isinstance(event, Assigned):
        monitor.on_assign(event.trial)
    else:
        monitor.on_end(event.trial)
