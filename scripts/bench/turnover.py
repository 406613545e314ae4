"""How long a worker takes from the end of one trial to the first line of the next one.

It is a real run on the local engine: bus, encryption, journal and workers as always. The objective
notes the time at its first and its last line. Every 20 ms it sends echoes for 20 ms over the same
machine's loopback, bare and unencrypted, so that a turnaround can be told in round trips of the
network. Each kind of objective ends in another way: one returns a number, one is a generator, one
takes the trial, and one is a generator that the scheduler stops at each first rung.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import zmq

import asha_bus as ab
from asha_bus.bench.echo import Echo, EchoAddress
from asha_bus.results.tables import table

SPACE = ab.Space(x=ab.uniform(0, 1), units=ab.randint(8, 256), act=ab.choice("relu", "tanh"))
#: Of a turnaround, an echo, and the processor time of a worker's thread for a trial, in ns.
TURNAROUND, ECHO, PROCESSOR = range(3)
_SLOT_NS = 20_000_000
#: What finds the processor's caches filled by the other kind is left out.
_LEFT_OUT = 2

_clock = time.monotonic_ns


class Probe:
    """Times the worker that holds it; `begin` and `end` are an objective's first and last line."""

    def __init__(self, folder: str, address: EchoAddress) -> None:
        self._folder, self._address = folder, address
        self._socket: zmq.Socket[bytes] | None = None
        self._samples = array("q")
        self._ended = self._slot_began = self._cpu_began = 0

    def begin(self) -> None:
        """Note the turnaround, and send echoes if it is their turn."""
        now = _clock()
        if self._socket is None:
            self._socket = self._address.connect(zmq.Context())
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                self._path = file.name
        elif self._ended:
            self._samples.append(now - self._ended)
        if now - self._slot_began >= _SLOT_NS:
            self._take_turns()

    def end(self) -> None:
        """Note the end of a trial."""
        self._ended = _clock()

    def _take_turns(self) -> None:
        assert self._socket is not None
        if self._samples:
            cpu = time.thread_time_ns() - self._cpu_began
            self._write(PROCESSOR, [cpu // len(self._samples)])
            self._write(TURNAROUND, self._samples[_LEFT_OUT:])
        del self._samples[:]
        until = _clock() + _SLOT_NS
        while (sent := _clock()) < until:
            self._socket.send(b"x" * 40)
            self._socket.recv()
            self._samples.append(_clock() - sent)
        self._write(ECHO, self._samples[_LEFT_OUT:])
        del self._samples[:]
        self._ended, self._slot_began, self._cpu_began = 0, _clock(), time.thread_time_ns()

    def _write(self, kind: int, samples: Any) -> None:
        with open(self._path, "a", encoding="ascii") as file:
            file.writelines(f"{kind} {sample}\n" for sample in samples)


class Returning:
    """An objective that returns a number."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def __call__(self, x: float, units: int, act: str) -> float:
        """Do nothing."""
        self._probe.begin()
        self._probe.end()
        return x


class Yielding:
    """A generator; ``most``: after how many reports it ends by itself."""

    def __init__(self, probe: Probe, most: int) -> None:
        self._probe, self._most = probe, most

    def __call__(self, x: float, units: int, act: str) -> Iterator[float]:
        """Report, and note the time before each report, as it may be the last."""
        self._probe.begin()
        for _ in range(self._most):
            self._probe.end()
            yield random.random()
        self._probe.end()


class Reporting:
    """An objective that takes the trial."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def __call__(self, trial: ab.Trial) -> None:
        """Report once."""
        self._probe.begin()
        self._probe.end()
        trial.report(random.random())


#: The objectives by name, and the scheduler of each; the last one has two of three trials stopped.
KINDS: dict[str, tuple[Callable[[Probe], Callable[..., Any]], Any]] = {
    "returns a number": (Returning, ab.NoStopping(max_resource=1)),
    "yields once": (lambda probe: Yielding(probe, 1), ab.NoStopping(max_resource=9)),
    "takes the trial": (Reporting, ab.NoStopping(max_resource=1)),
    "stopped at a rung": (lambda probe: Yielding(probe, 3), ab.ASHA(max_resource=3)),
}


def measure(kind: str, seconds: float, workers: int) -> list[list[int]]:
    """The samples of one kind of objective, in ns; see `TURNAROUND`."""
    make, scheduler = KINDS[kind]
    samples: list[list[int]] = [[], [], []]
    with tempfile.TemporaryDirectory(prefix="asha-bus-") as folder, Echo(curve=False) as echo:
        ab.launch(
            make(Probe(folder, echo.address)),
            SPACE,
            scheduler=scheduler,
            engine="local",
            workers=workers,
            max_time=seconds,
            monitor=None,
        )
        for path in Path(folder).iterdir():
            for line in path.read_text(encoding="ascii").splitlines():
                number, sample = line.split()
                samples[int(number)].append(int(sample))
    return samples


HEAD = ["objective", "trials", "turnaround us", "echo us", "round trips", "worker's cpu us"]


def row(kind: str, samples: Sequence[list[int]]) -> list[str]:
    """A line of the table."""
    turnaround, echo, cpu = (median(of_kind or [math.nan]) / 1e3 for of_kind in samples)
    figures = [f"{len(samples[TURNAROUND]):,}", f"{turnaround:.0f}", f"{echo:.0f}"]
    return [kind, *figures, f"{turnaround / echo:.2f}", f"{cpu:.0f}"]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each kind (default: 8)")
    parser.add_argument("--workers", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--smoke", action="store_true", help="only show that it works")
    given = parser.parse_args()
    seconds = 1.5 if given.smoke else given.seconds
    rows = [row(kind, measure(kind, seconds, given.workers)) for kind in KINDS]
    print(table(rows, head=HEAD))


if __name__ == "__main__":
    main()
