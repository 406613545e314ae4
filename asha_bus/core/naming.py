"""Values of trials by name, for objectives that name their parameters while they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from asha_bus.core import messages as m
from asha_bus.core.assignments import Assignments
from asha_bus.core.conversation import Conversation
from asha_bus.core.events import Received, RequestValue, ValuesDrawn
from asha_bus.core.roster import WorkerRecord
from asha_bus.core.suggestions import SuggestionQueue
from asha_bus.core.trial import Trial


class Naming:
    """Passes requests for values on to the searcher, and its values to the workers.

    A worker that asks waits for `Drawn`. A value that was drawn once is kept for the trial, so
    that another attempt at it gets the same. ``assign``: finds the next trial for a worker.
    """

    def __init__(
        self,
        talk: Conversation,
        assignments: Assignments,
        suggestions: SuggestionQueue,
        assign: Callable[[WorkerRecord, float], m.Assignment | None],
    ) -> None:
        self._talk, self._assignments, self._suggestions = talk, assignments, suggestions
        self._assign = assign

    def on_draw(self, event: Received, request: m.Draw, now: float) -> None:
        """A worker asks for a value: it gets the one that is there, or waits for the searcher."""
        worker = self._talk.requester(event.sender, request, now)
        if worker is None:
            return
        self._talk.record(event, now)
        trial = self._assignments.held(worker, request.trial, request.attempt)
        if trial is None:
            self._assignments.counters.fenced += 1
            self._talk.reply(worker, m.Stop(request.seq, "fenced", self._assign(worker, now)))
            return
        number = _number_of(trial, request)
        if number is not None:
            self._talk.reply(worker, m.Drawn(request.seq, number))
            return
        worker.reply = None  # a repeat of the request is ignored until there is one
        worker.asked = request
        self._talk.emit(RequestValue(trial.id, request.name, request.distribution))

    def on_values_drawn(self, event: ValuesDrawn, now: float) -> None:
        """The searcher has drawn values: keep those that are new, and answer who waits."""
        self._talk.record(event, now)
        table = self._assignments.table
        if event.trial >= len(table):
            self._suggestions.keep_drawn(event.trial, event.named)
            return
        trial = table[event.trial]
        trial.drawn = merged(trial.drawn, event.named)
        for worker, request in self._unanswered():
            if request.trial == event.trial:
                number = _number_of(trial, request)
                if number is not None:
                    self._talk.reply(worker, m.Drawn(request.seq, number))

    def requests_again(self) -> Iterator[RequestValue]:
        """The requests that are not answered, for a searcher that may have missed them."""
        for _, request in self._unanswered():
            yield RequestValue(request.trial, request.name, request.distribution)

    def _unanswered(self) -> Iterator[tuple[WorkerRecord, m.Draw]]:
        for worker in self._talk.roster.workers.values():
            request = worker.asked
            if request is not None and worker.seq == request.seq and worker.reply is None:
                yield worker, request


def merged(known: tuple[m.Named, ...], new: tuple[m.Named, ...]) -> tuple[m.Named, ...]:
    """``known`` and what is ``new``: the first value of a name and distribution counts."""
    kept = {(name, distribution): number for name, distribution, number in (*new, *known)}
    return tuple((*key, number) for key, number in kept.items())


def _number_of(trial: Trial, request: m.Draw) -> float | None:
    """The number that was drawn for what is asked for; None: there is none yet."""
    for name, distribution, number in trial.drawn:
        if (name, distribution) == (request.name, request.distribution):
            return number
    return None
