"""Compares runs: a table, and a chart of the best metric over time."""

from __future__ import annotations

import html
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asha_bus.core.checks import described
from asha_bus.core.errors import InvalidArgument
from asha_bus.results.files import writing
from asha_bus.results.plots import (
    AS_IT_IS,
    add_note,
    best_over_time,
    finish,
    legend,
    make_axes,
    metric_label,
    scale_metric,
    time_unit,
)
from asha_bus.results.tables import cell, table, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from asha_bus.results.result import Result

#: Of Okabe and Ito, for runs in this order.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#24292f")
#: The most parameters of the best trials that are shown.
_MAX_PARAMS = 40

_STYLE = """body { font: 14px/1.45 system-ui, sans-serif; color: #24292f; margin: 2rem auto;
  max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { border-bottom: 1px solid #e6e8eb; padding: .3rem .8rem; text-align: left }
svg { max-width: 100%; height: auto }"""


class Comparison:
    """Some runs side by side, each with the label of its column."""

    def __init__(self, runs: Sequence[tuple[str, Result]]) -> None:
        modes = {result.mode for _, result in runs}
        if len(modes) > 1:
            said = ", ".join(f"{label} has {result.mode!r}" for label, result in runs)
            raise InvalidArgument(f"runs can be compared if their mode is the same, but {said}")
        self._runs = _labelled(runs)

    def rows(self) -> list[list[str]]:
        """What is compared: a name, and the text of each run."""
        results = [result for _, result in self._runs]
        rows = [[name, *map(of, results)] for name, of in _ROWS]
        best = [result.best for result in results]
        params = [one.params if one and isinstance(one.params, dict) else {} for one in best]
        names = list(dict.fromkeys(name for found in params for name in found))
        rows += [
            [f"best {name}", *(cell(found[name]) if name in found else "" for found in params)]
            for name in names[:_MAX_PARAMS]
        ]
        return rows

    def __str__(self) -> str:
        head = ["", *(label for label, _ in self._runs)]
        return table(self.rows(), head=head, left=range(len(head)))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the best metric of each run over time; it needs matplotlib."""
        ax = make_axes(ax)
        steps = [best_over_time(result) for _, result in self._runs]
        unit, seconds = time_unit(max((line[-1][0] for line in steps if line), default=0.0))
        for number, ((label, _), line) in enumerate(zip(self._runs, steps, strict=True)):
            if line:
                times, metrics = zip(*line, strict=True)
                colour = _COLOURS[number % len(_COLOURS)]
                shown = visible(label).replace("$", r"\$").lstrip("_")
                x = [time / seconds for time in times]
                ax.step(x, metrics, where="post", color=colour, lw=2, label=shown, marker=".")
        scale_metric(ax, [metric for line in steps for _, metric in line])
        finish(ax, "best metric over time", f"time since the first trial began ({unit})", "")
        ax.set_ylabel(metric_label(self._runs[0][1], "best metric so far"), **AS_IT_IS)
        if any(steps):
            legend(ax)
        else:
            add_note(ax, "no run has a best trial")
        return ax

    def picture(self, form: str) -> bytes:
        """The chart as a file of ``form``, such as ``png`` or ``svg``."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4.2), layout="constrained")
        self.plot(figure.add_subplot())
        held = io.BytesIO()
        figure.savefig(held, format=form, dpi=150)
        return held.getvalue()

    def html(self) -> str:
        """The table and the chart as one page, which loads nothing from the network."""
        svg = self.picture("svg").decode()
        head = "".join(f"<th>{_escaped(label)}</th>" for label, _ in self._runs)
        body = "".join(
            f"<tr><th>{_escaped(name)}</th>{''.join(f'<td>{_escaped(one)}</td>' for one in texts)}"
            f"</tr>"
            for name, *texts in self.rows()
        )
        title = _escaped(" and ".join(label for label, _ in self._runs))
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{title} \u00b7 asha-bus</title><style>{_STYLE}</style></head>"
            f"<body><h1>{title}</h1>{svg[svg.index('<svg') :]}"
            f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"</body></html>\n"
        )


def write(path: str, data: bytes) -> Path:
    """Write a file; raises `InvalidArgument` if that is impossible."""
    written = Path(os.path.expanduser(path))
    with writing(f"{path!r} cannot be written"):
        written.write_bytes(data)
    return written


def _escaped(text: str) -> str:
    return html.escape(visible(text)).encode("utf-8", "replace").decode()


def _labelled(runs: Sequence[tuple[str, Result]]) -> list[tuple[str, Result]]:
    """The runs by name; those of one name by their file."""
    names = [result.name for _, result in runs]
    return [
        (result.name if names.count(result.name) == 1 else label, result) for label, result in runs
    ]


def _states(result: Result) -> str:
    return ", ".join(f"{count} {state}" for state, count in result.counts.items() if count)


def _best(result: Result) -> str:
    best = result.best
    if best is None or best.metric is None:
        return "none"
    return f"{best.metric:.6g} (trial {best.id} at resource {best.resource:g})"


def _found_after(result: Result) -> str:
    steps = best_over_time(result)
    return f"{steps[-2][0]:.1f} s" if steps else ""


def _trained(result: Result) -> str:
    spent = sum(trial.resource for trial in result.trials) + result.retrained_resource
    return f"{spent:g}"


_ROWS: tuple[tuple[str, Callable[[Result], str]], ...] = (
    ("ended by", lambda result: result.reason),
    ("trials", _states),
    ("scheduler", lambda result: "" if result.scheduler is None else described(result.scheduler)),
    ("searcher", lambda result: result.searcher),
    ("seed", lambda result: str(result.seed)),
    ("time", lambda result: f"{result.elapsed_s:.1f} s"),
    ("resource trained", _trained),
    ("best metric", _best),
    ("best found after", _found_after),
)
