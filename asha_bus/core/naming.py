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
    that another attempt at it gets the same. Questions whether to prune take the same way; their
    answers are not kept, since each counts at its report. ``assign``: finds the next trial for a
    worker. ``stop``: stops the trial of a worker that waits.
    """

    def __init__(
        self,
        talk: Conversation,
        assignments: Assignments,
        suggestions: SuggestionQueue,
        assign: Callable[[WorkerRecord, float], m.Assignment | None],
        stop: Callable[[WorkerRecord, Trial, float], None],
    ) -> None:
        self._talk, self._assignments, self._suggestions = talk, assignments, suggestions
        self._assign, self._stop = assign, stop

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
        number = _number_in(trial.drawn, request)
        if number is not None:
            self._talk.reply(worker, m.Drawn(request.seq, number))
            return
        worker.reply = None  # a repeat of the request is ignored until there is one
        worker.asked = request
        if request.name == m.PRUNE:  # which looks at all trials as they are now
            self._assignments.counters.pruner_asked += 1
            for update in self._suggestions.updates():
                self._talk.emit(update)
        self._talk.emit(RequestValue(trial.id, request.name, request.distribution))

    def on_values_drawn(self, event: ValuesDrawn, now: float) -> None:
        """The searcher has drawn values: keep those that are new, and answer who waits."""
        self._talk.record(event, now)
        table = self._assignments.table
        if event.trial >= len(table):
            self._suggestions.keep_drawn(event.trial, event.named)
            return
        trial = table[event.trial]
        if not event.error:
            trial.drawn = merged(trial.drawn, event.named)
        for worker, request in list(self._unanswered()):
            if request.trial != event.trial:
                continue
            # the first value of a name counts; an answer of the pruner is not kept
            number = _number_in((*trial.drawn, *event.named), request)
            if number is not None:
                self._answer(worker, request, m.Drawn(request.seq, number, event.error), now)

    def _answer(self, worker: WorkerRecord, request: m.Draw, drawn: m.Drawn, now: float) -> None:
        """Answer a worker that waits, or stop its trial if the pruner says so."""
        trial = self._assignments.held(worker, request.trial, request.attempt)
        is_pruned = request.name == m.PRUNE and not drawn.error and drawn.number == 1
        if not is_pruned or trial is None:  # an attempt that is over will be fenced off
            self._talk.reply(worker, drawn)
            return
        if trial.rungs and trial.rungs[-1].verdict == "continue":
            self._assignments.table.judge(trial, trial.rungs[-1]._replace(verdict="stop"))
        self._stop(worker, trial, now)

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
    """``known`` and what is ``new``, without answers of a pruner: the first value counts."""
    kept = {
        (name, distribution): number
        for name, distribution, number in (*new, *known)
        if name != m.PRUNE
    }
    return tuple((*key, number) for key, number in kept.items())


def _number_in(named: tuple[m.Named, ...], request: m.Draw) -> float | None:
    """The number in ``named`` for what is asked for; None: there is none."""
    for name, distribution, number in named:
        if (name, distribution) == (request.name, request.distribution):
            return number
    return None
