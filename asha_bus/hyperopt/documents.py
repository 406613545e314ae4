"""Converts trials to documents of hyperopt, and documents to trials."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space import Space
from asha_bus.core.trial import TrialState
from asha_bus.hyperopt.labels import labels_of, point_of_raw, raw_values
from asha_bus.hyperopt.objective import STATUS_FAIL, STATUS_OK
from asha_bus.hyperopt.results import FAILED
from asha_bus.results.records import TrialRecord

logger = logging.getLogger("asha_bus")

#: hyperopt's numbers for the state of a document.
NEW, RUNNING, DONE, ERROR, CANCEL = range(5)

_STATES = {
    TrialState.PENDING: NEW,
    TrialState.RUNNING: RUNNING,
    TrialState.PAUSED: RUNNING,
    TrialState.COMPLETED: DONE,
    TrialState.STOPPED: DONE,
    TrialState.CANCELLED: CANCEL,
    TrialState.FAILED: ERROR,
    TrialState.LOST: ERROR,
}


def document(trial: TrialRecord, space: Space, first: int = 0) -> dict[str, Any]:
    """A trial as a document of hyperopt; ``first`` is the number of the run's first trial."""
    tid = trial.id + first
    drawn = raw_values(space, trial.point)
    state, result = _STATES[trial.state], _result(trial)
    misc: dict[str, Any] = {
        "tid": tid,
        "cmd": ("domain_attachment", "FMinIter_Domain"),
        "workdir": None,
        "idxs": {label: [tid] if label in drawn else [] for label in labels_of(space)},
        "vals": {label: [drawn[label]] if label in drawn else [] for label in labels_of(space)},
    }
    if result["status"] == STATUS_FAIL:
        state = DONE  # the objective did not raise
    elif state == ERROR:
        misc["error"] = (str(trial.state), trial.error)
    return {
        "tid": tid,
        "state": state,
        "spec": None,
        "result": result,
        "misc": misc,
        "exp_key": None,
        "owner": trial.worker,
        "version": 0,
        "book_time": _moment(trial.start_time),
        "refresh_time": _moment(trial.end_time),
    }


def _result(trial: TrialRecord) -> dict[str, Any]:
    if trial.state is TrialState.COMPLETED:
        return {**trial.extras, "loss": trial.metric, "status": STATUS_OK}
    if trial.state is TrialState.STOPPED:
        return {**trial.extras, "loss": trial.metric, "status": "suspended"}
    return fail_result(trial) or {"status": "new"}


def fail_result(trial: TrialRecord) -> dict[str, Any] | None:
    """What the objective returned with `STATUS_FAIL`; None if that is not how ``trial`` ended."""
    if trial.state is not TrialState.FAILED or FAILED not in trial.extras:
        return None
    extras = {name: value for name, value in trial.extras.items() if name != FAILED}
    return {"status": STATUS_FAIL, **extras}


def _moment(seconds: float | None) -> datetime | None:
    """The time in UTC without a time zone, as in hyperopt."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)


def raw_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The raw values in a document, by label."""
    return {label: raw[0] for label, raw in document["misc"]["vals"].items() if len(raw)}


def records_of(documents: Sequence[Mapping[str, Any]], space: Space) -> tuple[TrialRecord, ...]:
    """The trials of earlier runs that fit into ``space``, numbered from -n up to -1.

    Trials that a scheduler stopped count as failed, since their documents lack the rung.
    """
    found = []
    why = None
    for number, one in enumerate(documents):
        try:
            point = point_of_raw(space, raw_of(one))
        except InvalidArgument as error:
            why = error
            continue
        found.append(_record(number - len(documents), one["result"], point))
    if why is not None:
        logger.warning(
            "%d of %d earlier trials do not fit into the space; algo does not learn from them: %s",
            len(documents) - len(found),
            len(documents),
            why,
        )
    return tuple(found)


def _record(number: int, result: Mapping[str, Any], point: tuple[float, ...]) -> TrialRecord:
    loss = result.get("loss") if result.get("status") == STATUS_OK else None
    metric = None if loss is None or math.isnan(loss) else float(loss)
    state = TrialState.FAILED if metric is None else TrialState.COMPLETED
    return TrialRecord.past(number, state, metric, point=point)
