"""The interface of an engine, which keeps the slots of a run filled with workers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from asha_bus.core.roster import HungWorker

#: How many workers in a row may exit before they join the run.
MAX_FAILED_STARTS = 5
#: The pause before a slot is filled again: the first and the longest; it doubles for each
#: failed start.
_PAUSE_FIRST_S = 0.1
_PAUSE_LAST_S = 10.0


class Hooks(NamedTuple):
    """Callbacks of an engine into the run, called from the engine's threads.

    ``worker_exited(slot)``: the worker at ``slot`` has exited; returns whether it had
    joined the run. ``fail(text)``: end the run, because no worker can be kept running.
    ``write(text)``: show a line that a worker printed.
    """

    worker_exited: Callable[[str], bool]
    fail: Callable[[str], None]
    write: Callable[[str], None]


class Engine(ABC):
    """Starts the workers, restarts those that exit early, and ends them."""

    @property
    @abstractmethod
    def host(self) -> str:
        """The address of this machine at which the workers can reach the bus."""

    @property
    def conf(self) -> Mapping[str, str]:
        """The configuration of the cluster; empty if there is no cluster."""
        return {}

    @abstractmethod
    def dumps(self, value: Any) -> bytes:
        """Pickle ``value`` in the way in which it will be sent to the workers."""

    @abstractmethod
    def worker_count(self, wanted: int | None) -> int:
        """The number of workers to start: ``wanted``, or None for as many as fit.

        Raises `InvalidArgument` if ``wanted`` workers do not fit.
        """

    @abstractmethod
    def preflight(self, address: Any) -> None:
        """Check that workers can be started and reach the bus at ``address``.

        Raises `WorkerError` or `BusError`, which say what to do.
        """

    @abstractmethod
    def share(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make ``data`` available to the workers, as objects with an attribute ``value``.

        `close` releases the data.
        """

    @abstractmethod
    def start(self, job: Any, workers: int, hooks: Hooks) -> None:
        """Fill the slots and return at once. Each worker gets ``job``."""

    @abstractmethod
    def replace(self, worker: HungWorker) -> None:
        """End ``worker``, which does not react any more; its slot is then filled again.

        Do nothing if it has ended already. Returns at once.
        """

    @abstractmethod
    def close(self, grace_s: float) -> None:
        """End the workers after the run: wait up to ``grace_s`` seconds, then end them by force."""

    @abstractmethod
    def describe(self) -> str:
        """A short description of the workers, for the log."""


class Restarts:
    """Decides how soon a slot is filled again, and when to give up."""

    def __init__(self) -> None:
        self._failed = 0

    def pause_s(self, joined: bool) -> float | None:
        """Seconds until the next start; None: too many workers in a row failed to join."""
        self._failed = 0 if joined else self._failed + 1
        if self._failed > MAX_FAILED_STARTS:
            return None
        return min(_PAUSE_FIRST_S * 2.0**self._failed, _PAUSE_LAST_S)
