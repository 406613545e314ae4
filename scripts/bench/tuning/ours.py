"""Our searchers and schedulers on a problem, in virtual time.

Every unit of resource takes a worker one second. What counts is what was spent in all, and
the best final metric among the trials that had run to their end by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from asha_bus import Space
from asha_bus.core import messages as m
from asha_bus.core.attempt import Attempt
from asha_bus.core.events import RunSettings
from asha_bus.core.schedulers import Scheduler
from asha_bus.searchers.adapter import Search, SearcherAdapter
from asha_bus.testing.simulator import Simulation, Step

#: No worker is ever lost, so none need say that it is there.
_NEVER_S = 1e9


class Problem(NamedTuple):
    """What is tuned: the metrics of a configuration by resource, from 1 to the end.

    ``min_resource``: that of the first rung.
    """

    name: str
    space: Space
    curve: Callable[[dict[str, Any]], Sequence[float]]
    max_resource: int
    min_resource: int = 1

    def __call__(self, attempt: Attempt) -> Iterator[Step]:
        """The objective of virtual workers: from rung to rung along the curve."""
        curve = self.curve(self.space.resolve(attempt.assignment.point))
        done = 0
        while True:
            resource = int(attempt.next_resource or self.max_resource)
            yield Step(resource - done, float(curve[resource - 1]), resource)
            done = resource


class Completed(NamedTuple):
    """A trial ran to its end when ``spent`` had been spent in all."""

    spent: float
    metric: float


def tuned(
    problem: Problem,
    searcher: Any,
    scheduler: Scheduler,
    *,
    workers: int,
    resource: float,
    seed: int,
) -> list[Completed]:
    """The trials that ran to their end until ``resource`` was spent, in order."""
    search = Search(searcher, problem.space, seed, "min")
    settings = RunSettings(
        "run", scheduler, seed, lease_s=_NEVER_S, heartbeat_s=_NEVER_S, learns=search.learns
    )
    run = _Tuning(settings, problem, SearcherAdapter(search), workers=workers)
    while run.experiment.table.spent < resource:
        run.advance()
    return run.completed


class _Tuning(Simulation):
    """Keeps what was spent at each trial's end."""

    def __init__(self, *arguments: Any, **words: Any) -> None:
        self.completed: list[Completed] = []
        super().__init__(*arguments, **words)

    def _deliver(self, to: str, message: m.ToWorker) -> None:
        if isinstance(message, m.Stop) and message.why == "completed":
            attempt = self.workers[to].worker.attempt
            assert attempt is not None
            assert attempt.metric is not None
            self.completed.append(Completed(self.experiment.table.spent, attempt.metric))
        super()._deliver(to, message)
