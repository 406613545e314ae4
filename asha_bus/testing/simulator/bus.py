"""The bus without its process: an `Experiment` whose effects are carried out at once."""

from __future__ import annotations

from abc import ABC, abstractmethod

from asha_bus.core import messages as m
from asha_bus.core.events import (
    AppendToJournal,
    Effect,
    Ended,
    Event,
    RequestSuggestions,
    RequestValue,
    RunSettings,
    Send,
    TrialUpdated,
)
from asha_bus.core.experiment import Experiment
from asha_bus.core.trial import Trial
from asha_bus.testing.simulator.clock import Clock


class Bus(ABC):
    """Gives events to an `Experiment`, and each effect to the method that carries it out."""

    def __init__(self, settings: RunSettings) -> None:
        self.clock = Clock()
        self.settings = settings
        self._effects: list[Effect] = []
        self.experiment = Experiment(settings, self.clock.now, self._effects.append)
        #: How the run ended; None: it goes on.
        self.ended: Ended | None = None
        #: The trials that the searcher was told of, by number, once for each time.
        self.observed: list[int] = []
        #: The values by name that the searcher was asked for, oldest first.
        self.asked: list[RequestValue] = []

    def start(self) -> None:
        """Begin the run."""
        self.experiment.start()
        self.carry_out()

    def handle(self, event: Event) -> None:
        """Let ``event`` happen now."""
        self.experiment.handle(event, self.clock.now)
        self.carry_out()

    def tick(self) -> None:
        """Let the experiment see what time it is."""
        self.experiment.tick(self.clock.now)
        self.carry_out()

    def carry_out(self) -> None:
        """Carry out what the experiment wants, in its order."""
        effects = self._effects.copy()
        self._effects.clear()
        for effect in effects:
            if isinstance(effect, Send):
                self._deliver(effect.to, effect.message)
            elif isinstance(effect, AppendToJournal):
                self._record(effect)
            elif isinstance(effect, RequestSuggestions):
                self._request(effect)
            elif isinstance(effect, TrialUpdated):
                self._observe(effect.trial)
            elif isinstance(effect, RequestValue):
                self.asked.append(effect)
            else:
                self._end(effect)

    @abstractmethod
    def _deliver(self, to: str, message: m.ToWorker) -> None:
        """A message is on its way to the socket ``to``."""

    @abstractmethod
    def _request(self, request: RequestSuggestions) -> None:
        """The searcher is asked for points."""

    @abstractmethod
    def _record(self, record: AppendToJournal) -> None:
        """The journal grows, where there is one."""

    def _observe(self, trial: Trial) -> None:
        self.observed.append(trial.id)

    def _end(self, ended: Ended) -> None:
        assert self.ended is None, "a run ends once"
        self.ended = ended
