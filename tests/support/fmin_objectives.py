"""Objectives as hyperopt's fmin takes them; importable by the workers."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
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


class Diverged(Exception):
    """What a program raises itself."""


def diverges(params: Any) -> float:
    if params["x"] < 0:
        raise Diverged(f"at {params['x']}")
    return float(params["x"])


def slow(params: Any) -> float:
    time.sleep(0.1)
    return float(params["x"])


def curve(params: Any) -> Iterator[dict[str, Any]]:
    for epoch in range(1, 100):
        yield {"loss": abs(params["x"]) + 1 / epoch, "status": ab.STATUS_OK, "epoch": epoch}


def tells(params: Any) -> Any:
    """A loss, and what it got: for each name the type and the value."""
    got = {name: f"{type(value).__name__} {value!r}" for name, value in params.items()}
    return {"loss": sum(map(len, got.values())), "status": ab.STATUS_OK, **got}


class Unpicklable(Exception):
    """Cannot be pickled, as many of other libraries cannot."""

    def __reduce__(self) -> Any:
        raise RuntimeError("not to be pickled")


class WritesThenFails:
    """Writes x to a file, and then fails as told where x is 1."""

    def __init__(self, path: Path, kind: type[BaseException]) -> None:
        self.path, self.kind = path, kind

    def __call__(self, params: Any) -> float:
        with self.path.open("a") as file:
            file.write(f"{params['x']}\n")
        if params["x"] == 1:
            self._fail()
        return float(params["x"])

    def _fail(self) -> None:
        if self.kind is SystemExit:
            sys.exit(3)
        raise self.kind("after writing")


class Model:
    """What a program keeps of its best trial."""

    def __init__(self, x: float) -> None:
        self.x = x


def fits(params: Any) -> Any:
    """Returns all kinds of things, one of which cannot travel at all."""
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
