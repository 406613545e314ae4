"""Does real harm to runs and looks whether they keep their promises.

Each scenario launches a run, whose workers write down every answer that they get,
kills, stops or hinders something in it, and holds what was answered against the result,
and the result against the journal handled again. One table tells at the end: reports
``lost`` were answered, but are in no rung; ``doubled`` ones were counted twice; a
``recovery`` is the time from a fault until the bus answers again, a new worker is
answered, or the trial of a worker that was cut off is run by another one.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asha_bus.results.tables import table
from faults.scenarios import on_bus, on_driver, on_helpers, on_pauses, on_workers
from faults.scenarios.launching import Scenario, play
from faults.scenarios.outcome import HEAD, Outcome

#: By name: the scenario, and the engines that it can be played on, the usual one first.
SCENARIOS: dict[str, tuple[Scenario, tuple[str, ...]]] = {
    "bus-kill": (on_bus.bus_kill, ("local", "spark")),
    "bus-kill-long": (on_bus.long_kill, ("local",)),
    "bus-hang": (on_helpers.bus_hang, ("local", "spark")),
    "stop-now": (on_helpers.stop_now, ("local", "spark")),
    "quiet-exit": (on_helpers.quiet_exit, ("local", "spark")),
    "searcher-kill": (on_helpers.searcher_kill, ("local",)),
    "no-descriptors": (on_helpers.no_descriptors, ("local",)),
    "bus-stop": (on_bus.bus_stop, ("local", "spark")),
    "worker-kill": (on_workers.worker_kill, ("local", "spark")),
    "executor-jvm-kill": (on_workers.executor_jvm_kill, ("spark",)),
    "partition": (on_workers.partition, ("local", "spark")),
    "pauses": (on_pauses.pauses, ("local",)),
    "slow-worker": (on_workers.slow_worker, ("local", "spark")),
    "driver-kill-resume": (on_driver.driver_kill_resume, ("local",)),
    "clock-jump": (on_driver.clock_jump, ("local",)),
    "disk-full": (on_driver.disk_full, ("local",)),
    "read-only-journal": (on_driver.read_only_journal, ("local",)),
}
#: Executors that can be killed are processes of their own.
MASTER = "local-cluster[2,1,1024]"


@contextmanager
def session() -> Iterator[Any]:
    """A quiet Spark session on loopback, which runs its tasks with this very Python."""
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    conf = {
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",  # lost executors are what this is about
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
    }
    builder = SparkSession.builder.master(MASTER).appName("asha-bus fault test")
    for key, value in conf.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    try:
        yield spark
    finally:
        spark.stop()


def chosen(names: list[str], engine: str | None, smoke: bool) -> list[tuple[str, str]]:
    """The scenarios to play, each with its engine."""
    found = []
    for name in names or SCENARIOS:
        engines = SCENARIOS[name][1]
        where = engine or engines[0]
        if where not in engines:
            if names:
                raise SystemExit(f"{name} is for the engine {' or '.join(engines)}, not {where}")
        elif names or not (smoke and where == "spark" and engine is None):
            found.append((name, where))
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="scenario",
        choices=[*SCENARIOS, []],
        help=f"default: all; {', '.join(SCENARIOS)}",
    )
    parser.add_argument("--engine", choices=("local", "spark"), help="default: each scenario's own")
    parser.add_argument("--seed", type=int, help="of the faults' moments; default: a new one")
    parser.add_argument("--smoke", action="store_true", help="short forms, on the local engine")
    given = parser.parse_args()
    seed = random.SystemRandom().getrandbits(31) if given.seed is None else given.seed
    logging.getLogger("asha_bus").setLevel(logging.ERROR)  # that a dead bus is restarted
    began = time.monotonic()
    todo = chosen(given.names, given.engine, given.smoke)
    again = " ".join(["python scripts faults/kill", *without_seed(sys.argv[1:])])
    print(f"to repeat: {again} --seed {seed}", flush=True)
    outcomes = [
        play(name, "local", SCENARIOS[name][0], seed, smoke=given.smoke)
        for name, engine in todo
        if engine == "local"
    ]
    on_spark = [name for name, engine in todo if engine == "spark"]
    if on_spark:
        with session() as spark:
            outcomes += [
                play(name, "spark", SCENARIOS[name][0], seed, smoke=given.smoke, spark=spark)
                for name in on_spark
            ]
    sys.exit(not told(outcomes, time.monotonic() - began))


def without_seed(arguments: list[str]) -> list[str]:
    """The command line without its ``--seed``."""
    left = []
    words = iter(arguments)
    for word in words:
        if word == "--seed":
            next(words, None)
        elif not word.startswith("--seed="):
            left.append(word)
    return left


def told(outcomes: list[Outcome], taken_s: float) -> bool:
    """Print the table; whether every promise was kept."""
    print()
    print(table([outcome.row() for outcome in outcomes], head=HEAD))
    for outcome in outcomes:
        for text in outcome.broken:
            print(f"{outcome.scenario}: {text}")
    print(f"{len(outcomes)} scenarios in {taken_s:.0f} s")
    return not any(outcome.broken for outcome in outcomes)


if __name__ == "__main__":
    main()
