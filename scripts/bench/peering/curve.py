"""The learning curve that all programs tune: cheap, of six parameters, best in the middle."""

from __future__ import annotations

import math
import time

#: Each trial has this many steps, with rungs at 1, 3 and 9.
STEPS, FACTOR = 27, 3
#: The parameters, each uniform in [0, 1].
NAMES = ("a", "b", "c", "d", "e", "f")


def loss(params: dict[str, float], step: int, step_s: float) -> float:
    """The loss after ``step`` steps, of which one takes ``step_s`` seconds."""
    if step_s:
        time.sleep(step_s)
    distance = sum((params[name] - 0.5) ** 2 for name in NAMES)
    return distance + math.exp(-step * params["a"])
