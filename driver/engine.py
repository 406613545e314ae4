"""What an engine is: it keeps the slots of a run filled with workers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

#: So many workers in a row that end before they joined the run are too many.
MAX_FAILED_STARTS = 5
#: The pause before a slot is filled again: at first, doubling for each failed start.
_PAUSE_FIRST_S = 0.1
_PAUSE_LAST_S = 10.0


class Hooks(NamedTuple):
    """What an engine tells the run. Called from the engine's threads.

    ``worker_exited(slot)`` says that the worker there is gone, and returns whether
    any had joined from it. ``fail(text)`` ends the run: no worker can be kept.
    ``write(text)`` shows a line that a worker printed.
    """

    worker_exited: Callable[[str], bool]
    fail: Callable[[str], None]
    write: Callable[[str], None]


class Engine(ABC):
    """Starts workers, starts them again when they end early, and ends them."""

    @property
    @abstractmethod
    def host(self) -> str:
        """The address of this machine under which the workers reach the bus."""

    @property
    def conf(self) -> Mapping[str, str]:
        """The configuration of the cluster; empty where there is none."""
        return {}

    @abstractmethod
    def dumps(self, value: Any) -> bytes:
        """Pickle ``value`` as it will be on its way to the workers."""

    @abstractmethod
    def worker_count(self, wanted: int | None) -> int:
        """How many workers to start: ``wanted``, or as many as there is room for.

        Raises `InvalidArgument` where there is no room for so many.
        """

    @abstractmethod
    def preflight(self, address: Any) -> None:
        """Check that workers can be started and reach the bus at ``address``.

        Raises `WorkerError` or `BusError` that say what to do.
        """

    @abstractmethod
    def share(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have ``data`` at hand for the workers; what they are given gives it as ``value``.

        It is let go of by `close`.
        """

    @abstractmethod
    def start(self, job: Any, workers: int, hooks: Hooks) -> None:
        """Fill the slots; returns at once. ``job`` is what each worker gets."""

    @abstractmethod
    def close(self, grace_s: float) -> None:
        """The run is over: wait ``grace_s`` seconds for the workers to end, then end them."""

    @abstractmethod
    def describe(self) -> str:
        """The workers in a few words, for the log."""


class Restarts:
    """How soon a slot is filled again, and when it is given up."""

    def __init__(self) -> None:
        self._failed = 0

    def pause_s(self, joined: bool) -> float | None:
        """Seconds until the next start; None: it failed too often without joining."""
        self._failed = 0 if joined else self._failed + 1
        if self._failed > MAX_FAILED_STARTS:
            return None
        return min(_PAUSE_FIRST_S * 2.0**self._failed, _PAUSE_LAST_S)
