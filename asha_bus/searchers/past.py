"""Reads the trials of an earlier run, which a searcher starts from."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.messages import Point
from asha_bus.core.space import Space
from asha_bus.core.trial import TrialState
from asha_bus.results.records import TrialRecord

logger = logging.getLogger("asha_bus")

_PREFIX = "params."
_FIELDS = ("metric", "state", "resource", "repeat")


def past_trials(history: Any, space: Space) -> tuple[TrialRecord, ...]:
    """The trials of ``history`` that fit into ``space``, numbered from -n to -1.

    ``history``: a `Result`, or a table like that of `Result.to_pandas`, which may have been
    saved and read again, with a column ``metric`` and a column ``params.<name>`` for each name
    of the space. Raises `InvalidArgument` for anything else, and if no trial fits.
    """
    found = []
    left_out = 0
    why = None
    given = list(_trials(history))
    for trial in given:
        try:
            point = _point_of(trial, space)
        except InvalidArgument as error:
            left_out, why = left_out + 1, error
            continue
        found.append(replace(trial, params=space.shown(point), point=point, worker=None))
    if left_out and not found:
        raise InvalidArgument(f"history has no trial that fits into the space: {why}")
    if left_out:
        logger.warning(
            "%d of %d trials of history do not fit into the space: %s", left_out, len(given), why
        )
    return _numbered(found)


def _numbered(trials: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """``trials`` with numbers below 0 and repeats in a row, since a table may be in any order."""
    if any(trial.repeat for trial in trials):
        groups: dict[Point, list[TrialRecord]] = {}
        for trial in trials:
            groups.setdefault(trial.point, []).append(trial)
        trials = [
            replace(trial, repeat=repeat)
            for group in groups.values()
            for repeat, trial in enumerate(group)
        ]
    return tuple(replace(trial, id=n - len(trials)) for n, trial in enumerate(trials))


def _text(params: object) -> str:
    return shortened(params, 1_000_000)


def _point_of(trial: TrialRecord, space: Space) -> Point:
    """The point of ``trial`` in ``space``; raises InvalidArgument if it does not fit."""
    problem = None
    for params in _readings(trial.params, space):
        try:
            return space.point_of(params)
        except InvalidArgument as error:
            problem = problem or error
    try:  # its own point has values that only a func sees
        if trial.point and _text(space.shown(trial.point)) == _text(trial.params):
            return space.checked(trial.point, space.branch_of(trial.point))
    except InvalidArgument as error:
        problem = problem or error
    assert problem is not None
    raise problem


def _readings(params: Any, space: Space) -> Iterator[Any]:
    """``params`` as they are, and without the changes that a table or a file makes.

    A table has a column for every name of a union. A file may have NaN for None, and a string
    or an array for a list.
    """
    yield params
    if not isinstance(params, Mapping):
        return
    plain = {name: _plain(value) for name, value in params.items()}
    for read in ({**params, **{n: None for n in plain if plain[n] is None}}, plain):
        for member in space.members:
            yield {n: v for n, v in read.items() if v is not None or n in member.names}


def _plain(value: Any) -> Any:
    """``value`` as it was before it was put into a table, as far as that is known."""
    if hasattr(value, "tolist"):  # an array or a scalar of numpy
        value = value.tolist()
    if isinstance(value, str):
        try:
            return ast.literal_eval(value)
        except (ValueError, SyntaxError):  # a plain string
            return value
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if _is_missing(value) else value


def _is_missing(value: Any) -> bool:
    """Whether ``value`` is None, or what a table has in its place."""
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ == "NAType"


def _trials(history: Any) -> Iterable[TrialRecord]:
    trials = getattr(history, "trials", None)
    if isinstance(trials, tuple) and all(isinstance(trial, TrialRecord) for trial in trials):
        return trials
    if not (hasattr(history, "columns") and hasattr(history, "to_dict")):
        raise InvalidArgument(
            f"history must be a Result, or a table like that of Result.to_pandas(), got "
            f"{shortened(history)}"
        )
    columns = [str(column) for column in history.columns]
    names = [column for column in columns if column.startswith(_PREFIX)]
    if "metric" not in columns or not names:
        raise InvalidArgument(
            f"history needs a column 'metric' and one '{_PREFIX}<name>' for each parameter; it has "
            f"{', '.join(columns) or 'none'}"
        )
    return [_record(n, row, names) for n, row in enumerate(history.to_dict("records"))]


def _record(number: int, row: Mapping[str, Any], names: list[str]) -> TrialRecord:
    """A row of a table as a trial; raises InvalidArgument if it is invalid."""
    given = {name: row[name] for name in _FIELDS if not _is_missing(row.get(name))}
    try:
        metric = float(given["metric"]) if "metric" in given else None
        return TrialRecord.past(
            0,
            TrialState(given.get("state", "FAILED" if metric is None else "COMPLETED")),
            metric,
            params={name.removeprefix(_PREFIX): row[name] for name in names},
            resource=float(given.get("resource", 1)),
            repeat=int(given.get("repeat", 0)),
        )
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"history: row {number} is not a trial: {error}") from error
