"""Draws a dashboard's JSON with matplotlib, near to how Grafana shows it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Bbox

#: Labels of a series, and its points as pairs of time in seconds and value.
Series = tuple[Mapping[str, str], list[tuple[float, float]]]
#: Gives the series of a target of a panel.
Ask = Callable[[Mapping[str, Any]], list[Series]]

_BACKGROUND, _PANEL, _TEXT, _GRID = "#111217", "#181b1f", "#ccccdc", "#2c3235"
_COLORS = {"green": "#73bf69", "yellow": "#f2cc0c", "blue": "#5794f2", "red": "#f2495c"}
_COLORS |= {"orange": "#ff9830", "purple": "#b877d9", "dark-red": "#c4162a"}
_CYCLE = [*_COLORS.values(), "#8ab8ff", "#ffcb7d", "#96d98d", "#ca95e5"]
#: Inches of a cell of the grid.
_CELL = (0.62, 0.40)
_ORANGES = LinearSegmentedColormap.from_list("oranges", [_PANEL, "#ff9830", "#fff3e0"])


class Mark(NamedTuple):
    """An annotation at a time."""

    at: float
    color: str


def draw(
    dashboard: Mapping[str, Any], ask: Ask, marks: Iterable[Mark], start: float, end: float
) -> Figure:
    """All panels at their places, with what ``ask`` gives, from ``start`` to ``end``."""
    panels = dashboard["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) + 1
    figure = plt.figure(figsize=(24 * _CELL[0], rows * _CELL[1]), facecolor=_BACKGROUND)
    figure.text(0.008, 1 - 0.62 / rows, dashboard["title"], color="white", size=13, weight="bold")
    note = "drawn from the dashboard's JSON and a real Prometheus, without Grafana"
    figure.text(0.992, 1 - 0.62 / rows, note, color="#8e8e8e", size=8, ha="right")
    found = list(marks)
    for panel in panels:
        place = panel["gridPos"]
        left, width = place["x"] / 24, place["w"] / 24
        top, height = 1 - (place["y"] + 1) / rows, place["h"] / rows
        if panel["type"] == "row":
            figure.text(left + 0.008, top - 0.6 / rows, panel["title"], color=_TEXT, size=10)
            continue
        pad = (0.004, 0.06 / rows)
        box = (left + pad[0], top - height + pad[1], width - 2 * pad[0], height - 2 * pad[1])
        frame = figure.add_axes(box, facecolor=_PANEL)
        frame.set_xticks([])
        frame.set_yticks([])
        frame.tick_params(length=0)
        for spine in frame.spines.values():
            spine.set_color(_GRID)
        frame.set_title(panel["title"], color=_TEXT, size=9, loc="left", y=1, pad=-12, x=0.012)
        _KINDS[panel["type"]](frame, panel, ask, found, (start, end))
    return figure


# --- kinds of panels ---------------------------------------------------------


def _inside(frame: Axes, left: float, bottom: float, width: float, height: float) -> Axes:
    axes = frame.inset_axes((left, bottom, width, height), facecolor="none")
    axes.tick_params(colors=_TEXT, labelsize=7, length=2)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def _stat(frame: Axes, panel: Any, ask: Ask, marks: list[Mark], span: tuple[float, float]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    found = [(name, points) for name, points in _named(panel, ask) if points]
    if not found:
        _centered(frame, defaults.get("noValue", "No data"), 13, _TEXT)
    for number, (name, points) in enumerate(found):
        value = points[-1][1]
        mapped = _mapped(defaults, value)
        text, color = mapped or (_shown(value, defaults["unit"]), _step_color(defaults, value))
        width = 1 / len(found)
        if len(points) > 1:
            axes = _inside(frame, number * width, 0, width, 0.35)
            axes.set_xticks([])
            axes.set_yticks([])
            times, values = zip(*points, strict=True)
            axes.fill_between(times, values, color=color, alpha=0.25, linewidth=0)
            axes.plot(times, values, color=color, linewidth=1)
            axes.set_xlim(*span)
        x = (number + 0.5) * width
        frame.text(x, 0.55, text, color=color, size=15, ha="center", va="center")
        if len(found) > 1:
            frame.text(x, 0.32, name, color=_TEXT, size=7, ha="center", va="center")


def _bargauge(
    frame: Axes, panel: Any, ask: Ask, marks: list[Mark], span: tuple[float, float]
) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    found = [(name, points[-1][1]) for name, points in _named(panel, ask) if points]
    if not found:
        _centered(frame, "No data", 11, _TEXT)
        return
    axes = _inside(frame, 0.26, 0.03, 0.64, 0.84)
    names, values = zip(*found, strict=True)
    axes.barh(range(len(names)), values, color=[_step_color(defaults, value) for value in values])
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks([])
    axes.invert_yaxis()
    axes.set_xlim(0, defaults.get("max", max(values) or 1))
    for place, value in enumerate(values):
        axes.text(
            axes.get_xlim()[1] * 1.01,
            place,
            _shown(value, defaults["unit"]),
            color=_TEXT,
            size=9,
            va="center",
        )


def _timeseries(
    frame: Axes, panel: Any, ask: Ask, marks: list[Mark], span: tuple[float, float]
) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    custom, wide = defaults["custom"], panel["gridPos"]["w"]
    found = [(name, points) for name, points in _named(panel, ask) if points]
    columns = int(wide / 3.5)
    bottom = 0.12 + 0.05 * math.ceil(len(found) / columns)
    axes = _time_axes(frame, wide, span, bottom)
    if not found:
        _centered(frame, "No data", 11, _TEXT)
    stepped = custom.get("lineInterpolation") == "stepAfter"
    below = np.zeros(0)
    for number, (name, points) in enumerate(found):
        color = _series_color(panel, name, number)
        times, values = np.array(points).T
        if custom.get("stacking", {}).get("mode") == "normal":
            below = below if len(below) == len(values) else np.zeros(len(values))
            step: Literal["post"] | None = "post" if stepped else None
            axes.fill_between(
                times, below, below + values, step=step, color=color, alpha=0.5, label=name
            )
            below = below + values
        else:
            style = "steps-post" if stepped else "default"
            axes.plot(times, values, color=color, linewidth=1.4, drawstyle=style, label=name)
    if custom.get("scaleDistribution", {}).get("type") == "log":
        axes.set_yscale("log")
    _spell(axes, defaults["unit"])
    if "min" in defaults:
        axes.set_ylim(bottom=defaults["min"])
    axes.set_ylim(top=max(axes.get_ylim()[1], custom.get("axisSoftMax", 0)))
    if "max" in defaults:
        axes.set_ylim(top=defaults["max"] * 1.02)
    if "thresholdsStyle" in custom:
        low, high = axes.get_ylim()
        for step_ in defaults["thresholds"]["steps"][1:]:
            if low <= step_["value"] <= high:
                color = _COLORS.get(step_["color"], step_["color"])
                axes.axhline(step_["value"], color=color, linestyle="--", linewidth=0.8)
    for mark in marks:
        axes.axvline(mark.at, color=_COLORS[mark.color], linestyle=":", linewidth=1)
    if found:
        frame.legend(
            *axes.get_legend_handles_labels(),
            loc="lower left",
            ncols=columns,
            fontsize=6.5,
            labelcolor=_TEXT,
            frameon=False,
            handlelength=1,
            columnspacing=1,
            borderaxespad=0.1,
        )


def _heatmap(
    frame: Axes, panel: Any, ask: Ask, marks: list[Mark], span: tuple[float, float]
) -> None:
    axes = _time_axes(frame, panel["gridPos"]["w"], span, 0.1)
    (target,) = panel["targets"]
    rows = sorted((float(labels["le"]), dict(points)) for labels, points in ask(target))
    times = sorted({at for _, row in rows for at in row})
    if not times:
        _centered(frame, "No data", 11, _TEXT)
        return
    counts = np.array([[row.get(at, 0.0) for at in times] for _, row in rows])
    counts[1:] -= counts[:-1].copy()  # buckets are cumulative
    edges = [bound for bound, _ in rows if math.isfinite(bound)]
    step = times[1] - times[0] if len(times) > 1 else 1.0
    axes.pcolormesh(
        [times[0] - step, *times],
        edges,
        counts[1 : len(edges)],
        cmap=_ORANGES,
        norm=PowerNorm(0.5, vmin=0),
    )
    axes.set_yscale("log")
    _spell(axes, "s")


def _table(frame: Axes, panel: Any, ask: Ask, marks: list[Mark], span: tuple[float, float]) -> None:
    organize = next(t["options"] for t in panel["transformations"] if t["id"] == "organize")
    rows: dict[str, dict[str, Any]] = {}
    for target in panel["targets"]:
        for labels, points in ask(target):
            row = rows.setdefault(labels["run"], {})
            row.update(labels)
            row[f"Value #{target['refId']}"] = points[-1][1]
    fields = sorted(organize["indexByName"], key=organize["indexByName"].get)
    names = [organize["renameByName"][field] for field in fields]
    looks = {
        override["matcher"]["options"]: {p["id"]: p["value"] for p in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
    }
    cells = [
        [
            _cell(row.get(field), looks.get(name, {}))
            for field, name in zip(fields, names, strict=True)
        ]
        for row in rows.values()
    ]
    longest = [
        max(len(line) for text in (name, *column) for line in text.split("\n")) + 2
        for name, column in zip(names, zip(*cells, strict=True), strict=True)
    ]
    table = frame.table(
        cells,
        colLabels=names,
        colWidths=[width / sum(longest) for width in longest],
        cellLoc="left",
        bbox=Bbox.from_bounds(0.005, 0.62 - 0.14 * len(cells), 0.99, 0.24 + 0.14 * len(cells)),
        edges="horizontal",
    )
    table.auto_set_font_size(False)
    for cell in table.get_celld().values():
        cell.set(edgecolor=_GRID)
        cell.get_text().set(color=_TEXT, fontsize=6.3)


_KINDS = {
    "stat": _stat,
    "bargauge": _bargauge,
    "timeseries": _timeseries,
    "heatmap": _heatmap,
    "table": _table,
}

# --- parts -------------------------------------------------------------------


def _named(panel: Any, ask: Ask) -> list[tuple[str, list[tuple[float, float]]]]:
    """The series of all targets by the names that the legend gives them."""
    found = []
    for target in panel["targets"]:
        for labels, points in sorted(ask(target), key=lambda series: sorted(series[0].items())):
            name = target["legendFormat"]
            for label, value in labels.items():
                name = name.replace(f"{{{{{label}}}}}", value)
            found.append((name, points))
    return found


def _time_axes(frame: Axes, wide: int, span: tuple[float, float], bottom: float) -> Axes:
    left = 1 / wide
    axes = _inside(frame, left, bottom, 0.985 - left, 0.87 - bottom)
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlim(*span)
    clock = FuncFormatter(lambda at, _: time.strftime("%H:%M:%S", time.localtime(at)))
    axes.xaxis.set_major_formatter(clock)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    return axes


def _spell(axes: Axes, unit: str) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _shown(value, unit)))


def _centered(frame: Axes, text: str, size: float, color: str) -> None:
    frame.text(0.5, 0.5, text, color=color, size=size, ha="center", va="center")


def _step_color(defaults: Any, value: float) -> str:
    color = "green"
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            color = step["color"]
    return _COLORS.get(color, color)


def _series_color(panel: Any, name: str, number: int) -> str:
    for override in panel["fieldConfig"]["overrides"]:
        prefix = override["matcher"]["options"].removeprefix("/^").removesuffix("\\b/")
        if name.startswith(prefix):
            color = str(override["properties"][0]["value"]["fixedColor"])
            return _COLORS.get(color, color)
    return _CYCLE[number % len(_CYCLE)]


def _mapped(looks: Mapping[str, Any], value: Any) -> tuple[str, str] | None:
    for mapping in looks.get("mappings") or []:
        options = mapping["options"]
        if mapping["type"] == "special" and value is None:
            return options["result"]["text"], options["result"]["color"]
        key = f"{value:g}" if isinstance(value, float) else str(value)
        if mapping["type"] == "value" and key in options:
            return options[key]["text"], _COLORS.get(options[key]["color"], _TEXT)
    return None


def _cell(value: Any, looks: Any) -> str:
    mapped = _mapped(looks, value)
    if mapped:
        return mapped[0]
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace(", ", ",\n", 1) if len(value) > 30 else value
    return _shown(value, looks.get("unit", "short"), looks.get("decimals"))


def _shown(value: float, unit: str, decimals: int | None = None) -> str:
    """``value`` as Grafana spells it in ``unit``, about."""
    if unit == "percentunit":
        return f"{value * 100:.3g}%"
    if unit == "dateTimeAsIso":
        return time.strftime("%Y-%m-%d\n%H:%M:%S", time.localtime(value / 1000))
    if unit == "s":
        for factor, name in ((1e6, "us"), (1e3, "ms")):
            if 0 < abs(value) * factor < 1000:
                return f"{value * factor:.3g} {name}"
        return f"{value:.3g} s" if value < 60 else f"{value / 60:.3g} min"
    scales = ((2**20, " MiB"), (2**10, " KiB"), (1, " B"))
    if unit != "bytes":
        scales = ((10**6, " Mil"), (10**3, " K"), (1, ""))
    for scale, name in scales if unit != "none" else ():
        if abs(value) >= scale:
            return f"{value / scale:.3g}{name}"
    return f"{value:.3g}" if decimals is None else f"{value:.{decimals}f}"
