"""Bytes and messages: the round trip, and what each field may be."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.messages import (
    ASSIGN,
    END,
    FROM_WORKER,
    HELLO,
    INTERRUPT,
    LOG,
    NUMBERS,
    PAUSE,
    REPORT,
    SAMPLES,
    STOP,
    STRATEGIES,
    TELEMETRY,
    TO_WORKER,
    WELCOME,
    decode,
    exactly,
    from_worker,
    packed,
    refused,
)

from asha_bus.core import messages as m
from asha_bus.core.errors import LocalProtocolError
from asha_bus.formats import wire

# --- the round trip ----------------------------------------------------------


@pytest.mark.parametrize("cls", [*FROM_WORKER, *TO_WORKER])
@given(data=st.data())
def test_a_message_comes_back_as_it_was(cls: type[Any], data: st.DataObject) -> None:
    message = data.draw(STRATEGIES[cls])
    assert exactly(message) == exactly(decode(wire.encode(message), cls))


def test_the_samples_are_all_messages() -> None:
    assert {*FROM_WORKER, *TO_WORKER} == {type(sample) for sample in SAMPLES} == {*STRATEGIES}


def test_a_body_is_one_array_of_version_type_and_fields() -> None:
    report = REPORT._replace(best_resource=5)
    assert [1, 3, *report[:-1]] == msgpack.unpackb(wire.encode(report))


@pytest.mark.parametrize("metric", [math.nan, math.inf, -math.inf, 0, -1, 2**64 - 1, 5e-324, -0.0])
def test_metrics_travel_as_they_are(metric: float) -> None:
    message = REPORT._replace(metric=metric, best_metric=None)
    assert exactly(message) == exactly(wire.decode_from_worker(wire.encode(message)))


def test_short_floats_are_floats() -> None:
    body = msgpack.packb((1, 2, 5, 0.5), use_single_float=True)
    assert m.Next(5, 0.5) == wire.decode_from_worker(body)


def test_lone_surrogates_become_question_marks() -> None:
    message = END._replace(error="a file named \udcff")
    assert message._replace(error="a file named ?") == wire.decode_from_worker(wire.encode(message))


# --- the hot path ------------------------------------------------------------

_anything: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([{}, {"a": 1}, {1: 2}, {"": 1}, {"a": b""}]),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)


@given(STRATEGIES[m.Report], st.integers(0, 7), _anything)
def test_the_checks_of_a_report_at_once_are_those_one_by_one(
    report: m.Report, position: int, value: Any
) -> None:
    fields = (*report[:position], value, *report[position + 1 :])
    checks = next(checks for _, cls, checks in wire.TABLE if cls is m.Report)
    one_by_one = all(check(field) for check, field in zip(checks, fields, strict=True))
    assert one_by_one is wire._report(fields)


# --- fields ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "field", "value"),
    [
        (REPORT, "seq", True),
        (REPORT, "seq", 0),
        (REPORT, "seq", -1),
        (REPORT, "seq", 7.0),
        (REPORT, "trial", True),
        (REPORT, "trial", -1),
        (REPORT, "attempt", 0),
        (REPORT, "resource", True),
        (REPORT, "resource", 0),
        (REPORT, "resource", -0.5),
        (REPORT, "resource", math.nan),
        (REPORT, "resource", math.inf),
        (REPORT, "resource", None),
        (REPORT, "metric", True),
        (REPORT, "metric", None),
        (REPORT, "metric", "0.5"),
        (REPORT, "metric", b""),
        (REPORT, "metric", (0.5,)),
        (REPORT, "best_metric", False),
        (REPORT, "extras", None),
        (REPORT, "extras", ()),
        (REPORT, "extras", {1: 2}),
        (REPORT, "extras", {"": 2}),
        (REPORT, "extras", {"x": (1,)}),
        (REPORT, "extras", {"x": {}}),
        (REPORT, "extras", {"x": b""}),
        (REPORT, "idle_s", -1e-9),
        (REPORT, "idle_s", math.nan),
        (END, "outcome", "lost"),
        (END, "outcome", ("failed",)),
        (END, "error", b""),
        (END, "resource", -1),
        (LOG, "level", "debug"),
        (LOG, "text", None),
        (HELLO, "pid", 1.0),
        (TELEMETRY, "reports", ((0, 0.5),)),
        (TELEMETRY, "reports", ((1, None),)),
        (TELEMETRY, "reports", ((1, 0.5, 2),)),
        (TELEMETRY, "reports", (1, 0.5)),
        (TELEMETRY, "reports", {}),
        (m.Heartbeat({}), "latency", {-1: 1}),
        (m.Heartbeat({}), "latency", {"1": 1}),
        (m.Heartbeat({}), "latency", {1: -1}),
        (m.Heartbeat({}), "latency", {True: 1}),
        (m.Heartbeat({}), "latency", ()),
        (WELCOME, "heartbeat_s", 0),
        (WELCOME, "mode", "minimize"),
        (WELCOME, "mode", None),
        (ASSIGN, "assignment", None),
        (ASSIGN, "assignment", (12, 1, (0.5,), 77)),
        (ASSIGN, "assignment", (12, 0, (0.5,), 77, 1)),
        (ASSIGN, "assignment", (12, 1, (True,), 77, 1)),
        (ASSIGN, "assignment", (12, 1, (None,), 77, 1)),
        (ASSIGN, "assignment", (12, 1, (0.5,), 77, 0)),
        (STOP, "why", "lost"),
        (STOP, "next", ()),
        (STOP, "drops", None),
        (STOP, "drops", (1, -1)),
        (STOP, "drops", (True,)),
        (STOP, "drops", {}),
        (PAUSE, "next", (13, 1)),
        (PAUSE, "drops", 4),
        (PAUSE, "saves", (-1,)),
        (ASSIGN, "assignment", (12, 1, (0.5,), 77, 1, -1)),
        (ASSIGN, "assignment", (12, 1, (0.5,), 77, 1, None)),
        (ASSIGN, "assignment", (12, 1, (0.5,), 77, 1, 1, 1)),
        (m.Saved(8, 4, 1), "attempt", True),
        (m.Dropped(()), "trials", None),
        (m.Dropped(()), "trials", (0.5,)),
        (m.Wait(2), "drops", ("4",)),
        (m.Continue(7, 27), "next_resource", 0),
        (m.Pong(0), "seq", -1),
        (INTERRUPT, "exit_s", math.inf),
    ],
)
def test_a_field_of_another_kind_is_refused(message: m.Message, field: str, value: Any) -> None:
    error = refused(packed(message, **{field: value}), type(message))
    assert str(error).startswith(f"{type(message).__name__}.{field} cannot be ")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_fields_too_few_or_too_many_are_refused(sample: m.Message) -> None:
    items = [1, NUMBERS[type(sample)], *sample]
    short = items[: -1 - len(sample._field_defaults)]  # those may be left out
    for wrong in (short, [*items, None], items[:2]):
        assert "fields, got" in str(refused(msgpack.packb(wrong), type(sample)))


@pytest.mark.parametrize(
    "message",
    [ASSIGN, STOP, PAUSE._replace(drops=()), PAUSE, m.Continue(7, 27), m.Wait(2)],
)
def test_what_is_empty_at_the_end_is_left_out(message: m.Message) -> None:
    body = wire.encode(message)
    fields = msgpack.unpackb(body, use_list=False)[2:]
    given = [one[:-2] if isinstance(one, m.Assignment) else one for one in message]
    while given[-1] == ():
        given.pop()
    assert tuple(given) == fields
    assert message == wire.decode_to_worker(body)


@pytest.mark.parametrize(
    "message",
    [
        ASSIGN._replace(assignment=ASSIGN.assignment._replace(saved=2)),
        STOP._replace(next=ASSIGN.assignment._replace(saved=2)),
        PAUSE._replace(next=ASSIGN.assignment._replace(saved=2), saves=(4,)),
        PAUSE._replace(saves=(4,)),
        ASSIGN._replace(assignment=ASSIGN.assignment._replace(named=(("x", "{}", 0.5),))),
        STOP._replace(next=ASSIGN.assignment._replace(saved=2, named=(("x", "{}", 0.5),))),
    ],
)
def test_saved_states_and_values_by_name_travel(message: m.Message) -> None:
    assert message == wire.decode_to_worker(wire.encode(message))


@pytest.mark.parametrize(
    "message",
    [REPORT, END, m.Reports(12, 1, 0.5, 1, ((1, 0.5),), {})],
    ids=lambda one: type(one).__name__,
)
def test_the_resource_of_the_best_metric_may_be_left_out(message: Any) -> None:
    known, unknown = message._replace(best_resource=2.5), message._replace(best_resource=None)
    assert known == wire.decode_from_worker(wire.encode(known))
    assert unknown == wire.decode_from_worker(wire.encode(unknown))
    fields = msgpack.unpackb(wire.encode(unknown), use_list=False)[2:]
    assert tuple(message)[: len(fields)] == fields
    assert "best_resource" not in type(message)._fields[: len(fields)]
    for wrong in (0, -1, math.inf, math.nan, True, "2"):
        error = refused(packed(message, best_resource=wrong), type(message))
        assert str(error).startswith(f"{type(message).__name__}.best_resource cannot be ")


@pytest.mark.parametrize("message", [REPORT, END], ids=lambda one: type(one).__name__)
def test_values_by_name_travel_once_there_are_new_ones(message: Any) -> None:
    told = message._replace(named=(("x", "{}", 0.5), ("y", "{}", 3)))
    assert told == wire.decode_from_worker(wire.encode(told))
    for wrong in (
        (("x", "{}"),),
        (("", "{}", 1),),
        (("x", None, 1),),
        (("x", "{}", "1"),),
        (("x", "{}", True),),
        5,
        (("x", "a" * wire.MAX_NAMED_CHARS, 1),),
    ):
        error = refused(packed(message, best_resource=2.5, named=wrong), type(message))
        assert str(error).startswith(f"{type(message).__name__}.named cannot be ")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_message_in_the_wrong_direction_is_refused(sample: m.Message) -> None:
    other = m.Pong if type(sample) in FROM_WORKER else m.Ping
    error = refused(wire.encode(sample), other)
    assert f"unknown message type {NUMBERS[type(sample)]}" == str(error)


@pytest.mark.parametrize("version", [0, 2, True, 1.0, None, "1", (1,), -1])
def test_another_version_is_refused_with_the_fix(version: Any) -> None:
    error = refused(msgpack.packb((version, *msgpack.unpackb(wire.encode(REPORT))[1:])))
    assert "install the same asha-bus on driver and executors" in str(error)
    assert 7 == error.seq


@pytest.mark.parametrize("number", [0, 9, 15, 22, 63, 64, 65, 200, -1, True, 3.0, None, "3", ()])
def test_an_unknown_type_is_refused(number: Any) -> None:
    assert "unknown message type" in str(refused(msgpack.packb((1, number, *REPORT))))


@pytest.mark.parametrize(
    ("body", "seq"),
    [
        (packed(REPORT, metric=None), 7),
        (packed(HELLO, host=""), 1),
        (msgpack.packb((1, 5, 3, "more")), 3),
        (msgpack.packb((1, 15, 3)), 3),
        (packed(REPORT, seq=0), 0),
        (packed(REPORT, seq="7"), 0),
        (packed(TELEMETRY, attempt=0), 0),
        (msgpack.packb((1, 3)), 0),
        (msgpack.packb((1, 64, 3)), 0),
        (b"", 0),
    ],
)
def test_a_broken_request_names_the_seq_to_answer(body: bytes, seq: int) -> None:
    assert seq == refused(body).seq


# --- what cannot be sent -----------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: REPORT._replace(resource=2**70),
        lambda: REPORT._replace(extras={"x": object()}),
        lambda: REPORT._replace(metric=1j),  # type: ignore[arg-type]
    ],
)
def test_a_message_msgpack_cannot_encode_is_a_local_error(make: Callable[[], m.Report]) -> None:
    with pytest.raises(LocalProtocolError, match=r"cannot encode Report\("):
        wire.encode(make())


@given(from_worker)
def test_no_pickle_is_on_the_wire(message: Any) -> None:
    """What was sent is plain data: JSON can write it, but for the keys of latencies."""
    json.dumps(msgpack.unpackb(wire.encode(message), strict_map_key=False))


def test_an_exception_of_the_users_is_no_invalid_message(monkeypatch: pytest.MonkeyPatch) -> None:
    class Alarm(Exception):
        """Raised by the user's signal handler while a reply is decoded."""

    class Ringing:
        def pack(self, items: object) -> bytes:
            raise Alarm

    def ring(*_: object, **__: object) -> None:
        raise Alarm

    body = wire.encode(m.Pong(1))
    monkeypatch.setattr(msgpack, "unpackb", ring)
    monkeypatch.setattr(wire, "_packing", Ringing())
    with pytest.raises(Alarm):
        wire.decode_to_worker(body)
    with pytest.raises(Alarm):
        wire.encode(m.Pong(1))
