"""No early stopping: every trial runs to its end."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from asha_bus.core.checks import check, checked
from asha_bus.core.schedulers.base import RESOURCE, Decision, Scheduler, SchedulerState, reached
from asha_bus.core.trial import Trial


@checked()
@dataclass(frozen=True)
class NoStopping(Scheduler):
    """Never stop a trial early.

    Args:
        max_resource: A trial that reaches this resource is completed, in the unit of the
            objective's reports. None (default): a trial runs until its objective ends.

    Raises:
        InvalidArgument: ``max_resource`` is not a number above 0.

    Example:
        >>> NoStopping(max_resource=10)
        NoStopping(max_resource=10)
    """

    max_resource: float | None = None

    def __post_init__(self) -> None:
        if self.max_resource is not None:
            check("NoStopping: max_resource", self.max_resource, RESOURCE)

    @property
    def full_resource(self) -> float | None:
        return self.max_resource

    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        """Return a new state for one run; the run itself calls this.

        Args:
            mode: ``min`` or ``max``, which changes nothing.
            seed: The seed of the run, which changes nothing.

        Returns:
            The state, which belongs to that run alone.

        Example:
            >>> state = NoStopping().new_state(mode="min", seed=1)
            >>> len(state.rungs())
            0
        """
        return _NoStoppingState(self.max_resource)


class _NoStoppingState(SchedulerState):
    def __init__(self, max_resource: float | None) -> None:
        self._max_resource = max_resource

    def assign(self, trial: Trial, random: Random) -> None:
        """Do nothing: there are no brackets."""

    def next_resource(self, trial: Trial) -> float | None:
        return self._max_resource

    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        if self._max_resource is not None and reached(resource, self._max_resource):
            return Decision("complete", (), None)
        return Decision("continue", (), self._max_resource)
