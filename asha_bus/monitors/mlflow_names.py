"""Names and values as MLflow takes them."""

from __future__ import annotations

import posixpath
import re

from asha_bus.core.checks import shortened

MAX_NAME_CHARS, MAX_VALUE_CHARS = 250, 500
_NOT_IN_NAMES = re.compile(r"[^\w.\- /]", re.ASCII)


def name_for(name: object) -> str:
    """``name`` as MLflow takes it: also as the path of a file, which is not that of another one."""
    said = _NOT_IN_NAMES.sub("_", str(name))[:MAX_NAME_CHARS]
    if posixpath.normpath(said) != said or said.startswith((".", "/")):
        said = said.replace("/", "_").lstrip(".")
    return said or "_"


def value_for(value: object) -> str:
    """``value`` as a text that MLflow takes."""
    said = value if isinstance(value, str) else shortened(value, MAX_VALUE_CHARS)
    return said.encode(errors="backslashreplace").decode()[:MAX_VALUE_CHARS]
