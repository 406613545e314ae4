"""Simulated learning curves: power laws that fall to a limit, which the parameters tell."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import asha_bus as ab

RESOURCE = 81

SPACE = ab.Space(
    rate=ab.loguniform(1e-5, 1.0),
    dropout=ab.uniform(0.0, 0.8),
    layers=ab.randint(1, 8),
    width=ab.randint(16, 1024, log=True),
    optimizer=ab.choice(
        "adam",
        {"name": "sgd", "momentum": ab.uniform(0.0, 0.99)},
    ),
)


def curve(params: dict[str, Any]) -> list[float]:
    """The losses of a configuration by resource, from 1 on; the same each time.

    A small rate learns slowly, and a great one stays far from the best, so that some of
    those that are bad at first are good in the end.
    """
    miss = math.log10(params["rate"]) + 2.5
    limit = 0.1 + 0.05 * miss**2 + 0.4 * (params["dropout"] - 0.25) ** 2
    limit += 0.01 * abs(params["layers"] - 4) + 0.03 * abs(math.log2(params["width"]) - 7.5)
    if params["optimizer"] != "adam":
        limit += 0.5 * (params["optimizer"]["momentum"] - 0.9) ** 2 - 0.02
    speed = 0.9 / (1 + math.exp(-miss - 1)) + 0.2
    noise = Random(repr(params))
    return [limit + r**-speed + noise.gauss(0, 0.005) for r in range(1, RESOURCE + 1)]
