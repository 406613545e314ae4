"""Values by name: asked of the searcher over the bus, kept for the trial, and told to results."""

from __future__ import annotations

from typing import Any

import pytest

from asha_bus.core import messages as m
from asha_bus.core.events import (
    AppendToJournal,
    Received,
    RequestValue,
    Send,
    TrialUpdated,
    ValuesDrawn,
    WorkerExited,
)
from asha_bus.core.experiment import Experiment
from asha_bus.core.schedulers import AskPruner, NoStopping
from asha_bus.core.trial import Trial
from asha_bus.core.worker import Worker
from asha_bus.formats.named import value_of, values_of
from asha_bus.formats.records import FRAME, Encoder
from asha_bus.testing.simulator import Bench

#: What an objective asks a pruner, and its two answers.
ASKED = RequestValue(0, m.PRUNE, '{"step": 0}')
GOES_ON, PRUNED = ((*ASKED[1:], number) for number in (0.0, 1.0))
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
    assert m.Drawn(3, 3.0) == attempt.drawn
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


# --- a pruner that is asked -------------------------------------------------------


@pytest.fixture
def noted() -> list[Any]:
    """All that follows from the first question."""
    return []


@pytest.fixture
def asking(noted: list[Any]) -> Bench:
    """A run whose worker has reported once and asks whether to prune."""
    bench = Bench(scheduler=AskPruner("Mine"), learns=True, max_trials=4)
    bench.join("a")
    answer = bench.report("a", 0, 1, 0.5)
    assert isinstance(answer, m.Continue)
    bench.experiment.emit, carry_out = noted.append, bench.experiment.emit
    assert ask_pruner(bench) is None
    bench.experiment.emit = carry_out
    for effect in noted:
        carry_out(effect)
    return bench


def ask_pruner(bench: Bench, seq: int = 9, attempt: int = 1) -> Any:
    return bench.send("a", m.Draw(seq, 0, attempt, *ASKED[1:]))


def test_the_searcher_hears_of_the_report_before_it_is_asked(
    asking: Bench, noted: list[Any]
) -> None:
    record, updated, asked = noted
    assert isinstance(record, AppendToJournal)
    assert [0.5] == [record.metric for record in updated.trial.rungs]
    assert ASKED == asked
    assert 1 == asking.experiment.counters.pruner_asked


def test_a_trial_that_is_not_pruned_continues_and_may_ask_again(asking: Bench) -> None:
    asking.handle(ValuesDrawn(0, (GOES_ON,)))
    assert [m.Drawn(9, 0.0)] == asking.take("a")
    assert m.Drawn(9, 0.0) == ask_pruner(asking)
    assert () == asking.trial(0).drawn
    assert ask_pruner(asking, 10) is None
    assert 2 == asking.experiment.counters.pruner_asked


def test_a_trial_that_is_pruned_is_stopped_and_its_worker_gets_the_next(asking: Bench) -> None:
    asking.handle(ValuesDrawn(0, (PRUNED,)))
    (answer,) = asking.take("a")
    assert isinstance(answer, m.Stop)
    assert answer.next is not None
    assert (9, "stopped", 1) == (answer.seq, answer.why, answer.next.trial)
    trial = asking.trial(0)
    assert ("STOPPED", "stop", "Mine was asked") == (
        trial.state,
        trial.rungs[-1].verdict,
        trial.rungs[-1].reason,
    )
    assert () == trial.drawn
    asking.experiment.validate()


def test_what_a_pruner_raises_reaches_the_objective(asking: Bench) -> None:
    asking.handle(ValuesDrawn(0, (GOES_ON,), "no luck"))
    assert [m.Drawn(9, 0.0, "no luck")] == asking.take("a")


def test_a_new_bus_tells_all_and_asks_the_pruner_again(asking: Bench) -> None:
    effects: list[Any] = []
    asking.experiment.emit = effects.append
    asking.experiment.restart(asking.now, {}, {})
    assert ASKED == effects[-1]
    assert TrialUpdated in map(type, effects[:-1])


def test_the_answer_to_a_worker_that_has_gone_prunes_nobody(asking: Bench) -> None:
    asking.handle(WorkerExited("slot of a"))
    asking.join("b")
    asking.handle(ValuesDrawn(0, (PRUNED,)))
    assert [] == asking.take("b")
    assert "RUNNING" == asking.trial(0).state


@pytest.mark.parametrize(("answer", "error"), [(GOES_ON, ""), (PRUNED, ""), (GOES_ON, "no luck")])
def test_a_journal_gives_the_same_answers_again(asking: Bench, answer: Any, error: str) -> None:
    asking.handle(ValuesDrawn(0, (answer,), error))
    sent: list[Any] = []
    encoder, decoder = Encoder(), Encoder()
    again = Experiment(asking.settings, 0.0, sent.append)
    again.start()
    for record in asking.records:
        entry = decoder.decode(encoder.encode(record)[FRAME.size :])
        assert record.event == entry.event
        again.handle(entry.event, entry.now)
    replies = [effect.message for effect in sent if isinstance(effect, Send)]
    assert asking.take("a") == replies[-1:]
    assert asking.trial(0).state == again.table[0].state
    assert asking.trial(0).rungs == again.table[0].rungs


def test_another_attempt_adds_no_rung_that_there_is() -> None:
    state = AskPruner("Mine").new_state(mode="min", seed=1)
    trial = Trial(0, (0.5,), seed=1)
    for resource in (1, 2, 5):
        assert state.next_resource(trial) <= resource  # type: ignore[operator]
        trial.rungs += state.report(trial, resource, 0.5).records
    assert [1, 2, 5] == [record.resource for record in trial.rungs]
    assert () == state.report(trial, 2, 0.25).records
    level = state.next_resource(trial)
    assert level is not None
    assert 5 < level < 5.001


@pytest.mark.parametrize(
    "distribution", ["", "[]", "{}", "3", '{"name": "CategoricalDistribution"}']
)
def test_a_distribution_that_is_not_known_leaves_the_number(distribution: str) -> None:
    assert 0.5 == value_of(distribution, 0.5)
