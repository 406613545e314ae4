"""Monitors for notebooks: each updates one output of the cell in place."""

from __future__ import annotations

import base64
import html
import io

from asha_bus.monitors.base import RunInfo
from asha_bus.monitors.line import Line
from asha_bus.monitors.redrawn import Redrawn
from asha_bus.monitors.table import run_table
from asha_bus.results.result import Result

#: The largest number of columns and lines of a table; a notebook scrolls.
_WIDTH, _HEIGHT = 100, 60
_STYLE = "font-family: monospace; line-height: 1.3; white-space: pre; overflow-x: auto"

#: The size of a chart in inches, and its dots per inch. It is shown at half its size in
#: pixels, so that letters are sharp.
_INCHES = (8.0, 4.5)
_DPI = 180


class Output:
    """One output of the running cell, which any thread may replace later.

    A saved notebook has the last replacement.
    """

    def __init__(self) -> None:
        from IPython.display import display

        waiting = {"text/plain": "waiting for the first trial"}
        self._handle = display(waiting, raw=True, display_id=True)

    def show(self, data: dict[str, str], metadata: dict[str, object] | None = None) -> None:
        """Replace the output by ``data``: one content in several formats, by MIME type."""
        self._handle.update(data, raw=True, metadata=metadata)


class NotebookLine(Line):
    """The line of ``monitor="progress"``."""

    def __init__(self) -> None:
        super().__init__()
        self._output = Output()

    def show(self, line: str) -> None:
        """Replace the last line by ``line``."""
        self._output.show({"text/plain": line})


class NotebookTable(Redrawn):
    """The table of ``monitor="text"``."""

    def __init__(self) -> None:
        super().__init__()
        self._output = Output()

    def draw(self, run: RunInfo, result: Result, workers: int | None, awaited: int) -> None:
        """Replace the last drawing."""
        text = "\n".join(
            run_table(run, result, workers, awaited=awaited, width=_WIDTH, height=_HEIGHT)
        )
        page = f'<pre style="{_STYLE}">{html.escape(text)}</pre>'
        self._output.show({"text/plain": text, "text/html": page})


class Charts(Redrawn):
    """The chart of ``monitor="rungs"`` or ``"curves"``."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind
        self._output = Output()

    def draw(self, run: RunInfo, result: Result, workers: int | None, awaited: int) -> None:
        """Replace the last drawing."""
        picture = base64.b64encode(make_picture(self._kind, result)).decode()
        width, height = (round(inches * _DPI / 2) for inches in _INCHES)
        self._output.show(
            {"image/png": picture, "text/plain": repr(result)},
            {"image/png": {"width": width, "height": height}},
        )


def make_picture(kind: str, result: Result) -> bytes:
    """The chart ``rungs`` or ``curves`` of a result as a PNG."""
    from matplotlib.figure import Figure

    from asha_bus.results.plots import plot_curves, plot_rungs

    # without pyplot, whose state is the user's and belongs to one thread
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    {"rungs": plot_rungs, "curves": plot_curves}[kind](result, figure.subplots())
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
