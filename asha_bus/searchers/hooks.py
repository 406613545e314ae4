"""Functions of the user's that stop a trial, or the run: what they get, and how they are asked."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.space import Space
from asha_bus.core.trial import FINAL, TrialRow, TrialState
from asha_bus.formats.named import shown_params
from asha_bus.formats.pipe import Standing
from asha_bus.results.records import TrialRecord


@dataclass(frozen=True)
class RunSummary:
    """How a run stands: what ``launch(stop_run=...)`` gets.

    Attributes:
        seconds: Seconds that the run has taken, over all its launches.
        states: The number of trials in each `TrialState`.
        best_metric: The metric of the best trial so far, as `Result.best` chooses it; None if
            there is none.
        best_params: The parameters of that trial as the objective gets them; None if there is
            none.
        resource: The resource of all attempts at all trials together.
        workers: The number of workers that are there.

    Example:
        >>> summary = ab.RunSummary(60.0, {ab.TrialState.COMPLETED: 3}, 0.1, {"x": 1}, 81, 4)
        >>> summary.ended
        3
    """

    seconds: float
    states: Mapping[TrialState, int]
    best_metric: float | None
    best_params: Any
    resource: float
    workers: int

    @property
    def ended(self) -> int:
        """The number of trials in a final state."""
        return sum(count for state, count in self.states.items() if state in FINAL)


#: Gets a trial that has entered a rung; True stops it.
StopsTrial = Callable[[TrialRecord], bool]
#: Gets how the run stands; True ends it.
StopsRun = Callable[[RunSummary], bool]


class HookError(Exception):
    """A hook raised, or returned neither True nor False; the text is for the user."""


@dataclass(frozen=True)
class Hooks:
    """The functions of a run, as their process gets them."""

    space: Space
    stop_trial: StopsTrial | None = None
    stop_run: StopsRun | None = None

    @property
    def names(self) -> str:
        """Those that there are, for people."""
        given = {"stop_trial": self.stop_trial, "stop_run": self.stop_run}
        return " and ".join(name for name, hook in given.items() if hook is not None)


class Questions:
    """Asks hooks what they think of news; once for each rung that a trial enters."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        #: How many rungs each trial had entered when it was last asked about.
        self._asked: dict[int, int] = {}
        self._stopped: set[int] = set()
        self._is_over = False

    def stops_trial(self, row: TrialRow) -> bool | None:
        """Whether the trial of ``row`` is to be stopped; None: nobody was asked, it is no news.

        Raises `HookError` where the hook does not say.
        """
        hook, entered = self._hooks.stop_trial, len(row.rungs)
        if TrialState(row.state) in FINAL:
            self._asked.pop(row.id, None)
            return None
        is_known = entered <= self._asked.get(row.id, 0) or row.id in self._stopped
        if hook is None or is_known:
            return None
        self._asked[row.id] = entered
        trial = TrialRecord.from_row(row, self._hooks.space)
        if _verdict(f"stop_trial for trial {row.id}", hook, trial):
            self._stopped.add(row.id)
            return True
        return False

    def stops_run(self, standing: Standing) -> bool | None:
        """Whether the run is to end; None and errors as with `stops_trial`."""
        hook, best = self._hooks.stop_run, standing.leader
        if hook is None or self._is_over:
            return None
        summary = RunSummary(
            standing.seconds,
            standing.states,
            None if best is None else best.metric,
            None if best is None else shown_params(self._hooks.space, best.point, best.named),
            standing.resource,
            standing.workers,
        )
        self._is_over = _verdict("stop_run", hook, summary)
        return self._is_over


def _verdict(what: str, hook: Callable[[Any], object], news: object) -> bool:
    try:
        found = hook(news)
        is_verdict = found in (True, False)  # numpy has bools of its own
    except (Exception, SystemExit) as error:
        raise HookError(
            f"{what} raised {type(error).__name__}: {error}; fix it, or leave it out:\n"
            f"{traceback.format_exc()}"
        ) from error
    if not is_verdict:
        raise HookError(f"{what} must return True or False, got {shortened(found)}")
    return bool(found)
