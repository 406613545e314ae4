"""Runs in virtual time: the real experiment and the real searcher, and workers that wait for
nothing.

Every unit of resource takes a worker one second. What counts is what was spent in all, and
the best final metric among the trials that had run to their end by then.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from asha_bus import Space
from asha_bus.core import messages as m
from asha_bus.core.events import (
    Effect,
    Received,
    RequestSuggestions,
    RunSettings,
    Send,
    Suggested,
    TrialUpdated,
)
from asha_bus.core.experiment import Experiment
from asha_bus.core.schedulers import Scheduler
from asha_bus.searchers.suggestions import Search, Suggestions


class Problem(NamedTuple):
    """What is tuned: the metrics of a configuration by resource, from 1 to the end.

    ``min_resource``: that of the first rung.
    """

    name: str
    space: Space
    curve: Callable[[dict[str, Any]], Sequence[float]]
    max_resource: int
    min_resource: int = 1


class Completed(NamedTuple):
    """A trial ran to its end when so much was ``spent`` in all."""

    spent: int
    metric: float


@dataclass
class _Worker:
    """One worker: its trial, and where it asks next."""

    name: str
    seq: int = 0
    trial: int = -1
    curve: Sequence[float] = ()
    resource: int = 0
    next_resource: int = 0


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
    return _Run(problem, searcher, scheduler, workers, seed).until(resource)


class _Run:
    def __init__(
        self, problem: Problem, searcher: Any, scheduler: Scheduler, workers: int, seed: int
    ) -> None:
        self._problem = problem
        self._suggestions = Suggestions(Search(searcher, problem.space, seed, "min"))
        self._effects: list[Effect] = []
        learns = Search(searcher, problem.space, seed, "min").learns
        settings = RunSettings("run", scheduler, seed, lease_s=1e9, learns=learns)
        self._experiment = Experiment(settings, 0.0, self._effects.append)
        self._now = 0.0
        self._spent = 0
        self._completed: list[Completed] = []
        self._agenda: list[tuple[float, int, _Worker]] = []
        self._experiment.start()
        self._carry_out()
        for number in range(workers):
            worker = _Worker(f"worker {number}")
            hello = m.Hello(self._seq(worker), "run", worker.name, "host", 1)
            self._ask(worker, hello)
            answer = self._ask(worker, m.Next(self._seq(worker), 0.0))
            assert isinstance(answer, m.Assign)
            self._begin(worker, answer.assignment)

    def until(self, resource: float) -> list[Completed]:
        """Let time pass until so much is spent."""
        while self._spent < resource:
            self._now, _, worker = heapq.heappop(self._agenda)
            self._report(worker)
        return self._completed

    def _seq(self, worker: _Worker) -> int:
        worker.seq += 1
        return worker.seq

    def _ask(self, worker: _Worker, request: m.FromWorker) -> m.ToWorker:
        self._experiment.handle(Received(worker.name, request), self._now)
        [answer] = self._carry_out()
        return answer

    def _carry_out(self) -> list[m.ToWorker]:
        """Carry out all effects; what was sent."""
        sent = []
        while self._effects:
            effect = self._effects.pop(0)
            if isinstance(effect, Send):
                sent.append(effect.message)
            elif isinstance(effect, TrialUpdated):
                self._suggestions.observe(effect.trial.to_row())
            elif isinstance(effect, RequestSuggestions):
                points, is_last = self._suggestions.points(effect.first, effect.number)
                event = Suggested(effect.first, tuple(points), is_last)
                self._experiment.handle(event, self._now)
        return sent

    def _begin(self, worker: _Worker, assignment: m.Assignment) -> None:
        worker.trial, worker.resource = assignment.trial, 0
        worker.curve = self._problem.curve(self._problem.space.resolve(assignment.point))
        self._go_on(worker, assignment.next_resource)

    def _go_on(self, worker: _Worker, next_resource: float | None) -> None:
        worker.next_resource = int(next_resource or self._problem.max_resource)
        done_at = self._now + worker.next_resource - worker.resource
        heapq.heappush(self._agenda, (done_at, worker.trial, worker))

    def _report(self, worker: _Worker) -> None:
        self._spent += worker.next_resource - worker.resource
        worker.resource = worker.next_resource
        metric = float(worker.curve[worker.resource - 1])
        answer = self._ask(
            worker,
            m.Report(
                *(self._seq(worker), worker.trial, 1, worker.resource, metric, metric, {}, 0.0)
            ),
        )
        if isinstance(answer, m.Continue):
            self._go_on(worker, answer.next_resource)
            return
        assert isinstance(answer, m.Stop)
        if answer.why == "completed":
            self._completed.append(Completed(self._spent, metric))
        assert answer.next is not None
        self._begin(worker, answer.next)
