"""An experiment and its workers, joined by a bad network, in virtual time.

Messages travel as bytes; they are lost, doubled, delayed and overtaken. Workers die,
fall silent, are copied and leave. Nothing here sleeps, and the same conditions give
the same story.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from support.conditions import Conditions as Conditions

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
    WorkerExited,
)
from asha_bus.core.experiment import Experiment
from asha_bus.core.pseudorandom import mix
from asha_bus.core.trial import FINAL, Trial, TrialState
from asha_bus.core.worker import RETRY_FIRST_S, RETRY_LAST_S, Worker
from asha_bus.formats import wire
from asha_bus.formats.journal import Encoder, Header, replay

#: A run that is not over by then never will be.
TOO_LONG_S = 2_000.0

#: In so many moments of all somebody looks at the run.
_LOOKS = 0.02

#: Trouble happens within this time; the run goes on after it in peace.
TROUBLED_S = 40.0


def lasting(experiment: Experiment) -> list[Any]:
    """All of an experiment's state that a crash must not change."""
    known: list[Any] = [experiment.table.states, experiment.table.queue, experiment.ended]
    known += map(lasting_of, experiment.table.trials)
    known += [repr(trial.curve) for trial in experiment.table.trials]  # NaN is not NaN
    for worker in experiment.roster.workers.values():
        known.append((worker.name, worker.slot, worker.seq, repr(worker.reply)))
        known.append((worker.trial, worker.active, worker.waiting, worker.idle_s))
    return known


def lasting_of(trial: Trial) -> tuple[Any, ...]:
    """The same of one trial.

    Its last reports may have come without a journal's knowing: between two rungs they
    are only shown, until its end or its next rung tells of them.
    """
    told = trial.state in (TrialState.COMPLETED, TrialState.STOPPED, TrialState.FAILED)
    shown = (trial.metric, trial.resource, trial.best_metric, trial.extras)
    return (
        *(trial.id, trial.point, trial.seed, trial.bracket, trial.state),
        *(trial.attempt, trial.worker, trial.start_time, trial.end_time),
        *(repr(trial.rungs), trial.error, repr(shown) if told else None),
    )


@dataclass
class Ledger:
    """What was seen to happen, checked as it happens."""

    #: Reports that were judged, in order: trial, attempt, resource.
    judged: list[tuple[int, int, float]] = field(default_factory=list)
    #: The final answer to each request, by worker and seq.
    answers: dict[tuple[str, int], m.ToWorker] = field(default_factory=dict)
    #: Each trial that ended, as it was at that moment.
    ended: dict[int, str] = field(default_factory=dict)

    def judge(self, report: m.Report) -> None:
        key = (report.trial, report.attempt, report.resource)
        assert key not in self.judged, "a report was counted twice"
        latest = max((a for trial, a, _ in self.judged if trial == report.trial), default=0)
        assert report.attempt >= latest, "a late attempt was counted"
        self.judged.append(key)

    def answer(self, to: str, message: m.ToWorker) -> None:
        seq = getattr(message, "seq", 0)
        if seq and not isinstance(message, m.Wait):
            known = self.answers.setdefault((to, seq), message)
            assert known == message, "a repeated request got another answer"

    def look_at(self, experiment: Experiment) -> None:
        for trial in experiment.table.trials:
            if trial.state in FINAL:
                known = repr(lasting_of(trial))
                assert self.ended.setdefault(trial.id, known) == known


class World:
    """Everything there is, and its clock."""

    def __init__(self, conditions: Conditions, settings: RunSettings) -> None:
        self.conditions = conditions
        self.random = Random(conditions.seed)
        self.now = 0.0
        self._effects: list[Effect] = []
        self.experiment = Experiment(settings, self.now, self._effects.append)
        self.ledger = Ledger()
        self.ended: list[Ended] = []
        #: The trials that the searcher was told of.
        self.observed: set[int] = set()
        self._encoder = Encoder()
        header = Header("world", settings, ("dict", ()), {}, "0")
        #: The journal, as it is on the disk.
        self.journal = bytearray(header.encode())
        self._dies_next = False
        self.crashes = 0
        #: Called at random moments, by nobody where nobody looks on.
        self.look: Callable[[], object] = lambda: None
        #: All that the experiment was told, for a replay; None: a tick.
        self.story: list[tuple[float, Event | None]] = []
        self.actors: dict[str, Actor] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self.experiment.start()
        self._carry_out()
        for _ in range(conditions.workers):
            self.join(f"slot {self._next_number()}")
        for trouble, times in (
            (self._death, conditions.deaths),
            (self._silence, conditions.silences),
            (self._copy, conditions.copies),
            (self._leave, conditions.leaves),
            (self._false_alarm, conditions.false_alarms),
            (self._crash, conditions.crashes),
        ):
            for _ in range(times):
                self.later(self.random.uniform(0, TROUBLED_S), trouble)

    # --- time ----------------------------------------------------------------

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do ``action`` in so many seconds."""
        heapq.heappush(self._agenda, (self.now + seconds, self._next_number(), action))

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def run(self) -> None:
        """Let time pass until the run and all its workers have ended."""
        while not self.ended or any(actor.alive for actor in self.actors.values()):
            assert self.now < TOO_LONG_S, "the run, or one of its workers, never ends"
            deadline = self.experiment.next_deadline()
            assert self._agenda or deadline is not None, "nothing will ever happen again"
            if deadline is not None and (not self._agenda or deadline <= self._agenda[0][0]):
                self.now = max(self.now, deadline)
                self.story.append((self.now, None))
                self.experiment.tick(self.now)
                self._carry_out()
            else:
                self.now, _, action = heapq.heappop(self._agenda)
                action()
            if self.random.random() < _LOOKS:
                self.look()

    # --- the bus -------------------------------------------------------------

    def happen(self, event: Event) -> None:
        """Tell the experiment of ``event``, and check what it makes of it."""
        judged = self.experiment.counters.decisions
        self.story.append((self.now, event))
        self.experiment.handle(event, self.now)
        if self.experiment.counters.decisions > judged:
            assert isinstance(event, Received)
            assert isinstance(event.message, m.Report)
            self.ledger.judge(event.message)
        if self._dies_next:
            self._come_up_again()
        self._carry_out()

    def _come_up_again(self) -> None:
        """The bus died when it had written and not answered: another one takes its place."""
        self._dies_next = False
        self.crashes += 1
        for effect in self._effects:
            if isinstance(effect, AppendToJournal):
                self.journal += self._encoder.encode(effect)
        self._effects.clear()
        torn = self.random.randbytes(self.random.randrange(40))
        again = replay(bytes(self.journal) + torn, "journal")
        assert (len(self.journal), len(torn)) == (again.end, again.torn)
        assert lasting(self.experiment) == lasting(again.experiment)
        counters = asdict(self.experiment.counters)
        self.experiment, self._encoder = again.experiment, again.encoder
        self.experiment.emit = self._effects.append
        self.experiment.restart(self.now, counters)

    def _carry_out(self) -> None:
        effects = self._effects.copy()
        self._effects.clear()
        self.experiment.validate()
        self.ledger.look_at(self.experiment)
        for effect in effects:
            if isinstance(effect, Send):
                self.ledger.answer(effect.to, effect.message)
                self._travel(wire.encode(effect.message), effect.to, self._arrive)
            elif isinstance(effect, RequestSuggestions):
                self._draw(effect)
            elif isinstance(effect, TrialUpdated):
                self.observed.add(effect.trial.id)
            elif isinstance(effect, AppendToJournal):
                self.journal += self._encoder.encode(effect)
            elif effect not in self.ended:  # told again after a crash
                self.ended.append(effect)

    def _draw(self, draw: RequestSuggestions) -> None:
        """Answer in a while, unless whoever asked is dead by then: the pipe dies with it."""
        asked_by = self.crashes
        points = tuple((0.5,) for _ in range(draw.number))
        event = (
            FallbackDrawn(draw.first, (0.25,))
            if draw.is_fallback
            else Suggested(draw.first, points)
        )

        def answer() -> None:
            if self.crashes == asked_by:
                self.happen(event)

        slow_s = 0.0 if draw.is_fallback else self.conditions.searcher_s
        self.later(0.05 + self.random.uniform(0, slow_s), answer)

    # --- the network ---------------------------------------------------------

    def send(self, sender: str, message: m.FromWorker) -> None:
        """A worker sends a message to the bus."""
        self._travel(wire.encode(message), sender, self._arrive_at_bus)

    def _travel(self, body: bytes, worker: str, arrive: Callable[[str, bytes], None]) -> None:
        actor = self.actors.get(worker.removesuffix(m.HEARTBEAT_SUFFIX))
        if self.random.random() < self.conditions.loss or actor is None or actor.is_silent():
            return
        for _ in range(1 + (self.random.random() < self.conditions.doubled)):
            delay_s = self.random.uniform(0, self.conditions.delay_s)
            self.later(delay_s, lambda: arrive(worker, body))

    def _arrive_at_bus(self, sender: str, body: bytes) -> None:
        self.happen(Received(sender, wire.decode_from_worker(body)))

    def _arrive(self, worker: str, body: bytes) -> None:
        self.actors[worker.removesuffix(m.HEARTBEAT_SUFFIX)].receive(wire.decode_to_worker(body))

    # --- trouble -------------------------------------------------------------

    def join(self, slot: str) -> None:
        """A new worker takes ``slot``."""
        name = f"worker {self._next_number()}"
        self.actors[name] = Actor(self, name, slot)
        self.actors[name].start()

    def _victim(self) -> Actor | None:
        alive = [actor for actor in self.actors.values() if actor.alive]
        return self.random.choice(alive) if alive else None

    def _death(self) -> None:
        """A process ends; that may be noticed or not; another one takes its place."""
        victim = self._victim()
        if victim is not None:
            victim.alive = False
            slot = victim.slot
            if self.random.random() < 0.5:
                self.later(self.random.uniform(0, 1), lambda: self.happen(WorkerExited(slot)))
            if self.random.random() < 0.5:
                slot = f"slot {self._next_number()}"
            self.later(self.random.uniform(0, 3), lambda: self.join(slot))

    def _silence(self) -> None:
        """A worker is cut off, for longer than its lease perhaps, and comes back."""
        victim = self._victim()
        if victim is not None:
            lease_s = self.experiment.settings.lease_s
            victim.silent_until = self.now + self.random.uniform(0, 2.5 * lease_s)

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
            self.later(self.random.uniform(0, 3), lambda: self.join(victim.slot))

    def _crash(self) -> None:
        """The bus will die in the middle of what happens next."""
        self._dies_next = True

    def _false_alarm(self) -> None:
        """A worker is said to be gone that is not."""
        victim = self._victim()
        if victim is not None:
            self.happen(WorkerExited(victim.slot))


class Actor:
    """A worker's process: what client and runner do around the pure `Worker`."""

    def __init__(self, world: World, name: str, slot: str) -> None:
        self.name, self.slot = name, slot
        self.alive = True
        self.silent_until = 0.0
        self.answered: list[tuple[m.Request, m.Reply]] = []
        self._world = world
        self._request: m.Request | None = None
        self.worker = Worker(
            run=world.experiment.settings.run, slot=slot, host="host", pid=1, now=world.now
        )

    def start(self) -> None:
        self._ask(self.worker.hello())
        self._beat()

    def is_silent(self) -> bool:
        return self._world.now < self.silent_until

    def leave(self) -> None:
        self._world.send(self.name, m.Leave({}))
        self.alive = False

    # --- requests ------------------------------------------------------------

    def _ask(self, request: m.Request) -> None:
        self._request = request
        self._send_again(request, RETRY_FIRST_S)

    def _send_again(self, request: m.Request, patience: float) -> None:
        if self.alive and self._request is request:
            self._world.send(self.name, request)
            following = min(2 * patience, RETRY_LAST_S)
            self._world.later(patience, lambda: self._send_again(request, following))

    def receive(self, message: m.ToWorker) -> None:
        if not self.alive:
            return
        if isinstance(message, m.Interrupt):
            self.worker.must_ask = True
            self._world.later(message.interrupt_s, self._interrupt)
            self._world.later(message.exit_s, self._exit)
            return
        request = self._request
        reply = self.worker.receive(message)
        if reply is not None:
            assert request is not None
            assert not isinstance(reply, m.Refused), reply.text
            self._request = None
            self.answered.append((request, reply))
            self._go_on()

    def _go_on(self) -> None:
        worker = self.worker
        if worker.attempt is not None and worker.attempt.stopped is not None:
            if (telemetry := worker.last_telemetry(self._world.now)) is not None:
                self._world.send(self.name, telemetry)
            worker.abandon()
        if worker.done is not None:
            self.leave()
        elif worker.attempt is not None:
            self._step_later()
        elif worker.upcoming is not None:
            worker.begin()
            worker.enter_objective(self._world.now)
            self._step_later()
        else:
            self._ask(worker.next(self._world.now))

    # --- the objective -------------------------------------------------------

    def _step_later(self) -> None:
        attempt = self.worker.attempt
        seconds = self._world.random.uniform(0.01, 0.6)
        self._world.later(seconds, lambda: self._step() if self.worker.attempt is attempt else None)

    def _step(self) -> None:
        attempt = self.worker.attempt
        if not self.alive or attempt is None or self._request is not None:
            return
        world, trial = self._world, attempt.assignment.trial
        conditions = world.conditions
        if attempt.resource >= 2 and _hits(trial, conditions.fails_every):
            self._ask(self.worker.end("failed", "ValueError: no", world.now))
        elif attempt.resource >= 4 and _hits(trial + 1, conditions.ends_every):
            self._ask(self.worker.end("completed", None, world.now))
        else:
            resource = attempt.resource + world.random.randint(1, conditions.stride)
            metric = metric_of(trial, resource)
            request = self.worker.report(metric, resource, {"step": resource}, world.now)
            if request is not None:
                self._ask(request)
                return
            telemetry = self.worker.telemetry(world.now)
            if telemetry is not None:
                world.send(self.name, telemetry)
            self._step_later()

    def _interrupt(self) -> None:
        attempt = self.worker.attempt
        if self.alive and attempt is not None and self._request is None:
            self._ask(self.worker.end("interrupted", None, self._world.now))

    def _exit(self) -> None:
        if self.worker.attempt is not None:
            self.alive = False

    # --- heartbeats ----------------------------------------------------------

    def _beat(self) -> None:
        if self.alive:
            self._world.send(self.name + m.HEARTBEAT_SUFFIX, m.Heartbeat({}))
            self._world.later(self.worker.heartbeat_s, self._beat)


def _hits(trial: int, every: int | None) -> bool:
    return every is not None and trial % every == 2


def metric_of(trial: int, resource: float) -> float:
    """What a trial measures at ``resource``: coarse, so that there are ties; at times no number."""
    number = mix(trial, int(resource)) % 32
    return float("nan") if number == 0 else number // 4 + 1 / resource
