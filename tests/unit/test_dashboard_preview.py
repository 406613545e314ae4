"""Dashboards drawn without a Grafana."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from lib.prometheus import DASHBOARDS

plt = pytest.importorskip("matplotlib.pyplot")
from generate.pages.drawing import Mark, Series, draw  # noqa: E402 - needs matplotlib

START, END = 1_000.0, 1_060.0


def invented(target: Mapping[str, Any]) -> list[Series]:
    """Two series with every label that the target's legend or grouping names."""
    labels = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
    times = [END] if target.get("instant") else [START + 5 * number for number in range(12)]
    return [
        ({label: level if label == "le" else f"{label}-{level}" for label in labels},
         [(at, at / 10_000 * float(level)) for at in times])
        for level in ("0.001", "0.5")
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_is_drawn(path) -> None:
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    figure = draw(dashboard, invented, [Mark(START + 30, "orange")], START, END)
    figure.canvas.draw()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    expected = [panel["title"] for panel in dashboard["panels"] if panel["type"] != "row"]
    assert expected == titles
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert "No data" not in texts


def test_a_panel_without_data_says_so() -> None:
    (path,) = (path for path in DASHBOARDS if path.stem == "bus")
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    figure = draw(dashboard, lambda target: [], [], START, END)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len(panels) == texts.count("No data") + texts.count("-")
