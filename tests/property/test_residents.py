"""How many trials are paused at the same time, by the experiment's books."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asha_bus.core.events import RunSettings
from asha_bus.core.schedulers import Hyperband, PromotionASHA, Scheduler, SuccessiveHalving
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import Conditions, Rough, Story

ONE_KEPT = SuccessiveHalving([(2, 1), (2, 1)])
PLANS: list[SuccessiveHalving | Hyperband] = [
    SuccessiveHalving([(1, 5), (2, 3), (3, 1)]),
    ONE_KEPT,
    Hyperband([(9, [(1, 4), (2, 1)]), (7, [(3, 3), (1, 2)]), (2, [(4, 1)])]),
]
CONDITIONS = st.builds(
    Conditions, seed=st.integers(0, 2**32), workers=st.integers(1, 6), deaths=st.integers(0, 3)
)


class Counting(Story):
    """A story that counts paused trials after each event."""

    most = 0

    def carry_out(self) -> None:
        super().carry_out()
        workers = self.experiment.roster.workers.values()
        held = sum(len(worker.residents) for worker in workers)
        table = self.experiment.table
        repeats = self.settings.repeats
        incomplete = 0
        for first in table.trials[::repeats]:
            group = [trial for trial in first.siblings or [first] if trial.is_undecided]
            incomplete += len(group) if 0 < len(group) < repeats else 0
        self.most = max(self.most, held - incomplete)


def played(conditions: Conditions, scheduler: Scheduler, repeats: int = 1) -> Counting:
    run = RunSettings(
        "r", scheduler, 7, max_trials=18 * repeats, repeats=repeats, lease_s=10.0, heartbeat_s=2.0
    )
    story = Counting(conditions, run, Rough(conditions.seed))
    story.run()
    return story


@settings(max_examples=40)
@given(CONDITIONS, st.sampled_from(PLANS), st.integers(1, 3))
def test_a_plan_keeps_no_more_in_memory_than_its_first_rung_keeps(
    conditions: Conditions, scheduler: SuccessiveHalving | Hyperband, repeats: int
) -> None:
    story = played(conditions, scheduler, repeats)
    places = sum(pairs[0][1] for _, pairs in scheduler.sized_plans)
    assert story.most <= places * repeats + conditions.workers


@pytest.mark.parametrize("most", [1, 2, None])
def test_promotions_keep_what_fits(most: int | None) -> None:
    scheduler = PromotionASHA(max_resource=9, max_resident=most)
    story = played(Conditions(seed=3, workers=2), scheduler)
    assert story.most <= (18 if most is None else 2 * most)
    assert all(trial.state is not TrialState.PAUSED for trial in story.experiment.table.trials)


def test_a_plan_of_one_rung_pauses_nobody() -> None:
    story = played(Conditions(workers=3), replace(ONE_KEPT, plan=((2, 1),)))
    assert 0 == story.most
