"""What virtual workers run: objectives whose work takes virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from asha_bus.core import messages as m
from asha_bus.core.attempt import Attempt
from asha_bus.core.pseudorandom import mix

_NO_EXTRAS: m.Extras = {}


class Step(NamedTuple):
    """An objective works for ``seconds``, and reports ``metric`` unless it is None.

    ``resource`` None counts by itself, as in a real objective.
    """

    seconds: float
    metric: float | None = None
    resource: float | None = None
    extras: m.Extras = _NO_EXTRAS


#: A generator of steps, which is closed where the bus stops the trial. One that returns has
#: completed its trial, and one that raises has failed. What it yields must follow from the
#: attempt alone, whose ``next_resource`` tells where the bus is asked next.
Objective = Callable[[Attempt], Iterator[Step]]


@dataclass(frozen=True)
class Rough:
    """An objective of uneven steps, for stories.

    Metrics are coarse, so that there are ties, and at times not a number. ``stride``: the
    resource grows by at most so much in a step. One trial among ``fails_every`` fails, and
    one among ``ends_every`` ends by itself.
    """

    seed: int = 0
    stride: int = 1
    fails_every: int | None = None
    ends_every: int | None = None

    def __call__(self, attempt: Attempt) -> Iterator[Step]:
        """The steps of one attempt."""
        trial = attempt.assignment.trial
        random = Random(mix(self.seed, trial, attempt.assignment.attempt))
        resource = int(attempt.resource)  # above 0 if it begins from a saved state
        while True:
            seconds = random.uniform(0.01, 0.6)
            if resource >= 2 and _hits(trial, self.fails_every):
                yield Step(seconds)
                raise ValueError("no")
            if resource >= 4 and _hits(trial + 1, self.ends_every):
                yield Step(seconds)
                return
            resource += random.randint(1, self.stride)
            yield Step(seconds, _metric(trial, resource), resource, {"step": resource})


def _hits(trial: int, every: int | None) -> bool:
    return every is not None and trial % every == 2


def _metric(trial: int, resource: int) -> float:
    number = mix(trial, resource) % 32
    return float("nan") if number == 0 else number // 4 + 1 / resource
