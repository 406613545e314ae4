"""Java for the tests that need Spark."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def require_java() -> None:
    """Skip without Java on a laptop; fail where CI says that it has everything."""
    java_home = os.environ.get("JAVA_HOME")
    java = Path(java_home) / "bin" / "java" if java_home else shutil.which("java")
    if java is None or not Path(java).exists():
        if os.environ.get("CI"):
            pytest.fail("Spark's tests need Java 17 or newer: set JAVA_HOME")
        pytest.skip("Spark's tests need Java 17 or newer: set JAVA_HOME")
