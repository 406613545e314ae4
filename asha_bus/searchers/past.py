"""What came of earlier runs, for a searcher to begin with."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space import Space
from asha_bus.core.trial import TrialState
from asha_bus.records import TrialRecord

logger = logging.getLogger("asha_bus")

_PREFIX = "params."


def past_trials(history: Any, space: Space) -> tuple[TrialRecord, ...]:
    """The trials of ``history`` that fit into ``space``, numbered from below 0 upwards.

    ``history``: a `Result`, or a table like that of `Result.to_pandas`, with a column
    ``metric`` and one ``params.<name>`` for each name of the space. Raises
    `InvalidArgument` for anything else, and where none fits.
    """
    found = []
    left_out = 0
    why = None
    given = list(_trials(history))
    for number, trial in enumerate(given):
        try:
            point = space.point_of(trial.params)
        except InvalidArgument as error:
            left_out, why = left_out + 1, error
            continue
        found.append(replace(trial, id=number - len(given), point=point, worker=None))
    if left_out and not found:
        raise InvalidArgument(f"history has no trial that fits into the space: {why}")
    if left_out:
        logger.warning(
            "%d of %d trials of history do not fit into the space: %s", left_out, len(given), why
        )
    return tuple(found)


def _trials(history: Any) -> Iterable[TrialRecord]:
    trials = getattr(history, "trials", None)
    if isinstance(trials, tuple) and all(isinstance(trial, TrialRecord) for trial in trials):
        return trials
    if not (hasattr(history, "columns") and hasattr(history, "to_dict")):
        raise InvalidArgument(
            f"history must be a Result, or a table like that of Result.to_pandas(), got {history!r}"
        )
    columns = [str(column) for column in history.columns]
    names = [column for column in columns if column.startswith(_PREFIX)]
    if "metric" not in columns or not names:
        raise InvalidArgument(
            f"history needs a column 'metric' and one '{_PREFIX}<name>' for each parameter, it has "
            f"{', '.join(columns) or 'none'}"
        )
    return [_record(row, names) for row in history.to_dict("records")]


def _record(row: Mapping[str, Any], names: list[str]) -> TrialRecord:
    """A row of a table as a trial that ended."""
    metric = row["metric"]
    is_known = metric is not None and metric == metric
    state = row.get("state", "COMPLETED" if is_known else "FAILED")
    return TrialRecord(
        id=0,
        params={name.removeprefix(_PREFIX): row[name] for name in names},
        state=TrialState(state),
        metric=float(metric) if is_known else None,
        best_metric=float(metric) if is_known else None,
        resource=float(row.get("resource", 1)),
        attempts=1,
        worker=None,
        start_time=None,
        end_time=None,
        error=None,
        extras={},
        bracket=0,
        seed=0,
        rungs=(),
        repeat=int(row.get("repeat", 0)),
    )
