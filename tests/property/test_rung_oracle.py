"""The rung's two heaps against a naive oracle that sorts all entries."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from asha_bus.core.pseudorandom import mix
from asha_bus.core.schedulers import ASHA
from asha_bus.core.schedulers.rung import Rung
from asha_bus.core.trial import RungRecord, Trial
from asha_bus.testing.simulator.oracle import Oracle

#: Few distinct numbers, so that ties are common, and all kinds that are not finite.
METRICS = st.one_of(
    st.sampled_from([0.0, -0.0, 0.5, 1.0, -1.0, math.nan, math.inf, -math.inf]),
    st.floats(),
)
#: A number of each kind of rung: eta, quorum.
ETAS = st.integers(2, 5)
QUORUMS = st.sampled_from([0, 0, 1, 3, 20])


@given(ETAS, QUORUMS, st.lists(METRICS.map(lambda x: x if math.isfinite(x) else math.inf)))
def test_a_rung_decides_like_the_oracle(eta: int, quorum: int, metrics: list[float]) -> None:
    rung, oracle = Rung(1, eta, quorum), Oracle(eta, quorum)
    for trial, metric in enumerate(metrics):
        lot = mix(7, trial, 0)
        assert oracle.enter(metric, lot) == rung.enter(metric, lot)
        rung.validate()


@given(ETAS, QUORUMS, st.sampled_from(["min", "max"]), st.lists(METRICS, max_size=60))
def test_asha_decides_like_the_oracle_in_both_modes(
    eta: int, quorum: int, mode: str, metrics: list[float]
) -> None:
    rule = ASHA(max_resource=eta, reduction_factor=eta, quorum=quorum).new_state(mode=mode, seed=7)
    oracle, sign = Oracle(eta, quorum), 1 if mode == "min" else -1
    for number, metric in enumerate(metrics):
        entry = oracle.enter(
            sign * metric if math.isfinite(metric) else math.inf, mix(7, 0, number)
        )
        decision = rule.report(Trial(number, (), 0), 1, metric)
        cutoff = sign * entry.cutoff if math.isfinite(entry.cutoff) else None
        verdict = "continue" if entry.goes_on else "stop"
        expected = RungRecord(0, 1, metric, entry.n, entry.keep, cutoff, verdict)
        # by repr, since a nan equals nothing
        assert (verdict, repr(expected)) == (decision.verdict, repr(decision.records[0]))
        rule.validate()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), ETAS)
def test_the_best_so_far_always_goes_on(metrics: list[float], eta: int) -> None:
    rung = Rung(1, eta)
    for number, metric in enumerate(metrics):
        is_best = all(metric < earlier for earlier in metrics[:number])
        assert rung.enter(metric, lot=number).goes_on or not is_best


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1, 2, 3, 9, 10, 30, 81]))))
def test_trials_enter_rungs_upwards_and_once(reports: list[tuple[int, int]]) -> None:
    scheduler = ASHA(max_resource=81)
    rule = scheduler.new_state(mode="min", seed=7)
    trials = [Trial(number, (), 0) for number in range(4)]
    ended: set[int] = set()
    for number, resource in reports:
        trial = trials[number]
        if number in ended:
            continue
        before = len(trial.rungs)
        decision = rule.report(trial, resource, 0.1 * number)
        trial.rungs += decision.records
        levels = [record.resource for record in trial.rungs]
        assert list(scheduler.levels[: len(levels)]) == levels
        assert all(record.verdict == "continue" for record in trial.rungs[:-1])
        if decision.verdict == "continue":
            assert all(level <= resource for level in levels[before:])
            assert decision.next_resource == rule.next_resource(trial)
            assert decision.next_resource is not None
            assert decision.next_resource > resource
        else:
            ended.add(number)
        rule.validate()
    for k in range(len(scheduler.levels)):
        entries = [trial.rungs[k].n for trial in trials if len(trial.rungs) > k]
        assert list(range(1, len(entries) + 1)) == sorted(entries)


@given(
    st.fractions(min_value="0.001", max_value=1_000, max_denominator=1_000),
    st.integers(2, 10),
    st.integers(0, 8),
)
def test_levels_are_exact_multiples(least: Fraction, eta: int, rungs: int) -> None:
    smallest = float(least)
    most = smallest * eta**rungs * 1.5
    levels = ASHA(max_resource=most, min_resource=smallest, reduction_factor=eta).levels
    assert rungs + 1 == len(levels)
    for k, level in enumerate(levels):
        assert math.isclose(level, smallest * eta**k, rel_tol=1e-15)
