"""The experiment: workers that fall silent because they were paused, and return or do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from asha_bus.core import messages as m
from asha_bus.core.events import Resumed, RunSettings, Stalled, StopRun, WorkerExited, WorkerGone
from asha_bus.core.schedulers import ASHA
from asha_bus.core.status import status
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import Bench

S = TrialState
LEASE_S, HANG_S = 60.0, 120.0


@pytest.fixture
def bench() -> Bench:
    return bench_of()


def bench_of(**settings: Any) -> Bench:
    return Bench(lease_s=LEASE_S, heartbeat_s=5.0, hang_timeout_s=HANG_S, **settings)


def pause(bench: Bench, seconds: float = LEASE_S) -> None:
    """Nobody is heard for so long."""
    bench.wait(seconds)


def attempts(bench: Bench) -> list[tuple[int, int]]:
    return [(trial.attempt, trial.forgiven) for trial in bench.experiment.table.trials]


def beats(bench: Bench) -> None:
    assert [m.Pong(0)] == bench.heartbeat("a")


def reports(bench: Bench) -> None:
    assert isinstance(bench.report("a", trial=0, resource=1, metric=0.5), m.Continue)


@pytest.mark.parametrize("returns", [beats, reports])
def test_a_worker_that_returns_continues_its_attempt(
    bench: Bench, returns: Callable[[Bench], None]
) -> None:
    bench.join("a")
    pause(bench)
    assert ([S.PENDING], 0, 1) == (
        bench.states(),
        bench.experiment.roster.active,
        bench.experiment.counters.leases_expired,
    )
    returns(bench)
    assert ([S.RUNNING], "a", 1) == (
        bench.states(),
        bench.trial(0).worker,
        bench.experiment.roster.active,
    )
    assert isinstance(bench.report("a", trial=0, resource=3, metric=0.5), m.Continue)
    assert ([(1, 0)], 0, 0) == (
        attempts(bench),
        bench.experiment.counters.requeued,
        bench.experiment.counters.fenced,
    )


def test_what_it_had_reported_stands_when_it_returns(bench: Bench) -> None:
    bench.join("a")
    bench.report("a", trial=0, resource=1, metric=0.5)
    pause(bench)
    beats(bench)
    trial = bench.trial(0)
    assert (1, 0.5, 1) == (trial.resource, trial.metric, len(trial.rungs))


def test_a_repeated_request_gets_its_answer_and_brings_the_worker_back(bench: Bench) -> None:
    bench.join("a")
    report = m.Report(3, 0, 1, 1, 0.5, 0.5, {}, 0.0)
    answer = bench.send("a", report)
    pause(bench)
    assert answer == bench.send("a", report)
    assert [S.RUNNING] == bench.states()


def test_one_way_messages_do_not_bring_a_silent_worker_back(bench: Bench) -> None:
    bench.join("a")
    pause(bench)
    bench.send("a", m.Log(0, 1, "info", "x"))
    bench.send("a", m.Telemetry(0, 1, None, ()))
    assert [S.PENDING] == bench.states()


def test_an_attempt_that_was_only_paused_is_forgiven_when_another_has_begun(bench: Bench) -> None:
    bench.join("a")
    pause(bench)
    bench.join("b")
    assert ([(2, 0)], 1) == (attempts(bench), bench.experiment.counters.requeued)
    beats(bench)
    assert [(2, 1)] == attempts(bench)
    answer = bench.report("a", trial=0, resource=1, metric=0.5)
    assert isinstance(answer, m.Stop) and answer.why == "fenced"
    assert (2, 1) == attempts(bench)[0]  # once
    assert "b" == bench.trial(0).worker


def test_pauses_lose_no_trial_however_often_they_come(bench: Bench) -> None:
    names = "abcdefg"
    bench.join(names[0])
    for before, name in pairwise(names):
        pause(bench)
        bench.hello(name)
        bench.ask(name)
        bench.heartbeat(before)
    trial = bench.trial(0)
    most = bench.settings.max_attempts
    assert (S.RUNNING, 2 * most, most) == (trial.state, trial.attempt, trial.pauses)
    assert trial.worker is not None  # the last attempt that counts stays with its worker
    bench.heartbeat(trial.worker)
    report = m.Report(90, 0, trial.attempt, 1, 0.5, 0.5, {}, 0.0)
    assert isinstance(bench.send(trial.worker, report), m.Continue)


def test_the_last_attempt_is_lost_only_when_its_end_is_certain() -> None:
    bench = bench_of(max_attempts=1)
    bench.join("a")
    pause(bench)
    assert [S.RUNNING] == bench.states()
    bench.hello("b")
    assert isinstance(bench.ask("b"), m.Assign)  # another trial
    beats(bench)
    reports(bench)
    pause(bench, LEASE_S)
    bench.handle(WorkerExited("slot of a"))
    assert S.LOST is bench.trial(0).state


def test_a_worker_that_does_not_return_is_given_up_and_replaced() -> None:
    bench = bench_of(max_attempts=1)
    bench.join("a")
    pause(bench)
    assert LEASE_S + HANG_S == bench.experiment.next_deadline()
    pause(bench, HANG_S - 0.1)
    assert ([S.RUNNING], ()) == (bench.states(), tuple(status(bench.experiment, bench.now).hung))
    pause(bench, 0.1)
    assert [S.LOST] == bench.states()
    [hung] = status(bench.experiment, bench.now).hung
    assert ("a", "slot of a", "host") == (hung.name, hung.slot, hung.host)
    bench.handle(WorkerExited("slot of a"))  # the engine has ended it
    assert [] == list(status(bench.experiment, bench.now).hung)


def test_an_attempt_that_froze_its_worker_counts(bench: Bench) -> None:
    bench.join("a")
    pause(bench)
    pause(bench, HANG_S)
    bench.handle(WorkerExited("slot of a"))
    bench.join("b")
    assert [(2, 0)] == attempts(bench)
    assert 1 == bench.experiment.counters.requeued


def test_a_worker_that_was_given_up_may_still_come_back(bench: Bench) -> None:
    bench.join("a")
    pause(bench)
    pause(bench, HANG_S)
    assert isinstance(bench.report("a", trial=0, resource=1, metric=0.5), m.Stop)
    assert [] == list(status(bench.experiment, bench.now).hung)


def test_buses_that_die_do_not_postpone_the_end_of_a_silent_worker(bench: Bench) -> None:
    bench.join("a")
    pause(bench)
    for _ in range(6):
        bench.wait(HANG_S / 6 - 1.0)
        left = bench.experiment.roster.returns.left(bench.now)
        bench.clock.now += 30.0  # there was no bus
        bench.experiment.restart(bench.now, {}, left)
    assert [] == bench.experiment.roster.hung
    bench.wait(6.0)
    assert ["a"] == [worker.name for worker in bench.experiment.roster.hung]


def test_an_idle_worker_that_is_silent_is_also_given_up() -> None:
    bench = bench_of(supplied=False)
    bench.hello("a")
    pause(bench)
    pause(bench, HANG_S)
    assert ["a"] == [worker.name for worker in status(bench.experiment, bench.now).hung]


def test_an_exit_that_is_known_leaves_nothing_to_return_to(bench: Bench) -> None:
    bench.join("a")
    pause(bench)
    bench.handle(WorkerExited("slot of a"))
    beats(bench)
    assert ([S.PENDING], 0) == (bench.states(), bench.experiment.roster.active)


def test_a_worker_that_leaves_gives_its_trial_back_and_it_does_not_count(bench: Bench) -> None:
    for name in "abc":
        bench.join(name)
        bench.send(name, m.Leave({}))
    assert [(3, 3)] == attempts(bench)
    assert [S.PENDING] == bench.states()


def test_a_copy_that_takes_the_slot_of_a_paused_worker_takes_it_for_silent(bench: Bench) -> None:
    assert isinstance(bench.hello("a", slot="s"), m.Welcome)
    bench.ask("a")
    bench.wait(15.0)
    assert isinstance(bench.hello("copy", slot="s"), m.Welcome)
    beats(bench)
    assert ([S.RUNNING], "a") == (bench.states(), bench.trial(0).worker)


def test_a_pause_of_the_bus_makes_nobody_silent(bench: Bench) -> None:
    assert isinstance(bench.hello("a", slot="s"), m.Welcome)
    bench.ask("a")
    bench.now = 1_000.0
    bench.handle(Stalled(1_000.0))
    bench.tick()
    assert isinstance(bench.hello("copy", slot="s"), m.Wait)
    assert [S.RUNNING] == bench.states()


def test_a_pause_of_the_bus_gives_the_searcher_no_less_time() -> None:
    bench = bench_of(supplied=False, suggest_timeout_s=10.0)
    bench.hello("a")
    bench.ask("a")
    bench.now = 100.0
    bench.handle(Stalled(99.0))
    bench.tick()
    assert not any(draw.is_fallback for draw in bench.draws)


def test_a_run_that_ends_takes_nobody_back(bench: Bench) -> None:
    bench.join("a")
    pause(bench)
    bench.handle(StopRun("stopped"))
    assert [S.CANCELLED] == bench.states()
    assert [m.Interrupt(0.5, 1.5)] == bench.heartbeat("a")
    answer = bench.report("a", trial=0, resource=1, metric=0.5)
    assert m.Stop(3, "fenced", None) == answer


def test_a_resumed_run_knows_no_pause_of_before(bench: Bench) -> None:
    bench.join("a")
    pause(bench)
    bench.handle(Resumed(replace(bench.settings, epoch=1.0)))
    assert [] == bench.heartbeat("a")
    bench.join("b")
    assert [(2, 1)] == attempts(bench)


def test_settings_of_an_earlier_version_have_its_rules() -> None:
    plain = RunSettings("run", ASHA(max_resource=9), 7).to_plain()
    del plain["hang_timeout_s"]
    settings = RunSettings.from_plain(plain)
    assert settings.hang_timeout_s is None
    bench = Bench(hang_timeout_s=None, lease_s=LEASE_S)
    bench.join("a")
    bench.send("a", m.Leave({}))
    bench.join("b")
    bench.handle(WorkerGone("b"))
    bench.join("c")
    assert [(3, 0)] == attempts(bench)
