"""A worker and an experiment in one process, joined by the wire but without a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from asha_bus import Space, uniform
from asha_bus.core import messages as m
from asha_bus.core.errors import BusError
from asha_bus.core.schedulers import NoStopping
from asha_bus.core.worker import Worker
from asha_bus.executor.client import Client
from asha_bus.executor.interrupt import Interrupter
from asha_bus.executor.output import Outbox
from asha_bus.executor.pausing import PausingRunner
from asha_bus.executor.runner import Runner
from asha_bus.formats import wire
from asha_bus.testing.simulator import RUN, Bench

#: The points of `Bench` are the trials' numbers.
SPACE = Space(x=uniform(0, 1e6))


class Loopback:
    """Stands for `Client`: each request is answered at once, in this very call."""

    def __init__(self, bench: Bench, name: str = "w") -> None:
        self.worker = Worker(run=RUN, slot=f"slot of {name}", host="host", pid=1, now=0.0)
        self.outbox = Outbox()
        self.is_cut = False
        self.is_own_process = True
        self._bench = bench
        self._name = name
        self.ask(self.worker.hello())

    def ask(self, request: m.Request) -> m.Reply:
        answer = self._carry(request)
        assert answer is not None
        reply = self.worker.receive(answer)
        assert reply is not None, f"no answer to {request}, but {answer}"
        return reply

    def send_lines(self) -> None:
        """Send the lines that wait."""
        for log in self.outbox.take():
            self.tell(log)

    def tell(self, message: m.OneWay) -> None:
        assert self._carry(message) is None

    def check_process(self) -> None:
        """There is but one process."""

    def _carry(self, message: m.FromWorker) -> m.ToWorker | None:
        if self.is_cut:
            raise BusError("the bus was silent")
        answer = self._bench.send(self._name, wire.decode_from_worker(wire.encode(message)))
        return None if answer is None else wire.decode_to_worker(wire.encode(answer))


def run_objective(
    objective: Callable[..., Any], space: Space = SPACE, *, bench: Bench | None = None, **run: Any
) -> Bench:
    """One worker tries ``objective`` until the run is over; the experiment afterwards."""
    bench = bench or Bench(**{"scheduler": NoStopping(), **run})
    client = cast(Client, Loopback(bench))
    runner = PausingRunner if bench.settings.scheduler.pauses else Runner
    runner(client, Interrupter(), objective, space).run()
    return bench


def warnings_in(bench: Bench) -> list[tuple[int, str]]:
    """The warnings that were sent, with their trials."""
    lines = bench.experiment.table.logs
    return [(line.trial, line.text) for line in lines if line.level == "warning"]
