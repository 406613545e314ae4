"""The experiment: workers that come, go, fall silent and come back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from asha_bus.core import messages as m
from asha_bus.core.events import Stalled, WorkerExited
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import Bench

S = TrialState


def assert_given(answer: m.ToWorker | None, trial: int, attempt: int) -> None:
    """The answer brings that attempt at that trial."""
    assert isinstance(answer, m.Assign)
    assert (trial, attempt) == (answer.assignment.trial, answer.assignment.attempt)


@pytest.fixture
def bench() -> Bench:
    return Bench(lease_s=60.0, heartbeat_s=5.0)


def empty_slot(bench: Bench) -> None:
    bench.handle(WorkerExited("slot of a"))


def leave(bench: Bench) -> None:
    bench.send("a", m.Leave({}))


def lease_ends(bench: Bench) -> None:
    bench.wait(60.0)


@pytest.mark.parametrize("goes", [empty_slot, leave, lease_ends])
def test_the_trial_of_a_lost_worker_is_run_again(
    bench: Bench, goes: Callable[[Bench], None]
) -> None:
    bench.join("a")
    seed, point = bench.trial(0).seed, bench.trial(0).point
    goes(bench)
    assert ([S.PENDING], [0]) == (bench.states(), list(bench.experiment.table.queue))
    bench.hello("b")
    answer = bench.ask("b")
    assert m.Assign(2, m.Assignment(0, 2, point, seed, 1)) == answer
    assert (1, 1) == (bench.experiment.counters.requeued, bench.experiment.roster.active)


def test_a_lost_trial_goes_before_new_ones(bench: Bench) -> None:
    bench.join("a", "b")
    empty_slot(bench)
    bench.hello("c")
    assert_given(bench.ask("c"), trial=0, attempt=2)
    bench.hello("d")
    assert_given(bench.ask("d"), trial=2, attempt=1)


def test_a_lost_trial_goes_to_a_waiting_worker_at_once() -> None:
    bench = Bench(max_trials=1)
    bench.join("a")
    bench.hello("b")
    assert m.Wait(2) == bench.ask("b")
    empty_slot(bench)
    [answer] = bench.take("b")
    assert_given(answer, trial=0, attempt=2)


def test_a_worker_that_is_gone_is_served_nothing() -> None:
    bench = Bench(supplied=False)
    bench.hello("a")
    bench.ask("a")
    empty_slot(bench)
    bench.supply()
    assert [] == bench.take("a")
    assert [] == bench.states()


def test_a_waiting_worker_thought_gone_is_served_when_it_asks_again() -> None:
    bench = Bench(supplied=False)
    bench.hello("a")
    bench.ask("a")
    empty_slot(bench)
    assert m.Wait(2) == bench.send("a", m.Next(2, 0.0))
    bench.supply()
    [answer] = bench.take("a")
    assert_given(answer, trial=0, attempt=1)


def test_heartbeats_keep_the_lease(bench: Bench) -> None:
    bench.join("a")
    for _ in range(5):
        bench.wait(50.0)
        assert [m.Pong(0)] == bench.heartbeat("a")
    assert [S.RUNNING] == bench.states()
    bench.wait(60.0)
    assert ([S.PENDING], 1) == (bench.states(), bench.experiment.counters.leases_expired)


def test_any_message_keeps_the_lease(bench: Bench) -> None:
    bench.join("a")
    messages: list[m.FromWorker] = [
        m.Log(0, 1, "info", "x"),
        m.Telemetry(0, 1, None, ()),
        m.Next(2, 0.0),
    ]
    for step, message in enumerate(messages):
        bench.wait(50.0)
        bench.send("a", message)
        assert ([S.RUNNING], 50.0 * (step + 1)) == (bench.states(), bench.now)


def test_the_deadline_is_the_next_end_of_a_lease(bench: Bench) -> None:
    assert None is bench.experiment.next_deadline()
    bench.join("a")
    assert 60.0 == bench.experiment.next_deadline()


def test_leases_do_not_expire_while_the_bus_is_suspended(bench: Bench) -> None:
    bench.join("a")
    bench.now = 1_000.0
    bench.handle(Stalled(950.0))
    bench.wait(0.0)
    assert [S.RUNNING] == bench.states()
    bench.wait(10.0)
    assert [S.PENDING] == bench.states()


def test_a_heartbeat_does_not_revive_a_dead_worker(bench: Bench) -> None:
    bench.join("a")
    empty_slot(bench)
    assert [m.Pong(0)] == bench.heartbeat("a")
    assert 0 == bench.experiment.roster.active


def test_an_empty_slot_that_nobody_took_is_no_loss(bench: Bench) -> None:
    bench.join("a")
    bench.handle(WorkerExited("another"))
    assert [S.RUNNING] == bench.states()


def test_a_trial_is_given_up_after_all_its_attempts() -> None:
    bench = Bench(max_attempts=2)
    bench.join("a")
    bench.handle(WorkerExited("slot of a"))
    bench.join("b")
    bench.handle(WorkerExited("slot of b"))
    assert [S.LOST] == bench.states()
    error = bench.trial(0).error
    assert error is not None
    assert error.startswith("lost with its worker 2 times, the last one being b; if the objective")
    bench.hello("c")
    assert_given(bench.ask("c"), trial=1, attempt=1)


def test_a_late_report_of_a_lost_attempt_is_fenced(bench: Bench) -> None:
    bench.join("a")
    lease_ends(bench)
    bench.join("b")
    answer = bench.report("a", trial=0, resource=1, metric=0.5)
    assert isinstance(answer, m.Stop)
    assert answer.why == "fenced"
    assert answer.next is not None  # it is there again, and works on
    assert (1, 1) == (answer.next.trial, answer.next.attempt)
    assert ((), "b", 1) == (
        bench.trial(0).rungs,
        bench.trial(0).worker,
        bench.experiment.counters.fenced,
    )


def test_a_late_end_of_a_lost_attempt_is_fenced(bench: Bench) -> None:
    bench.join("a")
    lease_ends(bench)
    bench.join("b")
    assert_given(bench.end("a", trial=0, metric=0.1), trial=1, attempt=1)
    assert ([S.RUNNING, S.RUNNING], None) == (bench.states(), bench.trial(0).metric)


def test_a_worker_back_from_the_dead_may_run_its_own_trial_again(bench: Bench) -> None:
    bench.join("a")
    empty_slot(bench)
    answer = bench.report("a", trial=0, resource=1, metric=0.5)
    assert isinstance(answer, m.Stop)
    assert answer.next is not None
    assert (0, 2) == (answer.next.trial, answer.next.attempt)
    # what it says of its first attempt counts no more, though it holds the trial
    assert m.Stop(4, "fenced", None) == bench.report("a", 0, 1, 0.5, attempt=1)
    assert isinstance(bench.report("a", 0, 1, 0.5, attempt=2), m.Continue)


def test_a_later_attempt_asks_at_the_first_rung_it_has_not_entered(bench: Bench) -> None:
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    empty_slot(bench)
    bench.hello("b")
    answer = bench.ask("b")
    assert isinstance(answer, m.Assign)
    assert 3 == answer.assignment.next_resource
    bench.report("b", 0, 3, 0.4, attempt=2)
    assert [(0, 0.5), (1, 0.4)] == [(r.rung, r.metric) for r in bench.trial(0).rungs]


def test_a_trial_that_was_stopped_is_never_run_again(bench: Bench) -> None:
    bench.join("a", "b")
    bench.report("b", 1, 1, 0.1)
    bench.report("a", 0, 1, 0.9)  # a stop, and trial 2
    empty_slot(bench)
    assert [S.STOPPED, S.RUNNING, S.PENDING] == bench.states()


def test_a_worker_that_asks_while_it_holds_a_trial_has_lost_it(bench: Bench) -> None:
    bench.join("a")
    assert_given(bench.ask("a"), trial=0, attempt=2)
    assert 1 == bench.experiment.counters.requeued


def test_an_end_of_another_trial_than_the_held_loses_that(bench: Bench) -> None:
    bench.join("a", "b")
    assert_given(bench.end("a", trial=1), trial=0, attempt=2)
    assert [S.RUNNING, S.RUNNING] == bench.states()
    assert "b" == bench.trial(1).worker


def test_an_interruption_without_an_end_of_the_run_is_a_lost_attempt(bench: Bench) -> None:
    bench.join("a")
    assert_given(bench.end("a", 0, "interrupted", metric=None), trial=0, attempt=2)


def test_a_copy_waits_while_its_sibling_lives(bench: Bench) -> None:
    assert isinstance(bench.hello("a", slot="s"), m.Welcome)
    bench.ask("a")
    bench.wait(10.0)
    hello = m.Hello(1, "the-run", "s", "host", 2)
    assert m.Wait(1) == bench.send("copy", hello)
    assert 1 == bench.experiment.roster.active
    bench.send("a", m.Leave({}))
    assert isinstance(bench.send("copy", hello), m.Welcome)


def test_a_copy_takes_the_slot_of_a_silent_sibling(bench: Bench) -> None:
    assert isinstance(bench.hello("a", slot="s"), m.Welcome)
    bench.ask("a")
    bench.wait(15.0)  # three heartbeats
    assert isinstance(bench.hello("copy", slot="s"), m.Welcome)
    assert ([S.PENDING], 1) == (bench.states(), bench.experiment.roster.active)
    assert_given(bench.ask("copy"), trial=0, attempt=2)


def test_the_latency_a_worker_reports_is_kept(bench: Bench) -> None:
    bench.join("a")
    bench.send("a" + m.HEARTBEAT_SUFFIX, m.Heartbeat({3: 5}))
    worker = bench.experiment.roster.get("a")
    assert worker is not None
    assert {3: 5} == worker.latency
    bench.send("a", m.Leave({3: 6}))
    assert {3: 6} == worker.latency


def test_waiting_and_leaving_again_and_again_leaves_nothing_behind() -> None:
    bench = Bench(supplied=False)
    bench.hello("a")
    for _ in range(50):
        assert isinstance(bench.ask("a"), m.Wait)
        bench.send("a", m.Leave({}))
    assert isinstance(bench.ask("a"), m.Wait)
    assert ["a"] == list(bench.experiment._waiting._names)
    bench.supply()
    [answer] = bench.take("a")
    assert_given(answer, trial=0, attempt=1)


def test_workers_under_ever_new_names_are_refused_or_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("roster", "presence"):
        monkeypatch.setattr(f"asha_bus.core.{module}.MAX_WORKERS", 20)
    bench = Bench(lease_s=60.0, max_trials=1)
    bench.join("busy")
    for number in range(19):
        assert isinstance(bench.hello(f"new {number}"), m.Welcome)
    answer = bench.hello("one too many")
    assert isinstance(answer, m.Refused) and "has 20 workers" in answer.text
    bench.wait(50.0)
    bench.heartbeat("busy")
    bench.wait(50.0)  # who fell silent makes room
    for number in range(100):
        assert isinstance(bench.hello(f"newer {number}"), m.Welcome)
        bench.send(f"newer {number}", m.Leave({}))
    assert (20, 120) == (len(bench.experiment.roster.workers), bench.experiment.roster.joined)
    assert isinstance(bench.report("busy", 0, 1, 0.5), m.Continue)
    # a forgotten one may join again, as any other
    answer = bench.ask("new 0")
    assert isinstance(answer, m.Refused) and "HELLO" in answer.text


def test_a_lost_trial_says_how_its_worker_ended() -> None:
    bench = Bench(max_attempts=1)
    bench.join("a")
    bench.handle(WorkerExited("slot of a", "ended by signal 11 (SIGSEGV)"))
    assert S.LOST is bench.trial(0).state
    error = bench.trial(0).error
    assert error is not None
    assert error.endswith("the last one being a, which ended by signal 11 (SIGSEGV)")
