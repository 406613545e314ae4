"""No decisions of its own: the objective asks a pruner, which works in the searcher's process."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from asha_bus.core.schedulers.base import Decision, Scheduler, SchedulerState
from asha_bus.core.trial import RungRecord, Trial

#: The first report of a trial needs a request, whatever its resource.
_ANY_RESOURCE = 5e-324
#: A journal has room for no higher number of a rung.
_MAX_RUNG = 2**16 - 1


@dataclass(frozen=True)
class AskPruner(Scheduler):
    """Keep each report as a rung, so that a pruner can be told all of them.

    A front door makes it, and its objective asks with `PRUNE`. A journal then has what the
    pruner looks at, also for another attempt, another bus and another launch.

    Args:
        pruner: The name of the pruner, for people.

    Example:
        >>> AskPruner("ThresholdPruner").full_resource is None
        True
    """

    pruner: str

    @property
    def full_resource(self) -> float | None:
        return None

    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        """Return a new state for one run; the run itself calls this.

        Args:
            mode: ``min`` or ``max``, which changes nothing.
            seed: The seed of the run, which changes nothing.

        Returns:
            The state, which belongs to that run alone.

        Example:
            >>> state = AskPruner("ThresholdPruner").new_state(mode="min", seed=1)
            >>> len(state.rungs())
            0
        """
        return _AskPrunerState(self.pruner)


class _AskPrunerState(SchedulerState):
    def __init__(self, pruner: str) -> None:
        self._reason = f"{pruner} was asked"

    def assign(self, trial: Trial, random: Random) -> None:
        """Do nothing: there are no brackets."""

    def next_resource(self, trial: Trial) -> float | None:
        """Just beyond the last rung: an attempt that repeats earlier reports adds nothing."""
        return _after(trial.rungs[-1].resource) if trial.rungs else _ANY_RESOURCE

    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        if trial.rungs and resource <= trial.rungs[-1].resource:
            return Decision("continue", (), self.next_resource(trial))
        rung = min(len(trial.rungs), _MAX_RUNG)
        record = RungRecord(rung, resource, metric, 1, 1, None, "continue", reason=self._reason)
        return Decision("continue", (record,), _after(resource))


def _after(resource: float) -> float:
    return math.nextafter(resource, math.inf)
