"""A user's program through spark-submit."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from lib.processes import free_port
from support.clusters import require_java

import asha_bus as ab

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]

PROGRAM = """
    import sys
    import time
    from pyspark.sql import SparkSession
    import asha_bus as ab

    def train(x):
        for step in range(1, 100):
            time.sleep(0.05)
            yield x + 1 / step

    if __name__ == "__main__":
        spark = SparkSession.builder.getOrCreate()
        run = ab.start(
            train, {"x": ab.uniform(0, 1)}, scheduler=ab.ASHA(max_resource=9, quorum=12),
            max_trials=12, seed=7, monitor=None,
        )
        print("bus:", run.bus_address)
        result = run.result()
        print("workers:", len({trial.worker for trial in result.trials}))
        print("best:", result.best.params["x"])
        spark.stop()
"""


@pytest.mark.slow
def test_a_program_through_spark_submit(tmp_path: Path) -> None:
    require_java()
    import pyspark

    home = Path(pyspark.__file__).parent
    port = free_port()
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    done = subprocess.run(
        [
            str(home / "bin" / "spark-submit"),
            *("--master", "local-cluster[2,1,1024]", "--conf", f"spark.ashaBus.port={port}"),
            str(program),
        ],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=tmp_path,
        env={**os.environ, "SPARK_HOME": str(home), "PYSPARK_DRIVER_PYTHON": sys.executable},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = dict(line.partition(": ")[::2] for line in done.stdout.splitlines() if ": " in line)
    assert lines["workers"] == "2"
    assert lines["bus"] == f"tcp://127.0.0.1:{port}"  # the operator's choice
    space, seed = ab.Space(x=ab.uniform(0, 1)), 7
    drawn = [space.resolve(ab.RandomSearch().draw(space, n, seed))["x"] for n in range(12)]
    assert float(lines["best"]) in drawn
