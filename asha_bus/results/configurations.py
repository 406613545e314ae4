"""The configurations of a run, each with all its repeats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from asha_bus.core.space import by_name
from asha_bus.core.trials import leading, ranked
from asha_bus.results.records import TrialRecord, repeats_of
from asha_bus.results.tables import cell, table
from asha_bus.results.warnings import no_usable_metric


@dataclass(frozen=True)
class ConfigurationRecord:
    """One configuration of a run, with its trials.

    Attributes:
        params: The parameters as the objective gets them.
        trials: All its trials, by number: one, or its repeats.
        furthest: The completed trials. If none completed, those that entered the highest
            rung that any of them entered. Empty if no trial has a usable metric.
        metric: The mean of the last metrics of ``furthest``; None if it is empty.
    """

    params: Any
    trials: tuple[TrialRecord, ...]
    furthest: tuple[TrialRecord, ...]
    metric: float | None

    @property
    def spread(self) -> float | None:
        """The sample standard deviation of the metrics of ``furthest``; None for fewer than two."""
        if self.metric is None or len(self.furthest) < 2:
            return None
        squares = [(_metric(trial) - self.metric) ** 2 for trial in self.furthest]
        return math.sqrt(sum(squares) / (len(squares) - 1))


class Configurations(tuple[ConfigurationRecord, ...]):
    """The configurations of a run, best first; the repr is a table of them."""

    __slots__ = ()

    def __repr__(self) -> str:
        head = ["trials", "states", "resource", "metric", "spread", "of", "params"]
        rows = [
            [
                _numbers(one.trials),
                _states(one.trials),
                f"{max((t.resource for t in one.furthest), default=0):g}",
                "" if one.metric is None else f"{one.metric:.6g}",
                "" if one.spread is None else f"{one.spread:.2g}",
                str(len(one.furthest)),
                ", ".join(f"{name}={cell(value)}" for name, value in by_name(one.params).items()),
            ]
            for one in self
        ]
        return table(rows, head=head, left=[0, 1, 6])


def configurations_of(trials: Iterable[TrialRecord], mode: str) -> Configurations:
    """The configurations of ``trials``, which must be all trials of a run, best first.

    Ties are ordered by number. Configurations without a usable metric come last.
    """
    return Configurations(
        ConfigurationRecord(
            params=group[0].params,
            trials=tuple(group),
            furthest=() if its is None else tuple(its.trials),
            metric=None if its is None else its.metric,
        )
        for group, its in ranked(repeats_of(trials), mode)
    )


def best_of(trials: Sequence[TrialRecord], mode: str) -> tuple[TrialRecord | None, str]:
    """The best of ``trials`` and among which it was chosen, or None and why."""
    lead = leading(repeats_of(trials), mode)
    if lead is None:
        return None, no_usable_metric(trials)
    completed, highest, _ = lead.progress
    why = "the best of the completed trials"
    if not completed:
        why = f"no trial completed; the best of those that entered the rung at {highest:g}"
        if highest == 0:
            why = "no trial completed or entered a rung; the best of all"
    if any(trial.repeat for trial in trials):
        why += ", by the mean of a configuration's repeats"
    best: TrialRecord = lead.trials[0]
    return best, why


def _metric(trial: TrialRecord) -> float:
    assert trial.metric is not None
    return trial.metric


def _numbers(trials: Sequence[TrialRecord]) -> str:
    first, last = trials[0].id, trials[-1].id
    return str(first) if first == last else f"{first}-{last}"


def _states(trials: Sequence[TrialRecord]) -> str:
    """The number of trials in each state that occurs, as text."""
    counted: dict[str, int] = {}
    for trial in trials:
        counted[str(trial.state)] = counted.get(str(trial.state), 0) + 1
    if len(trials) == 1:
        return str(trials[0].state)
    return ", ".join(f"{count} {state}" for state, count in counted.items())
