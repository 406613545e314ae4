"""Whatever arrives, in whatever order: the experiment answers it and stays whole."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from asha_bus.core import messages as m
from asha_bus.core.events import Event, Received, Stalled, StopRun, ValuesDrawn, WorkerExited
from asha_bus.core.schedulers import ASHA, AskPruner, NoStopping
from asha_bus.formats import wire
from asha_bus.testing.simulator import RUN, Bench

NAMES = st.sampled_from(["a", "b", "c"])
SLOTS = st.sampled_from(["0", "1"])
SEQS = st.integers(1, 12)
TRIALS = st.integers(0, 4)
ATTEMPTS = st.integers(1, 3)
RESOURCES = st.sampled_from([0.5, 1, 2, 3, 9, 1e300])
METRICS = st.sampled_from([0.0, 0.25, 1.0, -1.0, float("nan"), float("inf")])
MAYBE = st.none() | METRICS
AT = st.none() | RESOURCES
REPORTS = st.lists(st.tuples(RESOURCES, METRICS), max_size=3).map(tuple)
OUTCOMES = st.sampled_from(["completed", "failed", "interrupted"])
TEXTS = st.sampled_from([None, "no"])
NOTHING: st.SearchStrategy[dict[Any, Any]] = st.just({})
ZERO = st.just(0.0)
ANSWERS = st.sampled_from([((m.PRUNE, "{}", 1.0),), ((m.PRUNE, "{}", 0.0),)])
NAMED = st.sampled_from([(), (("lr", "{}", 0.5),), (("lr", "[]", 1), ("units", "{}", 3))])

MESSAGES = st.one_of(
    st.builds(
        m.Hello, SEQS, st.sampled_from([RUN, RUN, "another"]), SLOTS, st.just("h"), st.just(1)
    ),
    st.builds(m.Next, SEQS, ZERO),
    st.builds(
        m.Report, SEQS, TRIALS, ATTEMPTS, RESOURCES, METRICS, MAYBE, NOTHING, ZERO, AT, NAMED
    ),
    st.builds(
        m.End,
        SEQS,
        TRIALS,
        ATTEMPTS,
        RESOURCES,
        MAYBE,
        MAYBE,
        NOTHING,
        OUTCOMES,
        TEXTS,
        ZERO,
        AT,
        NAMED,
    ),
    st.builds(m.Ping, SEQS),
    st.builds(m.Draw, SEQS, TRIALS, ATTEMPTS, st.sampled_from(["lr", m.PRUNE]), st.just("{}")),
    st.builds(m.TrialHung, SEQS, TRIALS, ATTEMPTS, st.just("no end")),
    st.builds(m.Telemetry, TRIALS, ATTEMPTS, MAYBE, REPORTS),
    st.builds(
        m.Reports,
        TRIALS,
        ATTEMPTS,
        MAYBE,
        st.just(3),
        REPORTS,
        st.sampled_from([{}, {"lr": (0.5,)}, {"a": (), "b": (None, 1, 2, 3, 4)}]),
        AT,
    ),
    st.builds(m.Log, TRIALS, ATTEMPTS, st.just("info"), st.just("text")),
    st.builds(m.Heartbeat, NOTHING),
    st.builds(m.Leave, NOTHING),
)
EVENTS = st.one_of(
    st.builds(Received, NAMES, MESSAGES),
    st.builds(Received, NAMES.map(lambda name: name + m.HEARTBEAT_SUFFIX), MESSAGES),
    st.builds(ValuesDrawn, TRIALS, st.one_of(NAMED, ANSWERS), st.sampled_from(["", "no luck"])),
    st.builds(WorkerExited, SLOTS),
    st.builds(Stalled, st.just(5.0)),
    st.floats(0.0, 20.0),
    st.just(StopRun("stopped")),
)
JOINING = [Received(name, m.Hello(1, RUN, name, "h", 1)) for name in ("a", "b", "c")]
ASKING = [Received(name, m.Next(2, 0.0)) for name in ("a", "b", "c")]


@given(
    st.lists(EVENTS, max_size=40),
    st.sampled_from([ASHA(max_resource=9), AskPruner("Mine"), NoStopping()]),
    st.sampled_from([None, 2, 5]),
    st.sampled_from([None, 0.25]),
    st.sampled_from([None, 30.0]),
)
def test_no_story_breaks_the_experiment(
    story: list[Event | float],
    scheduler: Any,
    max_trials: int | None,
    stop_at: float | None,
    max_time_s: float | None,
) -> None:
    bench = Bench(
        scheduler=scheduler,
        max_trials=max_trials,
        stop_at=stop_at,
        max_time_s=max_time_s,
        lease_s=30.0,
        max_attempts=2,
    )
    for event in [*JOINING, *ASKING, *story]:
        if isinstance(event, float):
            bench.wait(event)
            continue
        if isinstance(event, Received):  # whatever comes can come over the wire
            assert repr(event.message) == repr(wire.decode_from_worker(wire.encode(event.message)))
        bench.handle(event)  # which checks the invariants
    bench.handle(StopRun("stopped"))
    bench.wait(10.0)
    assert bench.ended is not None
