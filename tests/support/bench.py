"""Drives an `Experiment` by hand: one message in, its answer out, invariants checked."""

from __future__ import annotations

from typing import Any

from asha_bus.core import messages as m
from asha_bus.core.events import (
    AppendToJournal,
    Effect,
    Ended,
    Event,
    FallbackDrawn,
    Received,
    RequestSuggestions,
    RunSettings,
    Send,
    Suggested,
    TrialUpdated,
)
from asha_bus.core.experiment import Experiment
from asha_bus.core.schedulers import ASHA, Scheduler
from asha_bus.core.trial import Trial, TrialState

RUN = "the-run"


class Bench:
    """An experiment with hand-driven workers and a clock that stands until it is set.

    The points of trials are their numbers, ``(0.0,)``, ``(1.0,)`` and so on; with
    ``supplied=False`` none comes until `supply` is called.
    """

    def __init__(
        self, *, scheduler: Scheduler | None = None, supplied: bool = True, **settings: Any
    ) -> None:
        self.now = 0.0
        self.settings = RunSettings(
            run=RUN, scheduler=scheduler or ASHA(max_resource=9), seed=7, **settings
        )
        self._effects: list[Effect] = []
        self.experiment = Experiment(self.settings, self.now, self._effects.append)
        self.ended: Ended | None = None
        #: What a journal would hold.
        self.records: list[AppendToJournal] = []
        #: The trials that the searcher was told of, by number.
        self.observed: list[int] = []
        #: Draws that were asked for and not answered.
        self.draws: list[RequestSuggestions] = []
        #: Whatever was sent and not fetched by `take`, oldest first.
        self.sent: list[Send] = []
        self._supplied = supplied
        self._seqs: dict[str, int] = {}
        self.experiment.start()
        self._carry_out()

    # --- events --------------------------------------------------------------

    def handle(self, event: Event) -> None:
        """Let ``event`` happen now."""
        self.experiment.handle(event, self.now)
        self._carry_out()

    def wait(self, seconds: float) -> None:
        """Let time pass, and tick."""
        self.now += seconds
        self.experiment.tick(self.now)
        self._carry_out()

    def supply(self) -> None:
        """Answer all draws."""
        while self.draws:
            first, count, is_fallback = self.draws.pop(0)
            if is_fallback:
                self.handle(FallbackDrawn(first, (-float(first),)))
                continue
            points = tuple((float(number),) for number in range(first, first + count))
            self.handle(Suggested(first, points))

    def _carry_out(self) -> None:
        self.experiment.validate()
        effects = self._effects.copy()
        self._effects.clear()
        for effect in effects:
            if isinstance(effect, Send):
                self.sent.append(effect)
            elif isinstance(effect, RequestSuggestions):
                self.draws.append(effect)
            elif isinstance(effect, AppendToJournal):
                self.records.append(effect)
            elif isinstance(effect, TrialUpdated):
                self.observed.append(effect.trial.id)
            else:
                assert self.ended is None, "a run ends once"
                self.ended = effect
        if self._supplied:
            self.supply()

    # --- workers -------------------------------------------------------------

    def send(self, name: str, message: m.FromWorker) -> m.ToWorker | None:
        """``name`` sends ``message``; the answer to it, or None where there is none."""
        before = len(self.sent)
        self.handle(Received(name, message))
        answers = [send for send in self.sent[before:] if send.to == name]
        assert len(answers) <= 1, "a message has one answer at most"
        for answer in answers:
            self.sent.remove(answer)
        return answers[0].message if answers else None

    def take(self, to: str) -> list[m.ToWorker]:
        """What was sent to ``to`` without being the answer to `send`."""
        taken = [send.message for send in self.sent if send.to == to]
        self.sent = [send for send in self.sent if send.to != to]
        return taken

    def seq(self, name: str) -> int:
        """The number of the last request of ``name``."""
        return self._seqs.get(name, 0)

    def _next_seq(self, name: str) -> int:
        self._seqs[name] = self.seq(name) + 1
        return self._seqs[name]

    def hello(self, name: str, slot: str | None = None, run: str = RUN) -> m.ToWorker | None:
        """``name`` asks to join at ``slot``, by default one of its own."""
        hello = m.Hello(self._next_seq(name), run, slot or f"slot of {name}", "host", 1)
        return self.send(name, hello)

    def ask(self, name: str, idle_s: float = 0.0) -> m.ToWorker | None:
        """``name`` asks for a trial."""
        return self.send(name, m.Next(self._next_seq(name), idle_s))

    def join(self, *names: str) -> None:
        """Workers join and get a trial each."""
        for name in names:
            assert isinstance(self.hello(name), m.Welcome)
            assert isinstance(self.ask(name), m.Assign)

    def report(
        self, name: str, trial: int, resource: float, metric: float, attempt: int = 1
    ) -> m.ToWorker | None:
        """``name`` reports at a rung."""
        seq = self._next_seq(name)
        return self.send(name, m.Report(seq, trial, attempt, resource, metric, metric, {}, 0.0))

    def end(
        self,
        name: str,
        trial: int,
        outcome: str = "completed",
        *,
        metric: float | None = 0.5,
        error: str | None = None,
        attempt: int = 1,
    ) -> m.ToWorker | None:
        """``name`` tells that its trial ended."""
        seq = self._next_seq(name)
        resource = 0 if metric is None else 1
        message = m.End(seq, trial, attempt, resource, metric, metric, {}, outcome, error, 0.0)
        return self.send(name, message)

    def heartbeat(self, name: str) -> list[m.ToWorker]:
        """``name`` sends a heartbeat; what comes back on that socket."""
        self.handle(Received(name + m.HEARTBEAT_SUFFIX, m.Heartbeat({})))
        return self.take(name + m.HEARTBEAT_SUFFIX)

    # --- looking -------------------------------------------------------------

    def trial(self, number: int) -> Trial:
        """The trial of that number."""
        return self.experiment.table[number]

    def states(self) -> list[TrialState]:
        """The state of each trial."""
        return [trial.state for trial in self.experiment.table.trials]
