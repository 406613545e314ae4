"""What it costs the decisions to be looked at: the load test with and without onlookers.

Runs of the load test take turns: one that nobody looks at, and one with a monitor that
follows every trial, the metrics scraped each second, and the live page open in a
browser (a reader of its events). Medians over the repetitions.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import asha_bus as ab
from asha_bus.bench.load import measure
from asha_bus.core.events import RunSettings
from asha_bus.core.experiment import Experiment
from asha_bus.core.status import BusFigures, JournalFigures, status
from asha_bus.driver.exporter import Endpoint
from asha_bus.driver.readings import Facts
from asha_bus.results.tables import table

_SCRAPE_EVERY_S = 1.0


class Counting(ab.Monitor):
    """Follows every trial, and counts."""

    def __init__(self) -> None:
        self.trials = 0

    def on_end(self, trial: ab.TrialRecord) -> None:
        """One more."""
        self.trials += 1


@contextmanager
def onlookers(run: ab.Run) -> Iterator[None]:
    """Scrapes the metrics each second and reads the page's events, until the end."""
    is_over = threading.Event()

    def scrape() -> None:
        while not is_over.wait(_SCRAPE_EVERY_S):
            _read(run.metrics_url)

    def follow() -> None:
        with urllib.request.urlopen(f"{run.page_url}events", timeout=60) as events:
            for _ in events:
                if is_over.is_set():
                    return

    threads = [threading.Thread(target=target, daemon=True) for target in (scrape, follow)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join(10)


def _read(url: str | None) -> bytes:
    assert url is not None
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def compare(repetitions: int, seconds: float) -> dict[str, float]:
    """The figures of both kinds, medians, and what onlookers change."""
    found: dict[str, list[dict[str, Any]]] = {"alone": [], "watched": []}
    for number in range(repetitions):
        for kind in ("alone", "watched") if number % 2 == 0 else ("watched", "alone"):
            if kind == "alone":
                report = measure(seconds=seconds)
            else:
                report = measure(
                    seconds=seconds,
                    look_on=onlookers,
                    monitor=Counting(),
                    metrics_port=0,
                    page=True,
                )
            found[kind].append(report.to_plain())
    names = ("p50_us", "p99_us", "p50_ratio", "p99_ratio", "server_cpu_us_per_decision", "rate")
    figures: dict[str, float] = {}
    rows = []
    for name in names:
        alone, watched = (median(one[name] for one in found[kind]) for kind in found)
        change = median(
            mine[name] / other[name] - 1
            for mine, other in zip(found["watched"], found["alone"], strict=True)
        )
        figures[f"{name}_change"] = change
        rows.append((name, f"{alone:.2f}", f"{watched:.2f}", f"{change:+.1%}"))
    print(table(rows, head=("", "alone", "watched", "change, median of pairs")), flush=True)
    return figures


def scrape_time(repetitions: int) -> float:
    """Seconds for a scrape of at least 1,000 series over HTTP."""
    endpoint = Endpoint("127.0.0.1", 0)
    scheduler = ab.ASHA(max_resource=81, brackets=2)
    settings = RunSettings(run="scraped", scheduler=scheduler, seed=1)
    figures = BusFigures({100: 5}, 1.0, 0.5, 1.0, JournalFigures(1, 2, 3.0, 4, 5.0))
    for number in range(8):
        experiment = Experiment(settings, 0.0, lambda effect: None)
        facts = Facts(
            mode="min",
            scheduler=repr(scheduler),
            objective="train",
            engine="local",
            version=ab.__version__,
            max_trials=10,
            start_time=time.time(),
            status=status(experiment, 1.0, figures),
            taken_at=time.monotonic(),
        )
        endpoint.add(f"run-{number}", facts)
    url = f"http://127.0.0.1:{endpoint.port}/metrics"
    taken = []
    for _ in range(repetitions):
        began = time.perf_counter()
        body = _read(url)
        taken.append(time.perf_counter() - began)
    endpoint.close()
    series = sum(bool(line) and not line.startswith(b"#") for line in body.splitlines())
    seconds = median(taken)
    print(f"scrape of {series} series: {seconds * 1e3:.1f} ms, median of {repetitions}", flush=True)
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=8.0, help="of one run of the load test")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--smoke", action="store_true", help="only check that it works")
    given = parser.parse_args()
    if given.smoke:
        given.repetitions, given.seconds = 1, 1.0
    figures = {"scrape_s": scrape_time(3 if given.smoke else 21)}
    figures.update(compare(given.repetitions, given.seconds))
    if given.json:
        json.dump({name: round(value, 4) for name, value in figures.items()}, sys.stdout)
        print(flush=True)


if __name__ == "__main__":
    main()
