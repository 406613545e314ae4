"""The trials of an `fmin`, with the attributes of hyperopt's trials."""

from __future__ import annotations

import logging
import math
import os
import weakref
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asha_bus.core.checks import ANY_WHOLE, SECONDS, Rule, as_builtin, check
from asha_bus.core.errors import AshaBusError, InvalidArgument
from asha_bus.core.space.parameter import as_number
from asha_bus.hyperopt.documents import CANCEL, DONE, ERROR, NEW, RUNNING, document
from asha_bus.hyperopt.failure import also_hyperopts
from asha_bus.hyperopt.objective import STATUS_OK
from asha_bus.hyperopt.results import MORE, Unpacked, unpack
from asha_bus.objective.private import private_folder, remove_private
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import AllTrialsFailed, Result

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from asha_bus.core.space import Space

logger = logging.getLogger("asha_bus")


class Trials:
    """The trials of an `fmin`: pass it as ``trials``, and read it afterwards.

    The objective runs in one process of this machine, one trial after the other. Another
    `fmin` with the same object continues after these trials, up to ``max_evals`` in all, and
    its ``algo`` learns from them.

    As in hyperopt, trials whose objective raised, and trials that the end of the run cut
    off, are only in ``result``, the `Result` of the last run. It has each trial with its
    traceback, charts and a report.

    Example:
        ::

            trials = ab.Trials()
            ab.fmin(fn, space, max_evals=50, trials=trials)
            ab.fmin(fn, space, max_evals=100, trials=trials)  # 50 more
            print(trials.losses())
    """

    #: Where the trials run.
    engine = "local"
    #: hyperopt's name for whether several trials run at a time.
    asynchronous = False

    def __init__(self) -> None:
        #: None until an `fmin` has ended, and after unpickling.
        self.result: Result | None = None
        #: What the objective returned as ``attachments``, by hyperopt's names.
        self.attachments: dict[str, Any] = {}
        self._documents: list[dict[str, Any]] = []
        self._earlier: list[dict[str, Any]] = []
        self._folder: Path | None = None
        self._named: set[str] = set()

    @property
    def trials(self) -> list[dict[str, Any]]:
        """A document per trial: ``tid``, ``state``, ``result``, ``misc`` with ``vals``."""
        return [one for one in self._documents if one["state"] in (NEW, RUNNING, DONE)]

    @property
    def tids(self) -> list[int]:
        """The numbers of the trials."""
        return [one["tid"] for one in self.trials]

    @property
    def specs(self) -> list[Any]:
        """None for each trial, as in hyperopt."""
        return [one["spec"] for one in self.trials]

    @property
    def results(self) -> list[dict[str, Any]]:
        """For each trial its ``loss``, its ``status``, and what else the objective returned."""
        return [one["result"] for one in self.trials]

    @property
    def miscs(self) -> list[dict[str, Any]]:
        """For each trial the numbers ``idxs`` and the raw values ``vals`` by label."""
        return [one["misc"] for one in self.trials]

    @property
    def vals(self) -> dict[str, list[Any]]:
        """The raw values of all trials that have a label, by label."""
        return self._by_label("vals")

    @property
    def idxs(self) -> dict[str, list[int]]:
        """The numbers of all trials that have a label, by label."""
        return self._by_label("idxs")

    @property
    def idxs_vals(self) -> tuple[dict[str, list[int]], dict[str, list[Any]]]:
        """`idxs` and `vals`."""
        return self.idxs, self.vals

    @property
    def best_trial(self) -> dict[str, Any]:
        """The document of the trial with the lowest finite loss and status ``ok``.

        If a scheduler stopped all trials, that of ``result.best``.

        Raises:
            AllTrialsFailed: The last run has no such trial.
            AshaBusError: There was no run.
        """
        usable = [
            one
            for one in self.trials
            if one["result"]["status"] == STATUS_OK and math.isfinite(one["result"]["loss"])
        ]
        if usable:
            return min(usable, key=lambda one: one["result"]["loss"])
        if self.result is None:
            raise also_hyperopts(AshaBusError)("no trial has a loss yet")
        best = self.result.best
        if best is None:
            raise also_hyperopts(AllTrialsFailed)(
                f"no trial has status 'ok' and a finite loss; the run ended by "
                f"{self.result.reason} after {self.result.elapsed_s:.1f} s",
                self.result,
            )
        return next(one for one in self._documents if one["tid"] == self._first + best.id)

    @property
    def argmin(self) -> dict[str, Any]:
        """The raw values of `best_trial` by label, of a choice the index."""
        return {label: raw[0] for label, raw in self.best_trial["misc"]["vals"].items() if raw}

    def losses(self) -> list[float | None]:
        """Return the loss of each trial.

        Returns:
            The losses in the order of `trials`; None for a trial without a loss.
        """
        return [result.get("loss") for result in self.results]

    def statuses(self) -> list[str]:
        """Return the status of each trial.

        Returns:
            ``ok``, ``fail``, or ``suspended`` if a scheduler stopped the trial.
        """
        return [result["status"] for result in self.results]

    def average_best_error(self) -> float:
        """Return hyperopt's mean of ``true_loss``, weighted by how likely each trial is the best.

        It depends on the ``loss_variance`` that the objective returned. It needs hyperopt.

        Returns:
            The mean; the lowest loss if there is no ``loss_variance``.

        Raises:
            ValueError: No trial has a loss.
        """
        from hyperopt.base import trials_from_docs

        return float(trials_from_docs(self.trials, validate=False).average_best_error())

    def trial_attachments(self, trial: Mapping[str, Any]) -> MutableMapping[str, Any]:
        """Return what the objective returned as ``attachments`` in a trial.

        Args:
            trial: A document of `trials`.

        Returns:
            The attachments by name.
        """
        return _Attachments(self.attachments, trial["tid"])

    def count_by_state_synced(self, state: int | Collection[int]) -> int:
        """Count the documents of `trials` in a state.

        Args:
            state: A state of hyperopt, such as ``hyperopt.JOB_STATE_DONE``, or several.

        Returns:
            The number of documents.
        """
        return _count(self.trials, state)

    def count_by_state_unsynced(self, state: int | Collection[int]) -> int:
        """Count all documents in a state, including trials that raised or were cut off.

        Args:
            state: A state of hyperopt, or several.

        Returns:
            The number of documents.
        """
        return _count(self._documents, state)

    def refresh(self) -> None:
        """Do nothing: the trials are always up to date. Programs for hyperopt call this."""

    def delete_all(self) -> None:
        """Forget all trials; the next `fmin` starts from none."""
        self.result = None
        self.attachments.clear()
        self._documents.clear()
        self._earlier.clear()

    def __len__(self) -> int:
        return len(self.trials)

    def __bool__(self) -> bool:
        return True  # even if it is empty, as `trials or Trials()` must keep it

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.trials)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "result": None, "_folder": None}  # documents are plain data

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {len(self)} trials>"

    # --- for fmin ---------------------------------------------------------------

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The documents of all trials, in the order of their numbers once the run is over."""
        return self._documents

    @property
    def _dynamic_trials(self) -> list[dict[str, Any]]:
        """hyperopt's name for `documents`, which programs for it read."""
        return self._documents

    @property
    def folder(self) -> Path:
        """Where workers write results that are not plain values; deleted with this object."""
        if self._folder is None:
            self._folder = private_folder("results")
            weakref.finalize(self, remove_private, self._folder, os.getpid())
        return self._folder

    def begin(self, *, is_resumed: bool) -> None:
        """Prepare for a run; ``is_resumed``: the present trials belong to it."""
        self._documents[:] = [one for one in self._documents if one["state"] != CANCEL]
        self._earlier = [] if is_resumed else list(self._documents)

    def add(self, trial: TrialRecord, space: Space) -> bool:
        """Add a trial that has just ended; return whether it is new."""
        number = self._first + trial.id
        if any(one["tid"] == number for one in self._documents):
            return False  # it ended in an earlier launch
        self._documents.append(self._document(trial, space, {}))
        return True

    def fill(self, result: Result) -> None:
        """Replace the run's documents by the trials of its ``result``."""
        self.result = result
        known = {one["tid"]: one for one in self._documents}
        self._documents[:] = self._earlier + [
            self._document(trial, result.space, known) for trial in result.trials
        ]

    @property
    def _first(self) -> int:
        """The number of the run's first trial."""
        return max((one["tid"] for one in self._earlier), default=-1) + 1

    def _document(
        self, trial: TrialRecord, space: Space, known: Mapping[int, dict[str, Any]]
    ) -> dict[str, Any]:
        """The document of a trial, with the results of its ``known`` document, if there is one."""
        made = document(trial, space, self._first)
        before = known.get(made["tid"])
        if before is not None and before["state"] == made["state"]:
            made["result"] = before["result"]
            return made
        results, lost = self._unpacked(made["result"])
        attachments = results.pop("attachments", {})
        if isinstance(attachments, Mapping):
            self.trial_attachments(made).update(attachments)
        made["result"] = results
        new = set(lost) - self._named
        if new:
            self._named |= new
            logger.warning(
                "results of fn were lost: %s; other machines and earlier processes return only "
                "plain values. Write such results to storage in fn and return the path",
                ", ".join(sorted(new)),
            )
        return made

    def _unpacked(self, results: dict[str, Any]) -> Unpacked:
        return unpack(results, self._folder) if MORE in results else Unpacked(results, ())

    def _by_label(self, part: str) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for misc in self.miscs:
            for label, values in misc[part].items():
                found.setdefault(label, []).extend(values)
        return found


def plain_number(given: Any) -> Any:
    """A number, of numpy for instance, as one of Python; anything else as it is."""
    number = as_number(given)
    return given if number is None else number


_THRESHOLD = Rule("a number or None", types=(int, float))


class SparkTrials(Trials):
    """Trials that run on Spark, several at a time; give it to `fmin` as ``trials``.

    Args:
        parallelism: How many run at a time, at most as many as Spark has free slots. Default
            None: all free slots, as with 0 or less.
        timeout: The run ends after this many seconds. Default None: ``timeout`` of `fmin`.
        loss_threshold: The run ends when a trial's loss is this low. Default None.
        spark_session: The `SparkSession` to use. Default None: the active one, or a new one.
        resource_profile: Not supported; anything but None is refused.

    Raises:
        InvalidArgument: An argument is wrong; the message names it.

    Example:
        ::

            trials = ab.SparkTrials(parallelism=8)
            best = ab.fmin(fn, space, max_evals=100, trials=trials)
            print(trials.best_trial["result"]["loss"])
    """

    engine = "spark"
    asynchronous = True

    def __init__(
        self,
        parallelism: int | None = None,
        timeout: float | None = None,
        loss_threshold: float | None = None,
        spark_session: SparkSession | None = None,
        resource_profile: object = None,
    ) -> None:
        super().__init__()
        parallelism, timeout = as_builtin(parallelism), as_builtin(timeout)
        if parallelism is not None:
            check("SparkTrials: parallelism", parallelism, ANY_WHOLE)
        timeout, loss_threshold = plain_number(timeout), plain_number(loss_threshold)
        if timeout is not None:
            check("SparkTrials: timeout", timeout, SECONDS)
        if loss_threshold is not None:
            check("SparkTrials: loss_threshold", loss_threshold, _THRESHOLD)
        if resource_profile is not None:
            raise InvalidArgument(
                "SparkTrials: resource_profile is not supported; set spark.task.cpus and the like "
                "for the session"
            )
        self.parallelism = parallelism
        self.timeout, self.loss_threshold = timeout, loss_threshold
        self.spark_session = spark_session

    def count_successful_trials(self) -> int:
        """Count the trials that ended by themselves.

        Returns:
            Their number, with any status.
        """
        return self.count_by_state_unsynced(DONE)

    def count_failed_trials(self) -> int:
        """Count the trials whose objective raised.

        Returns:
            Their number.
        """
        return self.count_by_state_unsynced(ERROR)

    def count_cancelled_trials(self) -> int:
        """Count the trials that the end of the run cut off.

        Returns:
            Their number.
        """
        return self.count_by_state_unsynced(CANCEL)

    def count_total_trials(self) -> int:
        """Count the trials that ended, raised or were cut off.

        Returns:
            Their number: the sum of the other three counts.
        """
        return self.count_by_state_unsynced((DONE, ERROR, CANCEL))

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "spark_session": None}


class _Attachments(MutableMapping[str, Any]):
    """The attachments of one trial, stored among those of all under hyperopt's names."""

    def __init__(self, attachments: dict[str, Any], tid: int) -> None:
        self._attachments, self._prefix = attachments, f"ATTACH::{tid}::"

    def __getitem__(self, name: str) -> Any:
        return self._attachments[self._prefix + name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._attachments[self._prefix + name] = value

    def __delitem__(self, name: str) -> None:
        del self._attachments[self._prefix + name]

    def __iter__(self) -> Iterator[str]:
        for name in self._attachments:
            if name.startswith(self._prefix):
                yield name.removeprefix(self._prefix)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _count(documents: Collection[Mapping[str, Any]], state: int | Collection[int]) -> int:
    wanted = (state,) if isinstance(state, int) else state
    return sum(one["state"] in wanted for one in documents)
