"""A sweep told by its level-1 configurations: what each is, and the best that was found in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from asha_bus.core.description import shortened
from asha_bus.core.space import Space
from asha_bus.records import TrialRecord
from asha_bus.tables import table


@dataclass(frozen=True)
class BranchRecord:
    """One level-1 configuration of a run."""

    #: Its number within the space.
    number: int
    #: The names whose values it tells, constants included.
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
        """What the searcher found for the names that are not fixed; empty without a best trial."""
        if self.best is None:
            return {}
        return {name: v for name, v in self.best.params.items() if name not in self.fixed}


class Branches(tuple[BranchRecord, ...]):
    """The records of a run's level-1 configurations; its repr is a table of them."""

    __slots__ = ()

    def __repr__(self) -> str:
        names = _telling(self)
        head = ["branch", *names, "trials", "metric", "best params"]
        rows = [
            [
                str(one.number),
                *(_short(one.fixed[name]) if name in one.fixed else "" for name in names),
                str(one.trials),
                "" if one.best_metric is None else f"{one.best_metric:.6g}",
                ", ".join(f"{name}={_short(value)}" for name, value in one.best_params.items()),
            ]
            for one in self
        ]
        left = [column for column, name in enumerate(head) if name not in ("trials", "metric")]
        return table(rows, head=head, left=left)


def fixed_of(space: Space, trial: TrialRecord) -> dict[str, Any]:
    """What the level-1 configuration of ``trial`` tells, by name."""
    names = space.parts[space.member_of(trial.point)].fixed_names
    return {name: value for name, value in trial.params.items() if name in names}


def _telling(records: Iterable[BranchRecord]) -> list[str]:
    """The fixed names whose values differ from one record to the next; all of a single one."""
    fixed = [one.fixed for one in records]
    names = dict.fromkeys(name for one in fixed for name in one)
    if len(fixed) < 2:
        return list(names)
    return [n for n in names if len({repr(one[n]) if n in one else "" for one in fixed}) > 1]


def _short(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.4g}" if isinstance(value, float) else shortened(value)
