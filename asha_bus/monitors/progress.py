"""A progress line for a terminal."""

from __future__ import annotations

import sys
from typing import NoReturn

from tqdm import tqdm

from asha_bus.core.checks import shown_params
from asha_bus.monitors.base import Monitor, RunInfo, Snapshot
from asha_bus.monitors.line import failed_text, first_line, running_text
from asha_bus.monitors.logs import leave, make_room
from asha_bus.monitors.screen import is_tty, print_text
from asha_bus.results.result import Result
from asha_bus.results.tables import visible


class Progress(Monitor):
    """One line: trials done, running and failed, best so far, trials per second, time left."""

    follows_trials = False

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None

    def on_start(self, run: RunInfo) -> None:
        """Draw the line, of a resumed run below what it continues."""
        if run.resumed is not None:
            print_text(f"{visible(first_line(run))}\n")
        self._bar = tqdm(
            total=run.max_trials,
            desc=run.name,
            unit="trial",
            disable=sys.stderr is None or not is_tty(sys.stdout),
            dynamic_ncols=True,
            mininterval=0,
            initial=run.resumed or 0,
        )
        make_room(tqdm.external_write_mode)

    def on_refresh(self, snapshot: Snapshot) -> None:
        """Update the line."""
        assert self._bar is not None
        make_room(tqdm.external_write_mode)
        self._bar.set_postfix_str(postfix(snapshot), refresh=False)
        self._bar.update(snapshot.finished - self._bar.n)
        self._bar.refresh()

    def write(self, text: str) -> bool:
        """Print a line of a worker's output above the progress line."""
        if self._bar is None:
            return False
        self._bar.write(text, file=sys.stdout)
        return True

    def on_finish(self, result: Result | None) -> None:
        """Leave the line in its last state, and print the best trial below it."""
        assert self._bar is not None
        if result is not None:
            self._bar.update(len(result.trials) - self._bar.n)
        self._bar.close()
        leave(tqdm.external_write_mode)
        if result is not None and result.best is not None:
            best = result.best
            params = visible(shown_params(best.params))
            print_text(f"best: trial {best.id}, metric {best.metric:g}, params {params}\n")


def postfix(snapshot: Snapshot) -> str:
    """The text after the bar."""
    best = snapshot.best
    metric = "-" if best is None or best.metric is None else f"{best.metric:g}"
    return f"{running_text(snapshot)}{failed_text(snapshot.states)}, best {metric}"
