"""The journal's bytes: every record there and back, torn tails, damage, other decisions."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest

from asha_bus.core import messages as m
from asha_bus.core.errors import JournalError
from asha_bus.core.events import Resumed, StopRun, WorkerExited
from asha_bus.core.space import Space, choice, grid, loguniform, randint, uniform
from asha_bus.core.trial import RungRecord
from asha_bus.formats.journal import FORMAT, MAGIC, Header, read_header, replay
from asha_bus.formats.records import Encoder, framed
from asha_bus.formats.space_form import comparable, describe, space_from
from asha_bus.testing.simulator import Bench

DATA = Path(__file__).resolve().parents[1] / "data"


def header_of(bench: Bench) -> Header:
    space = describe(Space(x=uniform(0, 1)))
    return Header("test", bench.settings, space, {"mode": "min"}, "0.1.0")


def journal_of(bench: Bench) -> bytes:
    encoder = Encoder()
    return header_of(bench).encode() + b"".join(map(encoder.encode, bench.records))


def step(bench: Bench, name: str, metric: float) -> None:
    """The trial that ``name`` holds comes to its next rung, or to its end."""
    trial = bench.trial(held(bench, name))
    level = {0: 1, 1: 3, 2: 9}[len(trial.rungs)]
    bench.report(name, trial.id, level, metric, trial.attempt)


def held(bench: Bench, name: str) -> int:
    number = bench.experiment.roster.workers[name].trial
    assert number is not None
    return number


def eventful() -> Bench:
    """A run with an event of every kind."""
    bench = Bench(max_trials=40, lease_s=60.0)
    bench.join("a", "b", "c")
    for number in range(30):
        step(bench, "ab"[number % 2], (number * 7) % 10 / 10)
    step(bench, "a", float("nan"))
    bench.end("b", held(bench, "b"), "failed", error="ValueError: no")
    bench.ask("b")
    bench.send("a", m.Log(0, 1, "info", "a line"))
    bench.handle(WorkerExited("slot of c", "ended by signal 9 (SIGKILL)"))
    bench.wait(61.0)  # the leases of a and b end
    bench.heartbeat("a")
    bench.wait(61.0)
    bench.wait(60.0)  # b is given up
    bench.join("d")
    step(bench, "d", 0.5)
    bench.send("d", m.Leave({}))
    bench.join("e")
    bench.handle(StopRun("stopped", "by the user"))
    bench.wait(10.0)  # e is given up
    bench.handle(Resumed(replace(bench.settings, max_trials=50, epoch=5.0), True))
    bench.join("f")
    step(bench, "f", 0.1)
    return bench


def state(bench: Bench) -> tuple[str, str]:
    return repr(bench.experiment.table.trials), repr(bench.experiment.table.states)


def test_a_journal_gives_the_state_again() -> None:
    bench = eventful()
    kinds = {type(record.event).__name__ for record in bench.records}
    assert {
        "Received",
        "Suggested",
        "WorkerExited",
        "WorkerSilent",
        "WorkerReturned",
        "WorkerGone",
        "StopRun",
        "GraceExpired",
    } < kinds
    data = journal_of(bench)
    again = replay(data, "j")
    assert (len(bench.records), len(data), 0) == (again.records, again.end, again.torn)
    assert state(bench) == (
        repr(again.experiment.table.trials),
        repr(again.experiment.table.states),
    )
    workers, live = again.experiment.roster.workers, bench.experiment.roster.workers
    assert {name: (w.seq, w.reply, w.trial) for name, w in live.items()} == {
        name: (w.seq, w.reply, w.trial) for name, w in workers.items()
    }
    again.experiment.validate()


def test_records_are_decoded_as_they_were_encoded() -> None:
    bench = eventful()
    encoder, decoder = Encoder(), Encoder()
    for record in bench.records:
        found = decoder.decode(encoder.encode(record)[8:])
        assert repr(found.event) == repr(record.event)
        assert found.now == record.now
        assert [one[:3] for one in found.decisions] == [
            (one.rung, one.n, one.keep) for one in record.decisions
        ]
    assert encoder.workers == decoder.workers == ["f"]


def test_a_tail_torn_at_any_byte_is_left_out() -> None:
    data = journal_of(eventful())
    ends = [replay(data, "j").end]
    last = data[: ends[0]]
    start = _last_record(data)
    for cut in range(start, len(last)):
        again = replay(data[:cut], "j")
        assert (start, cut - start) == (again.end, again.torn)


def _last_record(data: bytes) -> int:
    _, at = read_header(data, "j")
    while True:
        (length,) = struct.unpack_from("<I", data, at)
        if at + 8 + length == len(data):
            return at
        at += 8 + length


def test_zeros_after_the_end_are_a_torn_tail() -> None:
    data = journal_of(eventful())
    assert 4_096 == replay(data + bytes(4_096), "j").torn


@pytest.mark.parametrize("where", ["length", "checksum", "payload"])
def test_damage_inside_is_an_error_that_names_the_place(where: str) -> None:
    data = bytearray(journal_of(eventful()))
    _, at = read_header(bytes(data), "j")
    (length,) = struct.unpack_from("<I", data, at)
    second = at + 8 + length
    data[second + {"length": 3, "checksum": 5, "payload": 20}[where]] ^= 0xFF
    with pytest.raises(JournalError, match=rf"record 1 at byte {second} is damaged.*whole one"):
        replay(bytes(data), "j")


def test_another_decision_is_an_error_that_names_the_place() -> None:
    bench = Bench(max_trials=5)
    bench.join("a")
    step(bench, "a", 0.5)
    at = len(journal_of(bench))
    step(bench, "a", 0.5)
    record = bench.records[-1]
    assert record.decisions
    other = record.decisions[0]._replace(verdict="stop")
    bench.records[-1] = record._replace(decisions=(other,))
    with pytest.raises(JournalError, match=rf"byte {at} says stop at rung 1 .* gives continue"):
        replay(journal_of(bench), "j")


def test_a_record_that_says_nothing_known_is_an_error() -> None:
    bench = Bench(max_trials=5)
    beginning = journal_of(bench)
    strange = framed(struct.pack("<Bd", 99, 0.0))
    with pytest.raises(JournalError, match=rf"at byte {len(beginning)} cannot be replayed"):
        replay(beginning + strange + strange, "j")


@pytest.mark.parametrize("data", [b"x", b"{}\n", MAGIC[:-1] + b"?" + bytes(100)])
def test_a_file_that_is_not_a_journal_is_named(data: bytes) -> None:
    with pytest.raises(JournalError, match="/p is not an asha-bus journal"):
        replay(data, "/p")


def test_a_damaged_header_is_named() -> None:
    data = bytearray(journal_of(Bench()))
    data[len(MAGIC) + 20] ^= 1
    with pytest.raises(JournalError, match="the header at byte 17 is damaged"):
        replay(bytes(data), "j")


def test_a_newer_format_is_an_error_that_names_the_version_to_install() -> None:
    plain = {"format": FORMAT + 1, "version": "9.9"}
    with pytest.raises(JournalError, match=rf"format {FORMAT + 1}.*install asha-bus 9.9"):
        replay(MAGIC + framed(msgpack.packb(plain)), "j")


def test_a_report_takes_less_than_a_hundred_bytes() -> None:
    bench = Bench()
    bench.join("a")
    beginning = len(journal_of(bench))
    for number in range(2_000):
        step(bench, "a", number % 17 / 17)
    assert (len(journal_of(bench)) - beginning) / 2_000 < 100


def shown(rungs: tuple[RungRecord, ...]) -> str:
    """Their repr as the first version had it."""
    assert all(record.paused_n is None and record.reason is None for record in rungs)
    return repr(list(rungs)).replace(", paused_n=None, reason=None", "")


def test_the_golden_journal_is_read() -> None:
    """Written by the first version; every later one must come to the same trials."""
    expected = json.loads((DATA / "golden_journal.json").read_text(encoding="utf-8"))
    again = replay((DATA / "golden_journal.bin").read_bytes(), "golden")
    found = [
        [trial.id, trial.state.value, trial.attempt, repr(trial.metric), shown(trial.rungs)]
        for trial in again.experiment.table.trials
    ]
    assert expected["trials"] == found
    assert expected["records"] == again.records


class Thing:
    def __repr__(self) -> str:
        return "Thing!"


def square(x: float) -> float:
    return x * x


SHARED = grid(1, 2)
SPACE = Space(
    lr=loguniform(1e-4, 1),
    net={"units": [randint(1, 8), randint(1, 8)], "act": choice("a", None, 2.5, (1, [2]))},
    which=choice(Thing(), square, {"k": b"v"}, 10**30),
    one=SHARED,
    two=SHARED,
    constant=(1, "x"),
)


def test_a_space_is_described_and_built_again() -> None:
    description = msgpack.unpackb(
        msgpack.packb(describe(SPACE)), use_list=False, strict_map_key=False
    )
    again = space_from(description)
    assert again.names == SPACE.names
    assert again.branches == SPACE.branches == 2
    assert repr(again.tree["net"]) == repr(SPACE.tree["net"])
    thing, function, plain, huge = again.tree["which"].options
    assert ("Thing!", {"k": b"v"}) == (repr(thing), plain)
    assert repr(function).endswith("test_journal.square")
    assert repr(huge) == str(10**30)
    assert again.tree["one"] is again.tree["two"]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Space(x=choice(Thing(), 1)), True),
        (Space(x=choice(1, Thing())), False),
        (Space(x=choice(Thing(), 2)), False),
        (Space(x=choice(Thing(), 1, 2)), False),
        (Space(x=choice(square, 1)), False),
        (Space(y=choice(Thing(), 1)), False),
        (Space(x=grid(Thing(), 1)), False),
    ],
)
def test_spaces_are_compared_by_value_and_by_type(other: Space, same: bool) -> None:
    space = Space(x=choice(Thing(), 1))
    assert same is (comparable(describe(space)) == comparable(describe(other)))


def _write_golden() -> None:
    bench: Any = eventful()
    data = journal_of(bench)
    (DATA / "golden_journal.bin").write_bytes(data)
    trials = [
        [trial.id, trial.state.value, trial.attempt, repr(trial.metric), shown(trial.rungs)]
        for trial in bench.experiment.table.trials
    ]
    plain = {"records": len(bench.records), "trials": trials}
    (DATA / "golden_journal.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
