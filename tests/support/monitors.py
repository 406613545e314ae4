"""What monitors receive, made by hand."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from support.results import make_result, make_trial

from asha_bus import Monitor, Result, RunInfo, Snapshot
from asha_bus.core.trial import FINAL

INFO = RunInfo(
    name="my-run",
    mode="min",
    seed=7,
    parameters=("x",),
    scheduler="ASHA(max_resource=81)",
    max_trials=20,
    start_time=1_000.0,
    searcher="RandomSearch()",
    workers=4,
    journal="run.journal",
)

LOGGER = logging.getLogger("asha_bus.my-run")


def snapshot_of(result: Result, *, workers: int = 2, elapsed_s: float | None = None) -> Snapshot:
    """How a run stands whose result so far this is."""
    counts = result.counts
    return Snapshot(
        elapsed_s=result.elapsed_s if elapsed_s is None else elapsed_s,
        states=counts,
        trials=len(result.trials),
        finished=sum(counts[state] for state in FINAL),
        workers=workers,
        reports=result.bus.reports,
        decisions=result.bus.decisions,
        best=result.best,
        result=lambda: result,
    )


TRIAL = make_trial(0)
RESULT = make_result(TRIAL)
SNAPSHOT = snapshot_of(RESULT)


class Recorder(Monitor):
    """Keeps what it was told; ``react`` is called with each name of a method before."""

    def __init__(self, react: Callable[[str], object] = lambda name: None) -> None:
        self.told: list[tuple[Any, ...]] = []
        self._react = react

    def _take(self, name: str, *arguments: Any) -> None:
        self._react(name)
        self.told.append((name, *arguments))

    @property
    def names(self) -> list[str]:
        return [name for name, *_ in self.told]

    def on_start(self, run: RunInfo) -> None:
        self._take("on_start", run)

    def on_assign(self, trial: Any) -> None:
        self._take("on_assign", trial)

    def on_report(self, trial: Any, resource: float, metric: float) -> None:
        self._take("on_report", trial, resource, metric)

    def on_decision(self, trial: Any, record: Any) -> None:
        self._take("on_decision", trial, record)

    def on_end(self, trial: Any) -> None:
        self._take("on_end", trial)

    def on_refresh(self, snapshot: Snapshot) -> None:
        self._take("on_refresh", snapshot)

    def on_finish(self, result: Result | None) -> None:
        self._take("on_finish", result)


class Blocker:
    """Holds up whoever calls it, until it is let go."""

    def __init__(self, method: str) -> None:
        self._method = method
        self.is_there = threading.Event()
        self.go = threading.Event()

    def __call__(self, name: str) -> None:
        if name == self._method:
            self.is_there.set()
            assert self.go.wait(30)
