"""What a model learns from: which rung it looks at, and what it makes of each trial."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from support.results import make_trial

from asha_bus.core.trial import RungRecord, TrialState
from asha_bus.results.records import TrialRecord
from asha_bus.searchers.outcomes import Outcomes, averaged, outcomes_of

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


def test_a_paused_trial_may_come_further() -> None:
    history = [trial(0, S.COMPLETED, 0.5, 0.25), trial(1, S.PAUSED, 0.75)]
    assert ({0: 0.25}, [], [1]) == summary(outcomes_of(history, "min", 1))
    assert ({0: 0.5, 1: 0.75}, [], []) == summary(outcomes_of(history, "min", 2))


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
def test_a_failed_trial_is_bad_at_any_resource(failed: TrialRecord) -> None:
    history = [trial(0, S.STOPPED, 0.5), failed]
    assert ({0: 0.5}, [1], []) == summary(outcomes_of(history, "min", 1))


def test_a_trial_stopped_below_the_level_is_bad_and_a_cancelled_one_is_ignored() -> None:
    history = [
        trial(0, S.COMPLETED, 0.3, 0.2),
        trial(1, S.STOPPED, 0.1),
        trial(2, S.CANCELLED),
        trial(3, S.CANCELLED, 0.1),
        trial(4, S.RUNNING, 0.1),
        trial(5, S.PENDING, 0.1),
    ]
    assert ({0: 0.2}, [1], [4, 5]) == summary(outcomes_of(history, "min", 1))


# --- repeats -------------------------------------------------------------------


def repeated(number: int, repeat: int, state: TrialState, *metrics: float) -> TrialRecord:
    return replace(trial(number, state, *metrics), repeat=repeat)


def test_repeats_become_one_trial_with_their_means() -> None:
    history = [
        repeated(0, 0, S.COMPLETED, 0.5, 0.25),
        repeated(1, 1, S.COMPLETED, 1.0, 0.75),
        repeated(2, 2, S.STOPPED, 0.75),
        repeated(3, 0, S.STOPPED, 0.5),
        repeated(4, 1, S.STOPPED, 1.0),
        trial(5, S.RUNNING, 0.5),
    ]
    first, second, third = averaged(history)
    assert (0, S.COMPLETED, 0.5) == (first.id, first.state, first.metric)
    assert [0.75] == [record.metric for record in first.rungs]
    assert (3, S.STOPPED, [0.75]) == (second.id, second.state, [r.metric for r in second.rungs])
    assert third is history[5]
    assert ({0: 0.5}, [3], [5]) == summary(outcomes_of(averaged(history), "min", 1))
    assert ({0: 0.75, 3: 0.75, 5: 0.5}, [], []) == summary(outcomes_of(averaged(history), "min", 3))


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([S.COMPLETED, S.FAILED, S.LOST], S.FAILED),
        ([S.RUNNING, S.COMPLETED, S.STOPPED], S.COMPLETED),
        ([S.STOPPED, S.RUNNING, S.CANCELLED], S.RUNNING),
        ([S.STOPPED, S.PAUSED, S.PENDING], S.PAUSED),
        ([S.STOPPED, S.PENDING], S.PENDING),
        ([S.CANCELLED, S.STOPPED], S.STOPPED),
        ([S.CANCELLED, S.CANCELLED], S.CANCELLED),
    ],
)
def test_the_state_of_repeats(states: list[TrialState], expected: TrialState) -> None:
    [found] = averaged([repeated(n, n, state, 0.5) for n, state in enumerate(states)])
    assert expected is found.state


def test_a_repeat_that_reported_no_number_makes_its_configuration_bad() -> None:
    history = [repeated(0, 0, S.STOPPED, math.nan), repeated(1, 1, S.COMPLETED, 0.5, 0.5)]
    assert ({}, [0], []) == summary(outcomes_of(averaged(history), "min", 1))


def test_without_repeats_history_is_as_it_was() -> None:
    history = [trial(0, S.STOPPED, 0.5)]
    assert history is averaged(history)
