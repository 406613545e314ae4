"""A result by its configurations: which is the best, and the table of them."""

from __future__ import annotations

import math

import pytest
from support.results import make_result, make_trial

from asha_bus.core.trial import RungRecord, TrialState
from asha_bus.results.records import TrialRecord

S = TrialState


def repeats(first: int, *metrics: float | None, state: S = S.COMPLETED) -> list[TrialRecord]:
    """A configuration whose repeats came out so; None: it failed."""
    return [
        make_trial(
            first + repeat,
            S.FAILED if metric is None else state,
            metric,
            params={"x": first / 10},
            point=(first / 10,),
            repeat=repeat,
        )
        for repeat, metric in enumerate(metrics)
    ]


def test_the_best_mean_counts_and_not_the_luckiest_repeat() -> None:
    result = make_result(*repeats(0, 0.1, 0.9), *repeats(2, 0.4, 0.3))
    assert result.best is result.trials[2]
    assert "the best of the completed trials, by the mean of a configuration's repeats" == (
        result.best_reason
    )
    best, other = result.by_configuration()
    assert [pytest.approx(0.35), pytest.approx(0.5)] == [best.metric, other.metric]
    assert pytest.approx(math.sqrt(0.005)) == best.spread
    assert {"x": 0.2} == best.params
    assert result.trials[2:] == best.trials == best.furthest


@pytest.mark.parametrize(
    ("trials", "mode", "best"),
    [
        # of which more repeats completed
        ([*repeats(0, 0.1, None), *repeats(2, 0.4, 0.5)], "min", 2),
        ([*repeats(0, None, 0.1), *repeats(2, 0.4, None)], "min", 1),
        ([*repeats(0, 0.1, 0.9), *repeats(2, 0.4, 0.3)], "max", 0),
        ([*repeats(0, 0.3, 0.5), *repeats(2, 0.5, 0.3)], "min", 0),
        ([*repeats(0, math.nan, 0.1), *repeats(2, 0.5, 0.3)], "min", 2),
        ([*repeats(0, 0.1), *repeats(1, 0.9, state=S.STOPPED)], "max", 0),
    ],
)
def test_the_best_of_repeated_configurations(
    trials: list[TrialRecord], mode: str, best: int
) -> None:
    result = make_result(*trials, mode=mode)
    assert result.best is not None
    assert best == result.best.id
    assert result.best is result.by_configuration()[0].furthest[0]


def test_without_completed_ones_those_at_the_highest_rung_count() -> None:
    low, high = (RungRecord(k, 3**k, 0.5, 1, 1, 0.5, "continue") for k in range(2))
    result = make_result(
        make_trial(0, S.STOPPED, 0.1, low, repeat=0),
        make_trial(1, S.STOPPED, 0.6, low, high, repeat=1),
        make_trial(2, S.STOPPED, 0.7, low, high, repeat=0),
        make_trial(3, S.STOPPED, 0.9, low, high, repeat=1),
    )
    first, second = result.by_configuration()
    assert 2 == first.trials[0].id  # two got there
    assert pytest.approx(0.8) == first.metric
    assert ((result.trials[1],), 0.6, None) == (second.furthest, second.metric, second.spread)


def test_without_a_usable_metric_it_comes_last() -> None:
    result = make_result(*repeats(0, None, None), *repeats(2, 0.4, 0.3))
    last = result.by_configuration()[1]
    assert ((), None, None) == (last.furthest, last.metric, last.spread)


def test_it_prints_as_a_table() -> None:
    result = make_result(*repeats(0, 0.25, None), *repeats(2, 0.5, 0.25))
    assert [
        "trials  states                 resource  metric  spread  of  params",
        "------  ---------------------  --------  ------  ------  --  ------",
        "2-3     2 COMPLETED                   1   0.375    0.18   2  x=0.2",
        "0-1     1 COMPLETED, 1 FAILED         1    0.25           1  x=0.0",
    ] == [line.rstrip() for line in repr(result.by_configuration()).splitlines()]


def test_each_trial_is_one_where_nothing_is_repeated() -> None:
    result = make_result(make_trial(0, metric=0.5), make_trial(1, metric=0.25))
    assert [(0.25, 1), (0.5, 0)] == [
        (one.metric, one.trials[0].id) for one in result.by_configuration()
    ]
    assert "the best of the completed trials" == result.best_reason
    assert "mean" not in repr(result)


def test_a_result_shows_the_mean_and_the_spread_of_its_best() -> None:
    text = repr(make_result(*repeats(0, 0.5, 0.25)))
    assert "best: trial 0, metric 0.5" in text
    assert "mean of 2 repeats: 0.375 ± 0.18" in text


def test_repeats_are_no_configurations_that_were_tried_before() -> None:
    again = [make_trial(4, params={"x": 0.0}, point=(0.0,))]
    assert 0 == make_result(*repeats(0, 0.5, 0.25)).repeated
    assert 1 == make_result(*repeats(0, 0.5, 0.25), *repeats(2, 0.5, 0.1), *again).repeated


def test_the_text_of_a_decision_names_the_mean() -> None:
    def at(n: int, metric: float, mean: float, verdict: str) -> RungRecord:
        return RungRecord(0, 1, metric, n, 1, 0.4, verdict, mean)

    result = make_result(
        make_trial(0, S.RUNNING, 0.4, at(1, 0.4, 0.4, "continue"), repeat=0),
        make_trial(1, S.STOPPED, 0.6, at(2, 0.6, 0.5, "stop"), repeat=1),
    )
    [decision, _] = result.explain(1).splitlines()
    assert decision == (
        "rung 0 at resource 1: metric 0.6, mean of its repeats 0.5, rank 2 of 2 here, "
        "the best one goes on, the 1st has 0.4: stopped"
    )
