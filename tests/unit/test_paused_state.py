"""What paused trials of a worker share, and what is each trial's own."""

from __future__ import annotations

import fcntl
import threading
from collections import Counter
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any, cast

from support.loopback import SPACE, Loopback, run_objective
from support.pausing import BOTH, PLAN, SHORT, generator_that, trial_that, warnings_of

import asha_bus as ab
from asha_bus.core import messages as m
from asha_bus.executor.client import Client
from asha_bus.executor.interrupt import Interrupter
from asha_bus.executor.pausing import PausingRunner
from asha_bus.testing.simulator import Bench

S = ab.TrialState

VARIABLE: ContextVar[float] = ContextVar("VARIABLE")


@BOTH
def test_context_variables_are_each_trials_own(made_by: Any) -> None:
    def act(x: float, step: int) -> None:
        if step == 1:
            assert VARIABLE.get(None) is None
            VARIABLE.set(x)
        assert x == VARIABLE.get()

    bench = run_objective(made_by(act), scheduler=PLAN, max_trials=8)
    assert {S.COMPLETED, S.STOPPED} == set(bench.states())
    assert VARIABLE.get(None) is None


def test_what_belongs_to_a_thread_is_the_own_of_a_trial_objective() -> None:
    """As ``torch.no_grad()`` and the default device do."""
    local = threading.local()

    def act(x: float, step: int) -> None:
        if step == 1:
            assert not hasattr(local, "x")
            local.x = x
        assert x == local.x

    bench = run_objective(trial_that(act), scheduler=PLAN, max_trials=8)
    assert {S.COMPLETED, S.STOPPED} == set(bench.states())
    assert not hasattr(local, "x")


def test_what_belongs_to_a_thread_is_shared_by_generators() -> None:
    local = threading.local()
    seen: list[Any] = []

    def act(x: float, step: int) -> None:
        seen.append(getattr(local, "x", None))
        local.x = x

    run_objective(generator_that(act), scheduler=SHORT, max_trials=2)
    assert [None, 0.0] == seen[:2]


@BOTH
def test_what_belongs_to_the_process_is_shared(made_by: Any) -> None:
    """Random state is: a trial that is resumed finds what the others left."""
    import random

    def act(x: float, step: int) -> None:
        if step == 1:
            random.seed(x)
        random.random()

    draws: list[float] = []

    def last(x: float, step: int) -> None:
        act(x, step)
        if x == 0 and step == 2:
            draws.append(random.random())

    before = random.getstate()
    try:
        run_objective(made_by(last), scheduler=SHORT, max_trials=2)
        alone = random.Random(0.0)
        assert draws != [[alone.random() for _ in range(3)][-1]]
    finally:
        random.setstate(before)


@BOTH
def test_a_lock_that_is_held_at_a_report_is_held_for_the_pause(
    made_by: Any, tmp_path: Path
) -> None:
    files: list[IO[str]] = []
    found: list[bool] = []

    def act(x: float, step: int) -> None:
        if step == 1:
            files.append((tmp_path / "lock").open("w"))
            try:
                fcntl.flock(files[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append(False)
            else:
                found.append(True)

    run_objective(made_by(act), scheduler=SHORT, max_trials=2)
    assert [True, False] == found
    for file in files:
        file.close()


def test_generators_run_in_the_workers_thread_and_trial_objectives_do_not() -> None:
    threads: set[int] = set()
    run_objective(
        generator_that(lambda x, step: threads.add(threading.get_ident())),
        scheduler=PLAN,
        max_trials=8,
    )
    assert {threading.get_ident()} == threads
    threads.clear()
    run_objective(
        trial_that(lambda x, step: threads.add(threading.get_ident())),
        scheduler=PLAN,
        max_trials=8,
    )
    assert threading.get_ident() not in threads


@BOTH
def test_a_failure_after_a_pause_fails_that_trial_only(made_by: Any) -> None:
    def act(x: float, step: int) -> None:
        if x == 1 and step == 5:
            raise ValueError("no luck")

    bench = run_objective(made_by(act), scheduler=PLAN, max_trials=8)
    assert [1] == [t.id for t in bench.experiment.table.trials if t.state is S.FAILED]
    error = bench.trial(1).error or ""
    assert error.splitlines()[-1] == "ValueError: no luck"
    assert "executor/" not in error


def test_other_threads_of_a_trial_may_report() -> None:
    def objective(trial: ab.Trial) -> None:
        def work() -> None:
            for _ in trial:
                trial.report(trial.params["x"])

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    bench = run_objective(objective, scheduler=PLAN, max_trials=8)
    assert 54 == sum(t.resource for t in bench.experiment.table.trials)


class Alarm(Exception):
    """What a handler of a user's signal raises."""


@BOTH
def test_an_answer_that_an_exception_cut_short_may_have_been_a_pause(made_by: Any) -> None:
    """The objective has ended by it, so that there is nothing to resume."""
    client = Loopback(Bench(scheduler=PLAN, max_trials=8))
    ask, alarms = client.ask, [0]

    def cut_short(request: m.Request) -> m.Reply:
        if isinstance(request, m.Report) and request.trial in alarms:
            alarms.remove(request.trial)
            client._carry(request)
            raise Alarm
        return ask(request)

    client.ask = cut_short  # type: ignore[method-assign]
    trained: Counter[tuple[float, int]] = Counter()
    objective = made_by(lambda x, step: trained.update([(x, step)]))
    PausingRunner(cast(Client, client), Interrupter(), objective, SPACE).run()
    bench = client._bench
    assert {S.COMPLETED, S.STOPPED} == set(bench.states())
    assert (2, 1) == (bench.trial(0).attempt, bench.trial(1).attempt)
    assert [(0, True)] == [(trial, "Alarm" in text) for trial, text in warnings_of(bench)]
    assert {2} == {trained[0.0, step] for step in range(1, 5)}
    assert 54 + 4 == trained.total()


def test_an_objective_that_catches_such_an_exception_goes_on_where_it_was() -> None:
    client = Loopback(Bench(scheduler=PLAN, max_trials=8))
    ask, alarms = client.ask, [0]

    def cut_short(request: m.Request) -> m.Reply:
        if isinstance(request, m.Report) and request.trial in alarms:
            alarms.remove(request.trial)
            client._carry(request)
            raise Alarm
        return ask(request)

    client.ask = cut_short  # type: ignore[method-assign]
    trained: Counter[float] = Counter()

    def objective(trial: ab.Trial) -> None:
        for _ in trial:
            trained[trial.id] += 1
            try:
                trial.report(trial.params["x"])
            except Alarm:
                pass

    PausingRunner(cast(Client, client), Interrupter(), objective, SPACE).run()
    bench = client._bench
    assert {S.COMPLETED, S.STOPPED} == set(bench.states())
    assert {1} == {trial.attempt for trial in bench.experiment.table.trials}
    # what was computed before the pause was known of is reported after it
    assert (54, 12) == (trained.total(), trained[0])


def test_an_objective_may_end_while_another_of_its_threads_reports() -> None:
    threads: list[threading.Thread] = []

    def objective(trial: ab.Trial) -> None:
        def work() -> None:
            for _ in trial:
                trial.report(trial.params["x"])

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        while not trial._attempt.metric and trial.id:  # type: ignore[attr-defined]
            pass

    bench = run_objective(objective, scheduler=PLAN, max_trials=8)
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert bench.ended is not None
