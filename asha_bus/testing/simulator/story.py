"""A run and its troubles: a bad network, workers that die, a bus that crashes; all is checked.

Workers fall silent, are copied and leave; the searcher is slow. Nothing here sleeps, and
the same arguments tell the same story.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from random import Random

from asha_bus.core import messages as m
from asha_bus.core.events import (
    AppendToJournal,
    Ended,
    Event,
    Received,
    RunSettings,
    Stalled,
    WorkerExited,
)
from asha_bus.core.messages import Point
from asha_bus.core.trial import TrialRow
from asha_bus.formats.journal import Header, replay
from asha_bus.formats.records import Encoder
from asha_bus.testing.simulator.checks import Ledger, lasting
from asha_bus.testing.simulator.link import LossyLink
from asha_bus.testing.simulator.objectives import Objective, Rough
from asha_bus.testing.simulator.simulation import Searcher, Simulation
from asha_bus.testing.simulator.worker import VirtualWorker

#: A run that is not over by then never will be.
TOO_LONG_S = 2_000.0

#: The share of moments in which somebody looks at the run.
_LOOKS = 0.02

#: Trouble happens within this time; the run goes on after it in peace.
TROUBLED_S = 40.0

#: The longest pause, in leases.
PAUSE_LEASES = 3.0

#: A random draw takes at most this long; a searcher may take longer.
_SPARE_S = 0.05


@dataclass(frozen=True)
class Conditions:
    """How bad it is. Shares are from 0 to 1, times in seconds."""

    seed: int = 0
    workers: int = 2
    loss: float = 0.0
    doubled: float = 0.0
    delay_s: float = 0.01
    deaths: int = 0
    silences: int = 0
    copies: int = 0
    leaves: int = 0
    false_alarms: int = 0
    #: The bus dies, and comes up again from its journal.
    crashes: int = 0
    #: A worker, the bus, or all of them stand still for up to `PAUSE_LEASES` leases.
    pauses: int = 0
    bus_pauses: int = 0
    common_pauses: int = 0
    #: A suggestion takes up to this long; ``inf``: the searcher is dead, and never answers.
    searcher_s: float = 0.05


class FixedPoints:
    """A searcher that has the same point for all trials, and another one as the fallback."""

    def points(self, first: int, count: int) -> tuple[Sequence[Point], bool]:
        """The same ones."""
        return ((0.5,),) * count, False

    def fallback(self, number: int) -> Point | None:
        """The other one."""
        return (0.25,)

    def observe(self, row: TrialRow) -> None:
        """It learns nothing."""


class Story(Simulation):
    """A simulation under bad conditions, which keeps a journal and checks each step.

    Args:
        conditions: How bad it is.
        settings: The run's settings, as the bus has them.
        objective: What workers run; by default `Rough` of the conditions' seed.
        searcher: Where points come from; by default `FixedPoints`.

    Example::

        story = Story(Conditions(seed=1, loss=0.1, deaths=3, crashes=1), settings)
        story.run()
        check(story)
    """

    def __init__(
        self,
        conditions: Conditions,
        settings: RunSettings,
        objective: Objective | None = None,
        searcher: Searcher | None = None,
    ) -> None:
        self.conditions = conditions
        self.random = Random(conditions.seed)
        self.ledger = Ledger()
        self.crashes = 0
        #: Called at random moments; nobody looks unless this is set.
        self.look: Callable[[], object] = lambda: None
        #: All that the experiment was told, for a replay; None: a tick.
        self.events: list[tuple[float, Event | None]] = []
        self._encoder = Encoder([type(settings.scheduler)])
        #: The journal, as it is on the disk.
        self.journal = bytearray(Header("story", settings, ("dict", ()), {}, "0").encode())
        self._dies_next = False
        self._bus_paused_until = 0.0
        super().__init__(settings, objective or Rough(conditions.seed), searcher or FixedPoints())
        self.link = LossyLink(
            self.clock,
            self.random,
            loss=conditions.loss,
            doubled=conditions.doubled,
            delay_s=conditions.delay_s,
        )
        for number in range(conditions.workers):
            self.join(f"slot {number}")
        for trouble, times in (
            (self._death, conditions.deaths),
            (self._silence, conditions.silences),
            (self._copy, conditions.copies),
            (self._leave, conditions.leaves),
            (self._false_alarm, conditions.false_alarms),
            (self._crash, conditions.crashes),
            (self._pause, conditions.pauses),
            (self._pause_bus, conditions.bus_pauses),
            (self._pause_all, conditions.common_pauses),
        ):
            for _ in range(times):
                self.clock.later(self.random.uniform(0, TROUBLED_S), trouble)

    def join(self, slot: str, name: str | None = None) -> VirtualWorker:
        worker = super().join(slot, name)
        worker.on_answer = self.ledger.note_answered
        return worker

    def run(self, until: float = TOO_LONG_S) -> None:
        super().run(until)
        assert self.is_over, "the run, or one of its workers, never ends"

    def advance(self, until: float = math.inf) -> bool:
        happened = super().advance(until)
        if self.random.random() < _LOOKS:
            self.look()
        return happened

    # --- the bus -------------------------------------------------------------

    def _next_tick(self) -> float | None:
        is_paused = self.clock.now < self._bus_paused_until
        return None if is_paused else super()._next_tick()

    def handle(self, event: Event) -> None:
        if self.clock.now < self._bus_paused_until:
            self.clock.at(self._bus_paused_until, lambda: self.handle(event))
            return
        self.events.append((self.clock.now, event))
        judged = self.experiment.counters.decisions
        super().handle(event)
        if self.experiment.counters.decisions > judged:
            assert isinstance(event, Received)
            assert isinstance(event.message, m.Report)
            self.ledger.judge(event.message)

    def tick(self) -> None:
        self.events.append((self.clock.now, None))
        super().tick()

    def carry_out(self) -> None:
        if self._dies_next:
            self._come_up_again()
        self.experiment.validate()
        self.ledger.look_at(self.experiment)
        super().carry_out()

    def _come_up_again(self) -> None:
        """The bus died when it had written and not answered: another one takes its place."""
        self._dies_next = False
        self.crashes += 1
        for effect in self._effects:
            if isinstance(effect, AppendToJournal):
                self._record(effect)
        self._effects.clear()
        torn = self.random.randbytes(self.random.randrange(40))
        schedulers = [type(self.settings.scheduler)]
        again = replay(bytes(self.journal) + torn, "journal", schedulers)
        assert (len(self.journal), len(torn)) == (again.end, again.torn)
        assert lasting(self.experiment) == lasting(again.experiment)
        counters = asdict(self.experiment.counters)
        returns = self.experiment.roster.returns.left(self.clock.now)
        self.experiment, self._encoder = again.experiment, again.encoder
        self.experiment.emit = self._effects.append
        self.experiment.restart(self.clock.now, counters, returns)

    def _deliver(self, to: str, message: m.ToWorker) -> None:
        self.ledger.answer(to, message)
        super()._deliver(to, message)

    def _record(self, record: AppendToJournal) -> None:
        self.journal += self._encoder.encode(record)

    def _end(self, ended: Ended) -> None:
        if not (self.crashes and self.ended == ended):  # told again after a crash
            super()._end(ended)

    def _answer(self, event: Event, *, is_fallback: bool) -> None:
        """In a while, unless the bus that asked is dead by then: the pipe dies with it."""
        asked_by, most_s = self.crashes, self.conditions.searcher_s
        if is_fallback:
            most_s = min(most_s, _SPARE_S)
        elif most_s == math.inf:
            return

        def arrive() -> None:
            if self.crashes == asked_by:
                self.handle(event)

        self.clock.later(self.random.uniform(0, most_s), arrive)

    # --- trouble -------------------------------------------------------------

    def _victim(self) -> VirtualWorker | None:
        return self.random.choice(list(self.alive.values())) if self.alive else None

    def _join_later(self, slot: str) -> None:
        self.clock.later(self.random.uniform(0, 3), lambda: self.join(slot))

    def _death(self) -> None:
        """A process ends, and another takes its place, at its slot or elsewhere.

        The death may be noticed, of the slot where the other one is; else the lease tells.
        """
        victim = self._victim()
        if victim is not None:
            victim.die()
            is_noticed, is_elsewhere = self.random.random() < 0.5, self.random.random() < 0.5
            slot = f"slot of worker {len(self.workers)}" if is_elsewhere else victim.slot
            if is_noticed:
                noticed_s = self.random.uniform(0, 1)
                self.clock.later(noticed_s, lambda: self.handle(WorkerExited(slot)))
            self._join_later(slot)

    def _silence(self) -> None:
        """A worker is cut off, for longer than its lease perhaps, and comes back."""
        victim = self._victim()
        if victim is not None:
            most_s = 2.5 * self.settings.lease_s
            victim.silent_until = self.clock.now + self.random.uniform(0, most_s)

    def _copy(self) -> None:
        """A speculative copy of a worker is started at its slot."""
        victim = self._victim()
        if victim is not None:
            self.join(victim.slot)

    def _leave(self) -> None:
        """A worker is sent away, and another one comes."""
        victim = self._victim()
        if victim is not None:
            victim.leave()
            self._join_later(victim.slot)

    def _crash(self) -> None:
        """The bus will die in the middle of what happens next."""
        self._dies_next = True

    def _pause_s(self) -> float:
        return self.random.uniform(0, PAUSE_LEASES * self.settings.lease_s)

    def _pause(self) -> None:
        """A worker stands still, and does not know it."""
        victim = self._victim()
        if victim is not None:
            victim.paused_until = max(victim.paused_until, self.clock.now + self._pause_s())

    def _pause_bus(self, seconds: float | None = None) -> None:
        """The bus stands still; it notices by its clock."""
        if self.clock.now < self._bus_paused_until:
            return
        seconds = self._pause_s() if seconds is None else seconds
        self._bus_paused_until = self.clock.now + seconds
        self.clock.at(self._bus_paused_until, lambda: self.handle(Stalled(seconds)))

    def _pause_all(self) -> None:
        """The whole machine sleeps."""
        if self.clock.now < self._bus_paused_until:
            return
        seconds = self._pause_s()
        self._pause_bus(seconds)
        for worker in self.alive.values():
            worker.paused_until = max(worker.paused_until, self.clock.now + seconds)

    def _false_alarm(self) -> None:
        """A worker is reported lost that is alive."""
        victim = self._victim()
        if victim is not None:
            self.handle(WorkerExited(victim.slot))
