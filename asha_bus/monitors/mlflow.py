"""Writes a run to MLflow: a run of its own, with a nested run for each trial."""

from __future__ import annotations

import logging
import math
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asha_bus.core.checks import Rule, check, checked, shortened, text
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space import by_name
from asha_bus.core.trial import TrialState
from asha_bus.monitors.base import Monitor, RunInfo, Snapshot
from asha_bus.monitors.mlflow_names import MAX_VALUE_CHARS, name_for, value_for
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import Result

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger("asha_bus")

#: At most this many reports wait for a server that is slow or gone; later ones are dropped.
MOST_REPORTS = 100_000

#: Seconds between two batches, and after failures, from the first one to the longest.
_EVERY_S = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 60.0
#: A batch ends after this many seconds, so that events do not pile up behind a slow server.
_BATCH_S = 5.0

#: What one request to MLflow may hold.
_METRICS_OF_REQUEST, _PARAMS_OF_REQUEST = 1_000, 100

_STATUS = {
    TrialState.COMPLETED: "FINISHED",
    TrialState.STOPPED: "FINISHED",
    TrialState.CANCELLED: "KILLED",
    TrialState.FAILED: "FAILED",
    TrialState.LOST: "FAILED",
}

_DEFAULT = "asha-bus"
_EXPERIMENT = text("the name of an experiment")
_EXPERIMENT_ID = text("the id of an experiment")
_RUN_NAME = text("the name of a run")
_URI = Rule(
    "the address of a tracking server, or None", lambda value: value != "", (str, type(None))
)


@dataclass
class _Waiting:
    """What MLflow has not got yet of one trial."""

    trial: TrialRecord
    #: Time in milliseconds, resource, metric.
    reports: list[tuple[int, float, float]] = field(default_factory=list)
    #: The names of its parameters that MLflow has.
    params: set[str] = field(default_factory=set)
    last: float | None = None


@checked()
class MLflowMonitor(Monitor):
    """A monitor that writes the run to MLflow, for `launch` and `start`.

    The run is one run of MLflow, with a nested run for each trial: its parameters, its metric
    by resource, its state as a tag. At the end the parent gets the best metric and
    configuration, and the report as an artifact. A trial that was stopped is ``FINISHED`` in
    MLflow; the tag ``state`` says ``STOPPED``.

    It writes in batches in its own thread, so a server that is slow or gone never delays a
    decision, and never ends the run. What such a server should get waits, up to 100,000 reports,
    and is sent when it answers again; a warning says so once. How long one request may take is
    set by MLflow's own ``MLFLOW_HTTP_REQUEST_TIMEOUT`` and ``MLFLOW_HTTP_REQUEST_MAX_RETRIES``.
    At the end `launch` waits at most 5 s for what is left, and a warning says if that is too
    short. The rest is sent as long as the program runs: `wait` waits for it.

    It needs the extra ``mlflow``. MLflow prints an address for each run that ends, unless
    ``MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT`` is set; the monitor sets it if it is not.

    Args:
        experiment: The name of the experiment of MLflow, which is made if it does not exist.
            Default None: ``"asha-bus"``.
        tracking_uri: Where MLflow keeps runs, such as ``http://127.0.0.1:5000``. Default None:
            what MLflow itself uses, as set by ``MLFLOW_TRACKING_URI``.
        experiment_id: The id of an existing experiment, in place of its name. Default None.
        run_name: The name of the run in MLflow. Default None: the name of the launch.

    Raises:
        ImportError: MLflow is not installed.
        InvalidArgument: An argument is not a text, or the experiment has a name and an id.

    Example:
        ::

            monitor = ["progress", ab.MLflowMonitor("digits")]
            result = ab.launch(train, space, max_trials=200, monitor=monitor)
    """

    def __init__(
        self,
        experiment: str | None = None,
        tracking_uri: str | None = None,
        *,
        experiment_id: str | None = None,
        run_name: str | None = None,
    ) -> None:
        if experiment is not None:
            check("MLflowMonitor: experiment", experiment, _EXPERIMENT)
        if experiment_id is not None:
            check("MLflowMonitor: experiment_id", experiment_id, _EXPERIMENT_ID)
        if experiment is not None and experiment_id is not None:
            raise InvalidArgument(
                f"MLflowMonitor: experiment={experiment!r} and experiment_id={experiment_id!r} "
                f"both name the experiment; pass one of them"
            )
        if run_name is not None:
            check("MLflowMonitor: run_name", run_name, _RUN_NAME)
        check("MLflowMonitor: tracking_uri", tracking_uri, _URI)
        if find_spec("mlflow") is None:
            raise ImportError("MLflowMonitor needs MLflow: pip install 'asha-bus[mlflow]'")
        self._experiment = _DEFAULT if experiment is None else experiment
        self._given_id = experiment_id
        self._run_name = run_name
        self._tracking_uri = tracking_uri
        self._has_finished = threading.Event()

    def on_start(self, run: RunInfo) -> None:
        """Prepare; the first batch follows at the first refresh.

        Args:
            run: The run's settings.
        """
        from mlflow import MlflowClient

        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        self._has_finished.clear()
        with self._given_up_on_error():
            self._client: MlflowClient = MlflowClient(tracking_uri=self._tracking_uri)
        self._run = run
        # not the time at which this is called, for which a short run does not wait
        self._since = -math.inf if run.resumed is None else time.time()
        self._experiment_id = self._given_id
        self._parent: str | None = None
        self._runs: dict[int, str] = {}
        self._ended: set[int] = set()
        self._waiting: dict[int, _Waiting] = {}
        self._count = self._dropped = 0
        self._due = 0.0
        self._pause_s = 0.0
        self._has_warned = self._has_refused = False

    def on_assign(self, trial: TrialRecord) -> None:
        """Have a run made for the trial.

        Args:
            trial: The trial.
        """
        self._note(trial)

    def on_report(self, trial: TrialRecord, resource: float, metric: float) -> None:
        """Keep the report for the next batch.

        Args:
            trial: The trial that reported.
            resource: The resource of the report.
            metric: The metric of the report.
        """
        self._add(self._note(trial), resource, metric)

    def on_end(self, trial: TrialRecord) -> None:
        """Have the run of the trial ended.

        Args:
            trial: The trial in its final state.
        """
        waiting = self._note(trial)
        if trial.metric is not None and waiting.last != trial.resource:
            self._add(waiting, trial.resource, trial.metric)

    def on_refresh(self, snapshot: Snapshot) -> None:
        """Send a batch, if it is time.

        Args:
            snapshot: The state of the run, which is not used.
        """
        if time.monotonic() >= self._due:
            with self._given_up_on_error():
                self._send(_BATCH_S)

    def on_finish(self, result: Result | None) -> None:
        """Send the best trial, the rest, and the report.

        Args:
            result: The result; None if an error ended the run.
        """
        try:
            self._finish(result)
        finally:
            self._has_finished.set()

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait for what MLflow has not got yet, once the run has ended.

        Args:
            timeout: The most seconds to wait. Default 60.

        Returns:
            False if there is still something to send. True if all was sent, or was given up,
            since MLflow cannot be reached.

        Example:
            ::

                monitor = ab.MLflowMonitor("digits")
                result = ab.launch(train, space, max_trials=200, monitor=monitor)
                monitor.wait()  # the server is slow
        """
        return self._has_finished.wait(timeout)

    @contextmanager
    def _given_up_on_error(self) -> Iterator[None]:
        """Have `wait` wait no longer after an error, which switches the monitor off."""
        try:
            yield
        except BaseException:
            self._has_finished.set()
            raise

    def _finish(self, result: Result | None) -> None:
        for trial in [] if result is None else result.trials:
            # its event was dropped, since the server was so slow
            is_new = trial.end_time is not None and trial.end_time >= self._since
            if is_new and trial.id not in self._ended:
                self.on_end(trial)
        # first what counts most, should the program end before a slow server has got the rest
        is_begun = self._is_begun() and self._try(lambda: self._log_best(result))
        if is_begun and self._send():
            self._try(lambda: self._end_parent(result))
        if self._waiting or self._dropped:
            logger.warning(
                "MLflow did not get the end of %d trials, nor %d reports of %s",
                len(self._waiting),
                self._dropped + self._count,
                self._run.name,
            )

    # --- what waits ------------------------------------------------------------

    def _note(self, trial: TrialRecord) -> _Waiting:
        waiting = self._waiting.setdefault(trial.id, _Waiting(trial))
        waiting.trial = trial
        return waiting

    def _add(self, waiting: _Waiting, resource: float, metric: float) -> None:
        waiting.last = resource
        if self._count >= MOST_REPORTS:
            self._dropped += 1
            return
        self._count += 1
        waiting.reports.append((int(time.time() * 1000), resource, metric))

    # --- what is sent ----------------------------------------------------------

    def _send(self, within_s: float | None = None) -> bool:
        """Send what waits, for about ``within_s`` seconds; False: MLflow cannot be reached."""
        began = time.monotonic()
        is_done = self._is_begun()
        for waiting in list(self._waiting.values()):
            if not is_done or (within_s is not None and time.monotonic() - began > within_s):
                break
            is_done = self._try_trial(waiting)
        self._due = time.monotonic() + (_EVERY_S if is_done else self._pause_s)
        return is_done

    def _is_begun(self) -> bool:
        """Whether MLflow has the run of the whole run, which it may also refuse."""
        if not self._try(self._begin):
            return False
        if self._parent is None:
            self._pause_s = _LONGEST_PAUSE_S
        return self._parent is not None

    def _try(self, send: Any) -> bool:
        """Whether ``send`` reached MLflow; if not, the next one is due after a pause."""
        from mlflow.exceptions import MlflowException

        try:
            send()
        except (MlflowException, OSError) as error:
            if _is_refusal(error):
                self._warn_refused(error)
                return True
            self._pause_s = min(max(2 * self._pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            if not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "MLflow cannot be reached, so at most %d reports wait for it, and the run "
                    "goes on: %s",
                    MOST_REPORTS,
                    shortened(str(error)),
                )
            return False
        self._pause_s = 0.0
        return True

    def _try_trial(self, waiting: _Waiting) -> bool:
        """Send what waits of one trial, and forget what MLflow has got or refused."""
        if not self._try(lambda: self._begin_trial(waiting)):
            return False
        if waiting.trial.id not in self._runs:
            return True  # it was refused
        if not self._try(lambda: self._log_params(waiting)):
            return False
        while waiting.reports:
            batch = waiting.reports[:_METRICS_OF_REQUEST]
            if not self._try(lambda batch=batch: self._log(waiting.trial, batch)):
                return False
            del waiting.reports[: len(batch)]
            self._count -= len(batch)
        state = waiting.trial.state
        if state in _STATUS:
            if not self._try(lambda: self._end_trial(waiting.trial)):
                return False
            del self._waiting[waiting.trial.id]
            self._ended.add(waiting.trial.id)
        return True

    def _warn_refused(self, error: Exception) -> None:
        if not self._has_refused:
            self._has_refused = True
            logger.warning("MLflow refused a part of the run: %s", shortened(str(error)))

    def _begin(self) -> None:
        """Make the run of the whole run, once."""
        if self._parent is not None:
            return
        if self._experiment_id is None:
            found = self._client.get_experiment_by_name(self._experiment)
            self._experiment_id = (
                self._client.create_experiment(self._experiment)
                if found is None
                else found.experiment_id
            )
        run = self._run
        about = ("mode", "seed", "scheduler", "searcher", "max_trials", "workers", "journal")
        tags = {each: value_for(getattr(run, each)) for each in about}
        name = self._run_name or run.name
        self._parent = self._make_run({"mlflow.runName": name, **tags}, run.start_time)

    def _make_run(self, tags: dict[str, str], start_s: float | None) -> str:
        start_ms = None if start_s is None else int(start_s * 1000)
        assert self._experiment_id is not None, "the experiment is found before any run is made"
        made = self._client.create_run(self._experiment_id, start_time=start_ms, tags=tags)
        return str(made.info.run_id)

    def _begin_trial(self, waiting: _Waiting) -> None:
        """Make the run of a trial, once."""
        trial = waiting.trial
        if trial.id not in self._runs:
            tags = {"mlflow.runName": f"trial {trial.id}", "mlflow.parentRunId": self._id()}
            tags.update(trial=str(trial.id), seed=str(trial.seed), state=str(trial.state))
            self._runs[trial.id] = self._make_run(tags, trial.start_time)

    def _log_params(self, waiting: _Waiting) -> None:
        """Log the parameters that are new: an objective of Optuna's names them as it runs."""
        from mlflow.entities import Param

        trial = waiting.trial
        params = {name_for(name): value_for(value) for name, value in by_name(trial.params).items()}
        new = [Param(name, value) for name, value in params.items() if name not in waiting.params]
        for begin in range(0, len(new), _PARAMS_OF_REQUEST):
            part = new[begin : begin + _PARAMS_OF_REQUEST]
            try:
                self._client.log_batch(self._runs[trial.id], params=part)
            except Exception as error:
                if not _is_refusal(error):
                    raise
                self._warn_refused(error)
            waiting.params.update(param.key for param in part)

    def _log(self, trial: TrialRecord, reports: list[tuple[int, float, float]]) -> None:
        from mlflow.entities import Metric

        metrics = [Metric("metric", metric, at, int(resource)) for at, resource, metric in reports]
        self._client.log_batch(self._runs[trial.id], metrics=metrics)

    def _end_trial(self, trial: TrialRecord) -> None:
        from mlflow.entities import RunTag

        run, state = self._runs[trial.id], trial.state
        tags = [RunTag("state", str(state)), RunTag("resource", f"{trial.resource:g}")]
        if trial.error:
            tags.append(RunTag("error", trial.error[-MAX_VALUE_CHARS:]))
        self._client.log_batch(run, tags=tags)
        end = None if trial.end_time is None else int(trial.end_time * 1000)
        self._client.set_terminated(run, _STATUS[state], end)

    def _log_best(self, result: Result | None) -> None:
        """Give the run of the whole run its best trial."""
        from mlflow.entities import Metric, Param, RunTag

        best = None if result is None else result.best
        if best is None or best.metric is None:
            return
        named = {name_for(f"best.{name}"): value for name, value in by_name(best.params).items()}
        params = [Param(name, value_for(value)) for name, value in named.items()]
        at = int(time.time() * 1000)
        self._client.log_batch(
            self._id(),
            metrics=[Metric("metric", best.metric, at, int(best.resource))],
            params=params[:_PARAMS_OF_REQUEST],
            tags=[RunTag("best_trial", str(best.id))],
        )

    def _end_parent(self, result: Result | None) -> None:
        parent = self._id()
        if result is None:
            self._client.set_terminated(parent, "FAILED")
            return
        self._client.set_tag(parent, "reason", result.reason)
        with tempfile.TemporaryDirectory(prefix="asha-bus-") as folder:
            report = result.report(Path(folder) / "report.html")
            self._client.log_artifact(parent, str(report))
        self._client.set_terminated(parent, "FAILED" if result.reason == "failed" else "FINISHED")

    def _id(self) -> str:
        assert self._parent is not None, "the run of the whole run is made first"
        return self._parent


def _is_refusal(error: Exception) -> bool:
    """Whether MLflow has answered that it does not take what was sent: it never will."""
    status = getattr(error, "get_http_status_code", None)
    return status is not None and error.error_code != "INTERNAL_ERROR" and 400 <= status() < 429  # type: ignore[attr-defined]
