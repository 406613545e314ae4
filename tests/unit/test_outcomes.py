"""What a model learns from: which rung it looks at, and what it makes of each trial."""

from __future__ import annotations

import math

import pytest
from support.results import make_trial

from asha_bus.core.trial import RungRecord, TrialState
from asha_bus.records import TrialRecord
from asha_bus.searchers.outcomes import Outcomes, outcomes_of

S = TrialState


def trial(number: int, state: TrialState, *metrics: float) -> TrialRecord:
    """One whose metrics are those at resources 1, 3, 9; of a completed one the last is the end."""
    at_rungs = metrics[:-1] if state is S.COMPLETED else metrics
    rungs = tuple(RungRecord(k, 3**k, metric, 1, 1, None, "") for k, metric in enumerate(at_rungs))
    return make_trial(number, state, metrics[-1] if metrics else None, *rungs)


def summary(outcomes: Outcomes) -> tuple[dict[int, float], list[int], list[int]]:
    losses, bad, still_open = outcomes
    return {t.id: m for t, m in losses}, [t.id for t in bad], [t.id for t in still_open]


def test_the_highest_level_with_enough_metrics_is_taken() -> None:
    history = [
        trial(0, S.STOPPED, 0.9),
        trial(1, S.STOPPED, 0.5, 0.4),
        trial(2, S.RUNNING, 0.6, 0.5),
        trial(3, S.COMPLETED, 0.3, 0.2, 0.1),
    ]
    assert ({3: 0.1}, [0, 1], [2]) == summary(outcomes_of(history, "min", 1))
    assert ({1: 0.4, 2: 0.5, 3: 0.2}, [0], []) == summary(outcomes_of(history, "min", 2))
    everyone = {0: 0.9, 1: 0.5, 2: 0.6, 3: 0.3}
    assert (everyone, [], []) == summary(outcomes_of(history, "min", 4))
    assert (everyone, [], []) == summary(outcomes_of(history, "min", 99))


def test_without_rungs_it_is_the_end() -> None:
    history = [trial(0, S.COMPLETED, 0.5), trial(1, S.RUNNING), trial(2, S.PENDING)]
    assert ({0: 0.5}, [], [1, 2]) == summary(outcomes_of(history, "min", 1))
    assert ({}, [], [1, 2]) == summary(outcomes_of(history[1:], "min", 1))
    assert ({}, [], []) == summary(outcomes_of([], "min", 1))


def test_the_greatest_becomes_the_least() -> None:
    history = [trial(0, S.COMPLETED, 0.5), trial(1, S.COMPLETED, 0.75)]
    assert ({0: -0.5, 1: -0.75}, [], []) == summary(outcomes_of(history, "max", 1))


@pytest.mark.parametrize(
    "failed",
    [
        trial(1, S.FAILED),
        trial(1, S.FAILED, 0.5),
        trial(1, S.LOST, 0.5),
        trial(1, S.STOPPED, math.nan),
        trial(1, S.STOPPED, 0.5, math.inf),
        trial(1, S.STOPPED, 0.5, -math.inf),
        trial(1, S.COMPLETED, 0.5, math.nan),
    ],
)
def test_what_failed_is_bad_wherever_it_was(failed: TrialRecord) -> None:
    history = [trial(0, S.STOPPED, 0.5), failed]
    assert ({0: 0.5}, [1], []) == summary(outcomes_of(history, "min", 1))


def test_what_was_stopped_below_the_level_is_bad_and_what_was_cancelled_says_nothing() -> None:
    history = [
        trial(0, S.COMPLETED, 0.3, 0.2),
        trial(1, S.STOPPED, 0.1),
        trial(2, S.CANCELLED),
        trial(3, S.CANCELLED, 0.1),
        trial(4, S.RUNNING, 0.1),
        trial(5, S.PENDING, 0.1),
    ]
    assert ({0: 0.2}, [1], [4, 5]) == summary(outcomes_of(history, "min", 1))
