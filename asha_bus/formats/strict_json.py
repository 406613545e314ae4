"""Writes strict JSON, which every reader takes."""

from __future__ import annotations

import json
import math
from typing import Any


def to_json(value: Any) -> str:
    """``value`` as one line of strict JSON in ASCII; a number that is not finite is null."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:  # rare, so that only then each number is looked at
        return json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_finite(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return value
