"""The metrics of runs as prometheus_client takes them, made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from asha_bus.driver.metrics import METRICS, Family
from asha_bus.driver.readings import Facts, Sample


class RunMetrics:
    """The metrics of one run under its label ``run``, made of `Facts` when they are asked for.

    A counter never goes back, not even after a restart of the bus, which then
    learns from its workers again what they measured.
    """

    def __init__(self, label: str, facts: Facts) -> None:
        self.label = label
        self.facts = facts
        self._most: dict[tuple[str, tuple[str, ...]], Any] = {}

    def samples(self, family: Family) -> Iterator[Sample]:
        """The samples of one family, with the value of the label ``run`` in front."""
        for labels, value in family.read(self.facts):
            if family.kind in ("counter", "summary", "histogram"):
                key = (family.name, labels)
                value = self._most[key] = _not_less(value, self._most.get(key))
            yield Sample((self.label, *labels), value)


def _not_less(value: Any, than: Any) -> Any:
    """``value``, or what it was where that was more; of tuples and lists each part by itself."""
    if than is None:
        return value
    if isinstance(value, (tuple, list)):
        return type(value)(_not_less(*pair) for pair in zip(value, than, strict=True))
    return than if isinstance(value, str) else max(value, than)


def collect(runs: Iterable[RunMetrics]) -> Iterator[Metric]:
    """All families, each with the samples of all runs that were heard of."""
    heard = [run for run in runs if run.facts.status is not None]
    for family in METRICS:
        labels = ("run", *family.labels)
        found = _FAMILIES[family.kind](family.name, family.help, labels=labels)
        for run in heard:
            for values, value in run.samples(family):
                _add(found, values, value)
        yield found


_FAMILIES: dict[str, Any] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
    "summary": SummaryMetricFamily,
}


def _add(family: Any, labels: tuple[str, ...], value: Any) -> None:
    if isinstance(family, SummaryMetricFamily):
        family.add_metric(labels, count_value=value[0], sum_value=value[1])
    elif isinstance(family, HistogramMetricFamily):
        family.add_metric(labels, buckets=value[0], sum_value=value[1])
    else:
        family.add_metric(labels, value)
