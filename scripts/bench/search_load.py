"""What a searcher that learns costs the bus: its processor time per decision, beside random search.

Real launches on local workers take turns, one with `TPE` and one with `RandomSearch`. The
objective sleeps before each report, so that the workers, of which there are more than
cores, wait for nothing but the bus. Processor time is that of the router's thread, between
the end of a warm-up and a given number of decisions later. Medians over the repetitions.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import Any

import asha_bus as ab
from asha_bus.results.tables import table

SPACE = ab.Space(
    lr=ab.loguniform(1e-4, 1e-1),
    momentum=ab.uniform(0, 1),
    decay=ab.loguniform(1e-6, 1e-2),
    units=ab.randint(8, 256, log=True),
    layers=ab.randint(1, 6),
    act=ab.choice("relu", "tanh", "gelu"),
)
SCHEDULER = ab.ASHA(max_resource=27)

#: No run takes longer, and it is looked at so often.
_MOST_S = 300.0
_LOOK_EVERY_S = 0.5

#: The two searchers in the order of the table's columns.
KINDS = ("random", "TPE")


@dataclass(frozen=True)
class Steady:
    """An objective that takes ``step_s`` seconds a step, whose loss falls to a limit of its seed.

    The loss does not depend on the configuration: so as many trials get to each rung with
    either searcher, and a decision stands for the same work of the bus.
    """

    step_s: float

    def __call__(self, trial: ab.Trial) -> None:
        """Report a loss for each step."""
        worth = Random(trial.seed).random()
        for step in trial:
            time.sleep(self.step_s)
            trial.report(worth + 1 / (step + 1))


@dataclass(frozen=True)
class Figures:
    """What one run took, of the bus and of the searcher."""

    router_us: float
    process_us: float
    decisions: int
    reports: int
    suggest_waits: int
    fallbacks: int


def measure(kind: str, *, warm_up: int, decisions: int, workers: int, step_s: float) -> Figures:
    """Run with one of the searchers; measure ``decisions`` decisions after the warm-up."""
    run = ab.start(
        Steady(step_s),
        SPACE,
        scheduler=SCHEDULER,
        searcher=ab.TPE() if kind == "TPE" else ab.RandomSearch(),
        max_time=_MOST_S,
        workers=workers,
        engine="local",
        monitor=None,
    )
    try:
        before = _report_after(run, warm_up)
        after = _report_after(run, before.decisions + decisions)
    finally:
        run.stop()
        run.result()
    decisions = after.decisions - before.decisions
    return Figures(
        router_us=(after.router_cpu_s - before.router_cpu_s) / decisions * 1e6,
        process_us=(after.process_cpu_s - before.process_cpu_s) / decisions * 1e6,
        decisions=decisions,
        reports=after.reports - before.reports,
        suggest_waits=after.suggest_waits - before.suggest_waits,
        fallbacks=after.fallbacks,
    )


def _report_after(run: ab.Run, decisions: int) -> ab.BusReport:
    """The bus's report after ``decisions`` decisions."""
    due = time.monotonic() + _MOST_S
    while (report := run.bus_report()).decisions < decisions:
        if time.monotonic() > due:
            raise TimeoutError(f"there were {report.decisions} of {decisions} decisions in time")
        time.sleep(_LOOK_EVERY_S)
    return report


def compare(repetitions: int, **load: Any) -> dict[str, float]:
    """The figures of both searchers, medians, and what the one that learns changes."""
    found: dict[str, list[Figures]] = {kind: [] for kind in KINDS}
    for number in range(repetitions):
        for kind in KINDS if number % 2 == 0 else KINDS[::-1]:
            found[kind].append(measure(kind, **load))
    figures: dict[str, float] = {}
    rows = []
    for name in Figures.__dataclass_fields__:
        values = [[float(getattr(one, name)) for one in found[kind]] for kind in KINDS]
        middle = [median(each) for each in values]
        figures.update({f"{kind}_{name}": mid for kind, mid in zip(KINDS, middle, strict=True)})
        ratio = ""
        if name.endswith("_us"):
            pairs = [mine / other for other, mine in zip(*values, strict=True)]
            figures[f"{name}_ratio"] = median(pairs)
            ratio = f"{median(pairs):.3f} ({min(pairs):.2f} to {max(pairs):.2f})"
        rows.append((name, *(f"{mid:,.1f}" for mid in middle), ratio))
    print(table(rows, head=("", *KINDS, "TPE / random, median of pairs")), flush=True)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--decisions", type=int, default=800, help="of one run, after a warm-up")
    parser.add_argument("--workers", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--step", type=float, default=0.1, help="seconds before each report")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--smoke", action="store_true", help="only check that it works")
    given = parser.parse_args()
    if given.smoke:
        given.repetitions, given.decisions, given.workers = 1, 30, 2
    figures = compare(
        given.repetitions,
        warm_up=given.decisions // 5,
        decisions=given.decisions,
        workers=given.workers,
        step_s=given.step,
    )
    if given.json:
        json.dump({name: round(value, 4) for name, value in figures.items()}, sys.stdout)
        print(flush=True)


if __name__ == "__main__":
    main()
