"""The pipes between the user's process, the bus, and the processes of searcher and hooks.

A frame is its length in four bytes, the highest first, and one msgpack array ``[kind,
field, ...]``. `TABLE` has every kind; its class specifies the fields. A named tuple in a field is
an array of its fields. A `Status` is also an array.

========================  =======================================================
from the user's process   `BusSetup`, or first `StandbySetup` and later `BusSetup`;
to the bus                then `Call`, `Suggested`, `FallbackDrawn`, `ValuesDrawn`
from the bus              `Ready` or `Failed`; then `Reply`, `RequestSuggestions`,
                          `RequestValue`, `Observe`, `Standing`, `Progress`, `Notice`,
                          `Unjournaled`, `Ended`; before, from one that stands by, `CaughtUp`
to the searcher           `SearcherSetup`; then `Observe`, `Given`, `Suggest`, `RequestValue`
from the searcher         `Points`, `ValuesDrawn`, or `Failed`, with which it ends
to the hooks              `HookSetup`; then `Observe`, `Standing`
from the hooks            `Progress` when the first was asked, `Stop`, or `Failed`,
                          with which it ends
========================  =======================================================

A `Call` holds a request: `StopRun`, `StopTrial`, or one of those below, which say how their
answer is read from the `Reply`. What is no frame raises `RemoteProtocolError` where it is read, and
`LocalProtocolError` where it is sent. Both ends are of one user and one version.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import fields
from io import RawIOBase
from operator import attrgetter
from typing import IO, Any, NamedTuple, Protocol, TypeVar

import msgpack

from asha_bus.core.errors import LocalProtocolError, RemoteProtocolError
from asha_bus.core.events import (
    Counters,
    Ended,
    FallbackDrawn,
    RequestSuggestions,
    RequestValue,
    StopRun,
    StopTrial,
    Suggested,
    ValuesDrawn,
)
from asha_bus.core.log import LogLine, Place
from asha_bus.core.messages import Point
from asha_bus.core.status import Changes, Status
from asha_bus.core.trial import TrialRow, TrialState

#: In front of each frame stands its length, in this many bytes.
LENGTH_BYTES = 4

# --- to the bus --------------------------------------------------------------


class SchedulerClass(NamedTuple):
    """The class of a third party's scheduler by name, and where its module is imported from."""

    module: str
    name: str
    sys_path: Sequence[str]


class Resume(NamedTuple):
    """How to continue a journaled run; ``settings`` are those of `RunSettings.to_plain`."""

    settings: Mapping[str, Any]
    retry_failed: bool


class BusSetup(NamedTuple):
    """With what a bus begins to serve."""

    #: The fields of `asha_bus.driver.auth.Keys`.
    keys: tuple[bytes, ...]
    journal_fd: int
    journal_path: str
    #: None: it is one of asha-bus.
    scheduler: SchedulerClass | None
    #: The journal has no name: the run goes on without it where it cannot be written.
    is_temporary: bool
    sync: str
    #: The descriptor of the socket that listens at ``endpoint``.
    listener: int
    endpoint: str
    #: The monotonic time at 0 on the run's clock; None: the clock goes on where it stopped.
    began: float | None = None
    #: None: the run is a new one, or was continued by a bus before.
    resumed: Resume | None = None
    #: The last status of the bus before: what that had counted goes on.
    before: Status | None = None
    #: The descriptor of the socket over which comes the pipe of a twin that it is to fork, to
    #: stand by; None: it is to fork none.
    twins: int | None = None


class StandbySetup(NamedTuple):
    """Follow the journal that another bus writes, until a `BusSetup` comes."""

    journal_fd: int
    journal_path: str
    scheduler: SchedulerClass | None


Answer_co = TypeVar("Answer_co", covariant=True)


class Request(Protocol[Answer_co]):
    """A question to the bus."""

    def answer(self, plain: Any) -> Answer_co:
        """Its answer, read from plain values."""


class StatusRequest(NamedTuple):
    """Ask how the run stands."""

    def answer(self, plain: Any) -> Status:
        """The status."""
        return Status.from_plain(plain)


class ChangesRequest(NamedTuple):
    """Ask for some of what is new of the trials since the last such request."""

    def answer(self, plain: Any) -> Changes:
        """Some changes."""
        rows, points, has_more = plain
        return Changes([TrialRow.from_plain(row) for row in rows], points, has_more)


class LogsRequest(NamedTuple):
    """Ask for the last lines about trials that stand after ``place``."""

    place: Place

    def answer(self, plain: Any) -> list[LogLine]:
        """The lines."""
        return [LogLine(*line) for line in plain]


class RowsRequest(NamedTuple):
    """Ask for some trials from number ``first`` on; fewer than all of them."""

    first: int

    def answer(self, plain: Any) -> list[TrialRow]:
        """Their rows."""
        return [TrialRow.from_plain(row) for row in plain]


class TextsRequest(NamedTuple):
    """Ask for the logs of some trials from number ``first`` on that have one."""

    first: int

    def answer(self, plain: Any) -> dict[int, str]:
        """Logs by trial."""
        return dict(plain)


#: Pairs of a resource and a value there.
Pairs = Sequence[tuple[float, float]]
#: The curve of a metric, and the curves of extras by name.
Curves = tuple[Pairs, Mapping[str, Pairs]]


class CurvesRequest(NamedTuple):
    """Ask for the reports between rungs of some trials from ``first`` on that have any."""

    first: int

    def answer(self, plain: Any) -> dict[int, Curves]:
        """By trial: its curve, and the curves of its extras by name."""
        return dict(plain)


class Departure(NamedTuple):
    """What the bus knows of a worker that has exited.

    ``dismissed``: it was told that there are no more trials, so no other is needed.
    """

    joined: bool
    dismissed: bool


class SlotEmpty(NamedTuple):
    """Tell that the worker at ``slot`` has exited, and ask what is known of it.

    ``how``: see `asha_bus.core.events.WorkerExited`.
    """

    slot: str
    how: str = ""

    def answer(self, plain: Any) -> Departure:
        """What is known."""
        return Departure(*plain)


class Call(NamedTuple):
    """A request under a ``number`` of its own, which the `Reply` repeats."""

    number: int
    request: Any


# --- what the bus says -------------------------------------------------------


class Ready(NamedTuple):
    """The bus serves; it read the journal for ``replay_s`` seconds. ``began`` as in `BusSetup`."""

    began: float
    replay_s: float


class Failed(NamedTuple):
    """The process cannot begin, or not go on, and ends."""

    text: str


class Reply(NamedTuple):
    """The answer to the `Call` of that ``number``."""

    number: int
    value: Any


class Observe(NamedTuple):
    """Updates a searcher that learns, and hooks: a trial entered a rung or ended."""

    row: TrialRow


class Standing(NamedTuple):
    """How the run stands, for hooks; see `asha_bus.searchers.hooks.RunSummary`."""

    seconds: float
    states: Mapping[TrialState, int]
    leader: TrialRow | None
    resource: float
    workers: int


class Progress(NamedTuple):
    """This bus has accepted a message, its first; or the first hook has answered."""


class CaughtUp(NamedTuple):
    """This bus, which stands by, has read the journal to its end for the first time."""

    pid: int


class Notice(NamedTuple):
    """Something to be logged as a warning."""

    text: str


class Unjournaled(NamedTuple):
    """A temporary journal cannot be written any more, and is given up."""

    text: str


# --- the searcher's process --------------------------------------------------


class SearcherSetup(NamedTuple):
    """The pickled `Search`, and where its classes are imported from."""

    search: bytes
    sys_path: Sequence[str]


class Given(NamedTuple):
    """Configuration ``number`` has ``point``, whatever was suggested for it."""

    number: int
    point: Point


class Suggest(NamedTuple):
    """Draw the points of ``number`` configurations from ``first`` on."""

    first: int
    number: int


class Points(NamedTuple):
    """The points that a `Suggest` asked for, after ``seconds``; ``is_last``: there are no more."""

    first: int
    points: Sequence[Point]
    is_last: bool
    seconds: float


# --- the hooks' process -------------------------------------------------------


class HookSetup(NamedTuple):
    """The pickled `Hooks`, and where their functions are imported from."""

    hooks: bytes
    sys_path: Sequence[str]


class Stop(NamedTuple):
    """A hook says that ``trial`` is to be stopped; None: the run is to end."""

    trial: int | None


# --- bytes -------------------------------------------------------------------


def _optional(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda plain: None if plain is None else read(plain)


_scheduler, _resume = _optional(SchedulerClass._make), _optional(Resume._make)
_status, _row = _optional(Status.from_plain), _optional(TrialRow.from_plain)


def _states(plain: Any) -> Mapping[TrialState, int]:
    return {TrialState(name): count for name, count in plain.items()}


#: The kinds that a `Call` may hold; the others travel by themselves.
_REQUESTS = range(16, 32)

#: Every frame and request: its kind, its class, and how the fields are read that are not plain.
TABLE: tuple[tuple[int, type[Any], Mapping[str, Callable[[Any], Any]]], ...] = (
    (1, BusSetup, {"scheduler": _scheduler, "resumed": _resume, "before": _status}),
    (2, StandbySetup, {"scheduler": _scheduler}),
    (3, Call, {"request": lambda plain: _frame(plain, _REQUESTS)}),
    (4, Suggested, {}),
    (5, FallbackDrawn, {}),
    (6, ValuesDrawn, {}),
    (16, StopRun, {}),
    (17, SlotEmpty, {}),
    (18, StatusRequest, {}),
    (19, ChangesRequest, {}),
    (20, LogsRequest, {}),
    (21, RowsRequest, {}),
    (22, TextsRequest, {}),
    (23, CurvesRequest, {}),
    (24, StopTrial, {}),
    (32, Ready, {}),
    (33, Failed, {}),
    (34, Reply, {}),
    (35, RequestSuggestions, {}),
    (36, Observe, {"row": TrialRow.from_plain}),
    (37, Progress, {}),
    (38, Notice, {}),
    (39, Unjournaled, {}),
    (40, Ended, {}),
    (41, Standing, {"states": _states, "leader": _row}),
    (42, RequestValue, {}),
    (47, CaughtUp, {}),
    (48, SearcherSetup, {}),
    (49, Given, {}),
    (50, Suggest, {}),
    (51, Points, {}),
    (52, HookSetup, {}),
    (53, Stop, {}),
)
_KINDS = {cls: kind for kind, cls, _ in TABLE}
_CLASSES = {kind: (cls, readers) for kind, cls, readers in TABLE}
_FRAMES = frozenset(_CLASSES) - {*_REQUESTS}
_UNICODE = "surrogatepass"  # paths and texts may hold what is no UTF-8
#: How objects are packed that msgpack does not know.
_PLAIN: dict[type[Any], Callable[[Any], Any]] = {
    cls: attrgetter(*(field.name for field in fields(cls))) for cls in (Status, Counters)
}


def encode(frame: Any) -> bytes:
    """The bytes of ``frame``; LocalProtocolError if it is not a frame."""
    try:
        if type(frame) is Call:
            frame = frame._replace(request=_items(frame.request, _REQUESTS))
        items = _items(frame, _FRAMES)
        body: bytes = msgpack.packb(items, default=_plain, unicode_errors=_UNICODE)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise LocalProtocolError(f"{frame!r} is not a frame of a pipe") from error
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def _items(frame: Any, kinds: Container[int]) -> tuple[Any, ...]:
    kind = _KINDS[type(frame)]
    if kind not in kinds:
        raise ValueError(f"{frame!r} cannot stand there")
    return kind, *frame


def _plain(value: Any) -> Any:
    return _PLAIN[type(value)](value)


def decode(body: bytes) -> Any:
    """The frame in ``body``, which follows its length; RemoteProtocolError if it is not one."""
    try:
        items = msgpack.unpackb(body, use_list=False, strict_map_key=False, unicode_errors=_UNICODE)
        return _frame(items, _FRAMES)
    except (AttributeError, TypeError, ValueError, msgpack.UnpackException) as error:
        raise RemoteProtocolError(f"a frame of a pipe cannot be read: {error!r}") from error


def _frame(items: Any, kinds: Container[int]) -> Any:
    """The frame or request in the array ``items``."""
    kind, *values = items if isinstance(items, tuple) and items else (None,)
    if type(kind) is not int or kind not in kinds or kind not in _CLASSES:
        raise RemoteProtocolError(f"{kind!r} is not a kind of frame here")
    cls, readers = _CLASSES[kind]
    if len(values) != len(cls._fields):
        raise RemoteProtocolError(
            f"{cls.__name__} has {len(cls._fields)} fields, got {len(values)}"
        )
    frame = cls._make(values)
    read = {name: reader(getattr(frame, name)) for name, reader in readers.items()}
    return frame._replace(**read) if read else frame


def read(stream: IO[bytes] | RawIOBase) -> Any | None:
    """The next frame of a blocking stream; None at its end."""
    head = _read_exactly(stream, LENGTH_BYTES)
    if not head:
        return None
    length = int.from_bytes(head, "big")
    body = _read_exactly(stream, length)
    return decode(body) if len(body) == length else None


def _read_exactly(stream: IO[bytes] | RawIOBase, count: int) -> bytes:
    """``count`` bytes of ``stream``; none at its end."""
    data = bytearray()
    while len(data) < count:
        more = stream.read(count - len(data))
        if not more:
            return b""
        data += more
    return bytes(data)
