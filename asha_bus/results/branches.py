"""A sweep told by its level-1 configurations: what each is, and the best that was found in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from asha_bus.core.space import holds_parameter
from asha_bus.results.records import TrialRecord
from asha_bus.results.tables import cell, table


@dataclass(frozen=True)
class BranchRecord:
    """One level-1 configuration of a run."""

    #: Its number within the space.
    number: int
    #: What it tells, by name, constants included; of what it tells in part, such as a model
    #: with parameters of its own, the rest is there as it was written.
    fixed: dict[str, Any]
    #: How many trials it had.
    trials: int
    #: The best of them, by the rule of `Result.best`; None where none has a usable metric.
    best: TrialRecord | None

    @property
    def best_metric(self) -> float | None:
        """The last metric of its best trial."""
        return None if self.best is None else self.best.metric

    @property
    def best_params(self) -> dict[str, Any]:
        """What the searcher found for the names of which something was left to it."""
        if self.best is None:
            return {}
        return {
            name: value
            for name, value in self.best.params.items()
            if name not in self.fixed or holds_parameter(self.fixed[name])
        }


class Branches(tuple[BranchRecord, ...]):
    """The records of a run's level-1 configurations; its repr is a table of them."""

    __slots__ = ()

    def __repr__(self) -> str:
        names = _telling(self)
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


def _telling(records: Iterable[BranchRecord]) -> list[str]:
    """The fixed names whose values differ from one record to the next; all of a single one."""
    fixed = [one.fixed for one in records]
    names = dict.fromkeys(name for one in fixed for name in one)
    if len(fixed) < 2:
        return list(names)
    return [n for n in names if len({repr(one[n]) if n in one else "" for one in fixed}) > 1]
