"""Parallel coordinates of a run, drawn with matplotlib (the extra ``plots``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asha_bus.core.trials import ranked_trials
from asha_bus.results.parameters import Axis, axes
from asha_bus.results.plots import AS_IT_IS, FAINT, TEXT, add_note, log_metrics, make_axes, spans
from asha_bus.results.tables import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from asha_bus.results.result import Result

#: At most this number of trials are drawn, evenly by rank, as on the page.
MOST_LINES = 2_000

#: Below its axis is a trial that has no value there.
_NOWHERE = -0.05

#: Groups by rank: up to which share of the trials, name, colour and width.
_GROUPS = (
    (0.05, "best 5 %", "#0b3c5d", 1.6),
    (0.25, "best 25 %", "#0072b2", 1.0),
    (0.5, "best 50 %", "#8fc1e3", 1.0),
    (1.0, "the others", "#cfd4da", 1.0),
)


def plot_parallel(result: Result, ax: Axes | None = None) -> Axes:
    """Draw a line for each trial through its parameters, its resource and its metric.

    Trials without a usable metric are left out.
    """
    from matplotlib.collections import LineCollection

    ax = make_axes(ax)
    ranked = ranked_trials(result.trials, result.mode)
    step = max(len(ranked) / MOST_LINES, 1.0)
    trials = [ranked[int(i * step)] for i in range(min(len(ranked), MOST_LINES))]
    metrics = [trial.metric for trial in trials if trial.metric is not None]
    resources = [trial.resource for trial in trials]
    coordinates = [
        *axes(result.space, trials),
        Axis("resource", tuple(resources), None, spans(resources, 10)),
        Axis("metric", tuple(metrics), None, log_metrics(metrics)),
    ]
    ax.set_title(
        f"{result.name}: parallel coordinates", loc="left", fontsize=11, color=TEXT, **AS_IT_IS
    )
    ax.set_yticks([])
    for side in ("top", "right", "bottom", "left"):
        ax.spines[side].set_visible(False)
    if not trials:
        ax.set_xticks([])
        add_note(ax, "no trial has a usable metric")
        return ax
    lines = list(zip(*(_places(axis) for axis in coordinates), strict=True))
    until = len(lines)
    for number in reversed(range(len(_GROUPS))):  # the best ones above the others
        _, name, colour, width = _GROUPS[number]
        first = max(math.ceil(len(lines) * _GROUPS[number - 1][0]), 1) if number else 0
        some = [list(enumerate(line)) for line in lines[first:until]]
        until = min(first, until)
        if some:
            ax.add_collection(
                LineCollection(some, colors=colour, linewidths=width, alpha=0.8, label=name)
            )
    for place, axis in enumerate(coordinates):
        ax.axvline(place, color=FAINT, lw=1, zorder=3)
        for height, text in _ticks(axis):
            ax.annotate(
                visible(text),
                (place, height),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=TEXT,
                zorder=4,
                bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.8},
                **AS_IT_IS,
            )
    ax.set_xticks(
        range(len(coordinates)), [visible(_fitted(axis.name)) for axis in coordinates], **AS_IT_IS
    )
    ax.set_xlim(-0.05, len(coordinates) - 0.7)  # space for the last axis's numbers
    ax.set_ylim(_NOWHERE - 0.03, 1.05)
    handles, names = ax.get_legend_handles_labels()
    ax.legend(
        handles[::-1],
        names[::-1],
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=len(names),
        fontsize=8,
        frameon=False,
    )
    return ax


def _places(axis: Axis) -> list[float]:
    """Where each trial crosses ``axis``, from 0 to 1."""
    scaled = _scaled(axis)
    there = [number for number in scaled if not math.isnan(number)]
    low, high = min(there, default=0.0), max(there, default=0.0)
    part = 1.0 if math.isfinite(high - low) else 0.5  # half of any difference is a float
    span = high * part - low * part
    return [
        _NOWHERE if math.isnan(number) else (number * part - low * part) / span if span else 0.5
        for number in scaled
    ]


def _scaled(axis: Axis) -> Sequence[float]:
    is_log = axis.is_log and all(math.isnan(number) or number > 0 for number in axis.numbers)
    return [math.log(number) for number in axis.numbers] if is_log else axis.numbers


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    """The texts beside ``axis`` with their heights."""
    if axis.labels is not None:
        most = max(len(axis.labels) - 1, 1)
        each = -(-len(axis.labels) // 12)
        return [
            (index / most if len(axis.labels) > 1 else 0.5, _fitted(label))
            for index, label in enumerate(axis.labels)
            if index % each == 0
        ]
    there = [number for number in axis.numbers if not math.isnan(number)]
    if not there:
        return []
    low, high = min(there), max(there)
    if low == high:
        return [(0.5, f"{low:.3g}")]
    is_log = axis.is_log and low > 0
    middle = math.sqrt(low) * math.sqrt(high) if is_log else low / 2 + high / 2
    return [(0.0, f"{low:.3g}"), (0.5, f"{middle:.3g}"), (1.0, f"{high:.3g}")]


def _fitted(text: str) -> str:
    return text if len(text) <= 16 else f"\u2026{text[-15:]}"
