"""The end of a run whose trials pause: what is decided then waits for a resumed run."""

from __future__ import annotations

from dataclasses import replace

from asha_bus.core.events import Resumed, StopRun
from asha_bus.core.schedulers import PromotionASHA, SuccessiveHalving
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import Bench

S = TrialState


def test_a_failure_that_ends_the_run_may_free_the_place_of_a_paused_trial() -> None:
    bench = Bench(scheduler=SuccessiveHalving([(1, 1), (2, 1)]), max_trials=3, fail_fast=True)
    bench.join("a", "b", "c")
    bench.report("a", trial=0, resource=1, metric=0.5)
    bench.report("b", trial=1, resource=1, metric=0.7)
    bench.end("c", trial=2, outcome="failed", metric=None, error="no")
    assert bench.experiment.ended is not None
    assert [S.CANCELLED, S.STOPPED, S.FAILED] == bench.states()
    bench.handle(Resumed(replace(bench.settings, fail_fast=False)))
    assert [S.PENDING, S.STOPPED, S.FAILED] == bench.states()
    assert "continue" == bench.trial(0).rungs[0].verdict


def test_a_verdict_that_comes_at_the_end_is_carried_out_when_the_run_is_resumed() -> None:
    bench = Bench(scheduler=SuccessiveHalving([(1, 2), (2, 1)]), max_trials=4)
    bench.join("a", "b", "c", "d")
    bench.report("a", trial=0, resource=1, metric=0.5)
    bench.report("b", trial=1, resource=1, metric=0.7)
    bench.handle(StopRun("stopped"))
    assert [S.CANCELLED, S.CANCELLED, S.RUNNING, S.RUNNING] == bench.states()
    bench.end("c", trial=2, outcome="failed", metric=None, error="no")
    bench.report("d", trial=3, resource=1, metric=0.6)
    assert [S.CANCELLED, S.CANCELLED, S.FAILED, S.CANCELLED] == bench.states()
    bench.handle(Resumed(bench.settings))
    assert [S.PENDING, S.STOPPED, S.FAILED, S.PENDING] == bench.states()


def test_failures_beside_a_paused_trial_are_not_all_there_is() -> None:
    bench = Bench(scheduler=PromotionASHA(9), max_trials=20)
    bench.join("a", "b")
    bench.report("a", trial=0, resource=1, metric=0.5)
    for trial in range(1, 7):
        bench.end("b", trial=trial if trial == 1 else trial + 1, outcome="failed", error="no")
    assert bench.experiment.ended is None
    assert [S.PAUSED, S.FAILED, S.RUNNING] == bench.states()[:3]
