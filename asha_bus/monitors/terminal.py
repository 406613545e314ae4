"""The monitor that keeps a table of the run at the bottom of a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from asha_bus.monitors.base import RunInfo
from asha_bus.monitors.logs import leave, make_room
from asha_bus.monitors.redrawn import Redrawn
from asha_bus.monitors.screen import cut, print_text
from asha_bus.monitors.table import run_table
from asha_bus.results.result import Result
from asha_bus.results.tables import visible

#: Erases from the cursor to the end of the screen, in two steps: with the cursor in the first
#: row, some terminals keep a copy of a screen that is erased in one step.
_ERASE = "\x1b[K\n\x1b[J\x1b[A"

#: A log record waits at most so long for a drawing, which itself may want to log.
_PATIENCE_S = 1.0


class TerminalTable(Redrawn):
    """A table that is redrawn in place; output of the workers appears above it.

    Between two drawings the cursor is on an empty line above the table. Text that is
    written meanwhile stays where it is, and the table moves down; for log records the table
    makes room. The terminal may be resized at any time.
    """

    def __init__(
        self, *, with_curves: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(clock)
        self._with_curves = with_curves
        self._lock = threading.RLock()  # a text that cannot be shown may be logged
        #: The drawn lines; empty before the first drawing and after the end.
        self._lines: list[str] = []

    def draw(self, run: RunInfo, result: Result, workers: int | None, awaited: int) -> None:
        """Replace the last drawing by one that fits the terminal."""
        width, height = _room()
        lines = run_table(
            run,
            result,
            workers,
            awaited=awaited,
            width=width,
            height=height,
            with_curves=self._with_curves,
        )
        with self._lock:
            self._lines = lines
            self._show()
        make_room(self._aside)

    def write(self, text: str) -> bool:
        """Print a line of a worker's output above the table, whose cursor it must not move."""
        with self._lock:
            if not self._lines:
                return False
            self._show(f"{visible(text)}\n")
        return True

    def on_finish(self, result: Result | None) -> None:
        """Leave the last drawing, with the cursor below it."""
        super().on_finish(result)
        with self._lock:
            print_text("".join([_ERASE, *(f"{line}\n" for line in self._lines)]))
            self._lines = []
        leave(self._aside)

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Take the table away while something else is written."""
        held = self._lock.acquire(timeout=_PATIENCE_S)
        try:
            if held and self._lines:
                print_text(_ERASE)
            yield
            if held and self._lines:
                self._show()
        finally:
            if held:
                self._lock.release()

    def _show(self, above: str = "") -> None:
        width, height = _room()  # the size may have changed since the lines were made
        lines = [cut(line, width) for line in self._lines[:height]]
        shown = "".join(f"\n{line}" for line in lines)
        print_text(f"{_ERASE}{above}{shown}\x1b[{len(lines)}A\r")


def _room() -> tuple[int, int]:
    """The columns and lines of the terminal that a table may use."""
    try:  # the real size, whatever COLUMNS and LINES in the environment say
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # stdout is not a file
        columns = rows = 0
    if not (columns and rows):  # some terminals report 0
        columns, rows = shutil.get_terminal_size()
    # a line of full width would wrap in some terminals; one row is the empty line
    return columns - 1, max(rows - 1, 1)
