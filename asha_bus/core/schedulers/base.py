"""What every scheduler is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from random import Random
from typing import Any, NamedTuple

from asha_bus.core.checks import Rule
from asha_bus.core.trial import RungRecord, RungStanding, Trial

#: Resources summed up from floats may miss a level by their last digits.
_TOLERANCE = 1e-12

#: A resource. Beyond this a float does not count by ones, and the wire has no larger whole numbers.
RESOURCE = Rule(
    "a number above 0 and at most 2**53", lambda value: 0 < value <= 2**53, (int, float)
)


def reached(resource: float, level: float) -> bool:
    """Whether ``resource`` is at ``level`` or beyond, but for the last digits of a float."""
    return resource >= level or math.isclose(resource, level, rel_tol=_TOLERANCE)


class Decision(NamedTuple):
    """The answer of a scheduler to a report.

    Args:
        verdict: ``continue``, ``stop`` or ``complete``.
        records: The rungs that the trial entered, in ascending order.
        next_resource: The resource of the next report that needs a decision; None: there is
            none.

    Example:
        >>> Decision("complete", (), None).verdict
        'complete'
    """

    verdict: str
    records: tuple[RungRecord, ...]
    next_resource: float | None


class SchedulerState(ABC):
    """The state of a scheduler within one run. Pure: no clock, no I/O."""

    @abstractmethod
    def assign(self, trial: Trial, random: Random) -> None:
        """Prepare a trial that is assigned for the first time: draw its bracket.

        Args:
            trial: The trial; set its ``bracket``.
            random: The only source of randomness, so that a journal can be replayed.
        """

    @abstractmethod
    def next_resource(self, trial: Trial) -> float | None:
        """Return the resource of the next report that needs a decision.

        Args:
            trial: The trial; ``rungs`` has the rungs it entered, also in earlier attempts.

        Returns:
            The resource; None if the trial needs no decision any more.
        """

    @abstractmethod
    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        """Decide on a report.

        Args:
            trial: The trial that reported.
            resource: The resource of the report, at least what `next_resource` returned.
            metric: The metric as reported, also where ``mode`` is ``max``; it may be NaN or
                infinite.

        Returns:
            The decision.
        """

    def rungs(self) -> list[RungStanding]:
        """Return the current state of each rung.

        Returns:
            The rungs by bracket, in ascending order. Default: empty, for no rungs.
        """
        return []

    def validate(self) -> None:  # noqa: B027 - a rule without state has nothing to check
        """Check the invariants.

        Raises:
            AssertionError: An invariant is broken.
        """


class Scheduler(ABC):
    """The base class of schedulers: the settings, an immutable dataclass of plain values.

    Example:
        >>> ASHA(max_resource=9).to_plain()["max_resource"]
        9
    """

    @abstractmethod
    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        """Return a new state for one run.

        Args:
            mode: ``min`` or ``max``.
            seed: The seed of the run.

        Returns:
            The state, which belongs to that run alone.
        """

    @property
    @abstractmethod
    def full_resource(self) -> float | None:
        """The resource of a trial that is never stopped; None: there is no limit."""

    @classmethod
    def key(cls) -> str:
        """Return the name of the class in journals.

        Returns:
            The key, by default ``module:qualname``. Override it to keep the old key after a
            class was moved or renamed.
        """
        return f"{cls.__module__}:{cls.__qualname__}"

    def to_plain(self) -> dict[str, Any]:
        """Return what a journal holds of the scheduler.

        Returns:
            The key of the class as ``class``, and its fields by name.
        """
        return {"class": self.key(), **asdict(self)}  # type: ignore[call-overload]


#: Classes that may be meant beside those of asha-bus.
Schedulers = Sequence[type[Scheduler]]
