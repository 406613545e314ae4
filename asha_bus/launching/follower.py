"""Follows a run to its end in a thread of its own: joins the bus, the engine and the monitors."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asha_bus.core.errors import AshaBusError, BusError, SearcherError, WorkerError
from asha_bus.core.events import Ended
from asha_bus.core.log import Place
from asha_bus.core.status import Status
from asha_bus.core.trial import TrialRow
from asha_bus.formats import pipe
from asha_bus.launching import artifacts
from asha_bus.launching.alarms import Alarms
from asha_bus.launching.partial import partial_result
from asha_bus.launching.plan import Plan
from asha_bus.monitors.base import REFRESH_S, Monitor, TrialEvent
from asha_bus.monitors.dispatch import Dispatcher
from asha_bus.monitors.live import Live
from asha_bus.results.records import UNFINISHED, BusReport, TrialRecord
from asha_bus.results.refit import Recipe
from asha_bus.results.result import Result

if TYPE_CHECKING:
    from asha_bus.driver.engine import Engine
    from asha_bus.driver.exporter import Exporter
    from asha_bus.driver.supervisor import Supervisor

#: Workers that have nothing left to do end by themselves within this time.
_GRACE_S = 3.0


#: After ``stop(now=True)`` a bus has so long to end the run, which takes it some two seconds;
#: then so long is spent on reading its journal, and on the monitors. It makes five seconds.
_ABANDON_S = 3.0
_PARTIAL_S = 1.0
_HURRY_S = 0.5

#: What a run that is running ended by.
_RUNNING = Ended(UNFINISHED, "it is running")


class Follower:
    """Follows the run of ``plan``, whose bus is up; the engine may call it from now on."""

    def __init__(
        self,
        plan: Plan,
        supervisor: Supervisor,
        engine: Engine,
        monitors: Sequence[Monitor],
        exporter: Exporter | None,
        data: Mapping[str, Any],
    ) -> None:
        self.plan = plan
        self._recipe = Recipe(plan.given.objective, data)
        self.supervisor = supervisor
        self.logger = logging.getLogger(f"asha_bus.{plan.name}")
        self._engine = engine
        self._exporter = exporter
        self._dispatcher = Dispatcher(monitors, self.logger)
        self._live = Live(
            plan.info, plan.space, lambda: supervisor.call(pipe.ChangesRequest()), plan.settings
        )
        self._alarms = Alarms(
            plan,
            self.logger,
            engine.describe,
            lambda number: supervisor.call(pipe.RowsRequest(number)),
        )
        self._worker_failure: str | None = None
        self._error: AshaBusError | None = None
        self._result: Result | None = None
        #: The place of the last line about a trial that was logged.
        self._logged: Place = (0, 0)
        #: The last status, once the workers have ended.
        self._final: Status | None = None
        #: The names of workers that the engine was told to replace.
        self._replaced: set[str] = set()
        self._hurry = threading.Event()
        self._finished = threading.Event()
        self._thread = threading.Thread(
            target=self._follow, name=f"asha-bus-{plan.name}", daemon=True
        )

    def start(self) -> None:
        """Follow the run from now on."""
        self._dispatcher.start(self.plan.info)
        self._thread.start()

    # --- what the user asks --------------------------------------------------

    def result(self, timeout: float | None) -> Result:
        """Wait for the end; see `Run.result`."""
        if not self._finished.wait(timeout):
            raise TimeoutError(f"run {self.plan.name} is still running after {timeout:g} s")
        if self._exporter is not None:
            self._exporter.close()
        return self._outcome()

    def _outcome(self) -> Result:
        if self._error is not None:
            raise self._error.with_traceback(None)  # of the thread, or of the last call
        assert self._result is not None
        return self._result

    def snapshot(self) -> Result:
        """The result so far; see `Run.snapshot`."""
        if not self._finished.is_set():
            try:
                return self._fetch(self.supervisor.status(), _RUNNING)
            except BusError:  # also from a bus that has just ended the run and is closed
                if not self.supervisor.ended.is_set():
                    raise
            self._finished.wait()
        return self._outcome()

    def status(self) -> Status:
        """What the bus says, or has said last."""
        if self._final is None:
            with contextlib.suppress(BusError):
                return self.supervisor.status()
        return self._final or self.supervisor.last_status

    def awaited(self, status: Status) -> int:
        """How many workers more the run waits for, by ``status``; 0 once it ends."""
        if status.is_ending or self.supervisor.ended.is_set():
            return 0
        return max(self._engine.expected() - status.workers, 0)

    @property
    def reason(self) -> str | None:
        """Why the run ended; None while it is going on."""
        if not self._finished.is_set():
            return None
        return "failed" if self._result is None else self._result.reason

    def stop(self, *, now: bool, why: str = "") -> None:
        """End the run, as `Run.stop`; ``why``: who has asked for it, if not the user."""
        if not now:
            self.supervisor.stop("stopped", why)
            return
        self._hurry.set()
        self.supervisor.stop("stopped", within_s=_ABANDON_S)
        # the run's thread may be waiting for a bus that hangs
        hurry = threading.Thread(target=self._kill_workers, name="asha-bus-hurry", daemon=True)
        try:
            hurry.start()
        except RuntimeError:  # the system has no threads left
            self._kill_workers()

    def _kill_workers(self) -> None:
        try:
            self._engine.close(0.0)
        except Exception:
            self.logger.exception("the workers could not be killed")

    # --- what the engine says ------------------------------------------------

    def on_worker_exited(self, slot: str, how: str) -> pipe.Departure:
        """The worker at ``slot`` has exited, as ``how`` says; what the bus knows of it."""
        how = how.encode(errors="replace").decode()
        try:
            return self.supervisor.call(pipe.SlotEmpty(slot, how))
        except BusError:
            is_over = self.supervisor.ended.is_set()
            return pipe.Departure(joined=is_over, dismissed=is_over)

    def has_workers(self) -> bool:
        """Whether any worker is at work."""
        return self.status().workers > 0

    def on_engine_failure(self, text: str) -> None:
        """No worker can be kept."""
        self._worker_failure = text
        self.supervisor.stop("failed", text)

    def on_output(self, text: str) -> None:
        """A worker printed a line."""
        self._dispatcher.write(text)

    # --- the thread ----------------------------------------------------------

    def _follow(self) -> None:
        """Follow the run to its end; whatever happens, the result or an error is there."""
        supervisor = self.supervisor
        try:
            with contextlib.suppress(BusError):  # supervisor.error has the reason
                self._changes()  # reports between rungs are kept for monitors from now on
            while not supervisor.ended.wait(REFRESH_S):
                self._replace_hung(self._refresh())
            self._error = supervisor.error
            at_once = self._hurry.is_set() or self._error is not None
            self._engine.close(0.0 if at_once else _GRACE_S)
            if self._error is None:
                try:
                    self._collect()
                except BusError:
                    if not supervisor.is_abandoned:
                        raise
                    self._result = self._partial()
                    self._alarms.check_end(self._result)
        except AshaBusError as error:
            self._error = error
        except BaseException as error:  # a bug of ours must not leave result() waiting
            self.logger.exception("the run's thread failed")
            self._error = AshaBusError(f"the run's thread failed: {error!r}")
        finally:
            try:
                self._close()
            except Exception as error:
                self.logger.exception("the run's thread failed")
                self._error = self._error or AshaBusError(f"the run's thread failed: {error!r}")
            finally:
                self._finished.set()

    def _close(self) -> None:
        supervisor = self.supervisor
        self._final = self._final or replace(supervisor.last_status, workers=0)
        if self._exporter is not None:
            reason = supervisor.ending.reason if self._error is None else "failed"
            self._exporter.end(reason, is_dead=isinstance(self._error, BusError))
        supervisor.close()
        given = self.plan.given
        if self._error is None or given.journal is None or not artifacts.is_folder_given(given):
            artifacts.remove(self.plan.settings.saves)  # else a resumed run may need them
        trials = None if self._result is None else self._result.trials
        artifacts.tidy(self.plan.settings.keeps, trials)
        self._dispatcher.finish(self._result, _HURRY_S if self._hurry.is_set() else None)

    def _replace_hung(self, status: Status | None) -> None:
        """Have the engine end workers that did not return in time, once for each."""
        for worker in [] if status is None else status.hung:
            if worker.name not in self._replaced:
                self._replaced.add(worker.name)
                self.logger.warning(
                    "worker %s (slot %s, process %d on %s) was silent for its lease and %g s more "
                    "(BusOptions.hang_timeout_s): it is ended and replaced. Native code that keeps "
                    "the interpreter's lock does that",
                    worker.name,
                    worker.slot,
                    worker.pid,
                    worker.host,
                    self.plan.settings.hang_timeout_s,
                )
                self._engine.replace(worker)

    def _refresh(self, *, to_the_end: bool = False) -> Status | None:
        """Pass on what is new to the log, the metrics and the monitors; None: the bus is gone."""
        try:
            status = self.supervisor.status()
            for line in self.supervisor.call(pipe.LogsRequest(self._logged)):
                self._alarms.tell(line)
                self._logged = line.place
            if self._exporter is not None:
                self._exporter.update(status, self.supervisor)
            if not to_the_end:
                self._alarms.check(status)
            events = self._changes(to_the_end=to_the_end)
        except BusError as error:
            self.logger.debug("no status: %s", error)
            return None
        snapshot = replace(self._live.snapshot(status), awaited=self.awaited(status))
        self._dispatcher.update(events, snapshot)
        return status

    def _changes(self, *, to_the_end: bool = False) -> list[TrialEvent]:
        """What is new of the trials, where a monitor wants to know."""
        follows = self._dispatcher.follows_trials
        return self._live.refresh(to_the_end=to_the_end) if follows else []

    def _collect(self) -> None:
        """Fetch the trials and make the result of them."""
        status = self._refresh(to_the_end=True)
        if status is None:
            raise BusError("the bus ended before the result was fetched")
        self._final = replace(status, workers=0)
        result = self._fetch(status, self.supervisor.ending)
        search_failure = self.supervisor.search_failure
        if self._worker_failure is not None and not status.joined_now:
            raise WorkerError(self._worker_failure)
        if search_failure is not None and not result.trials:
            raise SearcherError(search_failure)
        self._result = result  # for the monitors, even where result() raises
        self._alarms.at_end(status, result)

    def _partial(self) -> Result:
        """What is known of a run whose bus was abandoned."""
        status, plan = self.supervisor.last_status, self.plan
        seen = self._live.snapshot(status).result()
        if not seen.trials and status.leader is not None:
            seen.trials = (TrialRecord.from_row(status.leader, plan.space),)
        schedulers = [type(plan.settings.scheduler)]
        fd = self.supervisor.journal_fd
        return partial_result(
            lambda: Result._of_open_journal(fd, plan.space, schedulers), seen, _PARTIAL_S
        )

    def _fetch(self, status: Status, ending: Ended) -> Result:
        """The result with the trials that the bus has by now."""
        call, plan = self.supervisor.call, self.plan
        rows: list[TrialRow] = []
        while len(rows) < status.trials:
            rows += call(pipe.RowsRequest(len(rows)))
        logs: dict[int, str] = {}
        while texts := call(pipe.TextsRequest(max(logs, default=-1) + 1)):
            logs.update(texts)
        curves: dict[int, pipe.Curves] = {}
        while more := call(pipe.CurvesRequest(max(curves, default=-1) + 1)):
            curves.update(more)
        return Result(
            name=plan.name,
            mode=plan.settings.mode,
            seed=plan.settings.seed,
            space=plan.space,
            trials=[
                TrialRecord.from_row(
                    row,
                    plan.space,
                    logs.get(row.id, ""),
                    *curves.get(row.id, ((), {})),
                    kept_in=plan.settings.keeps,
                )
                for row in rows
            ],
            reason=ending.reason,
            message=ending.message,
            elapsed_s=status.elapsed_s,
            bus=BusReport.from_status(status),
            settings=plan.settings,
            trial_warnings=status.warnings,
            rungs=status.rungs,
            recipe=self._recipe,
        )
