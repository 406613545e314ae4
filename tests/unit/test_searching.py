"""A searcher that learns: what it is asked for and told, waited for, and done without."""

from __future__ import annotations

import pytest

from asha_bus.core import messages as m
from asha_bus.core.events import Ended, FallbackDrawn, RequestSuggestions, Suggested, TrialUpdated
from asha_bus.core.schedulers import ASHA
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import Bench


def learner(**settings: object) -> Bench:
    given = {"learns": True, "supplied": False, "max_trials": 20, "lease_s": 1_000.0}
    return Bench(**{**given, **settings})  # type: ignore[arg-type]


def answer(bench: Bench, *numbers: int) -> None:
    """The searcher's points of these trials: their numbers."""
    for number in numbers:
        bench.draws.remove(RequestSuggestions(number, 1))
        bench.handle(Suggested(number, ((float(number),),)))


def test_it_is_asked_for_one_point_at_first_and_then_one_ahead_for_each_worker() -> None:
    bench = learner()
    assert [RequestSuggestions(0, 1)] == bench.draws
    bench.hello("a")
    bench.hello("b")
    assert [RequestSuggestions(0, 1), RequestSuggestions(1, 1)] == bench.draws
    answer(bench, 0)
    bench.ask("a")
    answer(bench, 1)
    bench.ask("b")
    assert [RequestSuggestions(2, 1), RequestSuggestions(3, 1)] == bench.draws


def test_rungs_and_ends_are_sent_before_the_next_request() -> None:
    bench = learner(scheduler=ASHA(max_resource=9))
    order: list[object] = []
    bench.hello("a")
    answer(bench, 0)
    bench.ask("a")
    answer(bench, 1)
    emit = bench.experiment.emit

    def watch(effect: object) -> None:
        if isinstance(effect, TrialUpdated | RequestSuggestions):
            order.append(effect.trial.id if isinstance(effect, TrialUpdated) else effect)
        emit(effect)  # type: ignore[arg-type]

    bench.experiment.emit = watch
    bench.report("a", 0, 1, 0.5)
    assert [] == order
    bench.end("a", 0)
    assert [0, RequestSuggestions(2, 1)] == order
    assert [0] == bench.observed


def test_the_last_trials_are_sent_before_the_run_has_ended() -> None:
    bench = learner(max_trials=1, scheduler=ASHA(max_resource=9))
    bench.hello("a")
    answer(bench, 0)
    bench.ask("a")
    emit, order = bench.experiment.emit, []

    def watch(effect: object) -> None:
        if isinstance(effect, TrialUpdated | Ended):
            order.append(type(effect))
        emit(effect)  # type: ignore[arg-type]

    bench.experiment.emit = watch
    bench.end("a", 0)
    assert [TrialUpdated, Ended] == order


def test_a_searcher_that_does_not_learn_receives_no_updates() -> None:
    bench = Bench()
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    bench.end("a", 0)
    assert [] == bench.observed


def test_a_worker_waits_for_its_suggestion_and_that_is_counted() -> None:
    bench = learner(suggest_timeout_s=10.0)
    bench.hello("a")
    assert m.Wait(2) == bench.ask("a")
    assert 1 == bench.experiment.counters.suggest_waits
    bench.wait(9.9)
    answer(bench, 0)
    [given] = bench.take("a")
    assert isinstance(given, m.Assign)
    assert (0.0,) == given.assignment.point
    assert 0 == bench.experiment.counters.fallbacks


def test_after_the_timeout_a_random_draw_is_taken_and_the_late_suggestion_left_out() -> None:
    bench = learner(suggest_timeout_s=10.0)
    bench.hello("a")
    bench.ask("a")
    assert bench.experiment.next_deadline() == pytest.approx(10.0)
    bench.wait(10.0)
    assert RequestSuggestions(0, 1, is_fallback=True) == bench.draws.pop()
    bench.handle(FallbackDrawn(0, (-5.0,)))
    [given] = bench.take("a")
    assert isinstance(given, m.Assign)
    assert (-5.0,) == given.assignment.point
    assert 1 == bench.experiment.counters.fallbacks
    bench.handle(Suggested(0, ((0.0,),)))
    assert (-5.0,) == bench.trial(0).point


def test_a_fallback_that_comes_after_the_suggestion_changes_nothing() -> None:
    bench = learner(suggest_timeout_s=10.0)
    bench.hello("a")
    bench.ask("a")
    bench.wait(10.0)
    bench.draws.pop()
    answer(bench, 0)
    before = len(bench.records)
    bench.handle(FallbackDrawn(0, (-5.0,)))
    assert before == len(bench.records)
    assert 0 == bench.experiment.counters.fallbacks
    assert (0.0,) == bench.trial(0).point


def test_no_fallback_is_drawn_while_no_worker_waits() -> None:
    bench = learner(suggest_timeout_s=10.0)
    bench.hello("a")
    bench.wait(100.0)
    assert [RequestSuggestions(0, 1)] == bench.draws


def test_a_searcher_without_more_ends_the_run_when_its_trials_have_ended() -> None:
    bench = learner()
    bench.hello("a")
    answer(bench, 0)
    bench.ask("a")
    bench.handle(Suggested(1, (), is_last=True))
    assert bench.ended is None
    assert m.Done(3, "exhausted") == bench.end("a", 0)
    assert Ended("exhausted", "") == bench.ended
    assert TrialState.COMPLETED == bench.trial(0).state


def test_a_worker_that_waits_is_sent_home_when_there_is_no_more() -> None:
    bench = learner()
    bench.hello("a")
    bench.ask("a")
    bench.handle(Suggested(0, (), is_last=True))
    assert [m.Done(2, "exhausted")] == bench.take("a")
    assert Ended("exhausted", "") == bench.ended


def test_a_new_bus_repeats_all_updates_and_requests() -> None:
    bench = learner()
    bench.hello("a")
    bench.hello("b")
    answer(bench, 0, 1)
    bench.ask("a")
    bench.ask("b")
    assert [RequestSuggestions(2, 1), RequestSuggestions(3, 1)] == bench.draws
    bench.draws.clear()
    bench.experiment.restart(bench.now, {}, {})
    bench.carry_out()
    assert [0, 1] == bench.observed
    assert [RequestSuggestions(2, 2)] == bench.draws
