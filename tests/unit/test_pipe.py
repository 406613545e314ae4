"""The pipes between the processes: what each frame is, and the bus's end of its pipe."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgpack
import pytest

from asha_bus.core.errors import LocalProtocolError, RemoteProtocolError
from asha_bus.core.events import (
    Ended,
    FallbackDrawn,
    RequestSuggestions,
    RequestValue,
    StopRun,
    StopTrial,
    Suggested,
    ValuesDrawn,
)
from asha_bus.core.log import LogLine
from asha_bus.core.messages import Telemetry
from asha_bus.core.status import BusFigures, Changes, JournalFigures, Status, changes, status
from asha_bus.core.trial import TrialRow, TrialState
from asha_bus.driver.pipe_end import PipeEnd
from asha_bus.formats import pipe
from asha_bus.formats.pipe import TABLE, decode, encode
from asha_bus.testing.simulator import Bench


def bench() -> Bench:
    """A run with a leader, rungs, and reports between them."""
    found = Bench(curves=True)
    changes(found.experiment, 1, 1)  # from now on what is new is kept
    found.join("a", "b")
    for name, number, metric in (("a", 0, 0.9), ("b", 1, 0.5)):
        found.report(name, number, 1, metric)
    found.send("b", Telemetry(1, 1, 0.5, ((1.5, 0.6),)))
    return found


def a_status() -> Status:
    one = bench()
    figures = BusFigures({100: 5}, 1.0, 0.5, 1.0, JournalFigures(1, 2, 3.0, 4, 5.0), {"unsent": 1})
    found = status(one.experiment, one.now, figures)
    return replace(found, leader=a_row())


def a_row() -> TrialRow:
    return TrialRow.from_plain(bench().trial(1).to_row())


SETUP = pipe.BusSetup(
    (b"public", b"secret"), 3, "/journal", None, True, "interval", 4, "tcp://[::1]:1"
)
RESUME = pipe.Resume(bench().experiment.settings.to_plain(), retry_failed=True)
CLASS = pipe.SchedulerClass("module", "Name", ("/one", "/two"))
FRAMES: list[Any] = [
    SETUP,
    SETUP._replace(began=5.0, resumed=RESUME, scheduler=CLASS),
    SETUP._replace(before=a_status()),
    pipe.StandbySetup(3, "/journal", None),
    pipe.StandbySetup(3, "/journal", CLASS),
    pipe.Call(1, StopRun("stopped", "by the user")),
    pipe.Call(2, pipe.SlotEmpty("0.1")),
    pipe.Call(3, pipe.StatusRequest()),
    pipe.Call(4, pipe.ChangesRequest()),
    pipe.Call(5, pipe.LogsRequest((3, 1))),
    pipe.Call(6, pipe.RowsRequest(500)),
    pipe.Call(7, pipe.TextsRequest(0)),
    pipe.Call(8, pipe.CurvesRequest(9)),
    pipe.Call(9, StopTrial(3)),
    Suggested(0, ((0.5,), (0.25,)), False),
    FallbackDrawn(3, (0.5,)),
    ValuesDrawn(3, (("lr", "{}", 0.5),)),
    pipe.Ready(1.5, 0.1),
    pipe.Failed("no"),
    pipe.Reply(7, (1, "two", None)),
    RequestSuggestions(0, 50, True),
    RequestValue(3, "lr", "{}"),
    pipe.Observe(a_row()),
    pipe.Progress(),
    pipe.CaughtUp(7),
    pipe.Notice("mind"),
    pipe.Unjournaled("full"),
    Ended("failed", "why"),
    pipe.Standing(1.5, {TrialState.RUNNING: 2}, a_row(), 12.5, 2),
    pipe.Standing(0.0, {}, None, 0.0, 0),
    pipe.SearcherSetup(b"pickled", ("/one", "/two")),
    pipe.Given(4, (0.5, 1.0)),
    pipe.Suggest(5, 2),
    pipe.Points(5, ((0.5,), (0.75,)), True, 0.25),
    pipe.HookSetup(b"pickled", ("/one", "/two")),
    pipe.Stop(3),
    pipe.Stop(None),
]


def body_of(frame: Any) -> bytes:
    return encode(frame)[4:]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_each_frame_is_read_as_it_was_written(frame: Any) -> None:
    found = decode(body_of(frame))
    assert frame == found
    assert type(frame) is type(found)
    assert frame == pipe.read(io.BytesIO(encode(frame)))


def test_every_kind_of_frame_is_tried_here_and_has_a_number_of_its_own() -> None:
    tried = {type(frame) for frame in FRAMES} | {
        type(frame.request) for frame in FRAMES if isinstance(frame, pipe.Call)
    }
    assert {cls for _, cls, _ in TABLE} == tried
    assert len(TABLE) == len({kind for kind, _, _ in TABLE})


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (pipe.StatusRequest(), a_status()),
        (pipe.ChangesRequest(), Changes([a_row()], ((1, 1, 1.5, 0.6),), True)),
        (pipe.LogsRequest((3, 1)), [LogLine((4, 0), 0, "info", "hello")]),
        (pipe.RowsRequest(0), [a_row(), a_row()]),
        (pipe.TextsRequest(0), {3: "hello\n"}),
        (pipe.CurvesRequest(0), {3: (((0.5, 0.7),), {"lr": ((0.5, 1.0),)})}),
        (pipe.SlotEmpty("0.1", "ended with exit status 3"), pipe.Departure(True, False)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_answer_is_read_as_it_was_given(request_: pipe.Request[Any], answer: Any) -> None:
    given = list(answer.items()) if isinstance(answer, dict) else answer  # as the router gives it
    assert answer == request_.answer(decode(body_of(pipe.Reply(1, given))).value)


def test_changed_trials_are_sent_with_their_rungs_and_reports() -> None:
    experiment = bench().experiment
    given = changes(experiment, 80, 200)
    found = pipe.ChangesRequest().answer(decode(body_of(pipe.Reply(1, given))).value)
    rows = [TrialRow.from_plain(trial.to_row()) for trial in experiment.table.trials]
    assert rows == sorted(found.rows)
    assert [1, 1] == [record.resource for row in found.rows for record in row.rungs]
    assert ([(1, 1, 1.5, 0.6)], False) == (list(found.points), found.has_more)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ((99, 1), "99 is not a kind"),
        (("reply", 1, 2), "'reply' is not a kind"),
        (((),), "is not a kind"),
        ((), "None is not a kind"),
        ({"keys": 1}, "None is not a kind"),
        (7, "None is not a kind"),
        ((34, 1), "Reply has 2 fields, got 1"),
        ((34, 1, 2, 3), "Reply has 2 fields, got 3"),
        ((3, 1, (18, 0)), "StatusRequest has 0 fields, got 1"),
        ((3, 1, "status"), "None is not a kind"),
        ((4, 0, ()), "Suggested has 3 fields, got 2"),
        ((True, "status"), "True is not a kind"),
        ((32.0, 1.0, 0.1), "32.0 is not a kind"),
        (({},), "{} is not a kind"),
        ((18,), "18 is not a kind of frame here"),
        ((3, 1, (3, 1, (18,))), "3 is not a kind of frame here"),
        ((3, 1, (32, 1.0, 0.1)), "32 is not a kind of frame here"),
        ((36, None), "cannot be read"),
        ((36, (1, 2)), "cannot be read"),
        ((1, *(None,) * 9, (1, 2)), "BusSetup has 12 fields, got 10|cannot be read"),
    ],
)
def test_an_invalid_frame_is_refused_by_its_reader(items: Any, message: str) -> None:
    with pytest.raises(RemoteProtocolError, match=message):
        decode(msgpack.packb(items))


@pytest.mark.parametrize("body", [b"", b"\xc1", body_of(FRAMES[0])[:-1], body_of(FRAMES[0]) + b"x"])
def test_bytes_that_are_not_a_frame_are_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(body)
    with pytest.raises(RemoteProtocolError):
        pipe.read(io.BytesIO(len(body).to_bytes(4, "big") + body))


@pytest.mark.parametrize("text", ["bad \udc80 path", "\ud800", "höher"])
def test_texts_need_not_be_utf_8(text: str) -> None:
    assert pipe.Failed(text) == decode(body_of(pipe.Failed(text)))


@pytest.mark.parametrize(
    "frame",
    [
        ("reply", 1),
        None,
        "status",
        pipe.Call(1, "status"),
        pipe.Call(1, pipe.Ready(1.0, 0.1)),
        pipe.Call(1, pipe.Call(2, pipe.StatusRequest())),
        pipe.StatusRequest(),
        pipe.Reply(1, object()),
        pipe.Reply(1, 2**64),
    ],
)
def test_what_is_no_frame_is_refused_where_it_is_sent(frame: Any) -> None:
    with pytest.raises(LocalProtocolError, match="is not a frame"):
        encode(frame)


# --- the bus's end -----------------------------------------------------------


@pytest.fixture
def pipes() -> Iterator[tuple[PipeEnd, int, int]]:
    """An end, what its frames are written to, and what its own are read from."""
    (to_read, writes), (reads, to_write) = os.pipe(), os.pipe()
    os.set_blocking(reads, False)
    yield PipeEnd(to_read, to_write), writes, reads
    for fd in (to_read, to_write, reads):
        os.close(fd)


def test_frames_that_are_put_leave_together(pipes: tuple[PipeEnd, int, int]) -> None:
    end, writes, reads = pipes
    frames = [pipe.Notice("one"), pipe.Suggest(1, 2), pipe.Reply(3, None)]
    end.put(frames[0])
    end.put(frames[1])
    assert end.wants_write
    with pytest.raises(BlockingIOError):
        os.read(reads, 1)
    end.send(frames[2])
    assert not end.wants_write
    assert b"".join(map(encode, frames)) == os.read(reads, 1_000)
    os.close(writes)


@pytest.mark.parametrize("length", [10, (1 << 16) - 6, (1 << 16) - 5, 150_000])
def test_frames_of_any_length_are_read(pipes: tuple[PipeEnd, int, int], length: int) -> None:
    end, writes, _ = pipes
    assert [] == list(end.frames())
    frame = pipe.Reply(1, b"x" * length)
    rest, found = encode(frame), []
    while rest:  # the pipe holds less than the longest of them
        written = os.write(writes, rest[: 1 << 15])
        rest = rest[written:]
        found += list(end.frames())
    assert [frame] == found
    assert not end.is_closed
    os.write(writes, encode(pipe.Progress()))
    os.close(writes)
    assert [pipe.Progress()] == list(end.frames())
    assert [] == list(end.frames())
    assert end.is_closed
