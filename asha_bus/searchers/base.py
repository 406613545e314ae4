"""What a searcher that learns is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from asha_bus.core.messages import Point
from asha_bus.core.space import Space
from asha_bus.results.records import TrialRecord


@dataclass(frozen=True)
class Branch:
    """Where a configuration is wanted: a level-1 configuration, and the trial it is for."""

    #: The number of the level-1 configuration, from 0; always 0 in a space without grids.
    number: int
    space: Space
    #: ``min`` or ``max``: which metric is better.
    mode: str
    #: The number of the trial to come, the first of its repeats.
    trial: int
    #: A number below 2**32 of the run's seed and that trial: for a generator of random
    #: numbers that depends on nothing else.
    seed: int


class Suggests(Protocol):
    """Any object with the one method that a searcher must have."""

    def suggest(
        self, branch: Branch, history: Sequence[TrialRecord], /
    ) -> Mapping[str, object] | Point | None:
        """As `Searcher.suggest`."""


class Searcher(ABC):
    """Suggests configurations by what came of earlier ones.

    It lives in a process of its own. `suggest` is asked once for each configuration, in order,
    a little before a worker needs it, unless level 1 or ``initial`` tells all of it; while it
    takes its time, workers train on. Any object with these methods serves as well; `observe`
    may be missing.
    """

    @abstractmethod
    def suggest(
        self, branch: Branch, history: Sequence[TrialRecord]
    ) -> Mapping[str, Any] | Point | None:
        """The configuration of trial ``branch.trial``, or None: there are no more.

        ``history``: the trials of this level-1 configuration so far, by number, with
        their rungs; those still running or not begun are among them. What is returned
        are the parameters as the objective gets them; those that level 1 fixes may be
        left out. Or it is a point of the space, a tuple as in ``TrialRecord.point``. Where
        configurations are repeated each repeat is a trial of ``history``, with the same
        `TrialRecord.configuration`.
        """

    def observe(self, trial: TrialRecord) -> None:  # noqa: B027 - need not be overridden
        """A trial entered a rung, or ended: told before the next `suggest`."""
