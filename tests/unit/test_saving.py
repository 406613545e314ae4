"""Paused trials that are saved, in the experiment: who waits for whom, and what is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from asha_bus.core import messages as m
from asha_bus.core.events import (
    Resumed,
    StopRun,
    StopTrial,
    WorkerExited,
    WorkerSilent,
)
from asha_bus.core.schedulers import SuccessiveHalving
from asha_bus.core.trial import SavedState, TrialState
from asha_bus.formats.journal import Header, replay
from asha_bus.formats.records import Encoder
from asha_bus.testing.simulator import Bench
from asha_bus.testing.simulator.checks import lasting

S = TrialState


def bench(trials: int = 3, keep: int = 2, **settings: Any) -> Bench:
    scheduler = SuccessiveHalving([(1, keep), (1, 1)], max_resident=1)
    return Bench(**{"scheduler": scheduler, "max_trials": trials, "saves": "there", **settings})


def saved(run: Bench, name: str, trial: int, attempt: int = 1) -> m.ToWorker | None:
    return run.send(name, m.Saved(run._next_seq(name), trial, attempt))


def drop_one(run: Bench) -> m.Pause:
    """Two trials pause in w, which is to save trial 1, and continues trial 0. x has trial 2."""
    run.join("w")
    run.report("w", trial=0, resource=1, metric=0.1)
    answer = run.report("w", trial=1, resource=1, metric=0.2)
    run.join("x")
    assert isinstance(answer, m.Pause)
    return answer


def decide(run: Bench) -> m.ToWorker | None:
    """The last trial comes to the rung: trial 1 is to go on."""
    answer = run.report("x", trial=2, resource=1, metric=0.9)
    assert S.STOPPED is run.trial(2).state
    assert "continue" == run.trial(1).rungs[0].verdict
    return answer


def test_one_that_is_too_many_is_to_be_saved() -> None:
    run = bench()
    answer = drop_one(run)
    assert ((1,), (1,)) == (answer.drops, answer.saves)
    assert [S.RUNNING, S.PAUSED, S.RUNNING] == run.states()


@pytest.mark.parametrize(
    "settings", [{"saves": ""}, {"scheduler": SuccessiveHalving([(1, 2), (1, 1)])}]
)
def test_without_a_folder_or_a_need_nothing_is_saved(settings: Any) -> None:
    answer = drop_one(bench(**settings))
    assert () == answer.saves


def test_it_waits_for_the_word_of_its_worker_and_then_begins_from_there() -> None:
    run = bench()
    drop_one(run)
    decide(run)
    assert isinstance(run.ask("x"), m.Wait)
    assert [S.RUNNING, S.PAUSED, S.STOPPED] == run.states()
    answer = saved(run, "w", 1)
    assert m.Pong(run.seq("w")) == answer
    assert SavedState(1, 1, 0.2, 0.2, 1) == run.trial(1).saved
    (given,) = run.take("x")
    assert isinstance(given, m.Assign)
    assert (1, 2, 2, 1) == (
        given.assignment.trial,
        given.assignment.attempt,
        given.assignment.next_resource,
        given.assignment.saved,
    )
    assert (1, 0.2, 0.2) == (run.trial(1).resource, run.trial(1).metric, run.trial(1).best_metric)
    counters = run.experiment.counters
    assert (1, 1, 0) == (counters.saved, counters.loaded, counters.retrained)


def test_a_worker_that_could_not_save_it_has_it_trained_again() -> None:
    run = bench()
    drop_one(run)
    decide(run)
    run.ask("x")
    saved(run, "w", 1, attempt=0)
    (given,) = run.take("x")
    assert isinstance(given, m.Assign)
    assert (1, 2, 0) == (
        given.assignment.trial,
        given.assignment.attempt,
        given.assignment.saved,
    )
    counters = run.experiment.counters
    assert (0, 0, 1) == (counters.saved, counters.loaded, counters.retrained)


@pytest.mark.parametrize("event", [WorkerExited("slot of w"), WorkerSilent("w")])
def test_a_worker_that_is_gone_has_not_saved_it(event: Any) -> None:
    run = bench()
    drop_one(run)
    decide(run)
    run.ask("x")
    run.handle(event)
    (given,) = (one for one in run.take("x") if isinstance(one, m.Assign))
    assert (1, 2, 0) == (
        given.assignment.trial,
        given.assignment.attempt,
        given.assignment.saved,
    )


def test_the_word_of_a_worker_that_was_silent_counts_while_nobody_has_begun() -> None:
    run = bench()
    drop_one(run)
    run.handle(WorkerSilent("w"))
    assert isinstance(saved(run, "w", 1), m.Pong)
    assert 1 == run.experiment.counters.saved
    assert run.trial(1).saved is not None


def test_a_repeated_word_changes_nothing() -> None:
    run = bench()
    drop_one(run)
    word = m.Saved(run._next_seq("w"), 1, 1)
    records = len(run.records)
    assert m.Pong(word.seq) == run.send("w", word) == run.send("w", word)
    assert (1, 1) == (run.experiment.counters.saved, len(run.records) - records)


@pytest.mark.parametrize("word", [(1, 2), (0, 1), (2, 1), (99, 1)])
def test_a_word_that_fits_nothing_saves_nothing(word: tuple[int, int]) -> None:
    run = bench()
    drop_one(run)
    assert isinstance(saved(run, "w", *word), m.Pong)
    assert [None] * 3 == [trial.saved for trial in run.experiment.table.trials]


def test_a_word_in_a_run_that_saves_nothing_changes_nothing() -> None:
    run = bench(saves="")
    drop_one(run)
    records = len(run.records)
    assert isinstance(saved(run, "w", 1), m.Pong)
    assert (None, records) == (run.trial(1).saved, len(run.records))


def test_a_word_of_a_stranger_is_answered_and_changes_nothing() -> None:
    run = bench()
    drop_one(run)
    assert m.Pong(1) == run.send("stranger", m.Saved(1, 1, 1))
    assert run.trial(1).saved is None


def loaded(run: Bench) -> None:
    """Trial 1 is saved, and x begins it from there."""
    drop_one(run)
    saved(run, "w", 1)
    decide(run)
    assert ("x", 2) == (run.trial(1).worker, run.trial(1).attempt)


def test_a_worker_that_dies_before_its_next_rung_leaves_the_state_to_another_one() -> None:
    run = bench()
    loaded(run)
    run.handle(WorkerExited("slot of x"))
    run.hello("y")
    given = run.ask("y")
    assert isinstance(given, m.Assign)
    assert (1, 3, 1) == (given.assignment.trial, given.assignment.attempt, given.assignment.saved)
    assert 0 == run.experiment.counters.retrained


def test_after_its_next_rung_the_state_is_not_used_any_more() -> None:
    run = bench()
    loaded(run)
    run.report("x", trial=1, attempt=2, resource=2, metric=0.3)
    assert run.trial(1).saved is None
    assert [0, 1] == [record.rung for record in run.trial(1).rungs]


def test_what_cannot_be_loaded_is_trained_from_the_start() -> None:
    run = bench()
    loaded(run)
    answer = run.end("x", trial=1, attempt=2, outcome="dropped", metric=None)
    assert isinstance(answer, m.Assign)
    assert (1, 3, 0) == (
        answer.assignment.trial,
        answer.assignment.attempt,
        answer.assignment.saved,
    )
    assert 1 == run.experiment.counters.retrained
    assert 2 == run.trial(1).forgiven


def test_a_failed_attempt_is_not_retried_from_the_state() -> None:
    run = bench(retries=1)
    loaded(run)
    answer = run.end("x", trial=1, attempt=2, outcome="failed", error="no", metric=None)
    assert isinstance(answer, m.Assign)
    assert 0 == answer.assignment.saved


def test_one_that_does_not_go_on_is_dropped_by_the_worker_that_saved_it() -> None:
    run = bench(trials=4)
    drop_one(run)
    saved(run, "w", 1)
    run.report("x", trial=3, resource=1, metric=0.15)
    assert (S.STOPPED, None) == (run.trial(1).state, run.trial(1).saved)
    answer = run.report("w", trial=2, resource=1, metric=0.9)
    assert isinstance(answer, m.Stop)
    assert (1,) == answer.drops


def test_a_hook_stops_one_that_is_being_saved() -> None:
    run = bench()
    drop_one(run)
    run.handle(StopTrial(1))
    assert S.STOPPED is run.trial(1).state
    assert isinstance(saved(run, "w", 1), m.Pong)
    assert (0, None) == (run.experiment.counters.saved, run.trial(1).saved)
    answer = run.report("w", trial=0, resource=2, metric=0.1)
    assert isinstance(answer, m.Stop)
    assert (1,) == answer.drops


def test_the_end_of_the_run_forgets_the_states() -> None:
    run = bench()
    drop_one(run)
    saved(run, "w", 1)
    run.handle(StopRun("stopped"))
    assert (S.CANCELLED, None) == (run.trial(1).state, run.trial(1).saved)


@pytest.mark.parametrize(("folder", "attempt"), [("there", 1), ("elsewhere", 0), ("", 0)])
def test_a_resumed_run_uses_the_states_in_the_same_folder(folder: str, attempt: int) -> None:
    run = bench()
    drop_one(run)
    saved(run, "w", 1)
    run.handle(Resumed(replace(run.settings, saves=folder)))
    found = run.trial(1).saved
    assert attempt == (0 if found is None else found.attempt)


def test_a_budget_counts_only_what_is_trained() -> None:
    run = bench(max_total_resource=5.0)
    loaded(run)
    run.report("x", trial=1, attempt=2, resource=2, metric=0.3)
    run.report("w", trial=0, resource=2, metric=0.1)
    assert [S.COMPLETED, S.COMPLETED, S.STOPPED] == run.states()
    assert 5 == run.experiment.assignments.budget.granted


def test_a_journal_gives_the_same_state() -> None:
    run = bench(epoch=1.0)
    loaded(run)
    header = Header("run", run.settings, ("dict", ()), {}, "0")
    encoder = Encoder()
    journal = header.encode() + b"".join(map(encoder.encode, run.records))
    again = replay(journal, "journal").experiment
    assert lasting(run.experiment) == lasting(again)
    assert SavedState(1, 1, 0.2, 0.2, 1) == again.table[1].saved
    assert (1, 1) == (again.counters.saved, again.counters.loaded)
