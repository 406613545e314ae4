"""The table of a run in a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable

from asha_bus.monitors.base import RunInfo
from asha_bus.monitors.redrawn import Redrawn
from asha_bus.monitors.screen import cut, print_text
from asha_bus.monitors.table import run_table
from asha_bus.results.result import Result

#: Erases from the cursor to the end of the screen, in two steps: where the cursor stands in
#: the first row, some terminals keep a copy of a screen that is erased in one.
_ERASE = "\x1b[K\n\x1b[J\x1b[A"


class TerminalTable(Redrawn):
    """A table that is drawn anew in its place; what the workers print goes above it.

    Between two drawings the cursor stands on an empty line above the table. So what
    others write meanwhile, a log for instance, stays where it is, and the table moves
    down; and the terminal may change its size.
    """

    def __init__(
        self, *, with_curves: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(clock)
        self._with_curves = with_curves
        self._lock = threading.Lock()
        #: What is drawn; nothing before the first time and after the end.
        self._lines: list[str] = []

    def draw(self, run: RunInfo, result: Result, workers: int | None) -> None:
        """Draw in the place of the last time, as large as the terminal allows."""
        width, height = _room()
        lines = run_table(
            run, result, workers, width=width, height=height, with_curves=self._with_curves
        )
        with self._lock:
            self._lines = lines
            self._show()

    def write(self, text: str) -> bool:
        """Print a line of a worker's output above the table."""
        with self._lock:
            if not self._lines:
                return False
            self._show(f"{text}\n")
        return True

    def on_finish(self, result: Result | None) -> None:
        """Leave the last state, with the cursor below it."""
        super().on_finish(result)
        with self._lock:
            print_text("".join([_ERASE, *(f"{line}\n" for line in self._lines)]))
            self._lines = []

    def _show(self, above: str = "") -> None:
        width, height = _room()  # it may have changed since the lines were made
        lines = [cut(line, width) for line in self._lines[:height]]
        shown = "".join(f"\n{line}" for line in lines)
        print_text(f"{_ERASE}{above}{shown}\x1b[{len(lines)}A\r")


def _room() -> tuple[int, int]:
    """The columns and lines that a table may have now."""
    try:  # what is true of it, whatever COLUMNS and LINES in the environment say
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):  # stdout is no file
        columns = rows = 0
    if not (columns and rows):  # some terminals do not know either
        columns, rows = shutil.get_terminal_size()
    # a line of full width would wrap in some terminals; one row is the empty line
    return columns - 1, max(rows - 1, 1)
