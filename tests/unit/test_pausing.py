"""Paused trials in the experiment: which worker holds them, and what each worker gets."""

from __future__ import annotations

from typing import Any

import pytest

from asha_bus.core import messages as m
from asha_bus.core.events import Stalled, StopRun, StopTrial, WorkerExited
from asha_bus.core.schedulers import NoStopping, PromotionASHA, SuccessiveHalving
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import Bench

S = TrialState


def bench(*plan: tuple[float, int], trials: int, **settings: Any) -> Bench:
    own = {
        name: settings.pop(name) for name in ("max_resident", "rung_timeout") if name in settings
    }
    return Bench(scheduler=SuccessiveHalving(plan, **own), max_trials=trials, **settings)


def state_of(run: Bench, number: int) -> str:
    return run.experiment.table[number].state.value


def test_a_trial_pauses_and_its_worker_gets_another_one() -> None:
    run = bench((1, 1), (1, 1), trials=3)
    run.join("w")
    answer = run.report("w", trial=0, resource=1, metric=0.5)
    assert isinstance(answer, m.Pause) and answer.next is not None
    assert (1, 1) == (answer.next.trial, answer.next.attempt)
    assert "PAUSED" == state_of(run, 0)


def test_the_holder_continues_the_same_attempt() -> None:
    run = bench((1, 1), (1, 1), trials=2)
    run.join("w")
    run.report("w", trial=0, resource=1, metric=0.1)
    answer = run.report("w", trial=1, resource=1, metric=0.5)
    assert isinstance(answer, m.Stop) and answer.next is not None
    assert (0, 1, 2) == (answer.next.trial, answer.next.attempt, answer.next.next_resource)
    assert "RUNNING" == state_of(run, 0)
    answer = run.report("w", trial=0, resource=2, metric=0.1)
    assert isinstance(answer, m.Stop) and "completed" == answer.why
    assert run.ended is not None and "max_trials" == run.ended.reason


def test_a_waiting_holder_is_woken_and_no_other_worker() -> None:
    run = bench((1, 1), (1, 1), trials=2)
    run.join("a", "b")
    run.report("a", trial=0, resource=1, metric=0.1)
    assert isinstance(run.ask("a"), m.Wait)
    run.report("b", trial=1, resource=1, metric=0.5)
    assert [0] == [one.assignment.trial for one in run.take("a") if isinstance(one, m.Assign)]


def test_a_waiting_worker_hears_at_once_what_to_drop() -> None:
    run = bench((1, 1), (1, 1), trials=2)
    run.join("a", "b")
    run.report("a", trial=0, resource=1, metric=0.5)
    run.ask("a")
    answer = run.report("b", trial=1, resource=1, metric=0.1)
    assert isinstance(answer, m.Continue)
    waits = [one for one in run.take("a") if isinstance(one, m.Wait)]
    assert [(0,)] == [one.drops for one in waits]
    assert "STOPPED" == state_of(run, 0)


def test_a_busy_worker_hears_it_with_its_next_answer() -> None:
    run = bench((1, 1), (1, 1), trials=3)
    run.join("a", "b")
    run.report("a", trial=0, resource=1, metric=0.5)  # and begins trial 2
    run.report("b", trial=1, resource=1, metric=0.1)
    answer = run.report("a", trial=2, resource=1, metric=0.7)
    assert isinstance(answer, m.Stop) and (0,) == answer.drops


def test_a_lost_holder_leaves_the_trial_paused_and_its_entry_stands() -> None:
    run = bench((1, 1), (1, 1), trials=2)
    run.join("a", "b")
    run.report("a", trial=0, resource=1, metric=0.1)
    run.handle(WorkerExited("slot of a"))
    assert "PAUSED" == state_of(run, 0)
    answer = run.report("b", trial=1, resource=1, metric=0.5)
    # it is to go on, and any worker trains it, from the start
    assert isinstance(answer, m.Stop) and answer.next is not None
    assert (0, 2) == (answer.next.trial, answer.next.attempt)
    assert 1 == run.experiment.counters.retrained
    trial = run.experiment.table[0]
    assert 1 == trial.attempt - trial.forgiven, "what is lost while it pauses does not count"


def test_the_error_of_a_lost_trial_counts_no_loss_while_it_had_paused() -> None:
    run = bench((1, 1), (1, 1), trials=2, max_attempts=1)
    run.join("a", "b")
    run.report("a", trial=0, resource=1, metric=0.1)
    run.handle(WorkerExited("slot of a"))
    run.report("b", trial=1, resource=1, metric=0.5)
    run.handle(WorkerExited("slot of b"))
    trial = run.experiment.table[0]
    assert ("LOST", 2) == (trial.state.value, trial.attempt)
    assert "lost with its worker 1 time, the last one being b" in (trial.error or "")


def test_a_worker_that_returns_holds_what_nobody_else_has_begun() -> None:
    run = bench((1, 1), (1, 1), trials=3, lease_s=10.0)
    run.join("a", "b")
    run.report("a", trial=0, resource=1, metric=0.1)
    run.ask("a")
    run.wait(5)
    run.heartbeat("b")
    run.wait(6)
    assert not run.experiment.roster.workers["a"].residents
    run.heartbeat("a")
    assert {0: 1} == run.experiment.roster.workers["a"].residents


def test_too_many_residents_drop_the_least_promising() -> None:
    run = bench((1, 3), (1, 1), trials=9, max_resident=1)
    run.join("w")
    run.report("w", trial=0, resource=1, metric=0.1)
    answer = run.report("w", trial=1, resource=1, metric=0.5)
    assert isinstance(answer, m.Pause) and (1,) == answer.drops
    answer = run.report("w", trial=2, resource=1, metric=0.05)
    assert isinstance(answer, m.Pause) and (0,) == answer.drops
    assert ["PAUSED"] * 3 == [state_of(run, number) for number in range(3)]


def test_the_end_cancels_what_has_paused() -> None:
    run = bench((1, 1), (1, 1), trials=3)
    run.join("w")
    run.report("w", trial=0, resource=1, metric=0.1)
    run.handle(StopRun("stopped"))
    assert "CANCELLED" == state_of(run, 0)


def test_paused_trials_that_nothing_can_promote_stop_with_the_run() -> None:
    run = Bench(scheduler=PromotionASHA(max_resource=9), max_trials=2)
    run.join("w")
    run.report("w", trial=0, resource=1, metric=0.1)
    run.report("w", trial=1, resource=1, metric=0.2)
    assert ["STOPPED"] * 2 == [state_of(run, number) for number in range(2)]
    assert run.ended is not None and "max_trials" == run.ended.reason


def test_the_highest_rung_goes_first() -> None:
    run = Bench(scheduler=PromotionASHA(max_resource=9), max_trials=30)
    run.join("w")
    seen = []
    for _ in range(9):
        number = run.experiment.roster.workers["w"].trial
        assert number is not None
        resource = run.experiment.scheduler.next_resource(run.experiment.table[number])
        assert resource is not None
        run.report("w", trial=number, resource=resource, metric=number / 100)
        seen.append((number, resource))
    assert [(0, 1), (1, 1), (2, 1), (0, 3), (3, 1), (4, 1), (5, 1), (1, 3), (6, 1)] == seen


def test_missing_trials_of_a_rung_are_asked_and_stopped() -> None:
    run = bench((4, 1), (1, 1), trials=2, rung_timeout=60.0, lease_s=1000.0)
    run.join("a", "b")
    run.report("a", trial=0, resource=4, metric=0.5)
    run.ask("a")
    assert run.experiment.next_deadline() == pytest.approx(run.now + 60)
    run.wait(60)
    assert [m.Ask(1, 1)] == [one for one in run.take("b/b") if isinstance(one, m.Ask)]
    answer = run.report("b", trial=1, resource=2, metric=0.1)
    assert isinstance(answer, m.Stop) and "stopped" == answer.why
    assert "RUNNING" == state_of(run, 0)


def test_time_in_which_the_bus_stood_still_does_not_count_for_a_rung() -> None:
    run = bench((4, 1), (1, 1), trials=2, rung_timeout=60.0, lease_s=1000.0)
    run.join("a", "b")
    run.report("a", trial=0, resource=4, metric=0.5)
    run.now += 100
    run.handle(Stalled(100.0))
    run.tick()
    assert "PAUSED" == state_of(run, 0)


def test_a_budget_is_reserved_when_it_is_granted() -> None:
    run = bench((2, 1), (3, 1), trials=3, max_total_resource=7.0)
    run.join(*"abc")
    for name, number, metric in (("a", 0, 0.1), ("b", 1, 0.2), ("c", 2, 0.3)):
        run.report(name, trial=number, resource=2, metric=metric)
    # 6 of 7 are spent: the second stretch of 3 does not fit
    assert run.ended is not None and "max_total_resource" == run.ended.reason
    assert 6 == run.experiment.assignments.budget.granted


def test_a_rung_waits_for_nobody_that_the_budget_has_cut_off() -> None:
    run = bench((1, 2), (1, 1), (1, 1), trials=2, max_total_resource=3.0)
    run.join("a", "b")
    run.report("a", trial=0, resource=1, metric=0.1)
    answer = run.report("b", trial=1, resource=1, metric=0.2)
    assert isinstance(answer, m.Stop) and "ended" == answer.why
    run.report("a", trial=0, resource=2, metric=0.1)  # the rung keeps one of two
    assert run.ended is not None and "max_total_resource" == run.ended.reason
    assert ("CANCELLED", "CANCELLED") == (state_of(run, 0), state_of(run, 1))


def test_what_is_not_used_is_free_again() -> None:
    run = Bench(scheduler=NoStopping(max_resource=5), max_trials=9, max_total_resource=6.0)
    run.join("a")
    run.end("a", trial=0)
    assert 6 == run.experiment.assignments.budget.granted
    assert "RUNNING" == state_of(run, 1)


def test_without_rungs_a_budget_is_counted_at_reports() -> None:
    run = Bench(scheduler=NoStopping(), max_trials=9, max_total_resource=3.0)
    run.join("a")
    answers = [run.report("a", trial=0, resource=n, metric=0.5) for n in (1, 2)]
    assert all(isinstance(one, m.Continue) for one in answers)
    answer = run.report("a", trial=0, resource=3, metric=0.5)
    assert isinstance(answer, m.Stop)
    assert run.ended is not None and "max_total_resource" == run.ended.reason


def test_a_hook_stops_a_running_trial_at_its_next_report() -> None:
    run = Bench(max_trials=3)
    run.join("a")
    run.handle(StopTrial(0))
    assert [m.Ask(0, 1)] == run.take("a/b")
    answer = run.report("a", trial=0, resource=2, metric=0.1)
    assert isinstance(answer, m.Stop) and "stopped" == answer.why
    assert "STOPPED" == state_of(run, 0)
    run.handle(StopTrial(0))  # it has ended
    run.handle(StopTrial(99))  # there is none


def test_a_hook_stops_a_paused_trial_at_once() -> None:
    run = bench((1, 2), (1, 1), trials=3)
    run.join("a", "b")
    run.report("a", trial=0, resource=1, metric=0.5)
    run.handle(StopTrial(0))
    assert "STOPPED" == state_of(run, 0)
    run.report("b", trial=1, resource=1, metric=0.6)
    answer = run.report("a", trial=2, resource=1, metric=0.7)
    # the place of trial 0 is free for another
    assert isinstance(answer, m.Continue)
    assert ["STOPPED", "RUNNING", "RUNNING"] == [state_of(run, number) for number in range(3)]
