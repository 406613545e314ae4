"""The interface of searchers that learn from results."""

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
    """What a searcher is asked for: the level-1 configuration and the trial to suggest for.

    Attributes:
        number: The number of the level-1 configuration, from 0; always 0 in a space without
            grids.
        space: The run's space.
        mode: ``min`` or ``max``: whether a smaller or a larger metric is better.
        trial: The number of the next trial; with repeats, of the first of them.
        seed: A seed for random numbers, below 2**32, that depends only on the run's seed and
            the trial.

    Example:
        >>> import random
        >>> branch = ab.Branch(0, ab.Space(x=ab.uniform(0, 1)), "min", trial=3, seed=7)
        >>> point = branch.space.draw_point(random.Random(branch.seed), branch.number)
    """

    number: int
    space: Space
    mode: str
    trial: int
    seed: int


class Suggests(Protocol):
    """Any object with the one method that a searcher must have."""

    def suggest(
        self, branch: Branch, history: Sequence[TrialRecord], /
    ) -> Mapping[str, object] | Point | None:
        """As `Searcher.suggest`."""


class NotDrawn(Exception):
    """Raise this in ``draw`` to have the objective raise it: the text says what."""


class Searcher(ABC):
    """The base class of searchers, which suggest configurations from earlier results.

    A searcher runs in its own process. `suggest` is called once for each configuration, in
    order, shortly before a worker needs it; workers keep training meanwhile. It is not called
    if ``initial`` or level 1 determines the whole configuration. Any object with these methods
    can be a searcher; `observe` is optional.

    Example:
        >>> import random
        >>> class NearBest(ab.Searcher):
        ...     def suggest(self, branch, history):
        ...         rng = random.Random(branch.seed)
        ...         done = [trial for trial in history if trial.metric is not None]
        ...         if not done:
        ...             return {"x": rng.uniform(0, 1)}
        ...         best = min(done, key=lambda trial: trial.metric)
        ...         return {"x": min(max(rng.gauss(best.params["x"], 0.1), 0), 1)}
        >>> result = ab.launch(
        ...     lambda x: (x - 0.3) ** 2, ab.Space(x=ab.uniform(0, 1)),
        ...     searcher=NearBest(), max_trials=10, engine="local", monitor=None,
        ... )
    """

    @abstractmethod
    def suggest(
        self, branch: Branch, history: Sequence[TrialRecord]
    ) -> Mapping[str, Any] | Point | None:
        """Suggest the configuration of trial ``branch.trial``.

        Args:
            branch: The level-1 configuration and the trial to suggest for.
            history: The trials of this level-1 configuration so far, by number, with their
                rungs; running and pending trials are included. With repeats, each repeat is
                a trial with the same `TrialRecord.configuration`.

        Returns:
            The parameters as the objective gets them, where those that level 1 fixes may be
            left out; or a point of the space, a tuple as in `TrialRecord.point`; or None to
            end the run because there are no more suggestions.
        """

    def observe(self, trial: TrialRecord) -> None:  # noqa: B027 - need not be overridden
        """Called before the next `suggest` for each trial that entered a rung or ended.

        Args:
            trial: The trial, with its rungs so far.
        """
