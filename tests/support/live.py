"""Live pages for the tests: of real runs, of journals, and of whatever a test says."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import objectives

import asha_bus as ab
from asha_bus.page.document import run_document, summary_document, trial_document
from asha_bus.page.server import PageServer


def start(objective: Any = objectives.slow_slope, **arguments: Any) -> ab.Run:
    """A run of some seconds on two local workers, with a page."""
    settings: dict[str, Any] = {
        "space": {"x": ab.uniform(0, 1)},
        "engine": "local",
        "workers": 2,
        "monitor": None,
        "seed": 7,
        "page": True,
        "max_trials": 30,
        "scheduler": ab.ASHA(max_resource=9),
    }
    return ab.start(objective, **{**settings, **arguments})


@contextmanager
def watch(journal: Path) -> Iterator[subprocess.Popen[str]]:
    """``asha-bus watch`` on ``journal``, with its output to be read."""
    with subprocess.Popen(
        [sys.executable, "-m", "asha_bus.cli", "watch", str(journal)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as watching:
        try:
            yield watching
        finally:
            watching.kill()


class ScriptedPage:
    """The page's own server, which shows the results that a test gives it in turn.

    ``explained``: what it tells of a trial; of any other one it knows nothing.
    """

    def __init__(self, result: ab.Result, explained: Mapping[int, str]) -> None:
        self.result = result
        self.explained = explained
        #: How often the run was asked for, and how many such requests fail from now on.
        self.asked = self.refusals = 0
        self.server = self._serve(0)

    def show(self, result: ab.Result, *, is_over: bool = False) -> None:
        """Send what has changed."""
        old = {trial.id: trial for trial in self.result.trials}
        changed = {
            trial.id: trial_document(trial, result.space)
            for trial in result.trials
            if old.get(trial.id) != trial
        }
        self.result = result
        tell = self.server.end if is_over else self.server.publish
        tell(changed, summary_document(result))

    def die(self) -> None:
        """End the server with all its connections."""
        self.server.close()

    def come_again(self) -> None:
        """Serve at the same address as before."""
        self.server = self._serve(self.server.port)

    def _serve(self, port: int) -> PageServer:
        return PageServer("scripted", self._document, lambda n: self.explained.get(n), port=port)

    def _document(self) -> dict[str, Any]:
        self.asked += 1
        if self.refusals > 0:
            self.refusals -= 1
            raise RuntimeError("as the test wants it")
        return run_document(self.result)
