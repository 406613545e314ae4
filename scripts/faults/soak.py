"""A long run under steady load: does anything grow that should not?

Every few seconds memory, descriptors and threads of the bus, of this process, which is
the driver, and of the workers are read from /proc. The bus keeps every trial, so its
memory may grow with their number, by a bound that is stated per trial; new trials are
begun at a steady rate. After a warm-up nothing else may grow but by an allowance for
what an allocator keeps.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.processes import descendants

import asha_bus as ab
from asha_bus.results.tables import table

#: Each step of the objective takes so long; half of all trials take but one or two.
STEP_S = 0.1
WORKERS = 2
SCHEDULER = ab.ASHA(max_resource=27)

#: What came before this share of the time is warm-up.
WARM_UP = 0.1
SAMPLE_S = 5.0
SAMPLES = 20  # at least, however short the run is

#: How much memory may grow, in bytes: by itself, and for each trial that the bus keeps.
GROWTH_BYTES = 8 << 20
TRIAL_BYTES = 2 << 10
#: Descriptors and threads may grow by this many: a sample may include a short-lived one.
GROWTH_COUNT = 3

MEMORY, DESCRIPTORS, THREADS = "memory, MiB", "descriptors", "threads"


@dataclass
class Sample:
    """What was seen at one time: by process and kind, how much."""

    at: float
    trials: int
    pids: tuple[int, ...]
    seen: dict[tuple[str, str], float]


def steady(x: float) -> Iterator[float]:
    """Reports in steps of the same length."""
    for step in range(1, 1_000):
        time.sleep(STEP_S)
        yield x + 1 / step


def look_at(pid: int) -> dict[str, float]:
    """Memory in bytes, descriptors and threads of a process."""
    process = Path(f"/proc/{pid}")
    resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {
        MEMORY: resident,
        DESCRIPTORS: len(os.listdir(process / "fd")),
        THREADS: len(os.listdir(process / "task")),
    }


def sample(run: ab.Run, began: float) -> Sample:
    """Look at all processes of ``run``; of the workers at what is most."""
    bus, workers = run.bus_pid, descendants("asha_bus.executor")
    seen = {("bus", kind): value for kind, value in look_at(bus).items()}
    seen |= {("driver", kind): value for kind, value in look_at(os.getpid()).items()}
    for worker in workers:
        for kind, value in look_at(worker).items():
            seen["worker", kind] = max(value, seen.get(("worker", kind), 0))
    trials = run.status()["trials"]
    return Sample(time.monotonic() - began, trials, (bus, *sorted(workers)), seen)


def soak(seconds: float, seed: int | None) -> tuple[list[Sample], ab.Result, int]:
    """Let a run go on for so long; the samples, its result, and its journal's size."""
    with tempfile.TemporaryDirectory(prefix="asha-bus-soak-") as folder:
        journal = Path(folder) / "journal"
        run = ab.start(
            steady,
            ab.Space(x=ab.uniform(0, 1)),
            scheduler=SCHEDULER,
            max_time=seconds,
            engine="local",
            workers=WORKERS,
            seed=seed,
            journal=journal,
            monitor=None,
        )
        began = time.monotonic()
        samples = []
        try:
            pause_s = min(SAMPLE_S, seconds / SAMPLES)
            while (left := began + seconds - time.monotonic()) > pause_s:
                time.sleep(pause_s)
                # the last trials are stopped at the end, and the workers leave
                if left > 2 * pause_s:
                    samples.append(sample(run, began))
            return samples, run.result(timeout=60), journal.stat().st_size
        finally:
            run.stop(now=True)


def slope_per_hour(samples: Sequence[Sample], key: tuple[str, str]) -> float:
    """By how much a value grew in an hour, fitted to all samples."""
    times = [one.at for one in samples]
    values = [one.seen[key] for one in samples]
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in times)
    pairs = zip(times, values, strict=True)
    return sum((at - middle) * (value - mean) for at, value in pairs) / spread * 3_600


def bound(key: tuple[str, str], trials: int) -> float:
    """How much more there may be at the end, if ``trials`` were started meanwhile."""
    where, kind = key
    if kind != MEMORY:
        return GROWTH_COUNT
    return GROWTH_BYTES + (TRIAL_BYTES * trials if where == "bus" else 0)


def shown(kind: str, value: float) -> str:
    """A value as the table has it."""
    return f"{value / 2**20:,.1f}" if kind == MEMORY else f"{value:,.0f}"


def report(samples: Sequence[Sample]) -> list[str]:
    """Print the table; what grew beyond its bound."""
    samples = samples[int(len(samples) * WARM_UP) :]
    start, middle, end = samples[0], samples[len(samples) // 2], samples[-1]
    begun = end.trials - start.trials
    rows, wrong = [], []
    for key in start.seen:
        where, kind = key
        growth, most = end.seen[key] - start.seen[key], bound(key, begun)
        rows.append(
            (
                f"{where}: {kind}",
                *(shown(kind, one.seen[key]) for one in (start, middle, end)),
                shown(kind, slope_per_hour(samples, key)),
                shown(kind, growth),
                shown(kind, most),
            )
        )
        if growth > most:
            wrong.append(f"{where}: {kind} grew by {shown(kind, growth)}")
    print(table(rows, head=("", "start", "middle", "end", "per hour", "growth", "bound")))
    grown = end.seen["bus", MEMORY] - start.seen["bus", MEMORY]
    print(
        f"from {start.at:.0f} s to {end.at:.0f} s {begun:,} trials were begun; the bus, which "
        f"keeps them, grew by {grown / max(begun, 1):,.0f} bytes for each ({TRIAL_BYTES:,} allowed)"
    )
    if len({one.pids for one in samples}) != 1:
        wrong.append("a process was replaced by another one")
    return wrong


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=None, help="default: another each time")
    parser.add_argument("--smoke", action="store_true", help="only 20 seconds")
    given = parser.parse_args()
    seconds = 20.0 if given.smoke else given.minutes * 60
    samples, result, journal = soak(seconds, given.seed)
    print(f"seed {result.seed}: {len(result.trials):,} trials, {result.bus.decisions:,} decisions")
    wrong = report(samples)
    print(f"the journal has {journal / len(result.trials):,.0f} bytes for each trial")
    if result.reason != "max_time" or result.bus.requeued:
        wrong.append(f"the run ended by {result.reason}, {result.bus.requeued} trials restarted")
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
