"""Trials as a table of pandas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from asha_bus.core.space import by_name
from asha_bus.results.records import TrialRecord

if TYPE_CHECKING:
    import pandas

#: At most this number of extras become columns.
MOST_EXTRAS = 200

#: Seconds since the epoch that a timestamp of pandas holds: those until the year 2262.
_MOST_S = 9e9


def imported_pandas() -> Any:
    """The module pandas, or an `ImportError` that says how to get it."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError("to_pandas() needs pandas: pip install pandas") from error
    return pandas


def frame_of(trials: Sequence[TrialRecord]) -> pandas.DataFrame:
    """The table of `Result.to_pandas`, made column by column."""
    pandas = imported_pandas()
    if not trials:
        return pandas.DataFrame()
    # a column at a time: row by row takes a hundred times as long
    found: dict[str, Any] = {
        "id": [trial.id for trial in trials],
        "state": [str(trial.state) for trial in trials],
    }
    params = [by_name(trial.params) for trial in trials]
    for name in dict.fromkeys(name for one in params for name in one):
        found[_text(f"params.{name}")] = [_text(one.get(name)) for one in params]
    fields = ("metric", "best_metric", "best_resource", "resource", "attempts", "worker", "error")
    for field in fields:
        found[field] = [getattr(trial, field) for trial in trials]
    for field in ("start_time", "end_time"):
        seconds = [_within(getattr(trial, field)) for trial in trials]
        found[field] = pandas.to_datetime(pandas.Series(seconds), unit="s", utc=True)
    found["bracket"] = [trial.bracket for trial in trials]
    found["rungs"] = [len(trial.rungs) for trial in trials]
    found["repeat"] = [trial.repeat for trial in trials]
    names = dict.fromkeys(name for trial in trials for name in trial.extras)
    for name in islice(names, MOST_EXTRAS):
        values = [trial.extras.get(name, math.nan) for trial in trials]
        found[f"extras.{name}"] = values
    return pandas.DataFrame(found)


def _text(value: Any) -> Any:
    """``value``; a text that is no UTF-8, which no file holds, with escapes."""
    if type(value) is not str or value.isascii():
        return value
    return value.encode(errors="backslashreplace").decode()


def _within(seconds: float | None) -> float | None:
    """``seconds``; None where pandas has no such time, which only a changed journal can hold."""
    return seconds if seconds is not None and abs(seconds) < _MOST_S else None
