"""What searchers and early stopping find for the same resource, and what a suggestion costs.

Two problems: the learning curves of real networks (``bench/tuning/networks.py``), and
simulated ones (``bench/tuning/curves.py``). The real experiment and searchers run in
virtual time with some workers; so do Hyperopt's TPE, which stops nothing, and Optuna's TPE
with its pruner by successive halving. What counts is the best final loss among the trials
that ran to their end, against the resource spent in all; the median of several seeds, and
the middle half of them in brackets.

``--make-data`` trains the networks once more, which takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

import asha_bus as ab
from asha_bus.core.pseudorandom import mix
from asha_bus.core.trial import RungRecord, Trial, TrialState
from asha_bus.results.tables import table
from asha_bus.searchers.adapter import Search, SearcherAdapter
from bench.tuning import curves, networks
from bench.tuning.ours import Completed, Problem, tuned
from bench.tuning.peers import HyperoptTPE, OptunaTPE, Peer, tuned_by

PROBLEMS = (
    Problem(
        "networks on digits", networks.SPACE, networks.curve, networks.EPOCHS, networks.FIRST_RUNG
    ),
    Problem("simulated curves", curves.SPACE, curves.curve, curves.RESOURCE),
)

#: The baseline: this many random configurations, each run to its end.
FULLY_TRAINED = 100

#: The shares of the resource of those at which a look is taken.
SHARES = (1 / 20, 1 / 10, 1 / 5, 1 / 3)

#: By when the median of `FULLY_TRAINED` is to be reached.
TARGETS = {"TPE + ASHA": 1 / 5, "random + ASHA": 1 / 3}

Tuner = Callable[[Problem, int, float, int], list[Completed]]


class Settings(NamedTuple):
    """How much is run."""

    seeds: int
    workers: int
    #: Of the resource that `FULLY_TRAINED` take, how much each tuner gets.
    share: float
    #: The numbers of known trials at which a suggestion is timed.
    known: Sequence[int]


def ours(make: Callable[[], object]) -> Tuner:
    """A searcher of ours under ASHA."""

    def run(problem: Problem, workers: int, resource: float, seed: int) -> list[Completed]:
        scheduler = ab.ASHA(problem.max_resource, min_resource=problem.min_resource)
        return tuned(problem, make(), scheduler, workers=workers, resource=resource, seed=seed)

    return run


def of_others(make: Callable[[Problem, int], Peer]) -> Tuner:
    """A tuner of others."""

    def run(problem: Problem, workers: int, resource: float, seed: int) -> list[Completed]:
        return tuned_by(make(problem, seed), problem, workers=workers, resource=resource)

    return run


TUNERS: dict[str, Tuner] = {
    "TPE + ASHA": ours(ab.TPE),
    "OptunaSearcher + ASHA": ours(ab.OptunaSearcher),
    "random + ASHA": ours(ab.RandomSearch),
    "Hyperopt's TPE, no stopping": of_others(HyperoptTPE),
    "Optuna's TPE and pruner": of_others(OptunaTPE),
}


def best_at(completed: Sequence[Completed], spent: float) -> float:
    """The best final loss by then; infinite where nothing had run to its end."""
    return min((c.metric for c in completed if c.spent <= spent), default=math.inf)


def reached_at(completed: Sequence[Completed], target: float) -> float:
    """What had been spent when the target was reached; infinite where it was not."""
    return min((c.spent for c in completed if c.metric <= target), default=math.inf)


def fully_trained(problem: Problem, seed: int) -> float:
    """The best final loss of ``FULLY_TRAINED`` random configurations."""
    space, random = problem.space, ab.RandomSearch()
    points = (random.draw(space, number, mix(seed, 1)) for number in range(FULLY_TRAINED))
    return min(problem.curve(space.resolve(point))[-1] for point in points)


def quarters(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, and the ends of the middle half."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return median(ordered), ordered[round(last / 4)], ordered[round(last * 3 / 4)]


def _shown(share: float) -> str:
    return "never" if share == math.inf else f"{share:.1%}"


def compare(problem: Problem, settings: Settings) -> None:
    """Run all tuners on a problem, and print what they found."""
    whole = FULLY_TRAINED * problem.max_resource
    baseline = [fully_trained(problem, seed) for seed in range(settings.seeds)]
    target, low, high = quarters(baseline)
    print(
        f"\n{problem.name}: {FULLY_TRAINED} random configurations, each run to its end, take "
        f"{whole:,} and find {target:.4f} [{low:.4f}, {high:.4f}]\n"
    )
    shares = [share for share in SHARES if share <= settings.share + 1e-9]
    rows, verdicts = [], []
    for name, tuner in TUNERS.items():
        began = time.monotonic()
        runs = [
            tuner(problem, settings.workers, settings.share * whole, seed)
            for seed in range(settings.seeds)
        ]
        cells = []
        for share in shares:
            middle, low, high = quarters([best_at(run, share * whole) for run in runs])
            cells.append(f"{middle:.4f} [{low:.4f}, {high:.4f}]")
        needed, low, high = quarters([reached_at(run, target) / whole for run in runs])
        cells.append(f"{_shown(needed)} [{_shown(low)}, {_shown(high)}]")
        rows.append([name, *cells, f"{time.monotonic() - began:.0f} s"])
        if TARGETS.get(name, math.inf) <= settings.share:
            verdict = "yes" if needed <= TARGETS[name] else "NO"
            verdicts.append(f"{name} gets there with at most {TARGETS[name]:.0%}: {verdict}")
    head = ["best final loss at", *(f"{share:.0%}" for share in shares), "gets there at", "took"]
    print(table(rows, head=head))
    print("\n" + "\n".join(verdicts), flush=True)


def time_suggestions(known: Sequence[int]) -> None:
    """The time of one suggestion, by the number of known trials, most of which were stopped."""
    space = networks.SPACE
    rows = []
    for name, make in (("TPE", ab.TPE), ("OptunaSearcher", ab.OptunaSearcher)):
        cells = []
        for count in known:
            given = SearcherAdapter(Search(make(), space, 0, "min"))
            began = time.perf_counter()
            for number in range(count):
                point = ab.RandomSearch().draw(space, number, 0)
                given.give(number, point)
                given.observe(_stopped_or_not(number, point).to_row())
            given.points(count, 1)
            first_s = time.perf_counter() - began
            taken = []
            for number in range(count + 1, count + 11):
                began = time.perf_counter()
                given.points(number, 1)
                taken.append(time.perf_counter() - began)
            cells.append(f"{median(taken) * 1e3:.1f} ms ({first_s:.1f} s)")
        rows.append([name, *cells])
    head = ["a suggestion (and to be told of all)", *(f"{count:,} known" for count in known)]
    print("\n" + table(rows, head=head), flush=True)


def _stopped_or_not(number: int, point: tuple[float, ...]) -> Trial:
    """A trial as ASHA leaves it: of three that enter a rung one goes on."""
    trial = Trial(number, point, number, attempt=1)
    rank = mix(number) / 2**64
    for rung in range(4):
        metric = rank + 1 / (rung + 1)
        goes_on = rank < 3.0 ** -(rung + 1)
        verdict = "continue" if goes_on else "stop"
        trial.rungs += (RungRecord(rung, 3**rung, metric, number, 1, metric, verdict),)
        trial.metric, trial.resource = metric, 3**rung
        if not goes_on:
            trial.state = TrialState.STOPPED
            return trial
    trial.metric, trial.resource, trial.state = rank, 81, TrialState.COMPLETED
    return trial


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--smoke", action="store_true", help="only show that it works")
    parser.add_argument("--make-data", action="store_true", help="train the networks again")
    options = parser.parse_args()
    if options.make_data:
        networks.make_data()
    elif options.smoke:
        for each in PROBLEMS:
            compare(each, Settings(2, 4, 1 / 20, (100,)))
        time_suggestions((100,))
    else:
        chosen = Settings(options.seeds, options.workers, 1 / 3, (100, 1_000, 10_000))
        for each in PROBLEMS:
            compare(each, chosen)
        time_suggestions(chosen.known)
