"""The fault runner sees what is lost, doubled and changed."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from faults.scenarios import answers, launching, outcome, residents
from faults.scenarios.answers import Answer
from lib.processes import Broken, wait_until

import asha_bus as ab
from asha_bus.core.trial import RungRecord, TrialState


def trial(number: int, *rungs: RungRecord, attempts: int = 1) -> ab.TrialRecord:
    return ab.TrialRecord(
        id=number,
        params={"x": 0.5},
        state=TrialState.STOPPED,
        metric=0.5,
        best_metric=0.5,
        resource=1,
        attempts=attempts,
        worker="worker",
        start_time=1.0,
        end_time=2.0,
        error=None,
        extras={},
        bracket=0,
        seed=1,
        rungs=rungs,
    )


def entry(n: int) -> RungRecord:
    return RungRecord(0, 1, 0.5, n, 1, 0.5, "stop")


def result(*trials: ab.TrialRecord) -> ab.Result:
    return ab.Result(
        name="run", mode="min", seed=7, space=ab.Space(x=ab.uniform(0, 1)), trials=trials,
        reason="max_trials", message="", elapsed_s=1.0, bus=None,  # type: ignore[arg-type]
    )  # fmt: skip


def answer(number: int, attempt: int = 1, step: int = 1, goes_on: bool = False) -> Answer:
    return Answer(1, number, attempt, step, goes_on, 1.0, 2.0, 3.0)


def test_an_answer_that_is_in_no_rung_is_lost() -> None:
    found = result(trial(0, entry(1)), trial(1))
    assert 0 == outcome._lost(found, [answer(0)])
    assert 1 == outcome._lost(found, [answer(0), answer(1)])
    assert 1 == outcome._lost(found, [answer(0, step=3, goes_on=True)])


def test_decisions_sent_to_a_fenced_attempt_are_not_lost() -> None:
    found = result(trial(0, attempts=2))
    assert 0 == outcome._lost(found, [answer(0, attempt=1)])
    assert 1 == outcome._lost(found, [answer(0, attempt=1, goes_on=True)])
    assert 1 == outcome._lost(found, [answer(0, attempt=2)])


def test_an_answer_given_twice_is_doubled() -> None:
    found = result(trial(0, entry(1)), trial(1, entry(2)))
    assert 0 == outcome._doubled(found, [answer(0), answer(1)])
    assert 1 == outcome._doubled(found, [answer(0), answer(0)])
    assert 0 == outcome._doubled(found, [answer(0), answer(0, attempt=2)])
    assert 1 == outcome._doubled(result(trial(0, entry(1), entry(2))), [])
    assert 1 == outcome._doubled(result(trial(0, entry(2))), [])


def test_a_metric_that_differs_in_its_last_bit_makes_another_rung() -> None:
    bit = replace(trial(0), rungs=(entry(1)._replace(metric=0.5000000000000001),))
    assert outcome._rungs(result(trial(0, entry(1)))) != outcome._rungs(result(bit))


def test_half_a_line_is_no_answer(tmp_path) -> None:
    (tmp_path / "answered-12").write_text("0 1 1 1 1.0 2.0 3.0\n1 1 1 1 1.0 2.0 3")
    assert [Answer(12, 0, 1, 1, True, 1.0, 2.0, 3.0)] == answers.read(tmp_path)


def test_a_broken_promise_is_reported_and_does_not_end_the_others() -> None:
    def scenario(setting: launching.Setting) -> None:
        setting.outcome.faults = 1
        wait_until(lambda: False, "what never comes", 0.0)

    found = launching.play("name", "local", scenario, 1, smoke=True)
    assert ["what never comes: not within 0 s"] == found.broken
    assert "BROKEN" == found.row()[-2]
    assert len(outcome.HEAD) == len(found.row())
    with pytest.raises(Broken):
        wait_until(lambda: False, "it", 0.0)


def test_an_attempt_was_answered_up_to_its_last_epoch_if_its_worker_went_on(tmp_path) -> None:
    lines = ["epoch 10 0.5 1 1.0", "epoch 10 0.5 2 2.0", "epoch 20 0.7 1 3.0", "epoch 20 0.7 2 4"]
    (tmp_path / "notes-12").write_text("\n".join(lines))
    found = residents.attempts(tmp_path)
    assert {0.5: [residents.Attempt(2, 2)], 0.7: [residents.Attempt(1, 0)]} == found


def test_attempts_without_an_end_are_in_the_memory_of_living_workers(tmp_path) -> None:
    notes = "epoch 10 0.5 1 1.0\nepoch 20 0.7 1 3.0\nend 20 0.7 0 4.0\n"
    (tmp_path / f"notes-{os.getpid()}").write_text(notes)
    (tmp_path / "notes-0").write_text(notes)
    assert {os.getpid(): 1} == residents.open_attempts(tmp_path)
