"""The runner: objectives that are interrupted, that run too long, or outlive their trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from support.loopback import SPACE, Loopback, run_objective

import asha_bus as ab
from asha_bus.core.errors import BusError
from asha_bus.core.events import StopRun
from asha_bus.core.messages import Leave
from asha_bus.core.schedulers import NoStopping
from asha_bus.executor.client import Client
from asha_bus.executor.interrupt import Interrupter, TrialInterrupted
from asha_bus.executor.runner import Runner
from asha_bus.testing.simulator import Bench

S = ab.TrialState
ASHA = ab.ASHA(max_resource=9)


def warnings_of(bench: Bench) -> list[tuple[int, str]]:
    lines = bench.experiment.table.logs
    return [(line.trial, line.text) for line in lines if line.level == "warning"]


def test_a_trial_object_that_outlives_its_trial_reports_to_no_other() -> None:
    trials: list[ab.Trial] = []

    def objective(trial: ab.Trial) -> None:
        trials.append(trial)
        trial.report(0.5)
        first = trials[0]
        if trial is not first:
            assert (False, True, []) == (first.report(0.1), first.should_stop, list(first))
            first.log("too late")

    bench = run_objective(objective, max_trials=2)
    assert [S.COMPLETED, S.COMPLETED] == bench.states()
    assert [(0.5, 1), (0.5, 1)] == [(t.metric, t.resource) for t in bench.experiment.table.trials]
    assert [] == list(bench.experiment.table.logs)


class Watch:
    """An interrupter that notes whether it was armed while a message was carried."""

    def __init__(self) -> None:
        self.armed = self.has_ended_attempt = False
        self.seen: list[bool] = []

    def put_back(self, *, is_end: bool) -> None:
        pass


def test_nothing_is_interrupted_while_it_talks_to_the_bus() -> None:
    watch, client = Watch(), Loopback(Bench(max_trials=1))
    armed: list[bool] = []

    def objective(x: float) -> Iterator[float]:
        armed.append(watch.armed)
        yield 0.5
        armed.append(watch.armed)

    carry = client._carry

    def watched(message: Any) -> Any:
        watch.seen.append(watch.armed)
        return carry(message)

    client._carry = watched  # type: ignore[method-assign]
    Runner(cast(Client, client), cast(Interrupter, watch), objective, SPACE).run()
    assert [True, True] == armed
    assert {False} == set(watch.seen)
    assert not watch.armed


def test_an_interrupted_trial_is_an_error_that_says_so() -> None:
    bench = Bench(max_trials=9)

    def objective(x: float) -> float:
        bench.handle(StopRun("stopped"))
        raise TrialInterrupted

    run_objective(objective, bench=bench)
    assert [S.CANCELLED] == bench.states()
    assert bench.ended is not None


def by_limit(interrupter: Interrupter) -> None:
    """What `Interrupter` does when the time of a trial is over."""
    assert interrupter.limit is not None
    interrupter.limit.is_over = True
    interrupter.armed = False
    raise TrialInterrupted("trial_timeout has passed")


def ends_quietly(interrupter: Interrupter) -> None:
    try:
        by_limit(interrupter)
    except BaseException:
        pass


def ends_in_another_error(interrupter: Interrupter) -> None:
    try:
        by_limit(interrupter)
    finally:
        raise OSError("disk full")


@pytest.mark.parametrize(
    ("end", "also_said"),
    [
        (by_limit, "in by_limit"),
        (ends_quietly, "TrialTimeout"),
        (ends_in_another_error, "OSError: disk full"),
    ],
)
def test_a_trial_beyond_its_limit_fails_however_it_ends(
    end: Callable[[Interrupter], None], also_said: str
) -> None:
    bench = Bench(scheduler=NoStopping(), max_trials=3, trial_timeout_s=1e6)
    interrupter = Interrupter()

    def objective(x: float) -> float:
        if x == 1:
            end(interrupter)
        return x

    client = cast(Client, Loopback(bench))
    Runner(client, interrupter, objective, SPACE).run()
    assert [S.COMPLETED, S.FAILED, S.COMPLETED] == bench.states()
    error = bench.trial(1).error or ""
    assert "ran longer than trial_timeout=1e+06 s; raise trial_timeout" in error.splitlines()[-1]
    assert also_said in error
    assert interrupter.limit is None


def test_the_verdict_stands_where_the_clean_up_runs_into_the_limit() -> None:
    bench = Bench(max_trials=2, trial_timeout_s=1e6)
    interrupter = Interrupter()

    def objective(x: float) -> Iterator[float]:
        try:
            while True:
                yield x
        finally:
            if x == 1:
                by_limit(interrupter)

    client = cast(Client, Loopback(bench))
    Runner(client, interrupter, objective, SPACE).run()
    assert [S.COMPLETED, S.STOPPED] == bench.states()
    assert [1] == [trial for trial, text in warnings_of(bench) if "trial_timeout" in text]


def test_without_a_limit_there_is_none() -> None:
    interrupter = Interrupter()
    limits = []

    def objective(x: float) -> float:
        limits.append(interrupter.limit)
        return x

    client = cast(Client, Loopback(Bench(max_trials=1)))
    Runner(client, interrupter, objective, SPACE).run()
    assert [None] == limits


def test_a_worker_that_ends_by_itself_takes_no_other_trial() -> None:
    bench = Bench(scheduler=NoStopping(), max_trials=9)
    client = Loopback(bench)

    def objective(x: float) -> float:
        client.worker.leaving = "the bus was silent"
        raise TrialInterrupted

    with pytest.raises(BusError, match="the bus was silent"):
        Runner(cast(Client, client), Interrupter(), objective, SPACE).run()
    assert ([S.RUNNING], 1) == (bench.states(), bench.experiment.counters.assigned)
    client.tell(Leave({}))
    assert ([S.PENDING], 1) == (bench.states(), bench.trial(0).forgiven)


def test_a_trial_that_ended_all_the_same_is_reported_before_its_worker_leaves() -> None:
    bench = Bench(scheduler=NoStopping(), max_trials=9)
    client = Loopback(bench)

    def objective(x: float) -> float:
        client.worker.leaving = "the bus was silent"
        return x

    with pytest.raises(BusError, match="the bus was silent"):
        Runner(cast(Client, client), Interrupter(), objective, SPACE).run()
    client.tell(Leave({}))
    assert [S.COMPLETED, S.PENDING] == bench.states()
    assert 1 == bench.trial(1).forgiven
