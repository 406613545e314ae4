"""A run told by its configurations, each with all its repeats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from asha_bus.core.trials import ranked
from asha_bus.results.records import TrialRecord, repeats_of
from asha_bus.results.tables import cell, table


@dataclass(frozen=True)
class ConfigurationRecord:
    """One configuration of a run, and how its trials came out."""

    params: dict[str, Any]
    #: All its trials, by number: one, or its repeats.
    trials: tuple[TrialRecord, ...]
    #: Those of them that got furthest, of which ``metric`` tells: the completed ones; if
    #: there are none, those at the highest rung that one entered. Without a usable metric
    #: there are none.
    furthest: tuple[TrialRecord, ...]
    #: The mean of their last metrics; None where there are none.
    metric: float | None

    @property
    def spread(self) -> float | None:
        """The sample standard deviation of their metrics; None where there are fewer than two."""
        if self.metric is None or len(self.furthest) < 2:
            return None
        squares = [(_metric(trial) - self.metric) ** 2 for trial in self.furthest]
        return math.sqrt(sum(squares) / (len(squares) - 1))


class Configurations(tuple[ConfigurationRecord, ...]):
    """The configurations of a run, the best one first; its repr is a table of them."""

    __slots__ = ()

    def __repr__(self) -> str:
        head = ["trials", "states", "metric", "spread", "of", "params"]
        rows = [
            [
                _numbers(one.trials),
                _states(one.trials),
                "" if one.metric is None else f"{one.metric:.6g}",
                "" if one.spread is None else f"{one.spread:.2g}",
                str(len(one.furthest)),
                ", ".join(f"{name}={cell(value)}" for name, value in one.params.items()),
            ]
            for one in self
        ]
        return table(rows, head=head, left=[0, 1, 5])


def configurations_of(trials: Iterable[TrialRecord], mode: str) -> Configurations:
    """The configurations of ``trials``, which must be all of a run.

    Equals stand by their numbers, and those without a usable metric come last.
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


def _metric(trial: TrialRecord) -> float:
    assert trial.metric is not None
    return trial.metric


def _numbers(trials: Sequence[TrialRecord]) -> str:
    first, last = trials[0].id, trials[-1].id
    return str(first) if first == last else f"{first}-{last}"


def _states(trials: Sequence[TrialRecord]) -> str:
    """The states of ``trials``, each once, with how many they are."""
    counted: dict[str, int] = {}
    for trial in trials:
        counted[str(trial.state)] = counted.get(str(trial.state), 0) + 1
    if len(trials) == 1:
        return str(trials[0].state)
    return ", ".join(f"{count} {state}" for state, count in counted.items())
