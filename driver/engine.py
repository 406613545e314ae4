"""The interface of an engine, which keeps the slots of a run filled with workers."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from asha_bus.core.roster import HungWorker
from asha_bus.driver.restarts import MAX_FRUITLESS, Restarts
from asha_bus.formats.pipe import Departure

logger = logging.getLogger("asha_bus")


class Hooks(NamedTuple):
    """Callbacks of an engine into the run, called from the engine's threads.

    ``worker_exited(slot, how)``: the worker at ``slot`` has exited, as ``how`` says to people;
    returns what the bus knows of it. ``has_workers()``: whether any worker is at work.
    ``fail(text)``: end the run, because no worker can be kept running. ``write(text)``: show a
    line that a worker printed.
    """

    worker_exited: Callable[[str, str], Departure]
    has_workers: Callable[[], bool]
    fail: Callable[[str], None]
    write: Callable[[str], None]


class Engine(ABC):
    """Starts the workers, restarts those that exit early, and ends them."""

    @property
    @abstractmethod
    def host(self) -> str:
        """The address of this machine at which the workers can reach the bus."""

    @property
    def listen_host(self) -> str:
        """The address of this machine to listen at, so that the bus is reached at ``host``."""
        return self.host

    @property
    def conf(self) -> Mapping[str, str]:
        """The configuration of the cluster; empty if there is no cluster."""
        return {}

    @abstractmethod
    def dumps(self, value: Any) -> bytes:
        """Pickle ``value`` in the way in which it will be sent to the workers."""

    @abstractmethod
    def worker_count(self, wanted: int | None, timeout_s: float) -> int:
        """The number of workers to begin with, of ``wanted``, or None for as many as fit.

        Waits up to ``timeout_s`` seconds for a place for the first one. Raises `InvalidArgument` if
        ``wanted`` workers will never fit, and `WorkerError` if there is no place for any.
        """

    @abstractmethod
    def expected(self) -> int:
        """How many workers the run will have once there is a place for each."""

    @abstractmethod
    def started(self) -> int:
        """How many workers there are, or will be in a moment; 0 before `start`."""

    @abstractmethod
    def preflight(self, job: Any, *, ship_packages: bool = False) -> None:
        """Check that a worker can be started, reaches the bus, and can load ``job``.

        ``job.data`` is what `share` returned. ``ship_packages``: send the packages of third parties
        that workers need to where they are missing. Raises `WorkerError` or `BusError`, which say
        what to do.
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


class Slots:
    """Decides how soon each slot is filled again, and when the run is given up."""

    def __init__(self, number: int, hooks: Hooks) -> None:
        self._hooks = hooks
        self._lock = threading.Lock()
        self._restarts = {slot: Restarts() for slot in range(number)}
        self._next = number

    def add(self) -> int:
        """Add a slot, and return its number."""
        with self._lock:
            self._restarts[self._next] = Restarts()
            self._next += 1
            return self._next - 1

    def remove(self, slot: int) -> None:
        """``slot`` is not to be filled again."""
        with self._lock:
            del self._restarts[slot]

    def pause_s(
        self, slot: int, *, joined: bool, why: str, is_hopeless: bool = False
    ) -> float | None:
        """Seconds until ``slot`` is filled again; None: the run ends, since none can be filled.

        ``why``: what was wrong with the worker that has ended, or could not be started.
        ``is_hopeless``: another one would fail in the same way.
        """
        with self._lock:
            restarts = self._restarts[slot]
            if joined:
                restarts.of_use()
            pause_s = restarts.next_pause_s()
            is_new = restarts.fruitless == MAX_FRUITLESS + 1
            all_in_vain = all(each.is_in_vain for each in self._restarts.values())
        if (all_in_vain or is_hopeless) and not self._hooks.has_workers():
            self._hooks.fail(why)
            return None
        if is_new:
            logger.warning("slot %d cannot be filled, and is tried again and again: %s", slot, why)
        return pause_s
