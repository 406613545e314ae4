"""Objectives as hyperopt's fmin takes them; importable by the workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import asha_bus as ab


def quarter_fails(params: Any) -> Any:
    if params["x"] < 0:
        return {"status": ab.STATUS_FAIL, "why": "negative"}
    return {"loss": params["x"], "status": ab.STATUS_OK, "model": object(), "note": "fine"}


def abs_x(params: Any) -> float:
    return abs(float(params["x"]))


def raises_below_0(params: Any) -> float:
    if params["x"] < 0:
        raise KeyError("no such thing")
    return float(params["x"])


def slow(params: Any) -> float:
    time.sleep(0.1)
    return float(params["x"])


def curve(params: Any) -> Iterator[dict[str, Any]]:
    for epoch in range(1, 100):
        yield {"loss": abs(params["x"]) + 1 / epoch, "status": ab.STATUS_OK, "epoch": epoch}
