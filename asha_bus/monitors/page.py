"""The live page as a monitor: sends changed trials to the page's server."""

from __future__ import annotations

import copy
import threading
import time
from dataclasses import replace
from typing import Any

from asha_bus.core.trial import RungRecord
from asha_bus.formats.named import is_by_name
from asha_bus.monitors.base import REFRESH_S, Monitor, Snapshot
from asha_bus.page.document import (
    parameter_documents,
    run_document,
    summary_document,
    trial_document,
)
from asha_bus.page.server import PageServer
from asha_bus.results.explain import explainer
from asha_bus.results.named_columns import NamedParameters
from asha_bus.results.parameters import Column, columns, named_columns
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import Result

#: Refreshes take at most this share of the time, so the page of a long run changes less often.
_SHARE = 0.05

#: The page of the last run that ended in this process; it is still served.
_ended: list[Page] = []
_lock = threading.Lock()


class Page(Monitor):
    """Shows a run in a browser of this machine, at ``url``.

    ``port``: 0 (default) picks a free one. After the run the page is served until another
    run with a page ends in this process, or the process ends. It needs tornado:
    ``pip install 'asha-bus[page]'``. Raises `InvalidArgument` if the port is in use.
    """

    def __init__(self, name: str, port: int = 0) -> None:
        with _lock:  # free the port if the page of an ended run holds it
            for other in [page for page in _ended if port and page.port == port]:
                other.close()
        self._result: Result | None = None
        self._changed: dict[int, TrialRecord] = {}
        self._workers: int | None = None
        self._due = 0.0
        self._asked = NamedParameters()
        self._columns: tuple[Column, ...] = ()
        self._server = PageServer(name, self._document, self._explain, port=port)
        self.port: int = self._server.port
        self.url: str = self._server.url

    def close(self) -> None:
        """Stop serving."""
        self._server.close()
        if self in _ended:
            _ended.remove(self)

    # --- events --------------------------------------------------------------

    def on_assign(self, trial: TrialRecord) -> None:
        self._changed[trial.id] = trial

    def on_report(self, trial: TrialRecord, resource: float, metric: float) -> None:
        self._changed[trial.id] = trial

    def on_decision(self, trial: TrialRecord, record: RungRecord) -> None:
        self._changed[trial.id] = trial

    def on_end(self, trial: TrialRecord) -> None:
        self._changed[trial.id] = trial

    def on_refresh(self, snapshot: Snapshot) -> None:
        began = time.monotonic()
        if began < self._due:
            return
        self._workers = snapshot.workers
        self._take(snapshot.result())
        if self._server.has_browsers:
            self._server.publish(self._next_changes(), self._summary())
        else:
            self._changed.clear()
        took = time.monotonic() - began
        self._due = began + max(2 * REFRESH_S, took / _SHARE)

    def on_finish(self, result: Result | None) -> None:
        if result is not None:
            self._take(self._with_curves(result))
        self._workers = None
        if self._result is not None:
            self._server.end(self._next_changes(), self._summary())
        with _lock:
            for other in list(_ended):
                other.close()
            _ended.append(self)

    def _take(self, result: Result) -> None:
        """Show ``result``; its columns come first, since the server's thread reads both."""
        if is_by_name(result.space):
            self._asked.add(result.trials)
            self._columns = named_columns(self._asked)
        else:
            self._columns = columns(result.space)
        self._result = result

    def _with_curves(self, result: Result) -> Result:
        """``result`` with the reports that were seen between rungs, for trials that have none."""
        seen = {} if self._result is None else {t.id: t.reports for t in self._result.trials}
        seen.update((trial.id, trial.reports) for trial in self._changed.values())
        trials = [
            trial if trial.reports else replace(trial, reports=seen.get(trial.id, ()))
            for trial in result.trials
        ]
        self._changed = {trial.id: trial for trial in trials if trial.id in self._changed}
        again = copy.copy(result)
        again.trials = tuple(trials)
        return again

    # --- for the server ------------------------------------------------------

    def _next_changes(self) -> dict[int, list[Any]]:
        assert self._result is not None
        changed, self._changed = self._changed, {}
        space, found = self._result.space, self._columns
        return {
            number: trial_document(trial, space, found=found) for number, trial in changed.items()
        }

    def _summary(self) -> dict[str, Any]:
        assert self._result is not None
        found = summary_document(self._result, workers=self._workers, now=self._now())
        if is_by_name(self._result.space):  # a browser learns the names as trials ask for them
            found["parameters"] = parameter_documents(self._columns)
        return found

    def _now(self) -> float | None:
        """The time up to which running trials are shown; None after the end of the run."""
        return None if self._workers is None else time.time()

    def _document(self) -> dict[str, Any] | None:
        result = self._result
        if result is None:
            return None
        return {**run_document(result, self._columns), "summary": self._summary()}

    def _explain(self, number: int) -> str | None:
        result = self._result
        if result is None or number >= len(result.trials):
            return None
        return explainer(result.trials, result.mode, result.scheduler)(result.trials[number])
