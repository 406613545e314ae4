"""Objectives as hyperopt's fmin takes them; importable by the workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import asha_bus as ab


def quarter_fails(params: Any) -> Any:
    if params["x"] < 0:
        return {"status": ab.STATUS_FAIL, "why": "negative"}
    return {"loss": params["x"], "status": ab.STATUS_OK, "note": "fine"}


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


class Model:
    """What a program keeps of its best trial."""

    def __init__(self, x: float) -> None:
        self.x = x


def fits(params: Any) -> Any:
    """Gives back all kinds of things, one of which cannot travel at all."""
    return {
        "loss": params["x"],
        "status": ab.STATUS_OK if params["x"] > 0 else ab.STATUS_FAIL,
        "params": {"x": params["x"], "layers": [1, 2, {"deep": None}]},
        "scores": np.array([params["x"], 2.0]),
        "model": Model(params["x"]),
        "lock": threading.Lock(),
        "attachments": {"weights": b"12"},
        "auc": np.float32(0.5),
    }
