"""Runs over a bad network in virtual time, one story for each seed, checked after each step.

Experiment, journal and workers are the real ones; the network between them loses, doubles
and delays messages, and workers and the bus die.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from random import Random

from asha_bus.core.events import RunSettings
from asha_bus.core.schedulers import (
    ASHA,
    Hyperband,
    MedianStopping,
    NoStopping,
    PromotionASHA,
    Scheduler,
    SuccessiveHalving,
)
from asha_bus.results.tables import table
from asha_bus.testing.simulator import Conditions, Rough, Story, check

TRIALS = 16
_SCHEDULERS: tuple[Scheduler, ...] = (
    ASHA(max_resource=9),
    ASHA(max_resource=9, reduction_factor=2, brackets=2, quorum=2),
    NoStopping(max_resource=5),
    SuccessiveHalving([(2, 6), (2, 3), (3, 1)]),
    SuccessiveHalving([(2, 6), (2, 3), (3, 1)], max_resident=1),
    Hyperband([(9, [(1, 4), (2, 1)]), (7, [(3, 3), (1, 2)])]),
    PromotionASHA(max_resource=9),
    PromotionASHA(max_resource=9, reduction_factor=2, max_resident=1),
    MedianStopping(max_resource=6, min_samples=2),
)


def drawn(seed: int) -> tuple[Conditions, Rough, Scheduler]:
    """What the story of ``seed`` is made of."""
    random = Random(seed)
    conditions = Conditions(
        seed=seed,
        workers=random.randint(1, 5),
        loss=random.choice([0.0, 0.1, 0.4]),
        doubled=random.choice([0.0, 0.3]),
        delay_s=random.choice([0.001, 0.3, 3.0]),
        deaths=random.randint(0, 6),
        silences=random.randint(0, 3),
        copies=random.randint(0, 2),
        leaves=random.randint(0, 3),
        false_alarms=random.randint(0, 2),
        crashes=random.randint(0, 6),
        pauses=random.randint(0, 4),
        bus_pauses=random.randint(0, 2),
        common_pauses=random.randint(0, 2),
    )
    objective = Rough(
        seed,
        stride=random.choice([1, 1, 5]),
        fails_every=random.choice([4, None]),
        ends_every=random.choice([5, None]),
    )
    return conditions, objective, random.choice(_SCHEDULERS)


def play(seed: int) -> Story:
    """Play the story of ``seed``; AssertionError where something is not as it must be."""
    conditions, objective, scheduler = drawn(seed)
    settings = RunSettings(
        run="run",
        scheduler=scheduler,
        seed=seed,
        mode="max" if seed % 3 == 0 else "min",
        max_trials=TRIALS * (1 + seed % 2),
        lease_s=10.0,
        heartbeat_s=2.0,
        repeats=1 + seed % 2,
    )
    story = Story(conditions, settings, objective)
    story.run()
    check(story)
    return story


def simulate(first: int, seeds: int, limit_s: float) -> bool:
    """Play ``seeds`` stories, and print what happened in them; whether all went well."""
    happened: Counter[str] = Counter()
    began = time.monotonic()
    for seed in range(first, first + seeds):
        try:
            story = play(seed)
        except Exception:  # whatever it is, it is the story's that must be told
            traceback.print_exc()
            print(
                f"{drawn(seed)}\nto repeat: python scripts faults/simulate --seeds 1 --first {seed}"
            )
            return False
        counters = story.experiment.counters
        happened.update(
            {
                "stories": 1,
                "events": len(story.events),
                "decisions": counters.decisions,
                "crashes of the bus": story.crashes,
                "leases expired": counters.leases_expired,
                "trials restarted": counters.requeued,
                "late reports rejected": counters.fenced,
                "requests repeated": counters.retried,
            }
        )
        if time.monotonic() - began > limit_s:
            break
    taken_s = time.monotonic() - began
    rows = [(what, f"{count:,}") for what, count in happened.items()]
    print(table([*rows, ("seconds", f"{taken_s:,.0f}")]))
    if happened["stories"] < seeds:
        print(f"after {limit_s:g} s, seeds from {first + happened['stories']} on were left out")
    return True


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10_000, help="default: %(default)s")
    parser.add_argument("--first", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--limit-s", type=float, default=3_600.0, help="default: %(default)s")
    parser.add_argument("--smoke", action="store_true", help="only 200 seeds")
    given = parser.parse_args()
    sys.exit(not simulate(given.first, 200 if given.smoke else given.seeds, given.limit_s))


if __name__ == "__main__":
    main()
