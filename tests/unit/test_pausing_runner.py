"""The runner where trials pause: who is resumed, what each has for itself, how it ends."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import pytest
from support.loopback import SPACE, Loopback, run_objective
from support.pausing import BOTH, PLAN, SHORT, generator_that, warnings_of

import asha_bus as ab
from asha_bus.core import messages as m
from asha_bus.core.errors import BusError
from asha_bus.core.events import StopRun
from asha_bus.executor.client import Client, Heartbeat
from asha_bus.executor.interrupt import Interrupter, TrialInterrupted
from asha_bus.executor.pausing import PausingRunner
from asha_bus.testing.simulator import Bench

S = ab.TrialState


@BOTH
@pytest.mark.parametrize(
    ("scheduler", "trials", "epochs"),
    [
        (PLAN, 8, 54),
        (ab.SuccessiveHalving.classic(8, 1, 2), 8, 20),
        (ab.Hyperband.classic(27), None, 357),
    ],
)
def test_each_epoch_of_a_plan_is_trained_once(
    made_by: Any, scheduler: Any, trials: int | None, epochs: int
) -> None:
    trained: Counter[tuple[float, int]] = Counter()
    objective = made_by(lambda x, step: trained.update([(x, step)]))
    bench = run_objective(
        objective, scheduler=scheduler, max_trials=trials or scheduler.configurations
    )
    assert epochs == len(trained) == trained.total()
    assert {S.COMPLETED, S.STOPPED} == set(bench.states())
    assert 0 == bench.experiment.counters.retrained


@BOTH
def test_a_promotion_resumes_the_trial_where_it_was(made_by: Any) -> None:
    trained: Counter[tuple[float, int]] = Counter()
    objective = made_by(lambda x, step: trained.update([(-x, step)]))
    scheduler = ab.PromotionASHA(27, max_resident=None)
    bench = run_objective(objective, scheduler=scheduler, max_trials=30)
    assert {1} == set(trained.values())
    assert sum(trial.resource for trial in bench.experiment.table.trials) == trained.total()


@BOTH
def test_a_resident_that_is_dropped_runs_its_clean_up(made_by: Any) -> None:
    ended: list[float] = []
    running: list[float] = []

    if made_by is generator_that:

        def objective(x: float) -> Iterator[float]:
            try:
                for _ in range(100):
                    running.append(x)
                    alive.append(len(set(running)) - len(ended))
                    yield x % 3
            finally:
                ended.append(x)
    else:

        def objective(trial: ab.Trial) -> None:  # type: ignore[misc]
            x = trial.params["x"]
            try:
                for _ in trial:
                    running.append(x)
                    alive.append(len(set(running)) - len(ended))
                    trial.report(x % 3)
            finally:
                ended.append(x)

    alive: list[int] = []
    scheduler = ab.PromotionASHA(9, max_resident=1)
    bench = run_objective(objective, scheduler=scheduler, max_trials=12)
    assert max(alive) == 2
    assert {S.COMPLETED, S.STOPPED} == set(bench.states())
    assert set(map(float, range(12))) == set(ended)
    assert bench.experiment.assignments.residents.dropped > 0
    assert [] == warnings_of(bench)


@BOTH
def test_the_clean_up_of_a_resident_runs_before_the_next_step_of_another(made_by: Any) -> None:
    """The order comes with the answer to a report of a trial that continues."""
    story: list[tuple[str, float, int]] = []

    if made_by is generator_that:

        def objective(x: float) -> Iterator[float]:
            try:
                for step in range(1, 100):
                    story.append(("step", x, step))
                    yield -x
            finally:
                story.append(("end", x, 0))
    else:

        def objective(trial: ab.Trial) -> None:  # type: ignore[misc]
            x = trial.params["x"]
            try:
                for step in trial:
                    story.append(("step", x, step + 1))
                    trial.report(-x)
            finally:
                story.append(("end", x, 0))

    run_objective(objective, scheduler=SHORT, max_trials=2)
    assert [
        ("step", 0, 1),
        ("step", 1, 1),
        ("end", 0, 0),
        ("step", 1, 2),
        ("end", 1, 0),
    ] == story


def test_a_parked_report_returns_false_at_the_end() -> None:
    told: dict[int, list[bool]] = {}
    bench = Bench(scheduler=PLAN, max_trials=8)

    def objective(trial: ab.Trial) -> None:
        answers = told.setdefault(trial.id, [])
        for step in trial:
            if trial.id == 2 and step == 1:
                bench.handle(StopRun("stopped"))
            answers.append(trial.report(0.5))
            assert trial.should_stop is not answers[-1]

    run_objective(objective, bench=bench)
    assert [S.CANCELLED] * 3 == bench.states()
    assert {0: [True] * 3 + [False], 1: [True] * 3 + [False]} == {0: told[0], 1: told[1]}
    assert [] == warnings_of(bench)
    assert not [t for t in threading.enumerate() if t.name.startswith("asha-bus-trial-")]


def test_an_objective_that_ignores_the_end_of_its_pause_is_ended() -> None:
    seen: list[BaseException] = []
    bench = Bench(scheduler=SHORT, max_trials=2)

    def objective(trial: ab.Trial) -> None:
        if trial.id == 1:
            bench.handle(StopRun("stopped"))
        try:
            while True:
                trial.report(0.5)
        except BaseException as error:
            seen.append(error)
            raise

    run_objective(objective, bench=bench)
    assert [TrialInterrupted] * 2 == [type(error) for error in seen]
    assert [S.CANCELLED] * 2 == bench.states()


@BOTH
def test_a_clean_up_that_raises_is_a_warning_of_its_trial(made_by: Any) -> None:
    if made_by is generator_that:

        def objective(x: float) -> Iterator[float]:
            try:
                while True:
                    yield 9 - x  # the last one is the best
            finally:
                raise OSError(f"disk full in {x}")
    else:

        def objective(trial: ab.Trial) -> None:  # type: ignore[misc]
            try:
                for _ in trial:
                    trial.report(9 - trial.params["x"])
            finally:
                raise OSError(f"disk full in {trial.params['x']}")

    bench = run_objective(objective, scheduler=SHORT, max_trials=3)
    assert [S.STOPPED, S.STOPPED, S.COMPLETED] == bench.states()
    said = warnings_of(bench)
    assert {0, 1, 2} == {trial for trial, _ in said}
    assert all(f"OSError: disk full in {trial}.0" in text for trial, text in said)
    assert [True, True] == ["while the paused trial was ending" in t for n, t in said if n < 2]


def test_without_a_bus_the_residents_end_all_the_same() -> None:
    client = Loopback(Bench(scheduler=SHORT, max_trials=9))
    ended: list[float] = []

    def objective(x: float) -> Iterator[float]:
        client.is_cut = x == 3
        try:
            while True:
                yield 9 - x
        finally:
            ended.append(x)

    client.tell = lambda message: None  # type: ignore[method-assign]
    with pytest.raises(BusError, match="the bus was silent"):
        PausingRunner(cast(Client, client), Interrupter(), objective, SPACE).run()
    assert [0, 1, 2, 3] == sorted(ended)


def test_a_clean_up_of_a_paused_trial_that_takes_long_is_warned_of() -> None:
    client = Loopback(Bench(scheduler=SHORT, max_trials=2))
    heartbeat = Heartbeat(cast(Any, None), cast(Client, client), Interrupter(), "w", lambda: False)

    def objective(x: float) -> Iterator[float]:
        try:
            while True:
                yield -x
        finally:
            for now in (0.0, 10.0, 20.0):
                heartbeat._check_clean_up(now)

    PausingRunner(cast(Client, client), Interrupter(), objective, SPACE).run()
    assert [0, 1] == [t for t, text in warnings_of(client._bench) if "clean-up still runs" in text]


# --- memory ------------------------------------------------------------------


class OutOfMemoryError(RuntimeError):
    """As that of torch."""


@BOTH
@pytest.mark.parametrize("error", [MemoryError(), OutOfMemoryError("no memory on the device")])
def test_a_trial_that_runs_out_of_memory_at_its_begin_is_restarted(
    made_by: Any, error: Exception
) -> None:
    begun: Counter[float] = Counter()

    def act(x: float, step: int) -> None:
        if step == 1:
            begun[x] += 1
        if x == 3 and begun[x] == 1:
            raise error

    bench = run_objective(made_by(act), scheduler=PLAN, max_trials=8)
    assert {S.COMPLETED, S.STOPPED} == set(bench.states())
    assert 2 == begun[3]
    assert 1 == bench.trial(3).attempt
    assert ["out of memory" in text for trial, text in warnings_of(bench)] == [True]
    # the three that had paused are trained again, as they are promoted
    assert 3 * 4 == bench.experiment.counters.retrained
    assert [2, 2, 2] == [begun[x] for x in range(3)]


@BOTH
def test_a_trial_that_runs_out_of_memory_later_is_queued_again(made_by: Any) -> None:
    begun: Counter[float] = Counter()

    def act(x: float, step: int) -> None:
        if step == 1:
            begun[x] += 1
        if x == 3 and step == 2 and begun[x] == 1:
            raise MemoryError

    bench = run_objective(made_by(act), scheduler=PLAN, max_trials=8)
    assert {S.COMPLETED, S.STOPPED} == set(bench.states())
    assert (2, 1) == (bench.trial(3).attempt, bench.trial(3).forgiven)


def test_a_trial_that_runs_out_of_memory_alone_fails() -> None:
    def act(x: float, step: int) -> None:
        if x == 0:
            raise MemoryError

    bench = run_objective(generator_that(act), scheduler=PLAN, max_trials=8)
    assert S.FAILED is bench.trial(0).state


def test_a_resume_of_what_was_given_up_is_answered_with_dropped() -> None:
    """The word that it was dropped is lost on the way."""
    client = Loopback(Bench(scheduler=PLAN, max_trials=8))
    begun: Counter[float] = Counter()

    def act(x: float, step: int) -> None:
        if step == 1:
            begun[x] += 1
        if x == 3 and begun[x] == 1:
            raise MemoryError

    carry = client._carry
    client._carry = lambda message: (  # type: ignore[method-assign]
        None if isinstance(message, m.Dropped) else carry(message)
    )
    bench = client._bench
    PausingRunner(cast(Client, client), Interrupter(), generator_that(act), SPACE).run()
    assert {S.COMPLETED, S.STOPPED} == set(bench.states())
    assert [2, 2, 2, 2] == [begun[x] for x in range(4)]
    assert [2, 2, 2] == [bench.trial(number).attempt for number in range(3)]


# --- time ---------------------------------------------------------------------


@BOTH
def test_time_paused_does_not_count(made_by: Any) -> None:
    scheduler = ab.SuccessiveHalving([(1, 1), (2, 1)])
    bench = Bench(scheduler=scheduler, max_trials=2, trial_timeout_s=10.0)
    interrupter = Interrupter()
    now = [0.0]
    interrupter.now = lambda: now[0]  # type: ignore[method-assign]
    over: list[bool] = []

    def act(x: float, step: int) -> None:
        now[0] += 4.0
        limit = interrupter.limit
        assert limit is not None
        over.append(limit.wants_interrupt(now[0]))

    client = cast(Client, Loopback(bench))
    PausingRunner(client, interrupter, made_by(act), SPACE).run()
    # trial 0 trains for 4 s, then trial 1, then trial 0 for 8 s more
    assert [False, False, False, True] == over
    assert interrupter.limit is None
