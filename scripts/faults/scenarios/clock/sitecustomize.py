"""Makes the wall clock of every Python process jump that finds this on PYTHONPATH.

``FAULT_CLOCK`` holds pairs of a time on the monotonic clock, which all processes of a
machine share, and by how many seconds the wall clock jumps then: ``123.5:86400,130:-7200``.
"""

from __future__ import annotations

import os
import time

_wall = time.time
_jumps = [
    (float(at), float(seconds))
    for at, _, seconds in (
        pair.partition(":") for pair in os.environ.get("FAULT_CLOCK", "").split(",") if pair
    )
]


def _jumping() -> float:
    now = time.monotonic()
    return _wall() + sum(seconds for at, seconds in _jumps if now >= at)


time.time = _jumping
