"""A progress line for a terminal."""

from __future__ import annotations

import math
import sys

from tqdm import tqdm

from asha_bus.core.trial import TrialState
from asha_bus.monitors.base import Monitor, Snapshot
from asha_bus.monitors.line import failed_text
from asha_bus.monitors.screen import is_tty, print_text
from asha_bus.results.result import Result
from asha_bus.results.tables import visible


class Progress(Monitor):
    """One line: trials done, running and failed, best so far, trials per second, time left."""

    follows_trials = False

    def __init__(self, name: str, total: int | None) -> None:
        self._bar = tqdm(
            total=total,
            desc=name,
            unit="trial",
            disable=sys.stderr is None or not is_tty(sys.stdout),
            dynamic_ncols=True,
            mininterval=0,
        )

    def on_refresh(self, snapshot: Snapshot) -> None:
        """Update the line."""
        self._bar.set_postfix_str(postfix(snapshot), refresh=False)
        self._bar.update(snapshot.finished - self._bar.n)
        self._bar.refresh()

    def write(self, text: str) -> bool:
        """Print a line of a worker's output above the progress line."""
        self._bar.write(text, file=sys.stdout)
        return True

    def on_finish(self, result: Result | None) -> None:
        """Leave the line in its last state, and print the best trial below it."""
        if result is not None:
            self._bar.update(len(result.trials) - self._bar.n)
        self._bar.close()
        if result is not None and result.best is not None:
            best = result.best
            params = visible(repr(best.params))
            print_text(f"best: trial {best.id}, metric {best.metric:g}, params {params}\n")


def postfix(snapshot: Snapshot) -> str:
    """The text after the bar."""
    best = snapshot.best
    metric = math.nan if best is None or best.metric is None else best.metric
    running = snapshot.states[TrialState.RUNNING]
    return f"{running} running{failed_text(snapshot.states)}, best {metric:g}"
