"""A histogram of short times with buckets fine enough for percentiles."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping

#: Each bucket is 5 % wider than the one below; the first ends at 1 us.
_RATIO = 1.05
_FIRST_S = 1e-6

#: The upper end of each bucket in seconds, up to some 20 s; one more holds the rest.
BOUNDS_S: tuple[float, ...] = tuple(_FIRST_S * _RATIO**k for k in range(345))
BUCKETS = len(BOUNDS_S) + 1
_MOST = (1 << 63) - 1


class Latencies:
    """Counts of durations by bucket."""

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1

    def to_counts(self) -> dict[int, int]:
        """The counts of the buckets that hold any."""
        return {bucket: count for bucket, count in enumerate(self._counts) if count}


def percentile(counts: Mapping[int, int], share: float) -> float:
    """The duration in seconds below which ``share`` (0 to 1) of the counts lie.

    It is the geometric middle of a bucket, so right within 2.5 %; NaN without counts.
    """
    left = math.ceil(share * sum(counts.values()))
    for bucket in sorted(counts):
        left -= counts[bucket]
        if left <= 0:
            return BOUNDS_S[min(bucket, BUCKETS - 2)] / math.sqrt(_RATIO)
    return math.nan


def merged(parts: list[Mapping[int, int]]) -> dict[int, int]:
    """The sum of several counts, none beyond what 64 bits hold: workers tell what they like."""
    total: dict[int, int] = {}
    for part in parts:
        for bucket, count in part.items():
            total[bucket] = min(total.get(bucket, 0) + count, _MOST)
    return total
