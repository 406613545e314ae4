"""A run that is going on: joins the bus, the engine and the monitor until the end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from asha_bus.core.errors import (
    AshaBusError,
    BusError,
    SearcherError,
    WorkerError,
)
from asha_bus.core.trial import TrialState
from asha_bus.launching.plan import Plan
from asha_bus.monitors.base import REFRESH_S, Monitor, TrialEvent
from asha_bus.monitors.dispatch import Dispatcher
from asha_bus.monitors.live import Changes, Live
from asha_bus.results.records import BusReport, TrialRecord
from asha_bus.results.result import AllTrialsFailed, Result

if TYPE_CHECKING:
    from asha_bus.driver.engine import Engine
    from asha_bus.driver.exporter import Exporter
    from asha_bus.driver.supervisor import Supervisor

#: Workers end by themselves within this time once there is nothing left to do.
_GRACE_S = 3.0

#: After so long without any worker, the log says what the run waits for.
_NO_WORKER_S = 15.0

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING}


class Run:
    """A launched run. ``launch(..., block=False)`` returns it.

    ``bus_address``: where the bus listens, as ``tcp://host:port``.
    ``bus_pid``: the process id of the bus.
    ``metrics_url``: where Prometheus finds the run's metrics; None without ``metrics_port``.
    ``page_url``: where the live page is; None without ``page``.
    """

    def __init__(
        self, plan: Plan, exporter: Exporter | None = None, page_url: str | None = None
    ) -> None:
        self.name = plan.name
        self.seed = plan.settings.seed
        self.bus_address = ""
        self.metrics_url = None if exporter is None else exporter.url
        self.page_url = page_url
        self._plan = plan
        self._exporter = exporter
        self._logger = logging.getLogger(f"asha_bus.{plan.name}")
        self._ended = threading.Event()
        self._ending: tuple[str, str] = ("failed", "")
        self._error: AshaBusError | None = None
        self._worker_failure: str | None = None
        self._search_failure: str | None = None
        self._result: Result | None = None
        self._hurry = threading.Event()
        self._finished = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name=f"asha-bus-{plan.name}", daemon=True
        )

    # --- for the user --------------------------------------------------------

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the end, at most ``timeout`` seconds, and return the result.

        Raises `TimeoutError` if the run is still going on, `AllTrialsFailed` if no
        trial succeeded, `BusError` or `WorkerError` if the run could not go on.
        """
        if not self._finished.wait(timeout):
            raise TimeoutError(f"run {self.name} is still going on after {timeout:g} s")
        if self._exporter is not None:
            self._exporter.close()
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def status(self) -> dict[str, Any]:
        """How the run stands: trials by state, workers, reports and the best so far."""
        if self._finished.is_set():
            result = self.result()
            return {
                "trials": len(result.trials),
                "states": {str(state): count for state, count in result.counts.items()},
                "workers": 0,
                "reports": result.bus.reports,
                "best_metric": None if result.best is None else result.best.metric,
                "elapsed_s": result.elapsed_s,
            }
        status = self._supervisor.call("status")
        leader = status["leader"]
        return {
            "trials": status["trials"],
            "states": status["states"],
            "workers": status["workers"],
            "reports": status["counters"]["reports"],
            "best_metric": leader and leader[7],
            "elapsed_s": status["elapsed_s"],
        }

    @property
    def bus_pid(self) -> int:
        """The process id of the bus; another one when it was started again."""
        return self._supervisor.pid

    def bus_report(self) -> BusReport:
        """How the bus and the workers have done so far."""
        if self._finished.is_set():
            return self.result().bus
        return BusReport.from_status(self._supervisor.call("status"))

    def stop(self, *, now: bool = False) -> None:
        """End the run: trials stop at their next report, or are interrupted.

        ``now``: the workers are killed instead. `result` returns what there is.
        """
        if now:
            self._hurry.set()
        if not self._finished.is_set():
            self._stop("stopped", "")

    def tell_how_to_resume(self) -> None:
        """Log how the run can be gone on with, where it has a journal of its own."""
        if self._plan.journal is not None:
            self._logger.warning(
                "stopped; go on with launch(..., journal=%r, resume=True)", str(self._plan.journal)
            )

    # --- for launch and fmin -------------------------------------------------

    @property
    def search_failure(self) -> str | None:
        """Why the searcher could not go on, where it could not."""
        return self._search_failure

    def attach(
        self,
        endpoint: str,
        supervisor: Supervisor,
        engine: Engine,
        monitors: Sequence[Monitor],
    ) -> None:
        """The bus is up at ``endpoint``, and ``engine`` is about to start the workers."""
        self._supervisor = supervisor
        self._engine = engine
        self._dispatcher = Dispatcher(monitors, self._logger)
        self._live = Live(
            self._plan.info,
            self._plan.space,
            lambda: Changes(*supervisor.call("changes")),
            self._plan.settings,
        )
        self.bus_address = endpoint

    def start(self) -> None:
        """Follow the run from now on."""
        self._dispatcher.start(self._plan.info)
        self._thread.start()
        if self._search_failure is not None:
            self._stop("failed", self._search_failure)

    def worker_exited(self, slot: str) -> bool:
        """An engine says that nobody sits at ``slot``; whether anybody had joined there."""
        try:
            return bool(self._supervisor.call("empty", slot))
        except BusError:
            return self._ended.is_set()

    def fail(self, text: str) -> None:
        """An engine says that it cannot keep any worker."""
        self._worker_failure = text
        self._stop("failed", text)

    def write(self, text: str) -> None:
        """Show a line that a worker printed."""
        self._dispatcher.write(text)

    def on_end(self, reason: str, message: str) -> None:
        """The bus says that the run is over."""
        self._ending = (reason, message)
        self._ended.set()

    def on_search_failure(self, text: str) -> None:
        """The searcher has failed: the run ends with what there is."""
        self._search_failure = text
        if self.bus_address:  # else it is seen to at the start
            self._stop("failed", text)

    def on_death(self, error: BusError) -> None:
        """The bus process has ended by itself."""
        self._error = error
        self._ended.set()

    # --- the run's own thread ------------------------------------------------

    def _stop(self, reason: str, message: str) -> None:
        try:
            self._supervisor.tell("stop", reason, message)
        except BusError:
            self._logger.debug("the bus is gone already")

    def _watch(self) -> None:
        """Follow the run to its end; whatever happens, the result or an error is there."""
        try:
            self._happenings()  # reports between rungs are kept for monitors from now on
            warned = False
            while not self._ended.wait(REFRESH_S):
                status = self._status()
                if status is not None:
                    self._tell_monitors(status)
                    if not warned and not status["joined"] and status["elapsed_s"] > _NO_WORKER_S:
                        warned = True
                        self._logger.warning(
                            "no worker has joined for %.0f s; are there free slots for %s?",
                            status["elapsed_s"],
                            self._engine.describe(),
                        )
                if self._hurry.is_set():
                    self._engine.close(0.0)
            at_once = self._hurry.is_set() or self._error is not None
            self._engine.close(0.0 if at_once else _GRACE_S)
            if self._error is None:
                self._collect()
        except AshaBusError as error:
            self._error = error
        except Exception as error:  # a bug of ours must not leave result() waiting
            self._logger.exception("the run's thread failed")
            self._error = AshaBusError(f"the run's thread failed: {error!r}")
        finally:
            if self._exporter is not None:
                reason = "failed" if self._error is not None else self._ending[0]
                self._exporter.end(reason, is_dead=isinstance(self._error, BusError))
            self._supervisor.close()
            self._dispatcher.finish(self._result)
            self._finished.set()

    def _status(self) -> dict[str, Any] | None:
        try:
            status: dict[str, Any] = self._supervisor.call("status")
        except BusError as error:
            self._logger.debug("no status: %s", error)  # on_death tells the reason
            return None
        if self._exporter is not None:
            self._exporter.update(status, self._supervisor)
        for trial, level, text in status["logs"]:
            self._logger.log(_LEVELS[level], "trial %d: %s", trial, text)
        return status

    def _tell_monitors(self, status: dict[str, Any], *, to_the_end: bool = False) -> None:
        events = self._happenings(to_the_end=to_the_end)
        self._dispatcher.update(events, self._live.snapshot(status))

    def _happenings(self, *, to_the_end: bool = False) -> list[TrialEvent]:
        """What is new of the trials, where a monitor wants to know."""
        if not self._dispatcher.follows_trials:
            return []
        try:
            return self._live.refresh(to_the_end=to_the_end)
        except BusError as error:
            self._logger.debug("no trials: %s", error)  # on_death tells the reason
            return []

    def _collect(self) -> None:
        """Fetch the trials and make the result of them."""
        status = self._status()
        if status is None:
            raise BusError("the bus ended before the result was fetched")
        self._tell_monitors(status, to_the_end=True)
        result = self._fetch(status, *self._ending)
        if self._worker_failure is not None and not status["joined"]:
            raise WorkerError(self._worker_failure)
        if self._search_failure is not None and not result.trials:
            raise SearcherError(self._search_failure)
        self._check_failures(result)
        self._result = result

    def _fetch(self, status: dict[str, Any], reason: str, message: str) -> Result:
        """The result with the trials that the bus has by now."""
        rows: list[Any] = []
        while len(rows) < status["trials"]:
            rows += self._supervisor.call("rows", len(rows))
        logs: dict[int, str] = {}
        while more := self._supervisor.call("logs", max(logs, default=-1) + 1):
            logs.update(more)
        curves: dict[int, Any] = {}
        while more := self._supervisor.call("curves", max(curves, default=-1) + 1):
            curves.update(more)
        space = self._plan.space
        return Result(
            name=self.name,
            mode=self._plan.settings.mode,
            seed=self.seed,
            space=space,
            trials=[
                TrialRecord.from_row(row, space, logs.get(row[0], ""), curves.get(row[0], ()))
                for row in rows
            ],
            reason=reason,
            message=message,
            elapsed_s=status["elapsed_s"],
            bus=BusReport.from_status(status),
            settings=self._plan.settings,
        )

    def _check_failures(self, result: Result) -> None:
        failed = [t for t in result.trials if t.state in (TrialState.FAILED, TrialState.LOST)]
        if failed and len(failed) == len(result.trials):
            self._result = result  # for the monitor; result() raises
            first = min(failed, key=lambda trial: trial.end_time or 0)
            raise AllTrialsFailed(
                f"all {len(failed)} trials failed; the first was trial {first.id} with params "
                f"{first.params!r}:\n{first.error}",
                result,
            )


def wait_for(run: Run, *, tells_how_to_resume: bool = True) -> Result:
    """The result; Ctrl-C stops the run first, and a second Ctrl-C does so at once.

    ``tells_how_to_resume``: False where the run's journal is none of the user's.
    """
    try:
        return run.result()
    except KeyboardInterrupt:
        run.stop()
        if tells_how_to_resume:
            run.tell_how_to_resume()
    try:
        return run.result()
    except KeyboardInterrupt:
        run.stop(now=True)
    return run.result()
