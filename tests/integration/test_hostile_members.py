"""A client that has the run's key but breaks the protocol is counted, and harms nobody."""

from __future__ import annotations

from collections.abc import Iterator

import msgpack
import pytest
from lib.connections import descriptors, resident_bytes
from support.strangers import (
    ask,
    counted,
    endless_run,
    member,
    receive,
    rejected,
    still_decides,
)

import asha_bus as ab
from asha_bus.core import messages as m
from asha_bus.core.trial import TrialRow
from asha_bus.formats import wire
from asha_bus.formats.pipe import RowsRequest

MIB = 1 << 20

#: The bus's allocator keeps some of what it had; nothing that is sent stays.
SLACK_BYTES = 32 * MIB


@pytest.fixture(scope="module")
def handle() -> Iterator[ab.Run]:
    """One run that has to stand all of it."""
    with endless_run() as running:
        yield running


def hello(handle: ab.Run, name: str, seq: int = 1) -> m.Hello:
    return m.Hello(seq, handle._follower.plan.settings.run, f"slot of {name}", "host", 1)


def row(handle: ab.Run, trial: int) -> TrialRow:
    """A trial as the bus has it."""
    return handle._supervisor.call(RowsRequest(trial))[0]


# --- invalid messages --------------------------------------------------------


def test_garbage_is_counted_by_kind(handle: ab.Run) -> None:
    wanted = {"undecodable": 3, "extra_frame": 2, "malformed": 1, "foreign_version": 1}
    with counted(handle, **wanted), member(handle, "junk") as socket:
        socket.send(b"\xc1 garbage")
        socket.send_multipart([b"one", b"frame", b"too many"])
        socket.send(b"")
        socket.send(msgpack.packb((1, 63)))
        socket.send(msgpack.packb((2, 63)))
        assert m.Pong(2) == ask(socket, m.Ping(2))


def test_a_broken_request_is_answered_with_an_error(handle: ab.Run) -> None:
    broken = msgpack.packb((m.PROTOCOL_VERSION, 3, 7, 0, 1, 1, "0.5", None, {}, 0.0))
    foreign = msgpack.packb((m.PROTOCOL_VERSION + 1, 1, 8, "of another time"))
    with counted(handle, malformed=1, foreign_version=1), member(handle, "broken") as socket:
        for seq, body, words in (
            (7, broken, "Report.metric cannot be '0.5'"),
            (8, foreign, "same"),
        ):
            socket.send(body)
            reply = receive(socket)
            assert isinstance(reply, m.Refused)
            assert seq == reply.seq
            assert words in reply.text


def test_a_name_that_is_no_text_gets_no_answer(handle: ab.Run) -> None:
    with counted(handle, bad_name=1), member(handle, b"\xff\xfe") as socket:
        socket.send(wire.encode(m.Ping(1)))
        assert not socket.poll(500)
    still_decides(handle)


def test_a_worker_of_another_run_is_refused(handle: ab.Run) -> None:
    with member(handle, "lost") as socket:
        reply = ask(socket, m.Hello(1, "another-run", "slot", "host", 1))
    assert isinstance(reply, m.Refused)
    assert "another run" in reply.text


@pytest.mark.parametrize("excess", [1, 31, 100, 8 * MIB])
def test_an_oversized_message_ends_the_connection_at_most(handle: ab.Run, excess: int) -> None:
    with member(handle, "large") as socket:
        socket.send(bytes(wire.MAX_BODY_BYTES + excess))
        socket.poll(300)
    still_decides(handle)


def test_a_message_of_the_greatest_size_arrives(handle: ab.Run) -> None:
    fill = [wire.MAX_BODY_BYTES // 5 - 10] * 5
    fill[0] += wire.MAX_BODY_BYTES - len(msgpack.packb((1, 5, 9, *("x" * n for n in fill))))
    body = msgpack.packb((1, 5, 9, *("x" * n for n in fill)))
    assert wire.MAX_BODY_BYTES == len(body)
    with counted(handle, malformed=1), member(handle, "greatest") as socket:
        socket.send(body)
        reply = receive(socket)
        assert isinstance(reply, m.Refused)
        assert "Ping has 1 fields, got 6" in reply.text


BOMBS = {
    "deep arrays": b"\x91" * MIB,
    "deep maps": b"\x81\x01" * (MIB // 2),
    "long arrays in each other": b"\x93\x01\x05" + b"\xdc\x03\xe8" * 340_000,
    "longer arrays in each other": b"\x93\x01\x05" + b"\xdc\x27\x10" * 1_000,
    "array": b"\xdd\xff\xff\xff\xff",
    "map": b"\xdf\xff\xff\xff\xff",
    "str": b"\xdb\xff\xff\xff\xff",
    "bin": b"\xc6\xff\xff\xff\xff",
    "ext": b"\xc9\xff\xff\xff\xff\x01",
    "array in a report": b"\x9a\x01\x03\x07\x00\x01\x01\x01\x01\xdd\xff\xff\xff\xff",
    "map in a heartbeat": b"\x93\x01\x12\xdf\xff\xff\xff\xff",
    "a million items": b"\x9a" + (b"\xdc\x03\xe8" + b"\x01" * 1_000) * 1_040,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_of_msgpack_takes_no_memory(handle: ab.Run, bomb: bytes) -> None:
    assert len(bomb) <= wire.MAX_BODY_BYTES
    with member(handle, "bomber") as socket:
        assert m.Pong(1) == ask(socket, m.Ping(1))
        before = resident_bytes(handle.bus_pid)
        with counted(handle, undecodable=20):
            for seq in range(20):
                socket.send(bomb)
                assert m.Pong(seq + 1) == ask(socket, m.Ping(seq + 1))
        assert resident_bytes(handle.bus_pid) - before < SLACK_BYTES


# --- what is a message but a lie ---------------------------------------------


@pytest.mark.parametrize("joined", [True, False])
def test_nobody_can_speak_for_the_trial_of_another(handle: ab.Run, joined: bool) -> None:
    suffix = "joined" if joined else "outside"
    with member(handle, f"victim {suffix}") as victim, member(handle, f"thief {suffix}") as thief:
        assert isinstance(ask(victim, hello(handle, f"victim {suffix}")), m.Welcome)
        given = ask(victim, m.Next(2, 0.0))
        assert isinstance(given, m.Assign)
        trial, attempt = given.assignment[:2]
        assert isinstance(
            ask(victim, m.Report(3, trial, attempt, 1, -9.0, -9.0, {}, 0.0)), m.Continue
        )
        if joined:
            assert isinstance(ask(thief, hello(handle, f"thief {suffix}")), m.Welcome)
        before = row(handle, trial)
        sent = 0
        for seq in (1, 2, 3, 4, 5, 2**40, 2**63 - 1):  # old ones, the victim's next, far ones
            for message in (
                m.Report(seq, trial, attempt, 9, 5.0, 5.0, {"of": "the thief"}, 0.0),
                m.End(seq, trial, attempt, 9, 5.0, 5.0, {}, "failed", "stolen", 0.0),
                m.End(seq, trial, attempt, 9, 5.0, 5.0, {}, "interrupted", None, 0.0),
                m.Telemetry(trial, attempt, 5.0, ((5, 5.0),)),
            ):
                thief.send(wire.encode(message))
                sent += 1
        thief.send(wire.encode(m.Leave({})))
        thief.send(wire.encode(m.Ping(77)))
        answers = [receive(thief)]
        while answers[-1] != m.Pong(77):
            answers.append(receive(thief))
            assert len(answers) <= sent + 2
        if joined:
            stops = [answer for answer in answers if isinstance(answer, m.Stop)]
            assert stops and {"fenced"} == {stop.why for stop in stops}
        else:
            assert {m.Refused, m.Pong} == {type(answer) for answer in answers}
        assert before == row(handle, trial)
        # the victim has noticed nothing: its next seq is still its own
        answer = ask(victim, m.Report(4, trial, attempt, 3, -9.0, -9.0, {}, 0.0))
        assert m.Continue(4, 9) == answer
        assert f"victim {suffix}" == row(handle, trial).worker
        victim.send(wire.encode(m.Leave({})))
        assert m.Pong(1) == ask(victim, m.Ping(1))
    still_decides(handle)


def test_counts_beyond_all_measure_do_not_stop_the_bus(handle: ab.Run) -> None:
    most = 2**63 - 1
    for number in range(3):
        with member(handle, f"boaster {number}") as main:
            assert isinstance(ask(main, hello(handle, f"boaster {number}")), m.Welcome)
            with member(handle, f"boaster {number}/b") as heartbeats:
                assert m.Pong(0) == ask(heartbeats, m.Heartbeat({0: most, 385: most}))
            main.send(wire.encode(m.Leave({0: most})))
            assert m.Pong(1) == ask(main, m.Ping(1))
    assert handle.bus_report().latency_p50_s < 1e-6
    still_decides(handle)


# --- too much of it ----------------------------------------------------------


def test_a_client_that_never_reads_delays_nobody(handle: ab.Run) -> None:
    request = wire.encode(m.Hello(1, "\U0001f989" * 256, "slot", "host", 1))
    still_decides(handle)
    before, unsent = resident_bytes(handle.bus_pid), rejected(handle)["unsent"]
    count = 30_000  # answers of 1 kB: far more than what pipes and buffers between hold
    with member(handle, "deaf", RCVHWM=1, SNDHWM=100, SNDTIMEO=60_000) as socket:
        for number in range(count):
            socket.send(request)  # it is always taken in the end
            if number % 10_000 == 0:
                still_decides(handle)
        still_decides(handle)
        assert rejected(handle)["unsent"] > unsent + count // 10
        assert resident_bytes(handle.bus_pid) - before < SLACK_BYTES
    still_decides(handle)


def test_connections_that_come_and_go_leave_nothing_behind(handle: ab.Run) -> None:
    def come_and_go(times: int) -> None:
        for number in range(times):
            with member(handle, f"guest {number}") as socket:
                assert m.Pong(1) == ask(socket, m.Ping(1))

    come_and_go(20)
    still_decides(handle)
    before = resident_bytes(handle.bus_pid), descriptors(handle.bus_pid)
    come_and_go(100)
    still_decides(handle)
    assert descriptors(handle.bus_pid) <= before[1] + 2
    assert resident_bytes(handle.bus_pid) - before[0] < SLACK_BYTES
