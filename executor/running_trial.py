"""The trial that an objective holds while it runs, and what it asks of the bus."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import count
from os import PathLike
from typing import Any

from asha_bus.core import messages as m
from asha_bus.core.attempt import Attempt
from asha_bus.core.errors import BusError, ObjectiveError
from asha_bus.core.worker import cut
from asha_bus.executor.client import Client
from asha_bus.executor.interrupt import Interrupter, TrialInterrupted
from asha_bus.executor.keeping import Keeper
from asha_bus.executor.states import Hook
from asha_bus.objective.kept import split_attached
from asha_bus.objective.kinds import Trial
from asha_bus.objective.values import (
    to_extras,
    to_metric,
    to_metric_and_extras,
    to_resource,
)

#: How many reports a stopped objective may still make before an exception ends it.
MAX_IGNORED_STOPS = 100

_clock = time.monotonic


class RunningTrial(Trial):
    """The `Trial` that an objective holds while it runs in this worker."""

    def __init__(
        self,
        attempt: Attempt,
        client: Client,
        interrupter: Interrupter,
        keeper: Keeper | None = None,
    ) -> None:
        assignment = attempt.assignment
        self.id = assignment.trial
        self.attempt = assignment.attempt
        self.seed = assignment.seed
        self.repeat = assignment.trial % client.worker.repeats
        self.params = {}  # resolved later: a func() of the space is user code
        #: Set when the bus could not be reached: the worker must exit.
        self.bus_error: BusError | None = None
        self._attempt = attempt
        self._client = client
        self._worker = client.worker
        self._interrupter = interrupter
        self._lock = threading.Lock()  # a framework may report from its own threads
        self._ignored = 0
        self._is_over = False
        self._has_warned_of_step = False
        #: What `checkpoint` got: the functions that save and load its state.
        self._hooks: tuple[Hook, Hook] | None = None
        #: Checks what is attached; None: there is no folder for it.
        self._keeper = keeper
        #: What was attached, by name.
        self.attached: dict[str, bytes] = {}

    @property
    def is_over(self) -> bool:
        """Whether the objective has ended, so that nothing more is reported."""
        return self._is_over

    @property
    def should_stop(self) -> bool:
        return self._is_over or self._attempt.stopped is not None

    @property
    def resource(self) -> float:
        return self._attempt.resource

    @property
    def drawn(self) -> tuple[m.Named, ...]:
        """The values that came with the trial, by name."""
        return self._attempt.assignment.named

    def draw(self, name: str, distribution: str) -> float:
        """Ask the searcher for the number of a parameter, over the bus.

        Raises `TrialInterrupted` where the attempt is over.
        """
        drawn = self._draw(name, distribution)
        if drawn is None:
            raise TrialInterrupted(f"{name!r} was asked for, but this attempt is over")
        return drawn.number

    def ask_pruner(self, where: str) -> str:
        """Have the searcher's process say whether to stop; `should_stop` then tells.

        ``where``: the report that it is about. Returns what the pruner has raised, or nothing.
        """
        drawn = self._draw(m.PRUNE, where)
        return "" if drawn is None else drawn.error

    def _draw(self, name: str, distribution: str) -> m.Drawn | None:
        """The answer of the searcher's process; None: this attempt is over."""
        self._client.check_process()
        with self._lock:
            if not self.should_stop:
                try:
                    self._interrupter.armed = False
                    self._settle()
                    self._ask(self._worker.draw(name, distribution))
                finally:
                    self._interrupter.armed = not self._is_over
        drawn, self._attempt.drawn = self._attempt.drawn, None
        return drawn

    def use(self, named: m.Named) -> None:
        """Have the bus know that the objective has asked for this value."""
        self._attempt.named.append(named)

    @property
    def stopped(self) -> str | None:
        """Why the bus has stopped it, as in `Stop.why`; None: it continues."""
        return self._attempt.stopped

    @property
    def metric(self) -> float | None:
        """The last reported metric."""
        return self._attempt.metric

    def note(self, metric: float, resource: float, extras: m.Extras) -> None:
        """Report between rungs, whatever the resource: nothing is decided."""
        with self._lock:
            if not self._is_over:
                self._settle()
                self._worker.note(metric, resource, extras, _clock())

    def conclude(self, metric: float, extras: m.Extras) -> None:
        """Report the final metric of an objective that has ended, which takes no resource."""
        if self._attempt.stopped is None:
            self._worker.conclude(metric, extras)

    def checkpoint(self, save: Hook, load: Hook) -> float:
        self._client.check_process()
        for name, hook in (("save", save), ("load", load)):
            if not callable(hook):
                raise ObjectiveError(
                    f"trial.checkpoint(): {name} must be a function that takes a path, "
                    f"got {hook!r} of type {type(hook).__name__}"
                )
        if self._hooks is not None:
            raise ObjectiveError("trial.checkpoint() was called twice; call it once in a trial")
        if self._attempt.metric is not None:
            raise ObjectiveError(
                f"trial.checkpoint() was called after the report at resource "
                f"{self._attempt.resource:g}; call it before the first report"
            )
        self._hooks = (save, load)
        return self.resource

    def attach(self, name: str, value: bytes | str | PathLike[str]) -> None:
        self._client.check_process()
        if self._keeper is None:
            raise ObjectiveError(
                f"trial.attach({name!r}): this run has no folder for it; pass "
                f"launch(artifacts=FOLDER), a folder that all workers see"
            )
        if not self._is_over and self._attempt.stopped in (None, "completed"):
            self.attached[name] = self._keeper.take(name, value)

    def end(self) -> None:
        """Mark the trial as over, so that threads of the objective that still run stop."""
        self._is_over = True
        self._interrupter.armed = False
        with self._lock:  # wait for a report in progress
            self._interrupter.armed = False

    def report(self, metric: Any = ..., /, resource: Any = None, **extras: Any) -> bool:
        if self._attempt.stopped is not None:
            self._ignored += 1
            if self._ignored > MAX_IGNORED_STOPS:
                raise TrialInterrupted("report() returned False, but the objective did not stop")
            return False
        at = to_resource(resource)
        if metric is ...:
            if "metric" not in extras:
                raise ObjectiveError("report() got no metric; call trial.report(metric)")
            metric = extras.pop("metric")
        try:
            number, plain = to_metric(metric), to_extras(extras)
        except ObjectiveError as error:
            raise self._placed(error, at) from error.__cause__
        if at is None and not self._has_warned_of_step:
            self._warn_of_step(plain.get("step"))
        return self._report(number, at, plain)

    def report_value(self, value: Any, *, is_end: bool = False) -> bool:
        """Report a yielded or returned value: a metric, or a metric and its extras."""
        value, attached = split_attached(value)
        for name, held in attached.items():
            self.attach(name, held)
        try:
            metric, extras = to_metric_and_extras(value)
        except ObjectiveError as error:
            raise self._placed(error, None) from error.__cause__
        return self._report(metric, None, extras, is_end=is_end)

    def _placed(self, error: ObjectiveError, resource: float | None) -> ObjectiveError:
        """``error`` with the resource at which it occurred."""
        at = self._attempt.resource + 1 if resource is None else resource
        return ObjectiveError(f"at resource {at:g}: {error}")

    def _report(
        self, metric: float, resource: float | None, extras: m.Extras, *, is_end: bool = False
    ) -> bool:
        self._client.check_process()
        with self._lock:
            if self._is_over:  # the worker may have started another trial
                return False
            worker = self._worker
            try:
                self._interrupter.armed = False  # never interrupt a half-made request
                if worker.outstanding is not None:
                    self._settle()
                if resource is not None and self._is_repeat(resource):
                    self._warn_repeat(resource)
                request = worker.report(metric, resource, extras, _clock(), is_end=is_end)
                if request is not None:
                    self._ask(request)
                elif (telemetry := worker.telemetry(_clock())) is not None:
                    self._client.tell(telemetry)
            finally:
                self._interrupter.armed = not self._is_over
        return self._attempt.stopped is None

    def log(self, text: str) -> None:
        self._client.check_process()
        with self._lock:
            if not self._is_over:
                self._put("info", str(text))

    def warn(self, text: str) -> None:
        """Have a warning sent, after all lines that still wait."""
        self._put("warning", text)

    def _put(self, level: str, text: str) -> None:
        self._client.outbox.put(m.Log(self.id, self.attempt, level, cut(text)))

    def __iter__(self) -> Iterator[int]:
        for step in count(int(self.resource)):
            if self.should_stop:
                return
            yield step

    def _settle(self) -> None:
        settle(self._client)

    def _ask(self, request: m.Request) -> None:
        self._worker.leave_objective(_clock())
        try:
            self._client.ask(request)
        except BusError as error:
            self.bus_error = error
            raise
        finally:
            self._worker.enter_objective(_clock())

    def _is_repeat(self, resource: float) -> bool:
        return self._attempt.counted(resource) == self._attempt.resource

    def _warn_repeat(self, resource: float) -> None:
        if not self._attempt.warned:
            self._attempt.warned = True
            self.warn(f"resource {resource!r} was reported again; the first report counts")

    def _warn_of_step(self, step: object) -> None:
        """Warn where ``step=`` seems to be meant as the resource, as it is in other tuners."""
        resource = self.resource + 1
        if isinstance(step, (int, float)) and step not in (resource - 1, resource):
            self._has_warned_of_step = True
            self.warn(
                f"report() got step={step!r} as an extra, while the resource counts reports and is "
                f"{resource:g}; pass resource={step!r} to count by steps, or give the extra "
                f"another name"
            )


def settle(client: Client) -> None:
    """Wait for an answer if an exception, such as that of a user's alarm, cut the wait short."""
    request = client.worker.outstanding
    if request is not None:
        client.ask(request)
