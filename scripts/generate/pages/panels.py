"""Panels and pages as asha-bus has them, on the builders of grafana-foundation-sdk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from generate.pages.promql import chosen

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
#: What all dashboards have, and are linked by.
TAG = "asha-bus"

#: A threshold: from this value on, this colour; None: below all others.
Step = tuple[float | None, str]
#: Names of targets.
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PLAIN: tuple[Step, ...] = ((None, "green"),)
#: Fine at 0, and worth a look above.
NONE_WANTED: tuple[Step, ...] = ((None, "green"), (1, "orange"))

AnyPanel = (
    bargauge.Panel | heatmap.Panel | stat.Panel | table.Panel | timeseries.Panel | dashboard.Row
)
_Panel = TypeVar("_Panel", bargauge.Panel, heatmap.Panel, stat.Panel, table.Panel, timeseries.Panel)


def query(
    expression: str,
    legend: str = "",
    *,
    instant: bool = False,
    form: PromQueryFormat = PromQueryFormat.TIME_SERIES,
) -> prometheus.Dataquery:
    """A target; ``instant`` for the last moment only. ``legend`` has labels as {{label}}."""
    target = prometheus.Dataquery().expr(expression).legend_format(legend).format(form)
    target = target.datasource(SOURCE)
    return target.instant() if instant else target.range()


def number(
    title: str,
    description: str,
    target: prometheus.Dataquery,
    *,
    unit: str,
    steps: Sequence[Step] = PLAIN,
    texts: Mapping[str, tuple[str, str]] | None = None,
    no_value: str = "-",
    width: int = 4,
) -> stat.Panel:
    """One large number for each run, its course behind it. ``texts``: words and a colour
    for some values.
    """
    panel = _panel(stat.Panel(), title, description, [target], unit, steps, width, 4)
    panel = panel.no_value(no_value).graph_mode(looks.BigValueGraphMode.AREA)
    panel = panel.color_mode(looks.BigValueColorMode.VALUE)
    if texts:
        panel = panel.mappings([_mapping(texts)])
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def bars(
    title: str,
    description: str,
    *targets: prometheus.Dataquery,
    unit: str,
    steps: Sequence[Step] = ((None, "blue"),),
    most: float | None = None,
    width: int = 12,
    height: int = 9,
) -> bargauge.Panel:
    """A bar for each series' last value, from 0 to ``most``; None: to the largest one."""
    panel = _panel(bargauge.Panel(), title, description, targets, unit, steps, width, height)
    panel = panel.orientation(looks.VizOrientation.HORIZONTAL).min(0)
    panel = panel.display_mode(looks.BarGaugeDisplayMode.BASIC)
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel if most is None else panel.max(most)


def lines(
    title: str,
    description: str,
    *targets: prometheus.Dataquery,
    unit: str,
    steps: Sequence[Step] = PLAIN,
    colors: Mapping[str, str] | None = None,
    stacked: bool = False,
    stepped: bool = False,
    logarithmic: bool = False,
    least: float | None = 0,
    most: float | None = None,
    width: int = 12,
    height: int = 8,
) -> timeseries.Panel:
    """Series over time. ``stepped``: a value stands until it changes. ``colors``: of the
    series whose names begin so.
    """
    panel = _panel(timeseries.Panel(), title, description, targets, unit, steps, width, height)
    panel = panel.line_width(2)
    if len(steps) > 1:
        style = common.GraphThresholdsStyleConfig().mode(looks.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds_style(style)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
        panel = panel.fill_opacity(40).line_width(1)
    if stepped:
        panel = panel.line_interpolation(looks.LineInterpolation.STEP_AFTER)
        if unit == "short":  # a count that stays at 0 lies at the bottom
            panel = panel.axis_soft_max(1)
    if logarithmic:
        scale = common.ScaleDistributionConfig().type(looks.ScaleDistribution.LOG).log(10)
        panel = panel.scale_distribution(scale)
    elif least is not None:
        panel = panel.min(least)
    if most is not None:
        panel = panel.max(most)
    for name, color in (colors or {}).items():
        fixed = models.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})
        panel = panel.override_by_regexp(f"/^{name}\\b/", [fixed])
    legend = common.VizLegendOptions().show_legend(True).placement(looks.LegendPlacement.BOTTOM)
    panel = panel.legend(legend.display_mode(looks.LegendDisplayMode.LIST))
    tooltip = common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI)
    return panel.tooltip(tooltip.sort(looks.SortOrder.DESCENDING))


def heat(title: str, description: str, histogram: str) -> heatmap.Panel:
    """How often each duration came, over time, in the buckets of ``histogram``."""
    counts = f"sum by (le) (increase({chosen(f'{histogram}_bucket')}[$__rate_interval]))"
    target = query(counts, "{{le}}", form=PromQueryFormat.HEATMAP)
    panel = _panel(heatmap.Panel(), title, description, [target], "s", PLAIN, 12, 9)
    color = heatmap.HeatmapColorOptions().mode(heatmaps.HeatmapColorMode.SCHEME)
    color = color.scheme("Oranges").scale(heatmaps.HeatmapColorScale.EXPONENTIAL).exponent(0.5)
    panel = panel.calculate(False).color(color.steps(64).fill("dark-orange"))
    panel = panel.y_axis(heatmap.YAxisConfig().unit("s")).cell_gap(1).show_legend()
    panel = panel.cell_values(heatmap.CellValues().unit("short"))
    return panel.filter_values(heatmap.FilterValueRange().le(1e-9))


class Column:
    """A column of a table: its name, the query, and its unit.

    ``label``: shown is this label of the series, instead of its value. ``texts``: words
    and a colour for some values; the one for None is for no value.
    """

    def __init__(
        self,
        name: str,
        expression: str,
        unit: str = "short",
        *,
        label: str | None = None,
        texts: Mapping[str | None, tuple[str, str]] | None = None,
        decimals: int | None = None,
    ) -> None:
        self.name, self.expression, self.unit, self.label = name, expression, unit, label
        self.texts, self.decimals = texts or {}, decimals

    def looks(self) -> list[models.DynamicConfigValue]:
        """How the column is to be shown."""
        known = {value: text for value, text in self.texts.items() if value is not None}
        mappings: list[Any] = [_mapping(known)] if known else []
        if None in self.texts:
            text, color = self.texts[None]
            result = models.ValueMappingResult(text=text, color=color)
            options = {"match": "null", "result": result}
            mappings.append({"type": "special", "options": options})
        properties = {"unit": self.unit, "decimals": self.decimals, "mappings": mappings}
        found = [models.DynamicConfigValue(key, value) for key, value in properties.items()]
        if mappings:
            found.append(models.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        return [value for value in found if value.value not in (None, [])]


def rows(
    title: str,
    description: str,
    columns: Sequence[Column],
    *,
    sort_by: str,
    url: str,
    height: int,
) -> table.Panel:
    """A table with a row for each run, whose name leads to ``url``."""
    expressions = list(dict.fromkeys(column.expression for column in columns))
    targets = [query(text, instant=True, form=PromQueryFormat.TABLE) for text in expressions]
    panel = _panel(table.Panel(), title, description, targets, "short", PLAIN, 24, height)
    values = dict(zip(expressions, (f"Value #{letter}" for letter in LETTERS), strict=False))
    fields = [column.label or values[column.expression] for column in columns]
    labels = {values[column.expression]: True for column in columns if column.label}
    organized = {
        "excludeByName": {"Time": True, **labels},
        "renameByName": {field: c.name for field, c in zip(fields, columns, strict=True)},
        "indexByName": {field: index for index, field in enumerate(fields)},
    }
    panel = panel.with_transformation(models.DataTransformerConfig("merge", options={}))
    panel = panel.with_transformation(models.DataTransformerConfig("organize", options=organized))
    for column in columns:
        panel = panel.override_by_name(column.name, column.looks())
    link = {"title": "Live rungs of ${__value.raw}", "url": url}
    panel = panel.override_by_name(columns[0].name, [models.DynamicConfigValue("links", [link])])
    order = common.TableSortByFieldState().display_name(sort_by).desc(True)
    return panel.sort_by([order])


def page(uid: str, title: str, description: str, panels: Sequence[AnyPanel]) -> str:
    """A dashboard of ``panels`` as JSON."""
    built = dashboard.Dashboard(title).uid(uid).description(description).tags([TAG])
    built = built.editable().tooltip(models.DashboardCursorSync.CROSSHAIR)
    built = built.time("now-15m", "now").refresh("5s").timezone("browser")
    built = built.with_variable(
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    )
    run = dashboard.QueryVariable("run").label("Run").datasource(SOURCE)
    run = run.query("label_values(asha_bus_run_info, run)").multi(True).include_all(True)
    run = run.all_value(".+").refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    run = run.current(models.VariableOption(text="All", value="$__all"))
    built = built.with_variable(run.sort(models.VariableSort.ALPHABETICAL_ASC))
    link = dashboard.DashboardLink("asha-bus").type(models.DashboardLinkType.DASHBOARDS)
    built = built.link(link.tags([TAG]).include_vars(True).keep_time(True))
    for number_, panel in enumerate(panels, start=1):
        if isinstance(panel, dashboard.Row):
            built = built.with_row(panel.id(number_))
        else:
            built = built.with_panel(panel.id(number_))
    plain = json.loads(json.dumps(built.build(), cls=JSONEncoder))
    plain["annotations"] = {"list": _annotations()}
    return json.dumps(plain, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _panel(
    panel: _Panel,
    title: str,
    description: str,
    targets: Sequence[prometheus.Dataquery],
    unit: str,
    steps: Sequence[Step],
    width: int,
    height: int,
) -> _Panel:
    """What all kinds of panels have."""
    for letter, target in zip(LETTERS, targets, strict=False):
        panel = panel.with_target(target.ref_id(letter))
    thresholds = dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE)
    thresholds = thresholds.steps([models.Threshold(value, color) for value, color in steps])
    panel = panel.title(title).description(description).datasource(SOURCE)
    return panel.unit(unit).thresholds(thresholds).span(width).height(height)


def _mapping(texts: Mapping[str, tuple[str, str]]) -> models.ValueMap:
    return models.ValueMap(
        {
            value: models.ValueMappingResult(text=text, color=color)
            for value, (text, color) in texts.items()
        }
    )


def _annotations() -> list[dict[str, Any]]:
    """What happened to the bus and to the run; the builders do not know all of the fields.

    Where a sample is above 0 there is a mark, at that sample or, with useValueForTime,
    at the time in ms that is its value.
    """
    restarts = chosen("asha_bus_restarts_total")
    end = chosen("asha_bus_run_end_timestamp_seconds")
    common_fields = {
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "enable": True,
        "step": "5s",
        "tagKeys": "run",
    }
    return [
        {
            **common_fields,
            "name": "Bus restarts",
            "expr": f"{restarts} > {restarts} offset $__interval",
            "iconColor": "orange",
            "titleFormat": "the bus was restarted",
            "textFormat": "{{run}}",
        },
        {
            **common_fields,
            "name": "Run ends",
            "expr": f"{end} * 1000 > 0",
            "useValueForTime": True,
            "iconColor": "blue",
            "titleFormat": "the run ended",
            "textFormat": "{{run}}",
        },
    ]
