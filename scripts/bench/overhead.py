"""What a user waits for: the import, random draws, the first trial, a report that does no work.

The load of the bus itself is measured by ``bench/load``. Medians of several
repetitions; what is compared takes turns.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

import asha_bus as ab

SPACE = ab.Space(x=ab.uniform(0, 1))
SCHEDULER = ab.ASHA(max_resource=27)


def empty(x: float) -> Iterator[float]:
    """Does nothing but report."""
    while True:
        yield x


def seconds_of(code: str) -> float:
    """How long a fresh interpreter takes for ``code``."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def import_times(repetitions: int) -> None:
    """The import of asha_bus beside that of its own dependencies for the wire."""
    codes = {"pass": "pass", "asha_bus": "import asha_bus", "zmq": "import zmq"}
    taken: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(repetitions):
        for name, code in codes.items():
            taken[name].append(seconds_of(code))
    bare = median(taken.pop("pass"))
    for name, seconds in taken.items():
        print(f"import {name:<24} {(median(seconds) - bare) * 1e3:8.1f} ms")


def draw_rates(repetitions: int, count: int) -> None:
    """Random configurations of ten parameters per second, as points and as parameters."""
    flat = {f"p{i}": ab.uniform(0, 1) if i % 2 else ab.randint(1, 9) for i in range(10)}
    options = [{"a": ab.uniform(0, 1), "b": [ab.normal(0, 1)]} for _ in range(4)]
    conditional = {f"p{i}": ab.choice(*options, None) for i in range(4)}
    search = ab.RandomSearch()
    for name, tree in (("ten parameters", flat), ("four sub-spaces", conditional)):
        space = ab.Space(tree)
        drawn, resolved = [], []
        for _ in range(repetitions):
            began = time.perf_counter()
            points = [search.draw(space, number, 1) for number in range(count)]
            drawn.append(count / (time.perf_counter() - began))
            began = time.perf_counter()
            for point in points:
                space.resolve(point)
            resolved.append(count / (time.perf_counter() - began))
        print(
            f"random draws of {name:<15} {median(drawn):8,.0f} /s; "
            f"{median(resolved):,.0f} points become parameters /s"
        )


def first_trials(repetitions: int) -> None:
    """From the call of launch to the start of the first trial, local engine."""
    waited = []
    for _ in range(repetitions):
        called = time.time()
        result = ab.launch(
            empty, SPACE, scheduler=SCHEDULER, max_trials=1, workers=1, engine="local", monitor=None
        )
        started = result.trials[0].start_time
        assert started is not None
        waited.append(started - called)
    print(f"launch to the first trial       {median(waited):8.2f} s")


def report_rates(repetitions: int, seconds: float, workers: int) -> None:
    """Reports per second of an objective that does nothing."""
    for name, scheduler in (
        ("ASHA(max_resource=27)", SCHEDULER),
        ("NoStopping(max_resource=1000)", ab.NoStopping(max_resource=1000)),
    ):
        reports, decisions = [], []
        for _ in range(repetitions):
            result = ab.launch(
                empty,
                SPACE,
                scheduler=scheduler,
                max_time=seconds,
                workers=workers,
                engine="local",
                monitor=None,
            )
            starts = [trial.start_time for trial in result.trials if trial.start_time]
            ends = [trial.end_time for trial in result.trials if trial.end_time]
            span = max(ends) - min(starts)
            # those between two rungs are thinned out on their way: count what was done
            reports.append(sum(trial.resource for trial in result.trials) / span)
            decisions.append(result.bus.decisions / span)
        print(
            f"{name:<31} {median(reports):8,.0f} reports/s, {median(decisions):,.0f} of them "
            f"decisions; {workers} local workers"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--smoke", action="store_true", help="only show that it works")
    given = parser.parse_args()
    times, run_seconds = (1, 2.0) if given.smoke else (given.repetitions, 6.0)
    import_times(times)
    draw_rates(times, 2_000 if given.smoke else 20_000)
    first_trials(times)
    report_rates(times, run_seconds, given.workers)
