"""The rung decisions of a run as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from asha_bus.results.frame import imported_pandas
from asha_bus.results.records import TrialRecord
from asha_bus.results.tables import table

if TYPE_CHECKING:
    import pandas


class DecisionRecord(NamedTuple):
    """What became of a trial at one rung.

    Attributes:
        trial: The trial's number.
        bracket: Its bracket; its plan in `SuccessiveHalving` and `Hyperband`.
        rung: The number of the rung.
        resource: The level of the rung, in units of resource.
        metric: The metric with which the trial entered.
        mean: With repeats, the mean that was compared in place of it; otherwise None.
        n: The number of entries when it was decided.
        keep: How many of them may continue.
        cutoff: The worst metric among those; None if it is not a finite number.
        verdict: ``continue``, ``stop``, ``complete``, or ``pause`` while it is to come.
        paused_n: The number of entries when the trial paused, if the verdict came later;
            otherwise None.

    Example:
        >>> stopped = [one.trial for one in result.decisions() if one.verdict == "stop"]
    """

    trial: int
    bracket: int
    rung: int
    resource: float
    metric: float
    mean: float | None
    n: int
    keep: int
    cutoff: float | None
    verdict: str
    paused_n: int | None


class Decisions(tuple[DecisionRecord, ...]):
    """The rung decisions of a run by trial and rung; the repr is a table of them."""

    __slots__ = ()

    def to_pandas(self) -> pandas.DataFrame:
        """Convert the decisions to a table of pandas.

        Returns:
            One row per decision, with the fields of a `DecisionRecord` as columns.

        Raises:
            ImportError: pandas is not installed.

        Example:
            >>> by_verdict = result.decisions().to_pandas().groupby("verdict").size()
        """
        # a column at a time: row by row takes a hundred times as long
        columns = zip(*self, strict=True) if self else [()] * len(DecisionRecord._fields)
        named = dict(zip(DecisionRecord._fields, map(list, columns), strict=True))
        found = imported_pandas().DataFrame(named)
        return found.astype({"mean": float, "cutoff": float, "paused_n": "Int64"})

    def __repr__(self) -> str:
        rows = [[_shown(value) for value in one] for one in self]
        return table(rows, head=DecisionRecord._fields, left=[9])


def decisions_of(trials: Sequence[TrialRecord]) -> Decisions:
    """The decisions of all ``trials``."""
    return Decisions(
        DecisionRecord(
            trial=trial.id,
            bracket=trial.bracket,
            rung=record.rung,
            resource=record.resource,
            metric=record.metric,
            mean=record.mean,
            n=record.n,
            keep=record.keep,
            cutoff=record.cutoff,
            verdict=record.verdict,
            paused_n=record.paused_n,
        )
        for trial in trials
        for record in trial.rungs
    )


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
