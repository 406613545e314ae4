"""The page as one HTML file that asks for nothing from elsewhere."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

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

    ``document``: what it shows, plain data of strict JSON; None: the page fetches it
    from the server that it came from, by server-sent events at ``events`` beside it.
    """
    parts = {
        # in ASCII: a file cannot hold all that a str can
        "title": html.escape(title).encode("ascii", "xmlcharrefreplace").decode(),
        "style": _asset("uplot/uPlot.min.css") + _asset("style.css"),
        "script": "\n".join(map(_asset, _SCRIPTS)),
        # the licence asks to go with every copy
        "uplot": f"/*\n{_asset('uplot/LICENSE')}*/\n{_asset('uplot/uPlot.iife.min.js')}",
        "data": "null" if document is None else _to_script(document),
    }
    # in one pass: nothing that is put in is searched for places again
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _asset("page.html"))


def to_json(value: Any) -> str:
    """``value`` as strict JSON in one line of ASCII."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _to_script(document: Mapping[str, Any]) -> str:
    """JSON that may stand in a script element: nothing in it can end the element."""
    return to_json(document).replace("<", "\\u003c")


@cache
def _asset(name: str) -> str:
    text = (files("asha_bus.page") / "static" / name).read_text(encoding="utf-8")
    return text if text.endswith("\n") else f"{text}\n"
