"""How a bus grows: rate and latency by the number of its workers, which are simulated.

A real run's bus gets the load of simulated workers (`asha_bus.bench.clients`): in lock-step, then
at a share of that rate, with latencies counted from the time at which each report was due, then at
rising rates until the 99th percentile exceeds a bound. Rounds of all numbers of workers take turns.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import asha_bus as ab
from asha_bus.bench.clients import ClientProcess, Load, put
from asha_bus.core.errors import BusError
from asha_bus.results.tables import table

SPACE = {"lr": ab.loguniform(1e-4, 1e-1), "units": ab.randint(8, 256)}
#: No trial reaches it: it would have to pass 30 rungs by chance.
MAX_RESOURCE = 3**30
PROCESSES = 2
SHARE = 0.05
STEP = 1.25


def idle(lr: float, units: int) -> Iterator[float]:
    """The one real worker only holds its trial."""
    time.sleep(3_600)
    yield lr


def measure(workers: int, seconds: float, cost_s: float, bound_us: float) -> dict[str, Any]:
    """The figures of one number of workers; a ramp only where ``bound_us`` is given."""
    run = ab.start(
        idle,
        SPACE,
        scheduler=ab.ASHA(max_resource=MAX_RESOURCE),
        engine="local",
        workers=1,
        max_time=3_600,
        monitor=None,
        name="workers",
    )
    processes: list[ClientProcess] = []
    try:
        address = run._supervisor.keys.address(run._follower.plan.settings.run, run.bus_address)
        count = min(PROCESSES, workers)
        share = workers // count
        began = time.monotonic()
        processes += [ClientProcess(address, share * number, share) for number in range(count)]
        for one in processes:
            one.receive()
        found: dict[str, Any] = {"workers": share * count, "join_s": time.monotonic() - began}
        before = run.bus_report()
        full = put(processes, Load(share * count, seconds, 0.0, cost_s)).to_plain()
        after = run.bus_report()
        spent = after.process_cpu_s - before.process_cpu_s
        found.update({f"full_{name}": value for name, value in full.items()})
        found["bus_cpu_us_per_decision"] = spent / (after.decisions - before.decisions) * 1e6
        rate = SHARE * full["decisions_per_s"]
        low = put(processes, Load(share * count, seconds, rate)).to_plain()
        found.update({f"low_{name}": value for name, value in low.items()})
        if bound_us:
            best = 0.0
            while put(processes, Load(share * count, seconds, rate)).percentile(0.99) <= bound_us:
                best, rate = rate, rate * STEP
            found["highest_rate"] = best
        return found
    finally:
        for one in processes:
            one.close()
        run.stop()
        with contextlib.suppress(ab.AllTrialsFailed, BusError):
            run.result(timeout=60)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 10, 100, 1_000])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cost", type=float, default=0.0, help="seconds of a step, in lock-step")
    parser.add_argument("--bound-us", type=float, default=0.0, help="ramp up to this p99")
    parser.add_argument("--smoke", action="store_true", help="a short try")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON lines")
    parser.add_argument("--plot", type=Path, help="write a picture of the latencies")
    given = parser.parse_args()
    numbers, seconds, rounds = given.workers, given.seconds, given.rounds
    if given.smoke:
        numbers, seconds, rounds = [1, 20], 0.5, 1
    of_all: dict[int, list[dict[str, float]]] = defaultdict(list)
    for _ in range(rounds):
        for workers in numbers:
            of_all[workers].append(measure(workers, seconds, given.cost, given.bound_us))
    rows = [
        {name: median(one[name] for one in found) for name in found[0]} for found in of_all.values()
    ]
    if given.plot:
        _plot(rows, given.plot)
    if given.json:
        for row in rows:
            print(json.dumps(row))
        return
    names = list(rows[0])
    cells = [(name, *(f"{row[name]:,.4g}" for row in rows)) for name in names[1:]]
    print(table(cells, head=("workers", *(f"{row['workers']:g}" for row in rows))))


def _plot(rows: list[dict[str, float]], path: Path) -> None:
    from matplotlib.figure import Figure

    axes = (figure := Figure()).add_subplot()
    for name in ("full_p50_us", "full_p99_us", "low_p50_us", "low_p99_us"):
        axes.plot([row["workers"] for row in rows], [row[name] for row in rows], "o-", label=name)
    axes.set(xscale="log", yscale="log", xlabel="workers", ylabel="microseconds")
    axes.legend()
    figure.savefig(path)


if __name__ == "__main__":
    main()
