"""The messages between a worker and the bus, as typed tuples.

``docs/protocol.md`` describes every message and field, and ``asha_bus.formats.wire``
encodes and decodes these tuples. A message from a worker that has a ``seq`` above 0 is a
request: the bus answers it exactly once, with the same ``seq``. Messages without a
``seq`` are one-way and may be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

PROTOCOL_VERSION = 1

#: Why the bus drops a message, each reason with its own counter: the sender's name is not
#: UTF-8, the bytes are not msgpack within the limits, the version is another one, the type
#: or a field is wrong, there are frames after the body.
REJECTED_KINDS = ("bad_name", "undecodable", "foreign_version", "malformed", "extra_frame")

#: Why an answer was dropped: the peer does not read, or is gone.
UNSENT_KINDS = ("unsent", "unreachable")

#: Everything that the bus drops and counts, including connections without the run's key.
DROPPED_KINDS = ("unauthenticated", *REJECTED_KINDS, *UNSENT_KINDS)

#: Suffix of a worker's name that makes the identity of its heartbeat socket.
HEARTBEAT_SUFFIX = "/b"

#: A configuration on the wire: one plain number per parameter, in the order of the
#: space. For a choice it is the index of the option.
Point = tuple[float, ...]

#: A value of a trial whose objective names its parameters itself: the name, the distribution as
#: text, and the number; of a categorical parameter that is the index of the choice.
Named = tuple[str, str, float]

#: Numbers of trials that a worker keeps in memory no longer.
Drops = tuple[int, ...]

#: The plain values that an objective reported with a metric.
Extras = dict[str, Any]

#: Makes a named tuple from a tuple of all its fields, for those that each decision makes: in half
#: the time, 0.1 us less for each (Python 3.11).
of_fields = tuple.__new__


class Assignment(NamedTuple):
    """One attempt at a trial, as a worker receives it."""

    trial: int
    attempt: int
    point: Point
    seed: int
    #: The first resource at which the worker must ask; None: it never asks.
    next_resource: float | None
    #: The attempt whose saved state the worker must load first; 0: it begins at the start.
    saved: int = 0
    #: The values that the searcher has drawn for this trial.
    named: tuple[Named, ...] = ()


# --- from a worker: requests -------------------------------------------------


class Hello(NamedTuple):
    """A worker joins the run. ``slot`` names the slot that it was started for."""

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
    """A trial reached a rung and asks whether it may continue.

    ``idle_s``: the seconds that this worker has spent outside objectives since it joined.
    """

    seq: int
    trial: int
    attempt: int
    resource: float
    metric: float
    best_metric: float | None
    extras: Extras
    idle_s: float
    #: The resource of the report with ``best_metric``; here and below None: not known.
    best_resource: float | None = None
    #: All values that the objective has asked for by name, if there are new ones; here and below.
    named: tuple[Named, ...] = ()


class End(NamedTuple):
    """An attempt ended in the worker, which asks for the next trial.

    ``outcome``: ``completed`` (the objective ended by itself), ``failed`` (``error`` is the
    traceback), ``interrupted`` (the run ended), or ``dropped`` (it had paused, and was not in
    memory any more when it was to go on).
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
    best_resource: float | None = None
    named: tuple[Named, ...] = ()


class Ping(NamedTuple):
    """Asks for a `Pong`: measures a round trip before the run starts."""

    seq: int


class TrialHung(NamedTuple):
    """The objective ignored its time limit, so the worker's process is about to exit.

    Sent from the heartbeat socket, which counts its own ``seq``; answered by `Pong`.
    """

    seq: int
    trial: int
    attempt: int
    error: str


class Saved(NamedTuple):
    """A trial that `Pause.saves` named is in memory no longer; answered by `Pong`.

    ``attempt``: the attempt whose state was saved, as it was when it paused; 0: none was. A worker
    that must drop trials for lack of memory says the same before its `Dropped`.
    """

    seq: int
    trial: int
    attempt: int


#: The name in a `Draw` that asks whether to prune the trial; it is not that of a parameter.
PRUNE = "(prune)"


class Draw(NamedTuple):
    """The objective asks for the value of a parameter that was not drawn for this trial.

    With the name `PRUNE`, it asks a pruner whether to stop; ``distribution`` says where.
    """

    seq: int
    trial: int
    attempt: int
    name: str
    distribution: str


# --- from a worker: one way --------------------------------------------------


class Telemetry(NamedTuple):
    """Reports between two rungs as pairs (resource, metric), oldest first."""

    trial: int
    attempt: int
    best_metric: float | None
    reports: tuple[tuple[float, float], ...]


class Reports(NamedTuple):
    """Some of the ``total`` reports between two rungs since the last message, oldest first.

    ``reports`` are pairs (resource, metric). ``extras`` has numeric extras by name: a value
    for each of ``reports``, or None where there was none.
    """

    trial: int
    attempt: int
    best_metric: float | None
    total: int
    reports: tuple[tuple[float, float], ...]
    extras: Mapping[str, tuple[float | None, ...]]
    best_resource: float | None = None


class Log(NamedTuple):
    """Text that an objective logged (``info``) or printed (``output``), or a ``warning``.

    Sent from either socket.
    """

    trial: int
    attempt: int
    level: str
    text: str


class Dropped(NamedTuple):
    """The worker had to drop paused trials, for lack of memory."""

    trials: Drops


class Heartbeat(NamedTuple):
    """The worker is alive. Sent from the heartbeat socket; answered by `Pong` with seq 0.

    ``latency``: counts of round trips since the worker joined, by bucket of
    `asha_bus.core.latency`.
    """

    latency: dict[int, int]


class Leave(NamedTuple):
    """A worker leaves on purpose."""

    latency: dict[int, int]


# --- from the bus: replies ---------------------------------------------------


class Welcome(NamedTuple):
    """The answer to `Hello`: the settings of the run that a worker needs."""

    seq: int
    heartbeat_s: float
    mode: str
    stop_at: float | None
    #: An attempt that takes longer than this fails; None: no limit.
    trial_timeout_s: float | None
    #: The number of consecutive trials of each configuration: trial ``i`` is repeat
    #: ``i % repeats``.
    repeats: int


class Assign(NamedTuple):
    """A trial to begin, or to continue if the worker has paused this attempt.

    ``drops``, here and below: the paused trials that the worker holds no longer.
    """

    seq: int
    assignment: Assignment
    drops: Drops = ()


class Continue(NamedTuple):
    """The trial continues and asks again at ``next_resource`` (None: never)."""

    seq: int
    next_resource: float | None
    drops: Drops = ()


class Stop(NamedTuple):
    """The trial must end. ``next``: the next trial; None: send `Next` to get one.

    ``why``: ``stopped`` (by the scheduler), ``completed``, ``fenced`` (a newer attempt has
    replaced this one), or ``ended`` (the run is over).
    """

    seq: int
    why: str
    next: Assignment | None
    drops: Drops = ()


class Pause(NamedTuple):
    """The trial pauses: the worker keeps it in memory as it is, and begins ``next``.

    ``next`` None: send `Next` to get a trial. ``saves``: those of ``drops`` whose states are to
    be saved first, each answered by `Saved` before any other request.
    """

    seq: int
    next: Assignment | None
    drops: Drops = ()
    saves: Drops = ()


class Wait(NamedTuple):
    """No trial is available now; the answer will follow with the same ``seq``."""

    seq: int
    drops: Drops = ()


class Done(NamedTuple):
    """No trials are left: the worker must exit."""

    seq: int
    reason: str


class Pong(NamedTuple):
    """The answer to `Ping`, `TrialHung` and `Saved`, and with seq 0 to `Heartbeat`."""

    seq: int


class Drawn(NamedTuple):
    """The number that the searcher has drawn: the answer to `Draw`.

    To a question whether to prune, it is the answer that the trial continues. ``error``: what
    was raised in place of a number.
    """

    seq: int
    number: float
    error: str = ""


class Refused(NamedTuple):
    """The bus rejected the request; ``text`` says why."""

    seq: int
    text: str


# --- from the bus: pushed to the heartbeat socket ----------------------------


class Interrupt(NamedTuple):
    """The run is ending: the trial must stop at its next report.

    If it does not, the objective is interrupted after ``interrupt_s`` seconds, and the
    process exits after ``exit_s`` seconds.
    """

    interrupt_s: float
    exit_s: float


class Ask(NamedTuple):
    """This attempt must ask at its next report, whatever its resource."""

    trial: int
    attempt: int


Request = Hello | Next | Report | End | Ping | TrialHung | Saved | Draw
OneWay = Telemetry | Reports | Log | Dropped | Heartbeat | Leave
FromWorker = Request | OneWay
Reply = Welcome | Assign | Continue | Stop | Pause | Wait | Done | Pong | Drawn | Refused
ToWorker = Reply | Interrupt | Ask
Message = FromWorker | ToWorker
