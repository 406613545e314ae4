"""What a worker draws for a random sampler: within its range, and spread as Optuna's values."""

from __future__ import annotations

from statistics import mean

import pytest
from optuna import distributions as d
from optuna.samplers import RandomSampler

from asha_bus.optuna.drawing import drawn

NUMBERS = range(400)
RANGES = [
    d.FloatDistribution(-2.0, 3.0),
    d.FloatDistribution(1e-4, 10.0, log=True),
    d.FloatDistribution(0.1, 0.7, step=0.1),
    d.IntDistribution(-3, 8),
    d.IntDistribution(1, 17, step=4),
    d.IntDistribution(1, 100, log=True),
    d.CategoricalDistribution(("a", None, True, 1.5)),
]


@pytest.mark.parametrize("distribution", RANGES, ids=str)
def test_values_are_spread_as_those_of_optuna(distribution: d.BaseDistribution) -> None:
    sampler = RandomSampler(seed=3)
    nobody: object = None
    theirs = [
        distribution.to_internal_repr(
            sampler.sample_independent(nobody, nobody, "x", distribution)  # type: ignore[arg-type]
        )
        for _ in NUMBERS
    ]
    ours = [drawn(distribution, seed) for seed in NUMBERS]
    assert all(distribution._contains(value) for value in ours)
    spread = max(theirs) - min(theirs)
    assert mean(theirs) == pytest.approx(mean(ours), abs=spread / 8)
    assert min(theirs) == pytest.approx(min(ours), abs=spread / 50)
    if len(set(theirs)) < 30:
        assert sorted(set(theirs)) == pytest.approx(sorted(set(ours)))


@pytest.mark.parametrize("high", [float("inf"), float("nan")])
@pytest.mark.parametrize("is_log", [False, True])
def test_a_range_without_an_end_raises_as_in_optuna(high: float, is_log: bool) -> None:
    distribution = d.FloatDistribution(1.0, high, log=is_log)
    with pytest.raises(OverflowError, match="exceeds valid bounds"):
        drawn(distribution, 7)


def test_a_seed_gives_the_same_value_each_time() -> None:
    assert drawn(RANGES[0], 7) == drawn(d.FloatDistribution(-2.0, 3.0), 7)
    assert drawn(RANGES[0], 7) != drawn(RANGES[0], 8)
