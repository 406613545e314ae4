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
from pathlib import Path
from random import Random

TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path.append(str(TESTS))

from support.verdicts import (  # noqa: E402 - lies beside the tests, which share it
    assert_every_answered_report_counted_once,
    assert_rungs_like_the_oracle,
    assert_the_journal_gives_the_state,
)
from support.world import Conditions, World  # noqa: E402

from asha_bus.core.events import RunSettings  # noqa: E402
from asha_bus.core.schedulers import ASHA, NoStopping, Scheduler  # noqa: E402
from asha_bus.core.trial import FINAL  # noqa: E402
from asha_bus.results.tables import table  # noqa: E402

TRIALS = 16
_SCHEDULERS: tuple[Scheduler, ...] = (
    ASHA(max_resource=9),
    ASHA(max_resource=9, reduction_factor=2, brackets=2, quorum=2),
    NoStopping(max_resource=5),
)


def conditions_of(seed: int) -> tuple[Conditions, Scheduler]:
    """How bad it is in the story of ``seed``, and by what rule trials are stopped."""
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
        fails_every=random.choice([4, None]),
        ends_every=random.choice([5, None]),
        stride=random.choice([1, 1, 5]),
    )
    return conditions, random.choice(_SCHEDULERS)


def play(seed: int) -> World:
    """Play the story of ``seed``; AssertionError where something is not as it must be."""
    conditions, scheduler = conditions_of(seed)
    settings = RunSettings(
        run="run", scheduler=scheduler, seed=seed, max_trials=TRIALS, lease_s=10.0, heartbeat_s=2.0
    )
    world = World(conditions, settings)
    world.run()
    trials = world.experiment.table.trials
    assert len(world.ended) == 1, "the run did not end once"
    assert list(range(len(trials))) == sorted(world.ledger.ended), "a trial never ended"
    assert all(trial.state in FINAL for trial in trials), "a trial is not in a final state"
    assert_every_answered_report_counted_once(world)
    assert_rungs_like_the_oracle(world)
    assert_the_journal_gives_the_state(world)
    return world


def simulate(first: int, seeds: int, limit_s: float) -> bool:
    """Play so many stories, and print what happened in them; whether all went well."""
    happened: Counter[str] = Counter()
    began = time.monotonic()
    for seed in range(first, first + seeds):
        try:
            world = play(seed)
        except Exception:  # whatever it is, it is the story's that must be told
            traceback.print_exc()
            print(
                f"{conditions_of(seed)}\n"
                f"to repeat: python scripts faults/simulate --seeds 1 --first {seed}"
            )
            return False
        counters = world.experiment.counters
        happened.update(
            {
                "stories": 1,
                "events": len(world.story),
                "decisions": counters.decisions,
                "crashes of the bus": world.crashes,
                "leases expired": counters.leases_expired,
                "trials begun again": counters.requeued,
                "late reports fenced off": counters.fenced,
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
