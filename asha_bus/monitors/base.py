"""The interface of monitors, and the events and snapshots that they receive."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from asha_bus.core.checks import shortened
from asha_bus.core.events import RunSettings
from asha_bus.core.space import Space
from asha_bus.core.trial import RungRecord, TrialState
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import Result

#: Seconds between two refreshes of the monitors.
REFRESH_S = 0.5


@dataclass(frozen=True)
class RunInfo:
    """The settings of a run, which `Monitor.on_start` receives before the first trial.

    Attributes:
        name: The run's name.
        mode: ``min`` or ``max``: whether a smaller or a larger metric is better.
        seed: The run's seed.
        parameters: The names of the space's parameters, in order.
        scheduler: The scheduler's repr.
        max_trials: The largest number of trials; None: the run has no such limit.
        start_time: When the run started, in seconds since the epoch.
        searcher: The searcher's repr.
        workers: The number of workers that are started; None: it is not known.
        journal: The path of the journal; None: the run has none of its own.
        resumed: How many trials earlier launches have finished; None: this is the first launch.

    Example:
        >>> class Announce(ab.Monitor):
        ...     def on_start(self, run):
        ...         print(f"{run.name}: at most {run.max_trials} trials by {run.scheduler}")
    """

    name: str
    mode: str
    seed: int
    parameters: tuple[str, ...]
    scheduler: str
    max_trials: int | None
    start_time: float
    searcher: str = ""
    workers: int | None = None
    journal: str | None = None
    resumed: int | None = None

    @classmethod
    def of(
        cls,
        name: str,
        settings: RunSettings,
        space: Space,
        journal: str | os.PathLike[str] | None = None,
    ) -> RunInfo:
        """The run ``name`` over ``space``."""
        return cls(
            name=name,
            mode=settings.mode,
            seed=settings.seed,
            parameters=tuple(space.names),
            scheduler=shortened(settings.scheduler, 1_000),
            max_trials=settings.max_trials,
            start_time=settings.epoch,
            searcher=settings.searcher,
            journal=None if journal is None else os.fspath(journal),
        )


@dataclass(frozen=True)
class Snapshot:
    """The state of a run at one moment, which `Monitor.on_refresh` receives.

    Attributes:
        elapsed_s: Seconds since the start of the run.
        states: The number of trials in each state.
        trials: The number of trials.
        finished: The number of trials in a final state.
        workers: The number of live workers.
        reports: The number of reports received.
        decisions: The number of reports that were rung decisions.
        best: The best trial so far; None while no trial has a usable metric.
        result: A function that returns the run so far as a `Result` with reason
            ``unfinished``.
        is_ending: Whether the run ends: running trials were told to stop, and clean up.
        awaited: The number of workers that are still to come.

    Example:
        >>> class Watch(ab.Monitor):
        ...     def on_refresh(self, snapshot):
        ...         running = snapshot.states[ab.TrialState.RUNNING]
        ...         print(f"{snapshot.finished} of {snapshot.trials} done, {running} running")
    """

    elapsed_s: float
    states: Mapping[TrialState, int]
    trials: int
    finished: int
    workers: int
    reports: int
    decisions: int
    best: TrialRecord | None
    result: Callable[[], Result]
    is_ending: bool = False
    awaited: int = 0


class Assigned(NamedTuple):
    """A worker began an attempt at ``trial``."""

    trial: TrialRecord


class Reported(NamedTuple):
    """``trial`` reported ``metric`` at ``resource``."""

    trial: TrialRecord
    resource: float
    metric: float


class Decided(NamedTuple):
    """``trial`` entered a rung, or the verdict came for which it paused; ``record`` has it."""

    trial: TrialRecord
    record: RungRecord


class TrialEnded(NamedTuple):
    """``trial`` reached a final state."""

    trial: TrialRecord


TrialEvent = Assigned | Reported | Decided | TrialEnded


class Monitor:
    """The base class of monitors: override the methods that you need.

    Every method does nothing by default. All methods but `write` are called in the monitor's
    own thread, in the order of events, about 0.5 s after they happened; they never delay a
    decision. If a method raises, the exception is logged and this monitor is switched off.
    A slow monitor delays only itself. If it falls far behind, events are dropped, and the log
    says so.

    Attributes:
        follows_trials: False if the monitor needs only `on_refresh` and never calls
            `Snapshot.result`. If that is so for all monitors of a run, no trials are fetched
            from the bus. Default: True.

    Example:
        >>> class Failures(ab.Monitor):
        ...     def on_end(self, trial):
        ...         if trial.state is ab.TrialState.FAILED:
        ...             print(f"trial {trial.id} failed: {trial.error}")
        >>> result = ab.launch(
        ...     lambda x: x**2, {"x": ab.uniform(-1, 1)},
        ...     max_trials=5, engine="local", monitor=Failures(),
        ... )
    """

    follows_trials = True

    def on_start(self, run: RunInfo) -> None:
        """Called once, when the run begins.

        Args:
            run: The run's settings.
        """

    def on_assign(self, trial: TrialRecord) -> None:
        """Called when a worker begins an attempt at a trial.

        Args:
            trial: The trial; ``attempts`` counts this attempt.
        """

    def on_report(self, trial: TrialRecord, resource: float, metric: float) -> None:
        """Called for each report; if there are many between two rungs, some may be left out.

        Args:
            trial: The trial that reported.
            resource: The resource of the report, in the objective's unit.
            metric: The metric of the report.
        """

    def on_decision(self, trial: TrialRecord, record: RungRecord) -> None:
        """Called when a trial enters a rung, and again when the verdict comes for which it paused.

        Args:
            trial: The trial.
            record: The rung, the metric and the decision.
        """

    def on_end(self, trial: TrialRecord) -> None:
        """Called when a trial reaches a final state.

        Args:
            trial: The trial in that state.
        """

    def on_refresh(self, snapshot: Snapshot) -> None:
        """Called every 0.5 s, after the events up to that moment.

        Args:
            snapshot: The state of the run.
        """

    def on_finish(self, result: Result | None) -> None:
        """Called once, when the run is over.

        Args:
            result: The result; None if the run ended with an error.
        """

    def write(self, text: str) -> bool:
        """Show a line that a worker printed.

        It is called at any time and from other threads, so it must be quick and thread-safe.

        Args:
            text: The line, without a line break at its end.

        Returns:
            True if the line was shown. False (default) passes it to the next monitor, or to
            stdout after the last one.
        """
        return False


def dispatch(monitor: Monitor, event: TrialEvent) -> None:
    """Call the method of ``monitor`` that handles ``event``."""
    if isinstance(event, Reported):
        monitor.on_report(*event)
    elif isinstance(event, Decided):
        monitor.on_decision(*event)
    elif isinstance(event, Assigned):
        monitor.on_assign(event.trial)
    else:
        monitor.on_end(event.trial)
