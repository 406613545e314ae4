"""A worker without its process: what client and runner do around the pure `Worker`."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator

from asha_bus.core import messages as m
from asha_bus.core.attempt import Attempt, Progress
from asha_bus.core.worker import RETRY_FIRST_S, RETRY_LAST_S, Worker
from asha_bus.testing.simulator.clock import Clock
from asha_bus.testing.simulator.objectives import Objective, Step

#: Resource, metric, best metric and extras of attempts that were saved, by trial and attempt.
States = dict[tuple[int, int], Progress]


class VirtualWorker:
    """Runs objectives in virtual time, and asks the bus what to run.

    ``send`` takes a message and the socket that it leaves from; ``left`` is called when the
    worker is not there any more. ``repeats``: ask again where no answer comes. ``states``: where
    all workers save the states of trials, by trial and attempt.
    """

    def __init__(
        self,
        name: str,
        slot: str,
        *,
        run: str,
        clock: Clock,
        objective: Objective,
        send: Callable[[str, m.FromWorker], None],
        left: Callable[[VirtualWorker], None],
        repeats: bool,
        states: States | None = None,
    ) -> None:
        self.name, self.slot = name, slot
        self.alive = True
        #: Until then nothing that it sends or should get arrives.
        self.silent_until = 0.0
        #: Until then it does nothing at all, and what should happen to it happens then.
        self.paused_until = 0.0
        #: Called with each request and the answer to it.
        self.on_answer: Callable[[m.Request, m.Reply], object] | None = None
        self.worker = Worker(run=run, slot=slot, host="host", pid=1, now=clock.now)
        self._clock, self._objective = clock, objective
        self._send, self._left, self._repeats = send, left, repeats
        self._request: m.Request | None = None
        self._states = {} if states is None else states
        #: Of `Worker.saves`, the attempts that were saved.
        self._saved: dict[int, int] = {}
        #: The objectives of the current trial and of paused ones.
        self._steps: dict[Attempt, Iterator[Step]] = {}

    def start(self) -> None:
        """Ask to join."""
        self._ask(self.worker.hello())

    def leave(self) -> None:
        """Say so, and be gone."""
        self._send(self.name, m.Leave({}))
        self.die()

    def die(self) -> None:
        """Be gone without a word."""
        if self.alive:
            self.alive = False
            self._left(self)

    # --- requests ------------------------------------------------------------

    def _ask(self, request: m.Request) -> None:
        self._request = request
        self._ask_again(request, RETRY_FIRST_S)

    def _ask_again(self, request: m.Request, patience_s: float) -> None:
        if self.alive and self._request is request:
            self._send(self.name, request)
            if self._repeats:
                following_s = min(2 * patience_s, RETRY_LAST_S)
                self._later(patience_s, lambda: self._ask_again(request, following_s))

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        """Plan ``action``; a pause that covers its moment puts it off."""
        self._clock.later(seconds, lambda: self._when_running(action))

    def _when_running(self, action: Callable[[], object]) -> None:
        if self._clock.now < self.paused_until:
            self._clock.at(self.paused_until, lambda: self._when_running(action))
        else:
            action()

    def receive(self, message: m.ToWorker) -> None:
        """Take what came from the bus."""
        self._when_running(lambda: self._receive(message))

    def _receive(self, message: m.ToWorker) -> None:
        if not self.alive:
            return
        if isinstance(message, m.Interrupt):
            self.worker.must_ask = True
            self._later(message.interrupt_s, self._interrupt)
            self._later(message.exit_s, self._exit)
            return
        request = self._request
        reply = self.worker.receive(message)
        self._end_drops()
        if reply is not None:
            assert request is not None
            assert not isinstance(reply, m.Refused), reply.text
            self._request = None
            if isinstance(reply, m.Welcome):
                self._beat()
            if self.on_answer is not None:
                self.on_answer(request, reply)
            self._go_on()

    def _go_on(self) -> None:
        worker, now = self.worker, self._clock.now
        if worker.attempt is not None and worker.attempt.stopped is not None:
            if (telemetry := worker.last_telemetry(now)) is not None:
                self._send(self.name, telemetry)
            self._steps.pop(worker.attempt, None)
            worker.abandon()
        elif worker.attempt is not None and worker.attempt.is_paused:
            if (telemetry := worker.last_telemetry(now)) is not None:
                self._send(self.name, telemetry)
            worker.park()
        self._end_drops()
        if worker.saves:
            number = worker.saves.pop(0)
            self._ask(worker.saved(number, self._saved.pop(number, 0)))
        elif worker.done is not None:
            self.leave()
        elif worker.attempt is not None:
            worker.enter_objective(now)
            self._step_later(worker.attempt)
        elif worker.upcoming is not None:
            attempt = worker.begin()
            self._end_drops()
            worker.enter_objective(now)
            if attempt.is_paused:
                attempt.is_paused = False
            else:
                self._steps[attempt] = self._begin(attempt)
            self._step_later(attempt)
        else:
            self._ask(worker.next(now))

    def _end_drops(self) -> None:
        """End the paused trials that need not be kept; save those that may continue."""
        for attempt in self.worker.drops:
            steps = self._steps.pop(attempt, None)
            trial, number, *_ = attempt.assignment
            if steps is not None and trial in self.worker.saves:
                self._states[trial, number] = attempt.progress
                self._saved[trial] = number
        self.worker.drops.clear()

    def _begin(self, attempt: Attempt) -> Iterator[Step]:
        """The steps of a new attempt, after the state from which it begins."""
        if attempt.must_load:
            attempt.restore(self._states[attempt.assignment.trial, attempt.assignment.saved])
        return self._objective(attempt)

    # --- the objective -------------------------------------------------------

    def _step_later(self, attempt: Attempt) -> None:
        """Let the objective work on to its next report, or to its end."""
        try:
            step = next(self._steps[attempt])
        except StopIteration:
            self._end("completed", None)
        except Exception as error:  # as in a real worker, whatever it is
            frames = error.__traceback__ and error.__traceback__.tb_next
            self._end("failed", "".join(traceback.format_exception(type(error), error, frames)))
        else:
            self._later(step.seconds, lambda: self._take(attempt, step))

    def _take(self, attempt: Attempt, step: Step) -> None:
        """The time of a step is over."""
        worker, now = self.worker, self._clock.now
        if not self.alive or worker.attempt is not attempt or self._request is not None:
            return
        if step.metric is not None:
            request = worker.report(step.metric, step.resource, step.extras, now)
            if request is not None:
                worker.leave_objective(now)
                self._ask(request)
                return
            if (telemetry := worker.telemetry(now)) is not None:
                self._send(self.name, telemetry)
        self._step_later(attempt)

    def _end(self, outcome: str, error: str | None) -> None:
        if self.worker.attempt is not None:
            self._steps.pop(self.worker.attempt, None)
        self.worker.leave_objective(self._clock.now)
        self._ask(self.worker.end(outcome, error, self._clock.now))

    def _interrupt(self) -> None:
        if self.alive and self.worker.attempt is not None and self._request is None:
            self._end("interrupted", None)

    def _exit(self) -> None:
        if self.worker.attempt is not None:
            self.die()

    # --- heartbeats ----------------------------------------------------------

    def _beat(self) -> None:
        if self.alive:
            self._send(self.name + m.HEARTBEAT_SUFFIX, m.Heartbeat({}))
            assert self.worker.heartbeat_s is not None
            self._later(self.worker.heartbeat_s, self._beat)
