"""A histogram of short durations whose buckets are fine enough for percentiles."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

#: 16 buckets per doubling, with powers of two among their bounds: the buckets of
#: Prometheus's native histograms with schema 4.
_PER_DOUBLING = 16
_RATIO = 2 ** (1 / _PER_DOUBLING)

#: The upper bound of each bucket in seconds, 1 us (2**-20 s) to 16 s; one more has the rest.
BOUNDS_S: tuple[float, ...] = tuple(
    2.0 ** (k / _PER_DOUBLING - 20) for k in range(24 * _PER_DOUBLING + 1)
)
BUCKETS = len(BOUNDS_S) + 1
_MOST = (1 << 63) - 1


class Latencies:
    """Counts of durations by bucket; ``counts`` are the initial counts."""

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self._counts = [0] * BUCKETS
        for bucket, count in (counts or {}).items():
            self._counts[bucket] = count

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1

    def to_counts(self) -> dict[int, int]:
        """The counts of the buckets that are not empty."""
        return {bucket: count for bucket, count in enumerate(self._counts) if count}


def percentile(counts: Mapping[int, int], share: float) -> float:
    """The duration in seconds below which ``share`` (0 to 1) of the counts lie.

    It is the geometric middle of a bucket, accurate to 2.2 %; NaN without counts.
    """
    left = math.ceil(share * sum(counts.values()))
    for bucket in sorted(counts):
        left -= counts[bucket]
        if left <= 0:
            return _middle(bucket)
    return math.nan


def total_s(counts: Mapping[int, int]) -> float:
    """The sum of the durations in seconds, accurate to 2.2 %."""
    return sum(_middle(bucket) * count for bucket, count in counts.items())


def cumulative(counts: Mapping[int, int], bounds: Sequence[int]) -> list[int]:
    """How many durations are at most each of ``bounds``, given as indexes of `BOUNDS_S`."""
    totals = list(accumulate(counts.get(bucket, 0) for bucket in range(BUCKETS)))
    return [totals[bound] for bound in bounds]


def _middle(bucket: int) -> float:
    """The geometric middle of a bucket in seconds."""
    return BOUNDS_S[min(bucket, BUCKETS - 2)] / math.sqrt(_RATIO)


def merged(parts: list[Mapping[int, int]]) -> dict[int, int]:
    """The sum of several counts, limited to 64 bits, since a worker may send any number."""
    total: dict[int, int] = {}
    for part in parts:
        for bucket, count in part.items():
            total[bucket] = min(total.get(bucket, 0) + count, _MOST)
    return total
