"""The histogram of short times."""

from __future__ import annotations

import math

import pytest

from asha_bus.core.latency import BOUNDS_S, BUCKETS, Latencies, merged, percentile


def counts_of(*seconds: float) -> dict[int, int]:
    latencies = Latencies()
    for value in seconds:
        latencies.add(value)
    return latencies.to_counts()


@pytest.mark.parametrize("seconds", [2e-6, 1e-4, 3.3e-3, 0.5, 7.0, 15.9])
def test_a_single_time_is_exact_within_a_few_percent(seconds: float) -> None:
    assert seconds == pytest.approx(percentile(counts_of(seconds), 0.5), rel=0.025)


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.01, 0.001), (0.5, 0.001), (0.51, 0.1), (0.99, 0.1), (1.0, 0.1)]
)
def test_a_percentile_is_where_that_share_of_the_counts_ends(share: float, seconds: float) -> None:
    counts = counts_of(*[0.001] * 50, *[0.1] * 50)
    assert seconds == pytest.approx(percentile(counts, share), rel=0.025)


def test_empty_buckets_are_left_out() -> None:
    assert [2, 1] == list(counts_of(0.001, 0.001, 0.1).values())


def test_no_time_falls_outside() -> None:
    assert {0: 2, BUCKETS - 1: 2} == counts_of(0.0, 1e-9, 1_000.0, math.inf)
    assert BOUNDS_S[-1] == pytest.approx(percentile(counts_of(1_000.0), 0.5), rel=0.025)


def test_there_is_no_percentile_without_counts() -> None:
    assert math.isnan(percentile({}, 0.5))


def test_counts_are_merged_by_bucket() -> None:
    assert {1: 3, 2: 2, 9: 4} == merged([{1: 1, 2: 2}, {1: 2}, {}, {9: 4}])
    assert {} == merged([])


def test_buckets_reach_from_a_microsecond_to_sixteen_seconds() -> None:
    assert (2.0**-20, 16.0) == (BOUNDS_S[0], BOUNDS_S[-1])
    assert {2.0**k for k in range(-20, 5)} <= set(BOUNDS_S)
    assert list(BOUNDS_S) == sorted(BOUNDS_S)


def test_a_sum_stays_within_64_bits() -> None:
    most = 2**63 - 1
    assert {0: most, 1: 2} == merged([{0: most, 1: 1}, {0: most}, {0: 1, 1: 1}])
