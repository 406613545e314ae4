"""Writes a run to MLflow: a run of its own, with a nested run for each trial."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asha_bus.core.checks import Rule, check, checked, shortened, text
from asha_bus.core.space import by_name
from asha_bus.core.trial import TrialState
from asha_bus.monitors.base import Monitor, RunInfo, Snapshot
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

#: What one request to MLflow may hold.
_METRICS_OF_REQUEST, _PARAMS_OF_REQUEST = 1_000, 100
_MAX_NAME_CHARS, _MAX_VALUE_CHARS = 250, 500
_NOT_IN_NAMES = re.compile(r"[^\w.\- /]", re.ASCII)

_STATUS = {
    TrialState.COMPLETED: "FINISHED",
    TrialState.STOPPED: "FINISHED",
    TrialState.CANCELLED: "KILLED",
    TrialState.FAILED: "FAILED",
    TrialState.LOST: "FAILED",
}

_EXPERIMENT = text("the name of an experiment")
_URI = Rule(
    "the address of a tracking server, or None", lambda value: value != "", (str, type(None))
)


@dataclass
class _Waiting:
    """What MLflow has not got yet of one trial."""

    trial: TrialRecord
    #: Time in milliseconds, resource, metric.
    reports: list[tuple[int, float, float]] = field(default_factory=list)
    has_params: bool = False
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
    At the end `launch` waits at most 5 s for what is left.

    It needs the extra ``mlflow``. MLflow prints an address for each run that ends, unless
    ``MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT`` is set; the monitor sets it if it is not.

    Args:
        experiment: The experiment of MLflow, which is made if it does not exist. Default
            ``"asha-bus"``.
        tracking_uri: Where MLflow keeps runs, such as ``http://127.0.0.1:5000``. Default None:
            what MLflow itself uses, as set by ``MLFLOW_TRACKING_URI``.

    Raises:
        ImportError: MLflow is not installed.
        InvalidArgument: An argument is not a text.

    Example:
        ::

            monitor = ["progress", ab.MLflowMonitor("digits")]
            result = ab.launch(train, space, max_trials=200, monitor=monitor)
    """

    def __init__(self, experiment: str = "asha-bus", tracking_uri: str | None = None) -> None:
        check("MLflowMonitor: experiment", experiment, _EXPERIMENT)
        check("MLflowMonitor: tracking_uri", tracking_uri, _URI)
        if find_spec("mlflow") is None:
            raise ImportError("MLflowMonitor needs MLflow: pip install 'asha-bus[mlflow]'")
        self._experiment = experiment
        self._tracking_uri = tracking_uri

    def on_start(self, run: RunInfo) -> None:
        """Prepare; the first batch follows at the first refresh.

        Args:
            run: The run's settings.
        """
        from mlflow import MlflowClient

        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        self._client: MlflowClient = MlflowClient(tracking_uri=self._tracking_uri)
        self._run = run
        self._experiment_id: str | None = None
        self._parent: str | None = None
        self._runs: dict[int, str] = {}
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
            self._send()

    def on_finish(self, result: Result | None) -> None:
        """Send the rest, the best trial and the report.

        Args:
            result: The result; None if an error ended the run.
        """
        if self._send() and self._parent is not None:
            parent = self._parent
            self._try(lambda: self._end_parent(parent, result))
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

    def _send(self) -> bool:
        """Send all that waits; False: MLflow cannot be reached."""
        is_done = self._try(self._begin) and all(
            self._try_trial(waiting) for waiting in list(self._waiting.values())
        )
        self._due = time.monotonic() + (_EVERY_S if is_done else self._pause_s)
        return is_done

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
        tags = {name: _cut(getattr(run, name)) for name in about}
        self._parent = self._make_run({"mlflow.runName": run.name, **tags}, run.start_time)

    def _make_run(self, tags: dict[str, str], start_s: float | None) -> str:
        start_ms = None if start_s is None else int(start_s * 1000)
        assert self._experiment_id is not None, "the experiment is found before any run is made"
        made = self._client.create_run(self._experiment_id, start_time=start_ms, tags=tags)
        return str(made.info.run_id)

    def _begin_trial(self, waiting: _Waiting) -> None:
        """Make the run of a trial, once, and log its parameters."""
        from mlflow.entities import Param

        trial = waiting.trial
        if trial.id not in self._runs:
            assert self._parent is not None, "the parent is made first"
            tags = {"mlflow.runName": f"trial {trial.id}", "mlflow.parentRunId": self._parent}
            tags.update(trial=str(trial.id), seed=str(trial.seed), state=str(trial.state))
            self._runs[trial.id] = self._make_run(tags, trial.start_time)
            params = {_name(name): _cut(value) for name, value in by_name(trial.params).items()}
            logged = [Param(name, value) for name, value in params.items()]
            for begin in range(0, len(logged), _PARAMS_OF_REQUEST):
                part = logged[begin : begin + _PARAMS_OF_REQUEST]
                self._client.log_batch(self._runs[trial.id], params=part)

    def _log(self, trial: TrialRecord, reports: list[tuple[int, float, float]]) -> None:
        from mlflow.entities import Metric

        metrics = [Metric("metric", metric, at, int(resource)) for at, resource, metric in reports]
        self._client.log_batch(self._runs[trial.id], metrics=metrics)

    def _end_trial(self, trial: TrialRecord) -> None:
        from mlflow.entities import RunTag

        run, state = self._runs[trial.id], trial.state
        tags = [RunTag("state", str(state)), RunTag("resource", f"{trial.resource:g}")]
        if trial.error:
            tags.append(RunTag("error", trial.error[-_MAX_VALUE_CHARS:]))
        self._client.log_batch(run, tags=tags)
        end = None if trial.end_time is None else int(trial.end_time * 1000)
        self._client.set_terminated(run, _STATUS[state], end)

    def _end_parent(self, parent: str, result: Result | None) -> None:
        from mlflow.entities import Metric, Param, RunTag

        if result is None:
            self._client.set_terminated(parent, "FAILED")
            return
        best = result.best
        if best is not None and best.metric is not None:
            named = {f"best.{_name(name)}": value for name, value in by_name(best.params).items()}
            params = [Param(name, _cut(value)) for name, value in named.items()]
            at = int(time.time() * 1000)
            self._client.log_batch(
                parent,
                metrics=[Metric("metric", best.metric, at, int(best.resource))],
                params=params[:_PARAMS_OF_REQUEST],
                tags=[RunTag("best_trial", str(best.id))],
            )
        self._client.set_tag(parent, "reason", result.reason)
        with tempfile.TemporaryDirectory(prefix="asha-bus-") as folder:
            report = result.report(Path(folder) / "report.html")
            self._client.log_artifact(parent, str(report))
        self._client.set_terminated(parent, "FAILED" if result.reason == "failed" else "FINISHED")


def _is_refusal(error: Exception) -> bool:
    """Whether MLflow has answered that it does not take what was sent: it never will."""
    status = getattr(error, "get_http_status_code", None)
    return status is not None and error.error_code != "INTERNAL_ERROR" and 400 <= status() < 429  # type: ignore[attr-defined]


def _name(name: object) -> str:
    """``name`` as MLflow takes it."""
    return _NOT_IN_NAMES.sub("_", str(name))[:_MAX_NAME_CHARS] or "_"


def _cut(value: object) -> str:
    """``value`` as a text that MLflow takes."""
    said = value if isinstance(value, str) else shortened(value, _MAX_VALUE_CHARS)
    return said.encode(errors="backslashreplace").decode()[:_MAX_VALUE_CHARS]
