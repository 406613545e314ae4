"""A run that ends while trials have paused, and is resumed."""

from __future__ import annotations

from dataclasses import replace

import pytest

import asha_bus as ab
from asha_bus.core import messages as m
from asha_bus.core.events import Resumed, StopRun
from asha_bus.testing.simulator import Bench

S = ab.TrialState


@pytest.mark.parametrize(
    ("metric", "states", "trial"),
    [(0.9, [S.RUNNING, S.STOPPED], 0), (0.1, [S.STOPPED, S.RUNNING], 1)],
)
def test_verdicts_at_the_end_are_carried_out_when_the_run_is_resumed(
    metric: float, states: list[ab.TrialState], trial: int
) -> None:
    bench = Bench(scheduler=ab.SuccessiveHalving([(1, 1), (1, 1)]), max_trials=2)
    bench.join("a", "b")
    assert isinstance(bench.report("a", trial=0, resource=1, metric=0.5), m.Pause)
    bench.handle(StopRun("stopped"))
    bench.report("b", trial=1, resource=1, metric=metric)
    assert S.CANCELLED is bench.trial(0).state
    bench.handle(Resumed(replace(bench.settings, epoch=1.0)))
    bench.join("c")
    assert states == bench.states()
    assert 2 == bench.trial(trial).attempt
