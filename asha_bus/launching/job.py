"""What a worker is given: where the bus is, and what to run."""

from __future__ import annotations

import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from asha_bus.core.space import Space

#: The most bytes in which a local worker says why it cannot load its job: a pipe holds them.
MAX_FAILURE_BYTES = 16_000


@dataclass(frozen=True)
class BusAddress:
    """Where the bus is, and the keys to it. The secret key stays out of the repr."""

    run: str
    endpoint: str
    server_key: bytes
    client_key: bytes
    client_secret: bytes = field(repr=False)
    bus_timeout_s: float = 60.0


class Keeping(NamedTuple):
    """Where what trials attach is kept, of how many trials, and how large one may be."""

    folder: str
    most: int
    max_bytes: int


@dataclass(frozen=True)
class Job:
    """What every worker of a run gets."""

    address: BusAddress
    objective: Callable[..., Any]
    space: Space
    #: What objectives print is also sent to the bus.
    capture_output: bool = False
    #: By name what each ``value`` gives, which is loaded once in each worker.
    data: Mapping[str, Any] = field(default_factory=dict)
    #: Whether the scheduler pauses trials, which then stay in the worker's memory.
    pauses: bool = False
    #: Where the worker saves what it cannot keep there; empty: nowhere.
    saves: str = ""
    #: Whether no other launch will look for anything there.
    are_saves_private: bool = False
    #: Where what trials attach is kept; None: they cannot attach anything.
    keeping: Keeping | None = None

    def __reduce__(self) -> Any:
        """Pickled with a mark in front of each part, so that a failure can name the part."""
        objective, space, data = map(_Mark, ("the objective", "the space", "the data"))
        parts = (objective, self.objective, space, self.space, data, self.data)
        saves = (self.saves, self.are_saves_private)
        plain = (self.capture_output, self.pauses, *saves, self.keeping)
        return _job, (self.address, plain, *parts)


class _Mark:
    """Says which part of a job is unpickled next."""

    #: The part that this process began to unpickle last.
    last = "the job"

    def __init__(self, part: str) -> None:
        self._part = part

    def __reduce__(self) -> Any:
        return _begin, (self._part,)


def _begin(part: str) -> None:
    _Mark.last = part


def _job(address: BusAddress, plain: tuple[Any, ...], *parts: Any) -> Job:
    capture_output, *others = plain
    _, objective, _, space, _, data = parts
    return Job(address, objective, space, capture_output, data, *others)


class CannotLoad(NamedTuple):
    """What a worker returns that cannot load its job: no other one could on that machine."""

    #: What cannot be loaded, where, and why.
    what: str
    #: What to do about it.
    advice: str
    #: The module that is not there, if that is the reason.
    missing: str | None = None

    @property
    def text(self) -> str:
        """All of it in words."""
        return f"{self.what}; {self.advice}"

    @classmethod
    def from_error(cls, error: BaseException, part: str | None = None) -> CannotLoad:
        """``error`` in words, which came while ``part`` was loaded; None: it was unpickled last."""
        frames = traceback.extract_tb(error.__traceback__)[1:]  # without the caller's own
        at = f" (in {frames[-1].name}, {frames[-1].filename}:{frames[-1].lineno})" if frames else ""
        said = "".join(traceback.format_exception_only(type(error), error)).strip()
        advice = "create what cannot be unpickled inside the objective, or mend its unpickling"
        if isinstance(error, ImportError):
            advice = (
                "make the module importable there: install it for that Python, put it on "
                "PYTHONPATH, or ship it with SparkContext.addPyFile"
            )
        return cls(
            f"{part or _Mark.last} cannot be loaded in a worker on {socket.gethostname()} "
            f"({sys.executable}): {said}{at}",
            advice,
            error.name if isinstance(error, ModuleNotFoundError) else None,
        )


class WorkerSetup(NamedTuple):
    """What a local worker needs before it can read its `Job`."""

    slot: str
    #: The process id of the user's process, with which the worker ends.
    parent: int
    #: Where the user's modules are imported from.
    sys_path: Sequence[str]
