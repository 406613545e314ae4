"""Plans of successive halving against the rule as it is written down, in any order."""

from __future__ import annotations

import math
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from asha_bus.core.schedulers import PromotionASHA, SchedulerState, SuccessiveHalving
from asha_bus.core.trial import Trial

METRICS = st.sampled_from([0.0, 0.1, 0.1, 0.25, 0.5, 0.75, 1.0, math.nan, math.inf])


class Order:
    """Trials that go on step by step, in an order that is drawn, until nothing is left to do."""

    def __init__(self, state: SchedulerState, trials: int, seed: int, leaves: float = 0) -> None:
        self.state, self.random = state, Random(seed)
        self.leaves = leaves
        self.state.expect(trials, 1)
        self.to_begin = list(range(trials))
        self.running: list[Trial] = []
        self.paused: dict[int, Trial] = {}
        self.trials: list[Trial] = []
        self.left: list[Trial] = []

    def step(self, metric: float) -> bool:
        """Let one trial begin, or report, or leave; returns whether there was one."""
        if self.to_begin and (not self.running or self.random.random() < 0.5):
            trial = Trial(self.to_begin.pop(0), (), 0)
            self.state.assign(trial, self.random)
            self.trials.append(trial)
            self.running.append(trial)
            return True
        if not self.running:
            return False
        trial = self.random.choice(self.running)
        if self.random.random() < self.leaves:
            self.running.remove(trial)
            self.left.append(trial)
            self.state.leave(trial)
        else:
            self.report(trial, metric)
        self.settle()
        return True

    def report(self, trial: Trial, metric: float) -> None:
        resource = self.state.next_resource(trial)
        assert resource is not None
        decision = self.state.report(trial, resource, metric)
        trial.rungs += decision.records
        if decision.verdict != "continue":
            self.running.remove(trial)
        if decision.verdict == "pause":
            self.paused[trial.id] = trial

    def settle(self) -> None:
        for move in self.state.take_moves():
            trial = self.paused.pop(move.trial)
            *before, last = trial.rungs
            trial.rungs = (*before, last._replace(verdict=move.verdict))
            if move.verdict == "continue":
                self.running.append(trial)
        self.state.validate()

    def run(self, metrics: st.DataObject) -> None:
        while self.step(metrics.draw(METRICS)):
            pass


def _entered(trials: list[Trial], rung: int) -> list[Trial]:
    return [trial for trial in trials if len(trial.rungs) > rung]


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 6)), min_size=1, max_size=4),
    st.integers(0, 10),
    st.sampled_from(["min", "max"]),
    st.integers(0, 2**32),
    st.data(),
)
def test_exactly_the_best_of_each_rung_continue(
    pairs: list[tuple[int, int]], more: int, mode: str, seed: int, metrics: st.DataObject
) -> None:
    keeps = sorted((keep for _, keep in pairs), reverse=True)
    plan = [(resource, keep) for (resource, _), keep in zip(pairs, keeps, strict=True)]
    state = SuccessiveHalving(plan).new_state(mode=mode, seed=7)
    order = Order(state, keeps[0] + more, seed)
    order.run(metrics)
    assert not order.paused, "everybody has been decided on"
    sign = 1 if mode == "min" else -1
    for rung, (_, keep) in enumerate(plan[:-1]):
        entered = _entered(order.trials, rung)
        went_on = [trial for trial in entered if trial.rungs[rung].verdict == "continue"]
        metric = {trial.id: trial.rungs[rung].metric * sign for trial in entered}
        finite = [number for number, one in metric.items() if math.isfinite(one)]
        assert min(keep, len(finite)) == len(went_on)
        # ties are broken by lot, so the metrics are compared and not the trials
        best = sorted(metric[number] for number in finite)[: len(went_on)]
        assert best == sorted(metric[trial.id] for trial in went_on)
        assert went_on == _entered(order.trials, rung + 1)


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=4),
    st.integers(0, 10),
    st.integers(0, 2**32),
    st.data(),
)
def test_trials_that_leave_free_places_and_nobody_waits_for_ever(
    keeps: list[int], more: int, seed: int, metrics: st.DataObject
) -> None:
    keeps = sorted(keeps, reverse=True)
    state = SuccessiveHalving([(1, keep) for keep in keeps]).new_state(mode="min", seed=7)
    order = Order(state, keeps[0] + more, seed, leaves=0.3)
    order.run(metrics)
    assert not order.paused
    for rung, keep in enumerate(keeps[:-1]):
        entered = _entered(order.trials, rung)
        went_on = [trial for trial in entered if trial.rungs[rung].verdict == "continue"]
        died = [trial for trial in order.left if len(trial.rungs) == rung + 1]
        finite = [trial for trial in entered if math.isfinite(trial.rungs[rung].metric)]
        assert len(went_on) <= keep + len(died)
        assert len(went_on) >= min(keep, len(finite)), "no place stays free while somebody waits"


@given(st.integers(2, 4), st.integers(1, 40), st.floats(0, 0.3), st.integers(0, 2**32), st.data())
def test_promotions_are_those_of_the_sorted_list(
    eta: int, trials: int, leaves: float, seed: int, metrics: st.DataObject
) -> None:
    scheduler = PromotionASHA(max_resource=eta**2, reduction_factor=eta)
    state = scheduler.new_state(mode="min", seed=7)
    order = Order(state, trials, seed, leaves)
    seen: dict[int, list[float]] = {}
    while True:
        before = {trial.id: len(trial.rungs) for trial in order.trials}
        if not order.step(metrics.draw(METRICS)):
            break
        for trial in order.trials:
            for record in trial.rungs[before.get(trial.id, 0) :]:
                seen.setdefault(record.rung, []).append(record.metric)
        for rung, entries in seen.items():
            finite = sorted(one for one in entries if math.isfinite(one))
            places = len(entries) // eta
            cutoff = finite[min(places, len(finite)) - 1] if places and finite else None
            for trial in _entered(order.trials, rung):
                record = trial.rungs[rung]
                if record.verdict == "pause" and cutoff is not None:
                    assert record.metric >= cutoff, "one of the best waits"
                if not math.isfinite(record.metric):
                    assert record.verdict == "stop"
    state.close()
    order.settle()
    assert not order.paused and not order.running
