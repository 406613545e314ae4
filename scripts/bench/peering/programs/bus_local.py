"""asha-bus in local processes."""

from __future__ import annotations

import asha_bus as ab
from bench.peering import recording as record
from bench.peering.programs.bus_objective import ASHA, SPACE, train

if __name__ == "__main__":
    ask = record.asked()
    record.called()
    # user begins
    ab.launch(
        train,
        SPACE,
        scheduler=ASHA,
        max_time=ask.seconds,
        workers=ask.workers,
        engine="local",
        monitor=None,
    )
    # user ends
