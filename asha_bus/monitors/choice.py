"""The argument ``monitor`` of a launch: checks it and makes the monitors it names."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Literal, get_args

from asha_bus.core.checks import Rule, check, did_you_mean
from asha_bus.core.errors import InvalidArgument
from asha_bus.monitors.base import Monitor, RunInfo
from asha_bus.monitors.screen import in_notebook, is_terminal, is_tty, print_error

logger = logging.getLogger("asha_bus")

MonitorName = Literal["progress", "text", "rungs", "curves"]

#: The type of the argument ``monitor`` of `asha_bus.launch`.
MonitorChoice = MonitorName | Monitor | Sequence[MonitorName | Monitor] | None

NAMES = get_args(MonitorName)

_MONITOR = Rule(
    f"one of {', '.join(map(repr, NAMES))}, a Monitor (subclass ab.Monitor), "
    f"a list of these, or None",
    lambda one: isinstance(one, Monitor) or (isinstance(one, str) and one in NAMES),
)

_CHARTS = ("rungs", "curves")


def as_monitors(monitor: MonitorChoice) -> tuple[str | Monitor, ...]:
    """Check ``monitor`` and return it as a tuple, in which names stay names.

    Raises `InvalidArgument` if it is invalid.
    """
    if monitor is None:
        return ()
    given = tuple(monitor) if isinstance(monitor, (list, tuple)) else (monitor,)
    for number, one in enumerate(given):
        _check(one)
        if one in given[:number]:
            raise InvalidArgument(f"monitor has {one!r} twice; name each monitor once")
    return given


def _check(one: object) -> None:
    check("monitor", one, _MONITOR)
    for name in dir(type(one)):
        if name.startswith("on_") and not hasattr(Monitor, name) and isinstance(one, Monitor):
            near = did_you_mean(name, dir(Monitor))
            logger.warning("%s.%s is never called%s", type(one).__name__, name, near)
    if one in _CHARTS and in_notebook() and find_spec("matplotlib") is None:
        raise InvalidArgument(
            f"monitor={one!r} draws with matplotlib, which is not installed: "
            f"pip install 'asha-bus[plots]', or use monitor='text'"
        )


def open_monitors(chosen: Sequence[str | Monitor], run: RunInfo) -> list[Monitor]:
    """Make the monitors of one run from what `as_monitors` returned, the user's own first.

    Call it in the thread of the launch: in a notebook, output belongs to the cell that
    runs in that thread. A terminal shows one built-in monitor: if several are named, or a
    chart, it is the table.
    """
    names = [one for one in chosen if isinstance(one, str)]
    if in_notebook():
        opened = [_in_notebook(name) for name in names]
    else:
        opened = [_in_terminal(names, run)] if names else []
    return [one for one in chosen if not isinstance(one, str)] + opened


def _in_notebook(name: str) -> Monitor:
    from asha_bus.monitors.notebook import Charts, NotebookLine, NotebookTable

    if name in _CHARTS:
        return Charts(name)
    return NotebookTable() if name == "text" else NotebookLine()


def _in_terminal(names: Sequence[str], run: RunInfo) -> Monitor:
    from asha_bus.monitors.line import PlainLines
    from asha_bus.monitors.terminal import TerminalTable

    if names == ["progress"]:
        if not (is_terminal() and is_tty(sys.stderr)):  # the line is drawn on stderr
            return PlainLines(write=print_error)
        from asha_bus.monitors.progress import Progress

        return Progress()
    if not is_terminal():
        from asha_bus.monitors.table import RungLines

        return RungLines() if "rungs" in names else PlainLines()
    return TerminalTable(with_curves="curves" in names)
