"""asha-bus on Spark."""

from __future__ import annotations

import asha_bus as ab
from bench.peering import recording as record
from bench.peering.programs.bus_objective import ASHA, SPACE, train
from bench.peering.programs.spark_session import session

if __name__ == "__main__":
    ask = record.asked()
    spark = session(ask.workers)
    record.called()
    # user begins
    ab.launch(
        train,
        SPACE,
        scheduler=ASHA,
        max_time=ask.seconds,
        workers=ask.workers,
        spark=spark,
        monitor=None,
    )
    # user ends
