"""Tools that some tests need: skipped without them on a laptop, failed where CI has all."""

from __future__ import annotations

import os
import shutil

import pytest
from lib.browser import CHROMIUM


def require_chromium() -> None:
    """For tests of pages."""
    _require(CHROMIUM.exists(), f"Chromium at {CHROMIUM}: apt-get install chromium")


def require_prometheus() -> None:
    """For tests of metrics, alerts and dashboards."""
    found = shutil.which("prometheus") and shutil.which("promtool")
    _require(bool(found), "prometheus and promtool, of Debian's package prometheus for instance")


def _require(is_there: bool, what: str) -> None:
    if not is_there:
        if os.environ.get("CI"):
            pytest.fail(f"this test needs {what}")
        pytest.skip(f"this test needs {what}")
