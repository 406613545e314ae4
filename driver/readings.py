"""What metrics are made of: the facts of a run, and how values are read from them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from asha_bus.core.latency import BOUNDS_S, cumulative, total_s
from asha_bus.core.status import JournalFigures, Status
from asha_bus.core.trial import RungStanding, TrialRow
from asha_bus.driver.figures import ProcessFigures

#: Whose process figures there are.
PROCESSES = ("bus", "driver")
#: What a rung says to an entry.
VERDICTS = ("continue", "stop", "complete")
#: A bus that has not answered for so long is down.
SILENT_S = 5.0

#: Every eighth bound of `asha_bus.core.latency` from 15 us to 1 s: two for each doubling.
BUCKETS = tuple(range(4 * 16, 20 * 16 + 1, 8))

#: How a family's samples are read.
Read = Callable[["Facts"], Iterable["Sample"]]


class Suggested(NamedTuple):
    """What the searcher was asked for: batches, configurations in them, and seconds it took."""

    batches: int = 0
    configurations: int = 0
    seconds: float = 0.0


@dataclass
class Facts:
    """What is known of one run at one moment. Times of day are seconds since the epoch.

    ``status``: the bus's last answer to ``status``; None before the first. ``taken_at``:
    when it came, on the monotonic clock.
    """

    mode: str
    scheduler: str
    objective: str
    engine: str
    version: str
    max_trials: int | None
    start_time: float
    status: Status | None = None
    taken_at: float = math.nan
    restarts: int = 0
    replay_s: float = 0.0
    suggested: Suggested = field(default_factory=Suggested)
    processes: dict[str, ProcessFigures] = field(default_factory=dict)
    #: The bus ended for good while the run went on.
    is_dead: bool = False
    reason: str | None = None
    end_time: float = 0.0
    searcher: str = ""


class Sample(NamedTuple):
    """Values of labels, in order, and the value: a number, or what its family takes."""

    labels: tuple[str, ...]
    value: Any


def number(value: float | None) -> float:
    """``value``; NaN where there is none."""
    return math.nan if value is None else value


def one(read: Callable[[Facts], float]) -> Read:
    """A metric without labels of its own."""
    return lambda facts: [Sample((), read(facts))]


def status(read: Callable[[Status], float]) -> Read:
    """A number of the bus's status."""
    return one(lambda facts: read(of(facts)))


def each(names: Iterable[str], read: Callable[[Facts], Mapping[Any, float]]) -> Read:
    """A metric with one label of known values ``names``; 0 where ``read`` has none."""
    known = tuple(names)

    def samples(facts: Facts) -> Iterator[Sample]:
        values = read(facts)
        return (Sample((name,), values.get(name, 0)) for name in known)

    return samples


def of(facts: Facts) -> Status:
    """The bus's status, which there is."""
    assert facts.status is not None
    return facts.status


def rungs(read: Callable[[RungStanding], float]) -> Read:
    """A number of each rung."""
    return lambda facts: [Sample(_rung(rung), read(rung)) for rung in of(facts).rungs]


def _rung(rung: RungStanding) -> tuple[str, str, str]:
    return str(rung.bracket), str(rung.rung), f"{rung.resource:g}"


def decisions(facts: Facts) -> Iterator[Sample]:
    """Of each rung, how many continued, were stopped, and completed in the last one of a plan."""
    for rung in of(facts).rungs:
        counts = (rung.passed, rung.entries - rung.passed - rung.paused, 0)
        if rung.is_last:
            counts = (0, 0, rung.entries)
        for verdict, count in zip(VERDICTS, counts, strict=True):
            yield Sample((*_rung(rung), verdict), count)


def histogram(read: Callable[[Status], Mapping[int, int]]) -> Read:
    """What the status counts in the buckets of `asha_bus.core.latency`."""

    def samples(facts: Facts) -> Iterator[Sample]:
        counts = read(of(facts))
        bounds = [f"{BOUNDS_S[bound]:.9g}" for bound in BUCKETS]
        below = list(zip(bounds, cumulative(counts, BUCKETS), strict=True))
        yield Sample((), ([*below, ("+Inf", sum(counts.values()))], total_s(counts)))

    return samples


def journal(read: Callable[[JournalFigures], Any]) -> Read:
    """Figures of the journal's writer; none where it is not written any more."""

    def samples(facts: Facts) -> Iterator[Sample]:
        figures = of(facts).bus.journal
        if figures is not None:
            yield Sample((), read(figures))

    return samples


def best(read: Callable[[TrialRow], float | None]) -> Read:
    """A number of the leading trial; NaN while there is none."""

    return status(lambda now: number(None if now.leader is None else read(now.leader)))


def process(name: str) -> Read:
    """A figure of each process that is there."""

    def samples(facts: Facts) -> Iterator[Sample]:
        for process in PROCESSES:
            if process in facts.processes:
                yield Sample((process,), getattr(facts.processes[process], name))

    return samples


def suggestions(facts: Facts) -> Iterable[Sample]:
    """How many batches the searcher drew, and the seconds that took."""
    return [Sample((), (facts.suggested.batches, facts.suggested.seconds))]


def info(facts: Facts) -> Iterable[Sample]:
    """1, and labels that tell what the run is."""
    names = ("mode", "scheduler", "objective", "engine", "version", "searcher")
    return [Sample(tuple(getattr(facts, name) for name in names), 1)]


def age_s(facts: Facts) -> float:
    """How old the status is in seconds; 0 after the end of the run."""
    return 0.0 if facts.reason else max(time.monotonic() - facts.taken_at, 0.0)


def is_up(facts: Facts) -> float:
    """Whether the bus answers, or has ended with its run."""
    return not facts.is_dead and age_s(facts) < SILENT_S
