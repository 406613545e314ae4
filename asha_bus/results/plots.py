"""Draws charts of a run with matplotlib (the extra ``plots``).

Each function draws into the given axes and returns them. Without axes it makes a figure by
``pyplot.subplots``, since ``plt.show()`` and notebooks show only figures of pyplot. To draw a
chart repeatedly, pass your own axes.

The colours are by Okabe and Ito and suit colour-blind readers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.trial import TrialState
from asha_bus.core.trials import is_better, standing
from asha_bus.results.parameters import Axis, axes, columns
from asha_bus.results.records import TrialRecord
from asha_bus.results.rungs import described, has_plans, name_of, pauses, standings
from asha_bus.results.tables import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from asha_bus.results.result import Result

_S = TrialState

#: The colour of each state, in the order of drawing, the most important last.
COLOURS: dict[TrialState, str] = {
    _S.PENDING: "#cfd4da",
    _S.STOPPED: "#9aa3ad",
    _S.CANCELLED: "#e69f00",
    _S.LOST: "#cc79a7",
    _S.FAILED: "#d55e00",
    _S.PAUSED: "#f0e442",
    _S.RUNNING: "#56b4e9",
    _S.COMPLETED: "#009e73",
}
_BEST = "#0b3c5d"
_ENTERED, _WENT_ON = "#b9d9ec", "#0072b2"
TEXT, FAINT = "#24292f", "#6a737d"

#: If the largest metric is this many times the smallest, the axis is logarithmic.
_LOG_RATIO = 30
#: Unless it is this many times as large: matplotlib leaves room beyond both ends of an axis.
_MOST_RATIO = 1e250
#: Metrics beyond this, of either sign, are drawn there: an axis must not exceed what a float can.
_MOST_DRAWN = 1e280
_COLUMNS = 3

#: A text of the user may hold dollars, which are no formulas.
AS_IT_IS: dict[str, Any] = {"parse_math": False, "usetex": False}


def plot_rungs(result: Result, ax: Axes | None = None) -> Axes:
    """Draw the number of trials that entered each rung, and of those that continued.

    With a scheduler that pauses also those that are to come and those that are paused.
    """
    if pauses(result):
        return _plot_standings(result, ax)
    ax = make_axes(ax, height=1.4 + 0.6 * max(len(result.rung_table()), 2))
    table = result.rung_table()
    places = range(len(table))
    ax.barh(places, [entered for _, _, entered, _ in table], color=_ENTERED, label="entered")
    ax.barh(
        places, [passed for _, _, _, passed in table], height=0.4, color=_WENT_ON, label="went on"
    )
    for place, (_, _, entered, passed) in zip(places, table, strict=True):
        ax.annotate(
            f"{entered:,} entered, {passed:,} went on ({passed / entered:.0%})",
            (entered, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=TEXT,
            fontsize=9,
        )
    ax.set_yticks(places, [f"rung {number} at {resource:g}" for number, resource, *_ in table])
    ax.set_ylim(max(len(table), 1) - 0.4, -0.6)
    most = max((entered for _, _, entered, _ in table), default=1)
    ax.set_xlim(0, 1.5 * most)  # space for the text beside the longest bar
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= most and tick == int(tick)])
    finish(ax, f"{result.name}: trials by rung", "trials", "rung and its resource")
    ax.grid(visible=False, axis="y")
    if table:
        ax.legend(loc="lower right", frameon=False)
    else:
        add_note(ax, "no trial has entered a rung")
    return ax


def _plot_standings(result: Result, ax: Axes | None) -> Axes:
    rungs = standings(result)
    ax = make_axes(ax, height=1.4 + 0.6 * max(len(rungs), 2))
    places = range(len(rungs))
    expected = [max(rung.expected or 0, rung.entries) for rung in rungs]
    entered, passed = [rung.entries for rung in rungs], [rung.passed for rung in rungs]
    ax.barh(places, expected, color="none", edgecolor=FAINT, ls=":", label="to come")
    ax.barh(places, entered, color=_ENTERED, label="entered")
    ax.barh(places, passed, height=0.4, color=_WENT_ON, label="went on")
    paused = [rung.paused for rung in rungs]
    ax.barh(places, paused, height=0.4, left=passed, color=COLOURS[_S.PAUSED], label="paused")
    for place, rung in zip(places, rungs, strict=True):
        ax.annotate(
            described(rung),
            (expected[place], place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=TEXT,
            fontsize=9,
        )
    ax.set_yticks(places, [name_of(rung, plans=has_plans(rungs)) for rung in rungs])
    ax.set_ylim(max(len(rungs), 1) - 0.4, -0.6)
    most = max(*expected, 1)
    ax.set_xlim(0, 1.6 * most)  # space for the text beside the longest bar
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= most and tick == int(tick)])
    finish(ax, f"{result.name}: trials by rung", "trials", "rung and its resource")
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower right", frameon=False)
    return ax


def plot_curves(result: Result, ax: Axes | None = None) -> Axes:
    """Draw each trial's metric over its resource, coloured by state, with rungs as dotted lines."""
    from matplotlib.collections import LineCollection

    ax = make_axes(ax)
    curves = {trial.id: _finite(trial.curve) for trial in result.trials}
    points = [point for curve in curves.values() for point in curve]
    for state, trials in _by_state(result.trials):
        shown = [curves[trial.id] for trial in trials if curves[trial.id]]
        lines = [curve for curve in shown if len(curve) > 1]
        width = 0.8 if state is _S.STOPPED else 1.2
        ax.add_collection(
            LineCollection(lines, colors=COLOURS[state], linewidths=width, alpha=0.75)
        )
        # every curve ends in a dot; a trial stopped at its first rung is only a dot
        _dots(ax, [curve[-1] for curve in shown], state, f"{state} ({len(trials):,})", size=9)
    best = result.best
    if best is not None:
        ax.plot(*zip(*curves[best.id], strict=True), color=_BEST, lw=2.2, label=f"best: {best.id}")
    rungs = sorted({resource for _, resource, *_ in result.rung_table()})
    for resource in rungs:
        ax.axvline(resource, color=FAINT, lw=1, ls=":", zorder=0.6)
    resources = [resource for resource, _ in points]
    if spans(resources, 10):
        ax.set_xscale("log")
        if rungs:
            ticks = [*rungs, *([max(resources)] if max(resources) > rungs[-1] else [])]
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.set_xticks([], minor=True)
    scale_metric(ax, [metric for _, metric in points])
    ax.autoscale_view()
    finish(
        ax, f"{result.name}: learning curves", "resource (units of a report)", metric_label(result)
    )
    ax.grid(visible=not rungs, axis="x")
    if points:
        legend(ax)
    else:
        add_note(ax, "no trial has reported a number")
    return ax


def plot_history(result: Result, ax: Axes | None = None) -> Axes:
    """Draw each trial's last metric over the time at which it ended, with the best so far.

    A trial that paused and was stopped later is drawn at the time of its pause. The best so far
    follows the rule of `Result.best`: among the completed trials or, if there are none, among
    those that entered the highest rung.
    """
    ax = make_axes(ax)
    points, latest = _last_points(result)
    unit, seconds = time_unit(latest)
    for state, trials in _by_state(trial for trial, _, _ in points):
        numbers = {trial.id for trial in trials}
        shown = [
            (time / seconds, _drawn(metric))
            for trial, time, metric in points
            if trial.id in numbers
        ]
        _dots(ax, shown, state, f"{state} ({len(trials):,})", size=16)
    steps = best_over_time(result)
    if steps:
        times, metrics = zip(*steps, strict=True)
        ax.step(
            [time / seconds for time in times],
            list(map(_drawn, metrics)),
            where="post",
            color=_BEST,
            lw=2,
            label="best so far",
        )
    scale_metric(ax, [metric for _, _, metric in points])
    finish(ax, f"{result.name}: metric over time", f"time since the start ({unit})", "last metric")
    ax.set_ylabel(metric_label(result, "last metric"))
    if points:
        legend(ax)
    else:
        add_note(ax, "no trial has reported a number")
    return ax


def plot_params(result: Result, axs: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Draw each trial's last metric over each parameter of the space, one chart for each.

    ``axs``: one axes for each parameter or more; raises `InvalidArgument` for fewer. Trials
    were stopped at different resources, so compare only those of one colour.
    """
    trials = [t for t in result.trials if t.metric is not None and math.isfinite(t.metric)]
    names = [column.name for column in columns(result.space, trials)]
    if axs is None:
        axs = _grid_of_axes(max(len(names), 1))
    if len(axs) < len(names):
        raise InvalidArgument(
            f"axs: {len(names)} parameters need {len(names)} axes, got {len(axs)}; "
            f"make them by plt.subplots(1, {len(names)})[1]"
        )
    for ax, axis in zip(axs, axes(result.space, trials), strict=False):
        numbers = dict(zip((trial.id for trial in trials), axis.numbers, strict=True))
        for state, some in _by_state(trials):
            shown = [
                (numbers[t.id], _drawn(t.metric))
                for t in some
                if t.metric is not None and not math.isnan(numbers[t.id])
            ]
            _dots(ax, shown, state, f"{state} ({len(shown):,})", size=12)
        best = result.best
        if best is not None and best.metric is not None and not math.isnan(numbers[best.id]):
            ax.scatter(
                [numbers[best.id]],
                [_drawn(best.metric)],
                s=90,
                facecolors="none",
                edgecolors=_BEST,
                linewidths=2,
                zorder=5,
                label=f"best: {best.id}",
            )
        _scale_parameter(ax, axis)
        scale_metric(ax, [trial.metric for trial in trials if trial.metric is not None])
        finish(ax, "", axis.name, metric_label(result, "last metric"))
    if not names:  # the one chart is empty, without anything for a legend
        add_note(axs[0], "no parameter varies")
    elif trials:
        axs[0].legend(loc="best", fontsize=8, framealpha=0.8)
        axs[0].set_title(f"{result.name}: metric by parameter", loc="left", fontsize=11, **AS_IT_IS)
    else:
        add_note(axs[0], "no trial has reported a number")
    return axs


# --- the figure --------------------------------------------------------------


def make_axes(ax: Axes | None, height: float = 4.2) -> Axes:
    """``ax``, or the axes of a new figure."""
    return _pyplot().subplots(figsize=(8, height), layout="constrained")[1] if ax is None else ax


def _grid_of_axes(count: int) -> Sequence[Axes]:
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure, grid = _pyplot().subplots(
        rows, columns, figsize=(4 * columns, 3.2 * rows), layout="constrained", squeeze=False
    )
    found = list(grid.flat)
    for spare in found[count:]:
        figure.delaxes(spare)
    return found[:count]


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'asha-bus[plots]'") from error
    return pyplot


def finish(ax: Axes, title: str, x: str, y: str) -> None:
    """Give the axes a title, labels and a grid."""
    ax.set_title(title, loc="left", fontsize=11, color=TEXT, **AS_IT_IS)
    ax.set_xlabel(visible(x), **AS_IT_IS)
    ax.set_ylabel(y)
    ax.grid(visible=True, color="#e6e8eb", linewidth=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def legend(ax: Axes) -> None:
    """Add the legend."""
    ax.legend(loc="upper right", fontsize=8, framealpha=0.85, edgecolor="none")


def add_note(ax: Axes, text: str) -> None:
    """Write ``text`` into axes that have nothing else to show."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=FAINT)


def _dots(
    ax: Axes, points: Sequence[tuple[float, float]], state: TrialState, label: str, size: float
) -> None:
    xs, ys = zip(*points, strict=True) if points else ((), ())
    ax.scatter(xs, ys, s=size, color=COLOURS[state], alpha=0.85, linewidths=0, label=label)


# --- the numbers -------------------------------------------------------------


def _by_state(trials: Iterable[TrialRecord]) -> list[tuple[TrialState, list[TrialRecord]]]:
    found: dict[TrialState, list[TrialRecord]] = {state: [] for state in COLOURS}
    for trial in trials:
        found[trial.state].append(trial)
    return [(state, some) for state, some in found.items() if some]


def _last_at(trial: TrialRecord) -> float | None:
    """When ``trial`` last worked: when it ended, or paused and did not continue."""
    if trial.pauses and trial.pauses[-1][1] is None:
        return trial.pauses[-1][0]
    return trial.end_time


def _finite(curve: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(_drawn(at), _drawn(metric)) for at, metric in curve if math.isfinite(metric)]


def _drawn(number: float) -> float:
    """Where a finite number is drawn."""
    return min(max(number, -_MOST_DRAWN), _MOST_DRAWN)


def _last_points(result: Result) -> tuple[list[tuple[TrialRecord, float, float]], float]:
    """Each trial with a finite metric, with its last time and metric, and the latest time.

    Times are seconds since the first trial began.
    """
    start = min((t.start_time for t in result.trials if t.start_time is not None), default=0.0)
    latest = max((t.end_time or t.start_time or 0.0 for t in result.trials), default=start)
    points = [
        (trial, (_last_at(trial) or latest) - start, trial.metric)
        for trial in result.trials
        if trial.metric is not None and math.isfinite(trial.metric)
    ]
    return points, latest - start


def best_over_time(result: Result) -> list[tuple[float, float]]:
    """Time and metric of each trial that was the best so far when it ended, and of the end.

    Times are seconds since the first trial began. Empty if there is no best trial.
    """
    lead = None if result.best is None else standing([result.best])
    if lead is None:
        return []
    points, latest = _last_points(result)
    rivals = [
        (time, metric)
        for trial, time, metric in points
        if (its := standing([trial])) and its.progress == lead.progress
    ]
    found: list[tuple[float, float]] = []
    for time, metric in sorted(rivals, key=lambda rival: rival[0]):
        if is_better(metric, found[-1][1] if found else None, result.mode):
            found.append((time, metric))
    return [*found, (latest, found[-1][1])] if found else []


def metric_label(result: Result, what: str = "metric") -> str:
    """The label of an axis of metrics: which of them are better."""
    return f"{what} ({'lower' if result.mode == 'min' else 'higher'} is better)"


def time_unit(span: float) -> tuple[str, float]:
    """The unit for a span of time in seconds, and its seconds."""
    if span >= 2 * 3600:
        return "hours", 3600.0
    return ("minutes", 60.0) if span >= 120 else ("seconds", 1.0)


def log_metrics(metrics: Sequence[float]) -> bool:
    """Whether a logarithmic axis fits ``metrics``."""
    return spans(metrics, _LOG_RATIO)


def spans(numbers: Sequence[float], ratio: float) -> bool:
    """Whether the largest is ``ratio`` times the smallest, and an axis can show both so."""
    if not numbers or min(numbers) <= 0:
        return False
    return ratio <= min(max(numbers), _MOST_DRAWN) / min(numbers) < _MOST_RATIO


def scale_metric(ax: Axes, metrics: Sequence[float]) -> None:
    """Make the axis of ``metrics`` logarithmic where that fits."""
    if log_metrics(metrics):
        ax.set_yscale("log")


def _scale_parameter(ax: Axes, axis: Axis) -> None:
    if axis.is_log:
        ax.set_xscale("log")
    elif axis.labels is not None:
        labels = [label if len(label) <= 12 else f"{label[:11]}…" for label in axis.labels]
        ax.set_xticks(range(len(labels)), list(map(visible, labels)), **AS_IT_IS)
        ax.set_xlim(-0.5, len(labels) - 0.5)
