"""What a worker is given: where the bus is, and what to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from asha_bus.core.space import Space


@dataclass(frozen=True)
class BusAddress:
    """Where the bus is, and the keys to it. The secret key stays out of the repr."""

    run: str
    endpoint: str
    server_key: bytes
    client_key: bytes
    client_secret: bytes = field(repr=False)
    bus_timeout_s: float = 60.0


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


class WorkerSetup(NamedTuple):
    """What a local worker needs before it can read its `Job`."""

    slot: str
    #: The process id of the user's process, with which the worker ends.
    parent: int
    #: Where the user's modules are imported from.
    sys_path: Sequence[str]
