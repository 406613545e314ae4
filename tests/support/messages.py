"""Messages of the bus: one of each, strategies for all, and ways to break them."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import strategies as st

from asha_bus.core import messages as m
from asha_bus.core.curve import MAX_NAMES
from asha_bus.core.errors import RemoteProtocolError
from asha_bus.core.latency import BUCKETS
from asha_bus.formats import wire

MOST = 2**63 - 1

counts = st.integers(0, MOST)
seqs = st.integers(1, MOST)
numbers = st.floats() | st.integers(-(2**63), 2**64 - 1)
amounts = st.floats(0, allow_infinity=False, allow_nan=False) | st.integers(0, 2**64 - 1)
resources = amounts.filter(bool)
characters = st.characters(exclude_categories=["Cs"])
texts = st.text(characters, max_size=200)
names = st.text(characters, min_size=1, max_size=wire.MAX_NAME_CHARS)
extras = st.dictionaries(
    names,
    st.none() | st.booleans() | st.integers(-MOST, MOST) | st.floats() | texts,
    max_size=wire.MAX_EXTRAS,
)
latencies = st.dictionaries(st.integers(0, BUCKETS - 1), counts, max_size=20)
drops = st.lists(counts, max_size=20).map(tuple)
points = st.lists(numbers, max_size=20).map(tuple)
named = st.lists(st.tuples(names, texts, numbers), max_size=5).map(tuple)
assignments = st.builds(
    m.Assignment,
    counts,
    seqs,
    points,
    counts,
    next_resource=resources | st.none(),
    saved=counts,
    named=named,
)

STRATEGIES: dict[type[Any], st.SearchStrategy[Any]] = {
    m.Hello: st.builds(m.Hello, seqs, names, names, names, counts),
    m.Next: st.builds(m.Next, seqs, amounts),
    m.Report: st.builds(
        m.Report,
        seqs,
        counts,
        seqs,
        resources,
        numbers,
        numbers | st.none(),
        extras,
        amounts,
        resources | st.none(),
        named,
    ),
    m.End: st.builds(
        m.End,
        seqs,
        counts,
        seqs,
        amounts,
        numbers | st.none(),
        numbers | st.none(),
        extras,
        st.sampled_from(["completed", "failed", "interrupted", "dropped"]),
        texts | st.none(),
        amounts,
        resources | st.none(),
        named,
    ),
    m.Ping: st.builds(m.Ping, seqs),
    m.TrialHung: st.builds(m.TrialHung, seqs, counts, seqs, texts),
    m.Saved: st.builds(m.Saved, seqs, counts, counts),
    m.Draw: st.builds(m.Draw, seqs, counts, seqs, names, texts),
    m.Telemetry: st.builds(
        m.Telemetry,
        counts,
        seqs,
        numbers | st.none(),
        st.lists(st.tuples(resources, numbers), max_size=20).map(tuple),
    ),
    m.Reports: st.builds(
        m.Reports,
        counts,
        seqs,
        numbers | st.none(),
        seqs,
        st.lists(st.tuples(resources, numbers), max_size=20).map(tuple),
        st.dictionaries(
            names, st.lists(numbers | st.none(), max_size=20).map(tuple), max_size=MAX_NAMES
        ),
        resources | st.none(),
    ),
    m.Log: st.builds(m.Log, counts, seqs, st.sampled_from(["info", "output", "warning"]), texts),
    m.Heartbeat: st.builds(m.Heartbeat, latencies),
    m.Leave: st.builds(m.Leave, latencies),
    m.Dropped: st.builds(m.Dropped, drops),
    m.Welcome: st.builds(
        m.Welcome,
        seqs,
        resources,
        st.sampled_from(["min", "max"]),
        numbers | st.none(),
        resources | st.none(),
        seqs,
    ),
    m.Assign: st.builds(m.Assign, seqs, assignments, drops),
    m.Continue: st.builds(m.Continue, seqs, resources | st.none(), drops),
    m.Stop: st.builds(
        m.Stop,
        seqs,
        st.sampled_from(["stopped", "completed", "fenced", "ended"]),
        assignments | st.none(),
        drops,
    ),
    m.Pause: st.builds(m.Pause, seqs, assignments | st.none(), drops, drops),
    m.Wait: st.builds(m.Wait, seqs, drops),
    m.Done: st.builds(m.Done, seqs, names),
    m.Pong: st.builds(m.Pong, counts),
    m.Drawn: st.builds(m.Drawn, seqs, numbers, texts),
    m.Refused: st.builds(m.Refused, seqs, texts),
    m.Interrupt: st.builds(m.Interrupt, amounts, amounts),
    m.Ask: st.builds(m.Ask, counts, seqs),
}

FROM_WORKER = [cls for number, cls, _ in wire.TABLE if number < wire.FIRST_TO_WORKER]
TO_WORKER = [cls for number, cls, _ in wire.TABLE if number >= wire.FIRST_TO_WORKER]

from_worker = st.one_of([STRATEGIES[cls] for cls in FROM_WORKER])
to_worker = st.one_of([STRATEGIES[cls] for cls in TO_WORKER])


def exactly(value: Any) -> str:
    """A form of ``value`` in which NaN equals NaN, and 1, 1.0 and True do not."""
    return repr(value)


# --- one of each -------------------------------------------------------------

REPORT = m.Report(7, 12, 1, 9, 0.25, 0.125, {}, 1.5)
END = m.End(9, 12, 1, 27, 0.25, 0.125, {}, "failed", "ValueError", 2.5)
HELLO = m.Hello(1, "run", "0.1", "host", 4711)
TELEMETRY = m.Telemetry(12, 1, 0.25, ((1, 0.5), (2, 0.25)))
LOG = m.Log(12, 1, "info", "text")
WELCOME = m.Welcome(1, 5.0, "min", None, None, 1)
ASSIGN = m.Assign(2, m.Assignment(12, 1, (0.5, 24), 77, 1))
STOP = m.Stop(7, "stopped", m.Assignment(13, 1, (0.5, 8), 78, 1))
PAUSE = m.Pause(7, m.Assignment(13, 1, (0.5, 8), 78, 1), (4, 5))
INTERRUPT = m.Interrupt(2.0, 5.0)
SAMPLES: tuple[m.Message, ...] = (
    REPORT,
    END,
    HELLO,
    TELEMETRY,
    LOG,
    m.Next(2, 0.25),
    m.Ping(1),
    m.TrialHung(1, 12, 1, "no end"),
    m.Saved(8, 4, 1),
    m.Draw(8, 12, 1, "lr", "{}"),
    m.Draw(8, 12, 1, m.PRUNE, "{}"),
    m.Heartbeat({1: 2}),
    m.Leave({}),
    m.Dropped((3, 12)),
    m.Reports(12, 1, 0.25, 3, ((1, 0.5), (3, 0.25)), {"lr": (0.5, None)}),
    WELCOME,
    ASSIGN,
    STOP,
    PAUSE,
    INTERRUPT,
    m.Ask(12, 1),
    m.Continue(7, 27),
    m.Wait(2),
    m.Done(9, "max_trials"),
    m.Pong(0),
    m.Drawn(8, 0.25),
    m.Drawn(8, 0.0, "no"),
    m.Refused(1, "no"),
)
NUMBERS: dict[type[Any], int] = {cls: number for number, cls, _ in wire.TABLE}


def decode(body: bytes, cls: type[Any]) -> m.Message:
    return (wire.decode_from_worker if cls in FROM_WORKER else wire.decode_to_worker)(body)


def packed(message: m.Message, **changes: Any) -> bytes:
    """The body of ``message`` with some fields changed to what may not be allowed."""
    fields = {**message._asdict(), **changes}
    return msgpack.packb((1, NUMBERS[type(message)], *fields.values()))


def refused(body: bytes, cls: type[Any] = m.Report) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(body, cls)
    assert len(str(caught.value)) < 500
    return caught.value
