"""The trials of an `fmin`, with the attributes that hyperopt's have."""

from __future__ import annotations

import math
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asha_bus.core.errors import AshaBusError
from asha_bus.core.trial import TrialState
from asha_bus.hyperopt_labels import labels_of, raw_values
from asha_bus.hyperopt_objective import STATUS_OK, fail_result
from asha_bus.records import TrialRecord
from asha_bus.result import AllTrialsFailed, Result

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from asha_bus.core.space import Space

#: hyperopt's numbers for the states of a document.
_NEW, _RUNNING, _DONE, _ERROR, _CANCEL = range(5)

_STATES = {
    TrialState.PENDING: _NEW,
    TrialState.RUNNING: _RUNNING,
    TrialState.COMPLETED: _DONE,
    TrialState.STOPPED: _DONE,
    TrialState.CANCELLED: _CANCEL,
    TrialState.FAILED: _ERROR,
    TrialState.LOST: _ERROR,
}


class Trials:
    """What an `fmin` tried: pass one in, and look at it afterwards.

    The objective runs in one process of this machine, one trial after the other. Another
    `fmin` with the same object, objective and space goes on where this one ended, up to
    ``max_evals`` in all.

    As in hyperopt, a trial whose objective raised, and one that the end of the run cut
    off, is missing in all but ``result``, which is the `Result` of the run: it has each
    trial with its traceback, charts and a report.
    """

    #: Where the trials run.
    engine = "local"

    def __init__(self) -> None:
        #: None until an `fmin` has ended, and where the object was unpickled.
        self.result: Result | None = None
        self._documents: list[dict[str, Any]] = []
        self._folder: Path | None = None

    @property
    def trials(self) -> list[dict[str, Any]]:
        """A document per trial: ``tid``, ``state``, ``result``, ``misc`` with ``vals``."""
        return [one for one in self._documents if one["state"] in (_NEW, _RUNNING, _DONE)]

    @property
    def tids(self) -> list[int]:
        """The numbers of the trials."""
        return [one["tid"] for one in self.trials]

    @property
    def results(self) -> list[dict[str, Any]]:
        """Of each trial ``loss`` and ``status``, and what else the objective gave back."""
        return [one["result"] for one in self.trials]

    @property
    def miscs(self) -> list[dict[str, Any]]:
        """Of each trial the numbers ``idxs`` and raw values ``vals`` by label."""
        return [one["misc"] for one in self.trials]

    @property
    def vals(self) -> dict[str, list[Any]]:
        """By label the raw values of all trials that have it."""
        return self._by_label("vals")

    @property
    def idxs(self) -> dict[str, list[int]]:
        """By label the numbers of all trials that have it."""
        return self._by_label("idxs")

    @property
    def best_trial(self) -> dict[str, Any]:
        """The document of the trial with the lowest loss and status ``ok``.

        Where a scheduler stopped all of them, that of ``result.best``. Raises
        `AllTrialsFailed` if there is none.
        """
        usable = [
            one
            for one in self.trials
            if one["result"]["status"] == STATUS_OK and not math.isnan(one["result"]["loss"])
        ]
        if usable:
            return min(usable, key=lambda one: one["result"]["loss"])
        if self.result is None:
            raise AshaBusError("there is no trial with a loss yet")
        best = self.result.best
        if best is None:
            raise AllTrialsFailed("there is no trial with status 'ok' and a loss", self.result)
        return next(one for one in self._documents if one["tid"] == best.id)

    @property
    def argmin(self) -> dict[str, Any]:
        """The raw values of `best_trial` by label, of a choice the index."""
        return {label: raw[0] for label, raw in self.best_trial["misc"]["vals"].items() if raw}

    def losses(self) -> list[float | None]:
        """The loss of each trial; None where there was none."""
        return [result.get("loss") for result in self.results]

    def statuses(self) -> list[str]:
        """The status of each trial: ``ok``, ``fail``, or ``suspended`` by a scheduler."""
        return [result["status"] for result in self.results]

    def __len__(self) -> int:
        return len(self.trials)

    def __bool__(self) -> bool:
        return True  # it is there, though it may be empty

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.trials)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "result": None, "_folder": None}  # the documents are plain

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {len(self)} trials>"

    # --- for fmin ---------------------------------------------------------------

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The documents of all trials, in the order of their numbers once the run is over."""
        return self._documents

    @property
    def has_journal(self) -> bool:
        """Whether there is a journal of these trials, so that a run can go on with them."""
        return self._folder is not None

    @property
    def journal(self) -> Path:
        """A file for the journal of the run, which is gone with this object."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="asha-bus-trials-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder / "journal"

    def add(self, trial: TrialRecord, space: Space) -> bool:
        """Add a trial that has just ended; whether it is new."""
        if any(one["tid"] == trial.id for one in self._documents):
            return False  # it is of an earlier launch
        self._documents.append(document(trial, space))
        return True

    def forget_cancelled(self) -> None:
        """Leave out what the end of the last run cut off: it is run again."""
        self._documents[:] = [one for one in self._documents if one["state"] != _CANCEL]

    def fill(self, result: Result) -> None:
        """Take over the trials of a run that has ended."""
        self.result = result
        self._documents[:] = [document(trial, result.space) for trial in result.trials]

    def _by_label(self, part: str) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for misc in self.miscs:
            for label, values in misc[part].items():
                found.setdefault(label, []).extend(values)
        return found


class SparkTrials(Trials):
    """Trials that run on Spark, ``parallelism`` at a time.

    ``parallelism``: None, 0 or below takes all free slots. ``timeout`` (seconds) and
    ``loss_threshold``: as those of `fmin`. ``spark_session``: None takes the active one or
    starts one.
    """

    engine = "spark"

    def __init__(
        self,
        parallelism: int | None = None,
        timeout: float | None = None,
        loss_threshold: float | None = None,
        spark_session: SparkSession | None = None,
    ) -> None:
        super().__init__()
        self.parallelism = parallelism
        self.timeout, self.loss_threshold = timeout, loss_threshold
        self.spark_session = spark_session

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "spark_session": None}


def document(trial: TrialRecord, space: Space) -> dict[str, Any]:
    """A trial as hyperopt writes it down."""
    drawn = raw_values(space, trial.point)
    state, result = _STATES[trial.state], _result(trial)
    misc: dict[str, Any] = {
        "tid": trial.id,
        "cmd": ("domain_attachment", "FMinIter_Domain"),
        "workdir": None,
        "idxs": {label: [trial.id] if label in drawn else [] for label in labels_of(space)},
        "vals": {label: [drawn[label]] if label in drawn else [] for label in labels_of(space)},
    }
    if result["status"] == "fail":
        state = _DONE  # it did not raise
    elif state == _ERROR:
        misc["error"] = (str(trial.state), trial.error)
    return {
        "tid": trial.id,
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
    failed: Mapping[str, Any] | None = None
    if trial.state is TrialState.FAILED:
        failed = fail_result(trial.error)
    return dict(failed) if failed is not None else {"status": "new"}


def _moment(seconds: float | None) -> datetime | None:
    """Without a time zone, in UTC, as hyperopt's."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)
