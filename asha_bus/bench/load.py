"""The load test: compares a decision's round trip with a bare echo of the same size.

It is a real run on the local engine: the real bus process with CURVE, heartbeats and a supervisor,
and real workers with the real client. The objective reports only at rungs, as fast as it gets
decisions, and times ``trial.report()`` from outside, like the user's code. Metrics are random and
the scheduler is ASHA with ``reduction_factor=3``, so about two decisions in three are STOP with
the next trial and one is CONTINUE, as in a real run.

The baseline is a ROUTER/DEALER echo (`asha_bus.bench.echo`) with as many bytes as a typical
report, once bare and once with CURVE. Decisions and echoes alternate in time slots of 20 ms of the
system-wide monotonic clock, the same in all workers, and percentiles are computed per round of
about a second, so a disturbance of the machine affects all of them. The first sample of each time
slot is left out, for all three kinds, since it finds the processor's caches filled by the others.
Every figure is the median over rounds.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import struct
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import zmq

from asha_bus import start
from asha_bus.bench.echo import Cost, Echo, EchoAddress
from asha_bus.core import messages as m
from asha_bus.core.errors import BusError
from asha_bus.core.schedulers import ASHA
from asha_bus.core.space import Space, choice, loguniform, randint
from asha_bus.formats import wire
from asha_bus.results.tables import table

if TYPE_CHECKING:
    from asha_bus.launching.run import Run
    from asha_bus.objective.kinds import Trial

#: The kinds of time slots, in this order.
DECISION, ECHO, CURVE_ECHO = KINDS = range(3)
_SLOT_NS = 20_000_000

_FACTOR = 3
#: No trial reaches it: it would have to pass 30 rungs by chance.
_MAX_RESOURCE = _FACTOR**30

_ROUND_S = 1.0
_LEAST_ROUNDS = 6
#: Seconds at the beginning that are not measured.
_WARM_UP_S = 0.5
_START_TIMEOUT_S = 60.0

#: The header of a time slot: its kind, start (ns), processor time (ns), number of samples.
_HEAD = struct.Struct("=qqqq")

SPACE = Space(lr=loguniform(1e-4, 1e-1), units=randint(8, 256), activation=choice("relu", "tanh"))

#: A report in the middle of such a run, whose size the echoes have.
_TYPICAL = m.Report(10_000, 4_000, 1, 9, 0.123, 0.123, {}, 12.345)

_clock = time.monotonic_ns


class Probe:
    """The objective: reports at every rung, and sends echoes in their time slots.

    Samples are written to a file in ``folder``, one record per time slot, so that only an
    unfinished slot is lost when the worker ends.
    """

    def __init__(self, folder: str, bare: EchoAddress, curve: EchoAddress) -> None:
        self._folder = folder
        self._addresses = (bare, curve)
        self._body = wire.encode(_TYPICAL)
        self._sockets: list[zmq.Socket[bytes]] = []
        self._slot = 0
        self._samples = array("q")
        self._cpu_ns = 0

    def __call__(self, trial: Trial) -> None:
        """Run one trial; the worker's first one opens the sockets and the file."""
        if not self._sockets:
            self._open()
        resource = 1
        while True:
            if _clock() // _SLOT_NS != self._slot:
                self._take_turns()
            metric = random.random()
            started = _clock()
            goes_on = trial.report(metric, resource)
            self._samples.append(_clock() - started)
            if not goes_on:
                return
            resource *= _FACTOR

    def _open(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets = [address.connect(context) for address in self._addresses]
        for socket in self._sockets:  # complete the handshake before anything is timed
            socket.send(self._body)
            socket.recv()
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
            self._path = file.name

    def _take_turns(self) -> None:
        """Send echoes in the next time slots, and return in the next one of decisions."""
        if self._slot:
            self._write(DECISION)
        while (kind := (slot := _clock() // _SLOT_NS) % len(KINDS)) != DECISION:
            self._begin(slot)
            self._echo(self._sockets[kind - 1])
            self._write(kind)
        self._begin(slot)

    def _echo(self, socket: zmq.Socket[bytes]) -> None:
        body, add = self._body, self._samples.append
        while _clock() // _SLOT_NS == self._slot:
            started = _clock()
            socket.send(body)
            socket.recv()
            add(_clock() - started)

    def _begin(self, slot: int) -> None:
        self._slot = slot
        del self._samples[:]
        self._cpu_ns = time.thread_time_ns()

    def _write(self, kind: int) -> None:
        cpu_ns = time.thread_time_ns() - self._cpu_ns
        head = _HEAD.pack(kind, self._slot * _SLOT_NS, cpu_ns, len(self._samples))
        with open(self._path, "ab") as file:
            file.write(head + self._samples.tobytes())


class Slot(NamedTuple):
    """The measurements of a worker in one time slot; times in ns."""

    kind: int
    start: int
    cpu: int
    samples: array[int]


def read_slots(path: Path) -> Iterator[Slot]:
    """The complete time slots in the file of a `Probe`."""
    data = path.read_bytes()
    position = 0
    while position + _HEAD.size <= len(data):
        kind, start, cpu, count = _HEAD.unpack_from(data, position)
        position += _HEAD.size
        samples = array("q")
        end = position + count * samples.itemsize
        if end > len(data):
            return
        samples.frombytes(data[position:end])
        yield Slot(kind, start, cpu, samples)
        position = end


class Costs(NamedTuple):
    """The costs of the servers so far."""

    bus: Cost
    bare: Cost
    curve: Cost


@dataclass(frozen=True)
class Round:
    """A time span, with the main thread of the user's process busy or not."""

    start_ns: int
    end_ns: int
    is_busy: bool
    before: Costs
    after: Costs


class RoundTrips(NamedTuple):
    """The figures of one kind of round trips, in microseconds."""

    p50: float
    p99: float
    #: Processor time per round trip: of the server's thread, the rest of its process, the client.
    server_cpu: float
    io_cpu: float
    client_cpu: float


#: The names of these figures in `LoadReport.to_plain`, by kind.
_NAMES = (
    ("p50_us", "p99_us")
    + ("server_cpu_us_per_decision", "io_cpu_us_per_decision", "worker_cpu_us_per_decision"),
    ("echo_p50_us", "echo_p99_us")
    + ("echo_cpu_us_per_message", "echo_io_cpu_us_per_message", "client_cpu_us_per_echo"),
    ("curve_echo_p50_us", "curve_echo_p99_us", "curve_echo_cpu_us_per_message")
    + ("curve_echo_io_cpu_us_per_message", "client_cpu_us_per_curve_echo"),
)


@dataclass(frozen=True)
class Measured:
    """The figures of all quiet or all busy rounds."""

    rounds: int
    decisions: int
    #: Decisions per second of their time slots, all workers together.
    rate: float
    #: By kind: of decisions, of bare echoes and of CURVE echoes.
    round_trips: list[RoundTrips]

    @property
    def ratios(self) -> dict[str, float]:
        """The percentiles of decisions divided by those of the echoes."""
        decision, bare, curve = self.round_trips
        return {
            "p50_ratio": decision.p50 / bare.p50,
            "p99_ratio": decision.p99 / bare.p99,
            "curve_p50_ratio": decision.p50 / curve.p50,
            "curve_p99_ratio": decision.p99 / curve.p99,
        }

    def to_plain(self) -> dict[str, float]:
        """The figures by name."""
        plain = {"rounds": self.rounds, "decisions": self.decisions, "rate": self.rate}
        for names, figures in zip(_NAMES, self.round_trips, strict=True):
            plain.update(zip(names, figures, strict=True))
        return {**plain, **self.ratios}


@dataclass(frozen=True)
class LoadReport:
    """The load test's figures; ``busy`` is None unless it was requested."""

    workers: int
    body_bytes: int
    quiet: Measured
    busy: Measured | None

    def to_plain(self) -> dict[str, float]:
        """The figures as one flat dict, rounded to three places."""
        plain: dict[str, float] = {"workers": self.workers, "body_bytes": self.body_bytes}
        plain.update(self.quiet.to_plain())
        if self.busy is not None:
            plain.update({f"busy_{name}": value for name, value in self.busy.to_plain().items()})
            quiet, busy = self.quiet.round_trips[DECISION], self.busy.round_trips[DECISION]
            plain["busy_p50_change"] = busy.p50 / quiet.p50 - 1
            plain["busy_server_cpu_change"] = busy.server_cpu / quiet.server_cpu - 1
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in plain.items()
        }


def measure(
    *,
    workers: int = 1,
    seconds: float = 20.0,
    busy_driver: bool = False,
    look_on: Callable[[Run], AbstractContextManager[object]] = nullcontext,
    **arguments: Any,
) -> LoadReport:
    """Run the load test for about ``seconds``; see the module.

    ``look_on``: makes a context manager that is entered during the measurement.
    ``arguments``: further arguments of `start`.
    """
    rounds = max(round(seconds / _ROUND_S), _LEAST_ROUNDS)
    with (
        tempfile.TemporaryDirectory(prefix="asha-bus-") as folder,
        Echo(curve=False) as bare,
        Echo(curve=True) as curve,
    ):
        run = start(
            Probe(folder, bare.address, curve.address),
            SPACE,
            engine="local",
            workers=workers,
            scheduler=ASHA(max_resource=_MAX_RESOURCE, reduction_factor=_FACTOR),
            max_time=seconds + _START_TIMEOUT_S,
            name="load-test",
            **{"monitor": None, **arguments},
        )
        try:
            _wait_for_all(run, folder, workers)
            time.sleep(_WARM_UP_S)
            with look_on(run):
                measured = [
                    _measure_round(
                        run, bare, curve, seconds / rounds, busy_driver and index % 2 == 1
                    )
                    for index in range(rounds)
                ]
        finally:
            run.stop()
            run.result()
        slots = [slot for path in Path(folder).iterdir() for slot in read_slots(path)]
    quiet = _summary([one for one in measured if not one.is_busy], slots, workers)
    busy = _summary([one for one in measured if one.is_busy], slots, workers)
    assert quiet is not None
    return LoadReport(workers, len(wire.encode(_TYPICAL)), quiet, busy)


def _wait_for_all(run: Run, folder: str, workers: int) -> None:
    """Wait until every worker has written samples."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while sum(path.stat().st_size > 0 for path in Path(folder).iterdir()) < workers:
        if time.monotonic() > deadline:
            raise BusError(f"not all {workers} workers had started after {_START_TIMEOUT_S:g} s")
        time.sleep(0.05)
        with contextlib.suppress(TimeoutError):
            run.result(timeout=0)  # raises where the run has failed


def _measure_round(run: Run, bare: Echo, curve: Echo, seconds: float, busy: bool) -> Round:
    before = _costs(run, bare, curve)
    start_ns = _clock()
    end_ns = start_ns + int(seconds * 1e9)
    if busy:
        while _clock() < end_ns:
            sum(range(1_000))
    else:
        time.sleep(seconds)
    return Round(start_ns, end_ns, busy, before, _costs(run, bare, curve))


def _costs(run: Run, bare: Echo, curve: Echo) -> Costs:
    bus = run.bus_report()
    decisions = Cost(bus.decisions, bus.router_cpu_s, bus.process_cpu_s)
    return Costs(decisions, bare.cost(), curve.cost())


def _summary(rounds: list[Round], slots: list[Slot], workers: int) -> Measured | None:
    if not rounds:
        return None
    percentiles: list[list[tuple[float, float]]] = [[] for _ in KINDS]
    counts, cpu_ns, span_ns = [0] * len(KINDS), [0] * len(KINDS), 0
    for one in rounds:
        within = [slot for slot in slots if one.start_ns <= slot.start < one.end_ns - _SLOT_NS]
        for kind in KINDS:
            its = [slot for slot in within if slot.kind == kind]
            samples = sorted(itertools.chain.from_iterable(slot.samples[1:] for slot in its))
            percentiles[kind].append((_share(samples, 0.5), _share(samples, 0.99)))
            counts[kind] += len(samples)
            cpu_ns[kind] += sum(slot.cpu for slot in its)
            span_ns += len(its) * _SLOT_NS if kind == DECISION else 0
    round_trips = []
    for kind, of_kind in zip(KINDS, percentiles, strict=True):
        p50, p99 = (median(of_rounds) for of_rounds in zip(*of_kind, strict=True))
        client_cpu = cpu_ns[kind] / counts[kind] / 1e3
        round_trips.append(RoundTrips(p50, p99, *_per_message(rounds, kind), client_cpu))
    rate = counts[DECISION] / span_ns * 1e9 * workers
    return Measured(len(rounds), counts[DECISION], rate, round_trips)


def _share(samples: list[int], share: float) -> float:
    """The percentile ``share`` of sorted samples in ns, in microseconds."""
    return samples[math.ceil(share * len(samples)) - 1] / 1e3 if samples else math.nan


def _per_message(rounds: list[Round], kind: int) -> tuple[float, float]:
    """Processor time per message of a server's thread and of the rest of its process, in us."""
    threads, others = [], []
    for one in rounds:
        messages, thread_s, process_s = (
            after - before for after, before in zip(one.after[kind], one.before[kind], strict=True)
        )
        threads.append(thread_s / messages * 1e6)
        others.append((process_s - thread_s) / messages * 1e6)
    return median(threads), median(others)


def show(report: LoadReport) -> str:
    """Format the figures as a table."""
    quiet = report.quiet
    text = [
        f"{report.workers} worker(s), {quiet.decisions:,} decisions in {quiet.rounds} rounds, "
        f"{quiet.rate:,.0f} decisions/s; a report has {report.body_bytes} bytes",
        "",
        _show_latencies(quiet),
    ]
    if report.busy is not None:
        plain = report.to_plain()
        text += [
            "",
            "while a Python loop keeps the main thread of the user's process busy:",
            "",
            _show_latencies(report.busy),
            "",
            f"busy compared with quiet: decision's p50 {plain['busy_p50_change']:+.1%}, router's "
            f"processor time per decision {plain['busy_server_cpu_change']:+.1%}",
        ]
    return "\n".join(text)


def _show_latencies(measured: Measured) -> str:
    head = ("", "p50 us", "p99 us", "server cpu us", "its i/o us", "client cpu us")
    names = ("decision", "bare echo", "CURVE echo")
    rows = [
        (name, *(f"{figure:.1f}" for figure in figures))
        for name, figures in zip(names, measured.round_trips, strict=True)
    ]
    p50, p99, curve_p50, curve_p99 = (f"{ratio:.2f}" for ratio in measured.ratios.values())
    rows += [
        ("decision / bare echo", p50, p99, *"   "),
        ("decision / CURVE echo", curve_p50, curve_p99, *"   "),
    ]
    return table(rows, head=head)
