"""What must be true of a `World` when its story is over."""

from __future__ import annotations

import math
from collections import Counter
from statistics import fmean
from typing import Any

from support.oracle import Oracle
from support.world import World, lasting

from asha_bus.core import messages as m
from asha_bus.core.pseudorandom import mix
from asha_bus.core.schedulers import ASHA
from asha_bus.formats.journal import replay


def assert_every_answered_report_counted_once(world: World) -> None:
    """What a worker was told of a report, the experiment did, and did once."""
    judged = Counter(world.ledger.judged)
    for actor in world.actors.values():
        for request, reply in actor.answered:
            if isinstance(request, m.Report):
                key = (request.trial, request.attempt, request.resource)
                is_fenced = isinstance(reply, m.Stop) and reply.why == "fenced"
                assert (0 if is_fenced else 1) == judged[key]
    assert len(world.ledger.judged) == world.experiment.counters.decisions


def assert_rungs_like_the_oracle(world: World) -> None:
    """Each rung holds its entries once, and each was judged by the rule.

    Where configurations are repeated, by the mean of the repeats that had come by then.
    """
    repeats = world.experiment.settings.repeats
    scheduler, seed = world.experiment.settings.scheduler, world.experiment.settings.seed
    entries: dict[tuple[int, int], list[Any]] = {}
    for trial in world.experiment.table.trials:
        for record in trial.rungs:
            entries.setdefault((trial.bracket, record.rung), []).append((record, trial.id))
    for (_, rung), entered in entries.items():
        assert isinstance(scheduler, ASHA)
        oracle = Oracle(scheduler.reduction_factor, scheduler.quorum)
        come: dict[int, list[float]] = {}
        for record, trial_id in sorted(entered, key=lambda entry: entry[0].n):
            its_own = come.setdefault(trial_id // repeats, [])
            its_own.append(record.metric)
            assert (record.mean is None) is (repeats == 1)
            if record.mean is not None:
                if all(map(math.isfinite, its_own)):
                    assert math.isclose(fmean(its_own), record.mean)
                else:
                    assert not math.isfinite(record.mean)
            key = record.judged if math.isfinite(record.judged) else math.inf
            expected = oracle.enter(key, mix(seed, rung, trial_id))
            assert (expected.n, expected.keep) == (record.n, record.keep)
            assert expected.goes_on is (record.verdict == "continue")


def assert_the_journal_gives_the_state(world: World) -> None:
    """The journal handled again, all at once, gives the state that there is."""
    again = replay(bytes(world.journal), "journal").experiment
    assert lasting(world.experiment) == lasting(again)
