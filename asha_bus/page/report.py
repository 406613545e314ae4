"""Writes the report of a run: one static HTML file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.page.document import run_document
from asha_bus.page.html import page_html
from asha_bus.results.explain import explainer
from asha_bus.results.files import writing
from asha_bus.results.importance import importances_of

if TYPE_CHECKING:
    from asha_bus.results.result import Result


def report_document(result: Result) -> dict[str, Any]:
    """The run's document with the explanation of each trial and the importance."""
    return {
        **run_document(result),
        "explain": list(
            map(explainer(result.trials, result.mode, result.scheduler), result.trials)
        ),
        "importance": importance_document(result),
    }


def importance_document(result: Result) -> dict[str, Any]:
    """The importance of each parameter: ``note`` and ``rows`` of name, mean and deviation.

    Without scikit-learn, ``rows`` is empty and ``note`` says what to install.
    """
    try:
        found = importances_of(result)
    except ImportError as error:
        return {"note": f"Not computed: {error}.", "rows": []}
    return {"note": found.note, "rows": list(map(list, found))}


def write_report(result: Result, path: str | os.PathLike[str]) -> Path:
    """Write the report of ``result`` to ``path`` and return that path.

    Raises `InvalidArgument` if ``path`` cannot be written.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InvalidArgument(f"path must be the path of the file to write, got {shortened(path)}")
    written = Path(os.path.expanduser(path))
    page = page_html(f"{result.name} \u00b7 asha-bus", report_document(result))
    with writing(f"path: the report cannot be written to {os.fspath(path)!r}"):
        written.write_text(page, encoding="utf-8")
    return written
