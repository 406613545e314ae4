"""How soon each scheduler finds a configuration of the same quality, on simulated workloads.

The first workload is of the kind of Li et al., "A System for Massively Parallel Hyperparameter
Tuning", MLSys 2020: resources from 1 to 256, a reduction factor of 4, 25 and 500 workers,
training times scaled by 1 + |z| with z from a normal distribution, drawn for each stretch
between two decisions, and workers that are lost at a small rate. The second one has the
learning curves of real networks (``bench/tuning/networks.py``). The quality is the median,
over all seeds, of the best final loss of some random configurations, 500 in the first
workload and 100 in the second. What is shown are the medians over the seeds, and the middle
half of them in brackets; a run that has not got there when the time is up counts as infinite.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from statistics import median
from typing import NamedTuple

import asha_bus as ab
from asha_bus.core.messages import Point
from asha_bus.core.pseudorandom import mix
from asha_bus.core.schedulers import Hyperband, MedianStopping, PromotionASHA, Scheduler
from asha_bus.results.tables import table
from asha_bus.simulation import command
from bench.tuning import networks

ETA = 4
#: How many configurations are in the cohorts of a plan, which are begun one after the other, so
#: that workers that wait have something to do.
IN_COHORTS = 6_144


class Workload(NamedTuple):
    """What is tuned, and by how many workers."""

    name: str
    space: ab.Space
    curve: Callable[[Point, float], float]
    least: float
    most: float
    workers: int
    #: How many random configurations, each run to its end, say what quality is asked for.
    fully_trained: int
    #: The standard deviation of z, and how often a worker is lost, for each second of work.
    sigma: float = 1.0
    losses: float = 1e-4


@cache
def _of_network(point: Point) -> list[float]:
    return networks.curve(networks.SPACE.resolve(point))


def network(point: Point, resource: float) -> float:
    """The loss of a network after some epochs."""
    return _of_network(point)[int(resource) - 1]


WORKLOADS = (
    Workload("simulated curves, 25 workers", command.SPACE, command.curve, 1, 256, 25, 500),
    Workload("simulated curves, 500 workers", command.SPACE, command.curve, 1, 256, 500, 500),
    Workload(
        "networks on digits, 8 workers",
        networks.SPACE,
        network,
        networks.FIRST_RUNG,
        networks.EPOCHS,
        8,
        100,
        sigma=0.2,
    ),
)


def schedulers(workload: Workload) -> dict[str, tuple[Scheduler, int]]:
    """The schedulers by name, and how many trials each has."""
    most, least = workload.most, workload.least
    many = 1_000_000
    hyperband = Hyperband.classic(most, ETA, least)
    first = hyperband.plans[0]
    rounds = IN_COHORTS // first[0]
    step = max(int(most / 16), 1)
    return {
        "ASHA": (ab.ASHA(most, least, ETA), many),
        "PromotionASHA": (PromotionASHA(most, least, ETA, max_resident=None), many),
        "SuccessiveHalving": (Hyperband([first] * rounds), first[0] * rounds),
        "Hyperband": (
            Hyperband(list(hyperband.plans) * (rounds // 2)),
            (hyperband.configurations or 1) * (rounds // 2),
        ),
        "MedianStopping": (MedianStopping(most, grace=step, interval=step), many),
        "random search": (ab.NoStopping(most), many),
    }


def target_of(workload: Workload, seeds: int) -> float:
    """The quality that is asked for."""
    found = []
    for seed in range(seeds):
        draw = ab.RandomSearch().draw
        points = (draw(workload.space, n, mix(seed, 9)) for n in range(workload.fully_trained))
        found.append(min(workload.curve(point, workload.most) for point in points))
    return median(found)


def run(
    workload: Workload, scheduler: Scheduler, trials: int, target: float, seed: int
) -> ab.Simulated:
    """One run, until the quality is reached."""

    def step_s(random: Random) -> float:
        return 1 + abs(random.gauss(0, workload.sigma))

    in_full_s = workload.most * (1 + workload.sigma)
    return ab.simulate(
        workload.curve,
        workload.space,
        scheduler=scheduler,
        max_trials=trials,
        max_time=in_full_s * (5 * workload.fully_trained / workload.workers + 2),
        stop_at=target,
        seed=seed,
        workers=workload.workers,
        step_s=step_s,
        losses=workload.losses,
        replace_s=10.0,
    )


def shown(values: Sequence[float]) -> str:
    """The median and the middle half."""
    ordered = sorted(values)
    last = len(ordered) - 1
    middle, low, high = median(ordered), ordered[round(last / 4)], ordered[round(last * 3 / 4)]
    return f"{middle:,.0f} [{low:,.0f}, {high:,.0f}]"


def compare(workload: Workload, seeds: int) -> None:
    """Run all schedulers on a workload, and print how soon they were there."""
    target = target_of(workload, seeds)
    rows = []
    for name, (scheduler, trials) in schedulers(workload).items():
        runs = [run(workload, scheduler, trials, target, seed) for seed in range(seeds)]
        times = [one.time_to(target) for one in runs]
        there = [one for one in times if one is not None]
        needed = [
            math.inf if at is None else one.resource for at, one in zip(times, runs, strict=True)
        ]
        waits = "-"
        if scheduler.pauses:
            waits = f"{median(one.promotion_wait_s[0] for one in runs):,.0f}, " + (
                f"{max(one.promotion_wait_s[1] for one in runs):,.0f}"
            )
        rows.append(
            [
                name,
                shown([math.inf if at is None else at for at in times]),
                shown(needed),
                f"{len(there)} of {seeds}",
                f"{median(one.busy_share for one in runs):.1%}",
                waits,
            ]
        )
    head = ["scheduler", "seconds", "resource", "got there", "busy", "promotions waited, s"]
    print(f"\n{workload.name}: to a loss of {target:.4f}\n\n{table(rows, head=head)}", flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--smoke", action="store_true", help="only show that it works")
    given = parser.parse_args()
    for workload in WORKLOADS:
        if given.smoke:
            compare(workload._replace(fully_trained=20), 2)
        else:
            compare(workload, given.seeds)


if __name__ == "__main__":
    main()
