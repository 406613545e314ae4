"""What is shown while a run is going on. Off the decision path."""

from __future__ import annotations

import math
import sys
from typing import Any

from tqdm import tqdm

from asha_bus.result import Result


class Progress:
    """One line: trials done, running, the best so far, trials per second, time left.

    Nothing is shown where stdout is no terminal.
    """

    def __init__(self, name: str, total: int | None) -> None:
        self._bar = tqdm(
            total=total,
            desc=name,
            unit="trial",
            disable=not sys.stdout.isatty(),
            dynamic_ncols=True,
            mininterval=0,
        )

    def update(self, status: dict[str, Any]) -> None:
        """Show the bus's status."""
        leader = status["leader"]
        metric = leader[7] if leader else math.nan
        running = status["states"]["RUNNING"]
        self._bar.set_postfix_str(f"{running} running, best {metric:g}", refresh=False)
        self._bar.update(status["finished"] - self._bar.n)
        self._bar.refresh()

    def write(self, text: str) -> None:
        """Print a line of a worker's output above the progress line."""
        if self._bar.disable:
            _print_line(text)
        else:
            self._bar.write(text, file=sys.stdout)

    def finish(self, result: Result | None) -> None:
        """Leave the last state of the line, and the best trial below it."""
        shown = not self._bar.disable
        if result is not None:
            self._bar.update(len(result.trials) - self._bar.n)
        self._bar.close()
        if shown and result is not None and result.best is not None:
            best = result.best
            print(f"best: trial {best.id}, metric {best.metric:g}, params {best.params!r}")


class Silent:
    """Shows nothing but what the workers print."""

    def update(self, status: dict[str, Any]) -> None:
        """Nothing to show."""

    def write(self, text: str) -> None:
        """Print a line of a worker's output."""
        _print_line(text)

    def finish(self, result: Result | None) -> None:
        """Nothing to show."""


def _print_line(text: str) -> None:
    # in one piece: print() would let another worker's line come before the line's end
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
