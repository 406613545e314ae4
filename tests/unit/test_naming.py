"""Values by name: asked of the searcher over the bus, kept for the trial, and told to results."""

from __future__ import annotations

from typing import Any

import pytest

from asha_bus.core import messages as m
from asha_bus.core.events import (
    AppendToJournal,
    Received,
    RequestValue,
    ValuesDrawn,
    WorkerExited,
)
from asha_bus.core.experiment import Experiment
from asha_bus.core.schedulers import NoStopping
from asha_bus.core.worker import Worker
from asha_bus.formats.named import value_of, values_of
from asha_bus.formats.records import FRAME, Encoder
from asha_bus.testing.simulator import Bench

LR, UNITS = ("lr", "{}", 0.5), ("units", "{}", 3.0)


@pytest.fixture
def bench() -> Bench:
    return Bench(scheduler=NoStopping(), learns=True, max_trials=4)


def draw(bench: Bench, name: str, seq: int, *, trial: int = 0, attempt: int = 1) -> Any:
    return bench.send(name, m.Draw(seq, trial, attempt, "lr", "{}"))


def test_a_value_is_asked_of_the_searcher_and_answered_once_it_is_there(bench: Bench) -> None:
    bench.join("a")
    assert draw(bench, "a", 3) is None
    assert [RequestValue(0, "lr", "{}")] == bench.asked
    bench.handle(ValuesDrawn(0, (LR,)))
    assert [m.Drawn(3, 0.5)] == bench.take("a")


def test_a_repeat_asks_no_second_time_and_gets_the_same_answer(bench: Bench) -> None:
    bench.join("a")
    assert [None, None] == [draw(bench, "a", 3) for _ in range(2)]
    bench.handle(ValuesDrawn(0, (LR,)))
    bench.take("a")
    assert m.Drawn(3, 0.5) == draw(bench, "a", 3)
    assert 1 == len(bench.asked)


def test_a_value_that_was_drawn_once_stays_with_the_trial(bench: Bench) -> None:
    bench.join("a")
    draw(bench, "a", 3)
    bench.handle(ValuesDrawn(0, (LR,)))
    bench.handle(ValuesDrawn(0, (("lr", "{}", 0.75), UNITS)))
    assert m.Drawn(4, 0.5) == draw(bench, "a", 4)
    bench.handle(WorkerExited("slot of a"))
    bench.hello("b")
    answer = bench.ask("b")
    assert isinstance(answer, m.Assign)
    assert (0, 2) == answer.assignment[:2]
    assert {LR, UNITS} == set(answer.assignment.named)


def test_values_that_were_drawn_ahead_come_with_the_trial(bench: Bench) -> None:
    bench.join("a")
    bench.handle(ValuesDrawn(1, (LR, UNITS)))
    answer = bench.end("a", 0, metric=0.5)
    assert isinstance(answer, m.Assign)
    assert (LR, UNITS) == answer.assignment.named


def test_a_request_of_an_attempt_that_is_over_is_fenced_off(bench: Bench) -> None:
    bench.join("a")
    answer = draw(bench, "a", 3, attempt=2)
    assert isinstance(answer, m.Stop)
    assert "fenced" == answer.why
    assert [] == bench.asked


def test_a_value_that_comes_after_its_worker_has_gone_answers_nobody(bench: Bench) -> None:
    bench.join("a")
    draw(bench, "a", 3)
    bench.handle(WorkerExited("slot of a"))
    bench.join("b")
    bench.handle(ValuesDrawn(0, (LR,)))
    assert [] == bench.take("b")
    assert (LR,) == bench.trial(0).drawn


def test_a_new_bus_asks_again_for_what_was_not_answered(bench: Bench) -> None:
    bench.join("a")
    draw(bench, "a", 3)
    bench.asked.clear()
    bench.experiment.restart(bench.now, {}, {})
    bench.carry_out()
    assert [RequestValue(0, "lr", "{}")] == bench.asked


def test_results_have_the_values_that_the_objective_asked_for(bench: Bench) -> None:
    bench.join("a")
    bench.handle(ValuesDrawn(0, (LR, UNITS)))
    end = m.End(3, 0, 1, 1, 0.5, 0.5, {}, "completed", None, 0.0, None, (UNITS,))
    bench.send("a", end)
    assert (UNITS,) == bench.trial(0).to_row().named


def test_a_journal_holds_what_was_drawn(bench: Bench) -> None:
    bench.join("a")
    draw(bench, "a", 3)
    bench.handle(ValuesDrawn(0, (LR,)))
    bench.handle(ValuesDrawn(1, (UNITS,)))
    encoder, decoder = Encoder(), Encoder()
    again = Experiment(bench.settings, 0.0, lambda _: None)
    again.start()
    for record in bench.records:
        entry = decoder.decode(encoder.encode(record)[FRAME.size :])
        assert record == AppendToJournal(entry.now, entry.event)
        again.handle(entry.event, entry.now)
    assert bench.trial(0).drawn == again.table[0].drawn == (LR,)
    again.handle(Received("a", m.End(4, 0, 1, 1, 0.5, 0.5, {}, "completed", None, 0.0)), 1.0)
    assert (UNITS,) == again.table[1].drawn


def test_a_worker_tells_all_values_once_there_is_a_new_one() -> None:
    worker = Worker(run="r", slot="s", host="h", pid=1, now=0.0)
    worker.hello()
    worker.receive(m.Welcome(1, 5.0, "min", None, None, 1))
    worker.next(0.0)
    worker.receive(m.Assign(2, m.Assignment(0, 1, (0.0,), 7, 1, 0, (LR,))))
    attempt = worker.begin()
    worker.draw("units", "{}")
    worker.receive(m.Drawn(3, 3.0))
    assert 3.0 == attempt.drawn
    attempt.named += [LR, UNITS]
    told = worker.report(0.5, None, {}, 0.0)
    assert isinstance(told, m.Report)
    assert (LR, UNITS) == told.named
    worker.receive(m.Continue(4, 3))
    worker.conclude(0.25, {"a": 1})
    end = worker.end("completed", None, 0.0)
    assert isinstance(end, m.End)
    assert () == end.named  # the bus knows them
    assert (1, 0.25, 0.25, {"a": 1}) == (end.resource, end.metric, end.best_metric, end.extras)


def test_numbers_are_values_by_their_distribution() -> None:
    choices = '{"name": "CategoricalDistribution", "attributes": {"choices": ["a", null]}}'
    whole = '{"name": "IntDistribution", "attributes": {"low": 0, "high": 9}}'
    number = '{"name": "FloatDistribution", "attributes": {"low": 0, "high": 9}}'
    named = (("c", choices, 1.0), ("i", whole, 3.0), ("f", number, 0.5))
    assert {"c": None, "i": 3, "f": 0.5} == values_of(named)
    assert isinstance(value_of(whole, 3.0), int)


@pytest.mark.parametrize(
    "distribution", ["", "[]", "{}", "3", '{"name": "CategoricalDistribution"}']
)
def test_a_distribution_that_is_not_known_leaves_the_number(distribution: str) -> None:
    assert 0.5 == value_of(distribution, 0.5)
