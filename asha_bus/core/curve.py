"""A learning curve that is thinned out evenly, and always in the same way."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence

#: The most points of the curves of one trial: the metric has as many, and each extra has as many.
MAX_POINTS = 200
#: The most extras of a trial that have a curve: the first numeric ones of its first batch.
MAX_NAMES = 8

_NO_VALUE = math.nan


class Curve:
    """The metric, and some numeric extras, at every n-th report between rungs of one attempt.

    ``n`` is 1 at first. It doubles whenever there are more points than allowed, and every
    second point is dropped. So the points that stay depend only on the order of the reports,
    and not on how they were sent.
    """

    __slots__ = ("_extras", "_metrics", "_resources", "_seen", "_stride", "unwritten")

    def __init__(self) -> None:
        self._resources = array("d")
        self._metrics = array("d")
        self._extras: dict[str, array[float]] = {}
        self._seen = 0
        self._stride = 1
        #: How many reports came since the journal was told of any.
        self.unwritten = 0

    def __len__(self) -> int:
        return len(self._resources)

    @property
    def numbers(self) -> int:
        """How many metrics and extras are kept."""
        return len(self._resources) * (1 + len(self._extras))

    def choose(self, count: int, most: int) -> Sequence[int]:
        """Which of the next ``count`` reports are to be kept, if at most ``most`` points are."""
        chosen: list[int] = []
        if most == 0:
            return chosen
        kept, seen, stride = len(self), self._seen, self._stride
        if stride == 1 and kept + count <= most:  # the usual case
            return range(count)
        for number in range(count):
            if (seen + number) % stride == 0:
                chosen.append(number)
                kept += 1
                if kept > most:
                    kept, stride = (kept + 1) // 2, 2 * stride
        return chosen

    def skip(self, count: int) -> None:
        """The next ``count`` reports are not kept."""
        self._seen += count

    def keep(
        self,
        reports: Sequence[tuple[float, float]],
        extras: Mapping[str, Sequence[float | None]],
        most: int,
    ) -> None:
        """Keep reports that `choose` chose, and the extras at these."""
        for name in extras:
            if name not in self._extras and len(self._extras) < MAX_NAMES:
                self._extras[name] = array("d", [_NO_VALUE]) * len(self)
        if not reports:
            return
        if not self._extras and len(self) + len(reports) <= most:  # the usual case
            for resource, metric in reports:
                self._resources.append(resource)
                self._metrics.append(metric)
            self._seen = (len(self) - 1) * self._stride + 1
            return
        for number, (resource, metric) in enumerate(reports):
            self._resources.append(resource)
            self._metrics.append(metric)
            for name, column in self._extras.items():
                values = extras.get(name, ())
                value = values[number] if number < len(values) else None
                column.append(_NO_VALUE if value is None else value)
            self._seen = (len(self) - 1) * self._stride + 1
            self.thin(most)

    def cut(self, resource: float) -> None:
        """Drop what lies beyond ``resource``: the trial continues from there once more."""
        beyond = bisect_right(self._resources, resource)
        if beyond < len(self):
            for column in (self._resources, self._metrics, *self._extras.values()):
                del column[beyond:]
            self._seen = max((len(self) - 1) * self._stride + 1, 0)

    def thin(self, most: int) -> None:
        """Drop every second point until there are at most ``most``."""
        columns = (self._resources, self._metrics, *self._extras.values())
        while len(self) > most:
            self._stride *= 2
            for column in columns:
                del column[1 if most else 0 :: 2 if most else 1]

    def points(self, name: str | None = None) -> list[tuple[float, float]]:
        """Pairs of resource and metric; of the extra ``name`` where it had a value."""
        if name is None:
            return list(zip(self._resources, self._metrics, strict=True))
        pairs = zip(self._resources, self._extras[name], strict=True)
        return [(resource, value) for resource, value in pairs if not math.isnan(value)]

    @property
    def names(self) -> list[str]:
        """The extras that have a curve."""
        return list(self._extras)
