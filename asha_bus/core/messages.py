"""What travels between a worker and the bus, as typed tuples.

``docs/protocol.md`` describes every message and field; ``asha_bus.formats.wire`` turns
these tuples into bytes and back. A message from a worker that carries a ``seq``
above 0 is a request: the bus answers it exactly once, with the same ``seq``.
Messages without a ``seq`` travel one way and may be lost.
"""

from __future__ import annotations

from typing import Any, NamedTuple

PROTOCOL_VERSION = 1

#: Why the bus drops a message, each counted by itself: its sender's name is no UTF-8,
#: its bytes are no msgpack within the limits, it is of another version, its type or a
#: field is wrong, it has frames beyond the body.
REJECTED_KINDS = ("bad_name", "undecodable", "foreign_version", "malformed", "extra_frame")

#: Answers that were dropped: the peer does not read, or is gone.
UNSENT_KINDS = ("unsent", "unreachable")

#: Everything that the bus drops and counts: connections without the run's key, too.
DROPPED_KINDS = ("unauthenticated", *REJECTED_KINDS, *UNSENT_KINDS)

#: Appended to a worker's name, this is the identity of its heartbeat socket.
HEARTBEAT_SUFFIX = "/b"

#: A configuration on the wire: one plain number per parameter, in the order of
#: the space; of a choice it is the index of the option.
Point = tuple[float, ...]

#: The plain values an objective sent along with a metric.
Extras = dict[str, Any]


class Assignment(NamedTuple):
    """One attempt at one trial, as a worker receives it."""

    trial: int
    attempt: int
    point: Point
    seed: int
    #: The first resource at which the worker must ask; None: it never asks.
    next_resource: float | None


# --- from a worker: requests -------------------------------------------------


class Hello(NamedTuple):
    """A worker joins. ``slot`` names the place it was started for."""

    seq: int
    run: str
    slot: str
    host: str
    pid: int


class Next(NamedTuple):
    """A worker without a trial asks for one. ``idle_s``: see `Report`."""

    seq: int
    idle_s: float


class Report(NamedTuple):
    """A trial reached a rung: may it go on?

    ``idle_s`` is the time in seconds that this worker has spent outside
    objectives since it joined.
    """

    seq: int
    trial: int
    attempt: int
    resource: float
    metric: float
    best_metric: float | None
    extras: Extras
    idle_s: float


class End(NamedTuple):
    """An attempt ended in the worker. Asks for the next trial.

    ``outcome``: ``completed`` (by itself), ``failed`` (with ``error``, a
    traceback), or ``interrupted`` (by the end of the run).
    """

    seq: int
    trial: int
    attempt: int
    resource: float
    metric: float | None
    best_metric: float | None
    extras: Extras
    outcome: str
    error: str | None
    idle_s: float


class Ping(NamedTuple):
    """Asks for a `Pong`: the round trip of a preflight."""

    seq: int


class TrialHung(NamedTuple):
    """The objective does not end after its time limit: the worker's process will.

    From the heartbeat socket, with a ``seq`` of its own; answered by `Pong`.
    """

    seq: int
    trial: int
    attempt: int
    error: str


# --- from a worker: one way --------------------------------------------------


class Telemetry(NamedTuple):
    """Reports between two rungs, oldest first: pairs of resource and metric."""

    trial: int
    attempt: int
    best_metric: float | None
    reports: tuple[tuple[float, float], ...]


class Log(NamedTuple):
    """What an objective logged (``info``) or printed (``output``), or a ``warning`` about it.

    From either socket.
    """

    trial: int
    attempt: int
    level: str
    text: str


class Heartbeat(NamedTuple):
    """A heartbeat, from a socket of its own; answered by `Pong` with seq 0.

    ``latency``: counts of round trips by bucket of `asha_bus.core.latency`, since
    the worker joined.
    """

    latency: dict[int, int]


class Leave(NamedTuple):
    """A worker leaves on purpose."""

    latency: dict[int, int]


# --- from the bus: replies ---------------------------------------------------


class Welcome(NamedTuple):
    """The answer to `Hello`: how this run is to be worked on."""

    seq: int
    heartbeat_s: float
    mode: str
    stop_at: float | None
    #: An attempt that runs for longer fails; None: it may take any time.
    trial_timeout_s: float | None
    #: Each configuration is tried by so many trials in a row: trial ``i`` is its repeat
    #: ``i % repeats``.
    repeats: int


class Assign(NamedTuple):
    """A trial to work on."""

    seq: int
    assignment: Assignment


class Continue(NamedTuple):
    """Go on; ask again at ``next_resource`` (None: never)."""

    seq: int
    next_resource: float | None


class Stop(NamedTuple):
    """End this trial. ``next``: the trial to go on with, or None: ask for one.

    ``why``: ``stopped`` (by a rule), ``completed``, ``fenced`` (this attempt is
    not the current one), ``ended`` (the run is over).
    """

    seq: int
    why: str
    next: Assignment | None


class Wait(NamedTuple):
    """Nothing to do now; the real answer will follow with the same ``seq``."""

    seq: int


class Done(NamedTuple):
    """There is nothing left to do: end."""

    seq: int
    reason: str


class Pong(NamedTuple):
    """The answer to `Ping` and `TrialHung`, and with seq 0 to `Heartbeat`: the bus is there."""

    seq: int


class Refused(NamedTuple):
    """The request cannot be served; ``text`` says why."""

    seq: int
    text: str


# --- from the bus: pushed to the heartbeat socket ----------------------------


class Interrupt(NamedTuple):
    """The run ends: stop at the next report, or be made to.

    The objective is interrupted after ``interrupt_s`` seconds and the process
    ends after ``exit_s``.
    """

    interrupt_s: float
    exit_s: float


Request = Hello | Next | Report | End | Ping | TrialHung
OneWay = Telemetry | Log | Heartbeat | Leave
FromWorker = Request | OneWay
Reply = Welcome | Assign | Continue | Stop | Wait | Done | Pong | Refused
ToWorker = Reply | Interrupt
Message = FromWorker | ToWorker
