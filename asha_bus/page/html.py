"""Builds the page as one HTML file that loads nothing from other hosts."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from asha_bus.formats.strict_json import to_json

#: The page's own scripts, in the order in which they build on each other.
_SCRIPTS = (
    "data.js",
    "draw.js",
    "charts.js",
    "parallel.js",
    "table.js",
    "panels.js",
    "source.js",
    "app.js",
)


def page_html(title: str, document: Mapping[str, Any] | None = None) -> str:
    """The page of a run.

    ``document``: the run as strict JSON data; None: the page receives it from its own server,
    as server-sent events from the relative address ``events``.
    """
    parts = {
        # in ASCII, since a file cannot hold every character of a str
        "title": html.escape(title).encode("ascii", "xmlcharrefreplace").decode(),
        "style": _asset("uplot/uPlot.min.css") + _asset("style.css"),
        "script": "\n".join(map(_asset, _SCRIPTS)),
        # the licence must accompany every copy
        "uplot": f"/*\n{_asset('uplot/LICENSE')}*/\n{_asset('uplot/uPlot.iife.min.js')}",
        "data": "null" if document is None else _to_script(document),
    }
    # in one pass, so that inserted text is not searched for placeholders
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _asset("page.html"))


def _to_script(document: Mapping[str, Any]) -> str:
    """JSON that is safe in a script element: it cannot close the element."""
    return to_json(document).replace("<", "\\u003c")


@cache
def _asset(name: str) -> str:
    text = (files("asha_bus.page") / "static" / name).read_text(encoding="utf-8")
    return text if text.endswith("\n") else f"{text}\n"
