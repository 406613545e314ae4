"""The level-1 configurations of a sweep, each with its best trial."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from asha_bus.core.checks import shown_params
from asha_bus.core.space import by_name, holds_parameter
from asha_bus.results.records import TrialRecord
from asha_bus.results.tables import cell, table


@dataclass(frozen=True)
class BranchRecord:
    """One level-1 configuration of a run.

    Attributes:
        number: Its number in the space, from 0.
        fixed: The values that it fixes, by name, constants included. A value that it fixes
            only in part, such as a model with its own parameters, has the other parameters
            as they are in the space.
        trials: The number of its trials.
        best: The best of its trials, by the rule of `Result.best`; None if no trial has a
            usable metric.
    """

    number: int
    fixed: dict[str, Any]
    trials: int
    best: TrialRecord | None

    @property
    def best_metric(self) -> float | None:
        """The last metric of its best trial; None without one."""
        return None if self.best is None else self.best.metric

    @property
    def best_params(self) -> dict[str, Any]:
        """The best trial's values of the names that level 1 does not fix completely."""
        if self.best is None:
            return {}
        return {
            name: value
            for name, value in by_name(self.best.params).items()
            if name not in self.fixed or holds_parameter(self.fixed[name])
        }


class Branches(tuple[BranchRecord, ...]):
    """The records of a run's level-1 configurations; the repr is a table of them."""

    __slots__ = ()

    def __repr__(self) -> str:
        names = _differing(self)
        head = ["branch", *names, "trials", "metric", "best params"]
        rows = [
            [
                str(one.number),
                *(cell(one.fixed[name]) if name in one.fixed else "" for name in names),
                str(one.trials),
                "" if one.best_metric is None else f"{one.best_metric:.6g}",
                ", ".join(f"{name}={cell(value)}" for name, value in one.best_params.items()),
            ]
            for one in self
        ]
        left = [column for column, name in enumerate(head) if name not in ("trials", "metric")]
        return table(rows, head=head, left=left)


def _differing(records: Iterable[BranchRecord]) -> list[str]:
    """The fixed names whose values differ between records; with one record, all of them."""
    fixed = [one.fixed for one in records]
    names = dict.fromkeys(name for one in fixed for name in one)
    if len(fixed) < 2:
        return list(names)
    return [
        n for n in names if len({shown_params(one[n]) if n in one else "" for one in fixed}) > 1
    ]
