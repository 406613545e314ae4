"""Stories in which workers keep one paused trial each, and save the others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stories import OBJECTIVES, troubles

from asha_bus.core.events import RunSettings
from asha_bus.core.schedulers import Hyperband, PromotionASHA, Scheduler, SuccessiveHalving
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import Conditions, Rough, Story, check

S = TrialState
SCHEDULERS: list[SuccessiveHalving | Hyperband | PromotionASHA] = [
    SuccessiveHalving([(2, 6), (2, 3), (5, 1)], max_resident=1),
    Hyperband([(9, [(1, 4), (2, 1)]), (7, [(3, 3), (1, 2)])], max_resident=1),
    PromotionASHA(max_resource=9, max_resident=1),
    PromotionASHA(max_resource=9, max_resident=2, rebalance=True),
]
CALM = st.builds(
    Conditions, seed=st.integers(0, 2**32), workers=st.integers(1, 5), doubled=st.just(0.0)
)
BAD = troubles(crashes=4)


def told(conditions: Conditions, objective: Rough, scheduler: Scheduler) -> Story:
    settings = RunSettings(
        "run", scheduler, 7, max_trials=16, lease_s=10.0, heartbeat_s=2.0, saves="there"
    )
    story = Story(conditions, settings, objective)
    story.run()
    check(story)
    return story


@pytest.mark.slow
@given(BAD, OBJECTIVES, st.sampled_from(SCHEDULERS))
def test_every_trial_ends_once_and_every_report_counts_once(
    conditions: Conditions, objective: Rough, scheduler: Scheduler
) -> None:
    told(conditions, objective, scheduler)


@given(CALM, st.sampled_from(SCHEDULERS[:3]))
def test_nothing_is_trained_twice(conditions: Conditions, scheduler: Scheduler) -> None:
    story = told(conditions, Rough(conditions.seed), scheduler)
    trials, counters = story.experiment.table.trials, story.experiment.counters
    assert 0 == counters.retrained
    assert sum(trial.resource for trial in trials) == story.experiment.table.spent
    assert {S.COMPLETED, S.STOPPED} >= {trial.state for trial in trials}
    assert sum(trial.attempt - 1 for trial in trials) == counters.loaded <= counters.saved


def test_trials_are_saved_and_loaded_in_these_stories() -> None:
    conditions = Conditions(seed=5, workers=3, loss=0.1, deaths=3, crashes=2)
    for scheduler in SCHEDULERS:
        counters = told(conditions, Rough(5), scheduler).experiment.counters
        assert counters.saved > 0, scheduler
    calm = told(Conditions(seed=5, workers=2), Rough(5), SCHEDULERS[0]).experiment.counters
    assert 0 < calm.loaded <= calm.saved


def test_without_saving_more_is_trained() -> None:
    conditions = Conditions(seed=5, workers=2)
    saving = told(conditions, Rough(5), SCHEDULERS[0])
    settings = replace(saving.settings, saves="")
    story = Story(conditions, settings, Rough(5))
    story.run()
    check(story)
    assert story.experiment.counters.retrained > 0
    assert story.experiment.table.spent > saving.experiment.table.spent
