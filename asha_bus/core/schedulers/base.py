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
    """What a rule says to a report.

    ``verdict``: ``continue``, ``stop`` or ``complete``. ``records``: the rungs
    that were entered, upwards. ``next_resource``: where to ask again, for
    ``continue``; None: never.
    """

    verdict: str
    records: tuple[RungRecord, ...]
    next_resource: float | None


class SchedulerState(ABC):
    """The state of a scheduler within one run. Pure: no clock, no I/O."""

    @abstractmethod
    def assign(self, trial: Trial, random: Random) -> None:
        """A trial is given out for the first time: draw its bracket."""

    @abstractmethod
    def next_resource(self, trial: Trial) -> float | None:
        """The resource at which ``trial`` must ask for the next time; None: never."""

    @abstractmethod
    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        """Judge ``metric``, in the user's sign, at ``resource``."""

    def rungs(self) -> list[RungStanding]:
        """How each rung stands, by bracket, upwards; none where there are no rungs."""
        return []

    def validate(self) -> None:  # noqa: B027 - a rule without state has nothing to check
        """Check the invariants; AssertionError where one is broken."""


class Scheduler(ABC):
    """A scheduler's settings: an immutable dataclass of plain values."""

    @abstractmethod
    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        """A fresh rule for one run."""

    @property
    @abstractmethod
    def full_resource(self) -> float | None:
        """What a trial gets if it is never stopped; None: as much as it likes."""

    @classmethod
    def key(cls) -> str:
        """What journals call the class; one that is moved or renamed must keep its key."""
        return f"{cls.__module__}:{cls.__qualname__}"

    def to_plain(self) -> dict[str, Any]:
        """The key of the class and its fields: what a journal holds."""
        return {"class": self.key(), **asdict(self)}  # type: ignore[call-overload]


#: Classes that may be meant beside those of asha-bus.
Schedulers = Sequence[type[Scheduler]]
