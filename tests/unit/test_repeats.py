"""Configurations that are tried several times: their numbers, their points, their means."""

from __future__ import annotations

import math
from typing import Any

import pytest

from asha_bus.core import messages as m
from asha_bus.core.events import Ended, RequestSuggestions, Resumed, Suggested
from asha_bus.core.schedulers import ASHA, NoStopping
from asha_bus.core.trial import Trial, mean_of
from asha_bus.testing.simulator import Bench

WORKERS = "abcdef"


def bench_of(repeats: int, **settings: Any) -> Bench:
    return Bench(**{"max_trials": 6, "repeats": repeats, **settings})


def test_trials_in_a_row_are_repeats_of_one_configuration() -> None:
    bench = bench_of(3)
    bench.join(*WORKERS)
    trials = bench.experiment.table.trials
    assert [(0.0,)] * 3 + [(1.0,)] * 3 == [trial.point for trial in trials]
    assert [0, 1, 2, 0, 1, 2] == [trial.repeat for trial in trials]
    assert [0, 0, 0, 3, 3, 3] == [trial.configuration for trial in trials]
    assert 6 == len({trial.seed for trial in trials})


def test_a_worker_receives_the_number_of_repeats() -> None:
    welcome = bench_of(3).hello("a")
    assert isinstance(welcome, m.Welcome)
    assert 3 == welcome.repeats


def test_repeats_are_of_the_same_bracket() -> None:
    scheduler = ASHA(max_resource=9, brackets=2)
    bench = bench_of(2, scheduler=scheduler, max_trials=40)
    bench.join(*map(str, range(40)))
    brackets = [trial.bracket for trial in bench.experiment.table.trials]
    assert brackets[::2] == brackets[1::2]
    assert {0, 1} == set(brackets)


def test_a_trial_is_judged_by_the_mean_of_the_repeats_that_came_before_it() -> None:
    bench = bench_of(3)
    bench.join(*WORKERS)
    bench.report("a", 0, 1, 0.5)
    bench.report("d", 3, 1, 0.4)
    assert isinstance(bench.report("b", 1, 1, 0.1), m.Continue)  # 0.3 in the mean
    assert isinstance(bench.report("e", 4, 1, 0.3), m.Stop)  # 0.35 in the mean
    met = [bench.trial(number).rungs[0] for number in (0, 3, 1, 4)]
    assert [0.5, 0.4, 0.1, 0.3] == [record.metric for record in met]
    means = [0.5, 0.4, pytest.approx(0.3), pytest.approx(0.35)]
    assert means == [record.mean for record in met]
    assert means == [record.judged for record in met]
    assert [1, 2, 3, 4] == [record.n for record in met]
    assert pytest.approx(0.3) == met[3].cutoff


def test_a_mean_excludes_repeats_at_other_rungs() -> None:
    bench = bench_of(2)
    bench.join("a", "b")
    bench.report("a", 0, 1, 0.5)
    bench.report("a", 0, 3, 0.1)
    bench.report("b", 1, 1, 0.25)
    assert [0.375] == [record.mean for record in bench.trial(1).rungs]


@pytest.mark.parametrize("metric", [math.nan, math.inf, -math.inf])
def test_a_non_finite_repeat_makes_the_mean_non_finite(metric: float) -> None:
    bench = bench_of(2)
    bench.join("a", "b")
    assert isinstance(bench.report("a", 0, 1, metric), m.Stop)
    assert isinstance(bench.report("b", 1, 1, 0.1), m.Stop)
    [record] = bench.trial(1).rungs
    assert not math.isfinite(record.judged)


def test_a_mean_of_the_greatest_numbers_is_one() -> None:
    assert 1.7e308 == pytest.approx(mean_of([1.7e308, 1.7e308]))


@pytest.mark.parametrize("count", [3, 7, 10])
def test_a_mean_of_equals_is_what_they_are(count: int) -> None:
    assert [0.1, 0.7, 2.3] == [mean_of([metric] * count) for metric in (0.1, 0.7, 2.3)]


def test_without_repeats_there_is_no_mean() -> None:
    bench = bench_of(1)
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    [record] = bench.trial(0).rungs
    assert (None, 0.5) == (record.mean, record.judged)


def test_points_are_asked_for_once_for_each_configuration() -> None:
    bench = bench_of(3, supplied=False, max_trials=7)
    assert [RequestSuggestions(0, 3)] == bench.draws


def test_a_searcher_that_learns_is_asked_for_what_the_workers_need() -> None:
    bench = bench_of(3, max_trials=30, learns=True)
    bench.join(*WORKERS)
    # two are given out, and six workers need two more at most
    came = [record.event for record in bench.records if isinstance(record.event, Suggested)]
    assert [(0, 1), (1, 1), (2, 1), (3, 1)] == [(one.first, len(one.points)) for one in came]


@pytest.mark.parametrize("trials", [6, 7])
def test_max_trials_counts_each_repeat(trials: int) -> None:
    bench = bench_of(3, max_trials=trials, scheduler=NoStopping())
    bench.join("a")
    for number in range(trials):
        bench.end("a", number)
    assert Ended("max_trials", "") == bench.ended
    assert trials == len(bench.experiment.table)


def test_a_searcher_that_has_no_more_ends_the_run_after_the_last_repeat() -> None:
    bench = bench_of(2, max_trials=None, supplied=False, scheduler=NoStopping())
    bench.hello("a")
    bench.ask("a")
    bench.handle(Suggested(0, ((0.0,), (1.0,)), is_last=True))
    for number in range(4):
        assert None is bench.ended
        bench.end("a", number)
    assert Ended("exhausted", "") == bench.ended


def test_a_resumed_run_goes_on_within_a_configuration() -> None:
    bench = bench_of(3, max_trials=2, scheduler=NoStopping())
    bench.join("a")
    bench.end("a", 0)
    bench.end("a", 1)
    bench.ended = None
    bench.handle(Resumed(bench.settings.__class__(**{**vars(bench.settings), "max_trials": 4})))
    bench.join("b")
    bench.end("b", 2)
    points = [trial.point for trial in bench.experiment.table.trials]
    assert [(0.0,), (0.0,), (0.0,), (1.0,)] == points


def completed(bench: Bench, *metrics: float) -> Trial | None:
    bench.join("a")
    for number, metric in enumerate(metrics):
        bench.end("a", number, metric=metric)
    return bench.experiment.table.leader


@pytest.mark.parametrize(
    ("metrics", "leader"),
    [
        ((0.2, 0.4, 0.1, 0.3), 2),  # 0.3 and 0.2
        ((0.2, 0.4, 0.1, 0.9), 0),  # 0.3 and 0.5: the lucky one does not count
        ((0.2, 0.4, 0.0), 0),  # two completed, and one
        ((0.1, 0.7, 0.3, 0.4), 2),
    ],
)
def test_the_configuration_with_the_best_mean_leads(
    metrics: tuple[float, ...], leader: int
) -> None:
    found = completed(bench_of(2, scheduler=NoStopping()), *metrics)
    assert found is not None
    assert leader == found.id


def test_a_leader_that_falls_behind_leads_no_more() -> None:
    bench = bench_of(2, scheduler=ASHA(max_resource=9, quorum=9))
    bench.join("a", "b", "c")
    bench.report("c", 2, 1, 0.4)
    bench.report("a", 0, 1, 0.3)
    assert bench.experiment.table.leader is bench.trial(0)
    bench.report("b", 1, 1, 0.1)
    bench.report("b", 1, 3, 0.9)  # alone at the next rung
    assert bench.experiment.table.leader is bench.trial(1)
    bench.report("a", 0, 3, 0.9)
    assert bench.experiment.table.leader is bench.trial(0)
    bench.report("c", 2, 3, 0.1)
    assert bench.experiment.table.leader is bench.trial(0)  # two got there
