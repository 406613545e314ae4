"""An objective and a space in asha-bus's own words."""

from __future__ import annotations

from collections.abc import Iterator

import asha_bus as ab
from bench.peering import recording as record
from bench.peering.curve import FACTOR, NAMES, STEPS, loss

STEP_S = record.asked().step_s


# user begins
def train(**params: float) -> Iterator[float]:
    """Train, and yield the loss after each step."""
    with record.trial():
        for step in range(1, STEPS + 1):
            value = loss(params, step, STEP_S)
            with record.report():
                yield value


SPACE = ab.Space({name: ab.uniform(0, 1) for name in NAMES})
ASHA = ab.ASHA(max_resource=STEPS, min_resource=1, reduction_factor=FACTOR)
# user ends
