"""No more resource than was bought, whatever happens to workers and to the bus."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asha_bus.core.events import RunSettings
from asha_bus.core.schedulers import (
    ASHA,
    Hyperband,
    NoStopping,
    PromotionASHA,
    Scheduler,
    SuccessiveHalving,
)
from asha_bus.testing.simulator import Conditions, Rough, Story
from asha_bus.testing.simulator.checks import assert_the_journal_gives_the_state

CONDITIONS = st.builds(
    Conditions,
    seed=st.integers(0, 2**32),
    workers=st.integers(1, 5),
    loss=st.sampled_from([0.0, 0.2]),
    delay_s=st.sampled_from([0.001, 0.3]),
    deaths=st.integers(0, 4),
    silences=st.integers(0, 2),
    crashes=st.integers(0, 2),
    pauses=st.integers(0, 2),
)


@pytest.mark.slow
@settings(max_examples=60)
@given(
    CONDITIONS,
    st.sampled_from(
        [
            ASHA(max_resource=9),
            PromotionASHA(max_resource=9, reduction_factor=2),
            SuccessiveHalving([(2, 6), (2, 3), (3, 1)]),
            Hyperband([(9, [(1, 4), (2, 1)]), (7, [(3, 3), (1, 2)])]),
        ]
    ),
    st.integers(3, 40),
    st.integers(1, 2),
)
def test_with_rungs_the_total_is_never_exceeded(
    conditions: Conditions, scheduler: Scheduler, bought: int, repeats: int
) -> None:
    story = _played(conditions, scheduler, bought, repeats)
    assert story.experiment.assignments.budget.granted <= bought + 1e-6
    assert story.experiment.ended is not None
    assert story.experiment.ended.reason in ("max_total_resource", "max_trials")


@settings(max_examples=40)
@given(CONDITIONS, st.integers(1, 40))
def test_without_rungs_each_worker_exceeds_it_by_one_report(
    conditions: Conditions, bought: int
) -> None:
    story = _played(conditions, NoStopping(), bought, 1)
    workers = len(story.workers)
    assert story.experiment.assignments.budget.granted <= bought + workers


def _played(conditions: Conditions, scheduler: Scheduler, bought: int, repeats: int) -> Story:
    run = RunSettings(
        "r",
        scheduler,
        7,
        max_trials=16,
        max_failures=16,
        repeats=repeats,
        lease_s=10.0,
        heartbeat_s=2.0,
        max_total_resource=float(bought),
    )
    story = Story(conditions, run, Rough(conditions.seed, fails_every=5))
    story.run()
    assert_the_journal_gives_the_state(story)
    return story
