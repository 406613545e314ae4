"""Does real harm to runs and looks whether they keep their promises.

Each scenario launches runs, whose workers write down every answer that they get, kills,
stops or hinders something in them, and holds what was answered against the result, and
the result against the journal handled again. One table tells at the end: reports ``lost``
were answered, but are in no rung; ``doubled`` ones were counted twice; a ``recovery`` is
the time from a fault until the bus answers again, a new worker is answered, or the trial
of a worker that was cut off is run by another one.

Engines: ``local``; ``spark`` is Spark's local[2]; ``cluster`` is a standalone cluster of two
workers with a core each.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from lib.clusters import Spark, standalone

from asha_bus.results.tables import table
from faults.scenarios import (
    on_bus,
    on_driver,
    on_helpers,
    on_journal,
    on_objectives,
    on_orphans,
    on_paused,
    on_pauses,
    on_strangers,
    on_workers,
)
from faults.scenarios.launching import Scenario, play
from faults.scenarios.outcome import HEAD, Outcome

ENGINES = ("local", "spark", "cluster")


class Entry(NamedTuple):
    """A scenario, and where it is played."""

    scenario: Scenario
    #: The usual one first.
    engines: tuple[str, ...] = ("local", "spark")
    #: Whether ``--smoke`` plays it.
    in_smoke: bool = False


_LOCAL = ("local",)
SCENARIOS = {
    "bus-kill": Entry(on_bus.bus_kill, in_smoke=True),
    "bus-kill-start": Entry(on_bus.bus_kill_start),
    "bus-kill-workers": Entry(on_bus.bus_kill_workers),
    "bus-kill-end": Entry(on_bus.bus_kill_end),
    "bus-kill-long": Entry(on_bus.long_kill, _LOCAL),
    "bus-hang": Entry(on_helpers.bus_hang),
    "bus-stop": Entry(on_bus.bus_stop),
    "stop-now": Entry(on_helpers.stop_now, ENGINES, in_smoke=True),
    "searcher-kill": Entry(on_helpers.searcher_kill),
    "no-descriptors": Entry(on_helpers.no_descriptors, _LOCAL),
    "worker-kill": Entry(on_workers.worker_kill, ENGINES),
    "executor-jvm-kill": Entry(on_workers.executor_jvm_kill, ("cluster",)),
    "partition": Entry(on_workers.partition),
    "slow-worker": Entry(on_workers.slow_worker),
    "sudden-ends": Entry(on_objectives.sudden_ends, ENGINES, in_smoke=True),
    "native-code": Entry(on_objectives.native_code, ENGINES),
    "freeze": Entry(on_objectives.freeze, ENGINES),
    "alarm": Entry(on_objectives.alarm),
    "clean-up": Entry(on_objectives.clean_up),
    "misbehaving": Entry(on_objectives.misbehaving),
    "many-trials": Entry(on_objectives.many_trials, _LOCAL),
    "pauses": Entry(on_pauses.pauses, ENGINES),
    "long-pause": Entry(on_pauses.long_pause),
    "paused-worker-kill": Entry(on_paused.worker_kill, in_smoke=True),
    "saved-worker-kill": Entry(on_paused.saved_worker_kill),
    "paused-bus-kill": Entry(on_paused.bus_kill, _LOCAL),
    "paused-driver-kill": Entry(on_paused.driver_kill, _LOCAL),
    "paused-pause": Entry(on_paused.pause, _LOCAL),
    "paused-stop": Entry(on_paused.stop),
    "driver-kill": Entry(on_orphans.driver_kill, ENGINES, in_smoke=True),
    "driver-kill-resume": Entry(on_driver.driver_kill_resume),
    "clock-jump": Entry(on_driver.clock_jump, _LOCAL),
    "disk-full": Entry(on_driver.disk_full, _LOCAL),
    "streams": Entry(on_driver.streams),
    "read-only-journal": Entry(on_driver.read_only_journal, _LOCAL),
    "journal-cut": Entry(on_journal.journal_cut, _LOCAL, in_smoke=True),
    "journal-deleted": Entry(on_journal.journal_deleted, _LOCAL),
    "journal-names-code": Entry(on_strangers.journal_names_code, _LOCAL, in_smoke=True),
    "planted": Entry(on_strangers.planted),
    "half-open": Entry(on_strangers.half_open, _LOCAL),
}


@contextmanager
def spark_of(engine: str) -> Iterator[Spark | None]:
    """What an engine's scenarios need of Spark."""
    if engine == "local":
        yield None
        return
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    with ExitStack() as stack:
        master = "local[2]"
        if engine == "cluster":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="spark-cluster-"))
            master = stack.enter_context(standalone(Path(folder))).master
        spark = Spark(master)
        stack.callback(spark.release)
        yield spark


def chosen(names: list[str], engines: list[str], smoke: bool) -> list[tuple[str, str]]:
    """The scenarios to play, each with its engine, ordered by engine."""
    found = []
    for name, entry in SCENARIOS.items():
        if name in names or (not names and (entry.in_smoke or not smoke)):
            wanted = engines or entry.engines[:1]
            played = [engine for engine in wanted if engine in entry.engines]
            if names and not played:
                raise SystemExit(f"{name} is for the engine {' or '.join(entry.engines)}")
            found += [(name, engine) for engine in played]
    return sorted(found, key=lambda pair: ENGINES.index(pair[1]))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="scenario", choices=[*SCENARIOS, []], help="default: all"
    )
    parser.add_argument("--list", action="store_true", help="list the scenarios, and end")
    parser.add_argument(
        "--engine",
        choices=(*ENGINES, "all"),
        help="those that are for this engine; default: each scenario on its usual engine",
    )
    parser.add_argument("--seed", type=int, help="of the faults' moments; default: a new one")
    parser.add_argument(
        "--smoke", action="store_true", help="short forms, and without names a few of them"
    )
    given = parser.parse_args()
    if given.list:
        print(listed())
        return
    seed = random.SystemRandom().getrandbits(31) if given.seed is None else given.seed
    logging.getLogger("asha_bus").setLevel(logging.ERROR)  # that a dead bus is restarted
    began = time.monotonic()
    engines = list(ENGINES) if given.engine == "all" else [given.engine] if given.engine else []
    todo = chosen(given.names, engines, given.smoke)
    again = " ".join(["python scripts faults/kill", *without_seed(sys.argv[1:])])
    print(f"to repeat: {again} --seed {seed}", flush=True)
    outcomes = []
    for engine in ENGINES:
        names = [name for name, where in todo if where == engine]
        if names:
            with spark_of(engine) as spark:
                outcomes += [
                    play(
                        name, engine, SCENARIOS[name].scenario, seed, smoke=given.smoke, spark=spark
                    )
                    for name in names
                ]
    sys.exit(not told(outcomes, time.monotonic() - began))


def listed() -> str:
    """A table of the scenarios: what each of them does, and where."""
    rows = [
        (name, ", ".join(entry.engines), (entry.scenario.__doc__ or "").splitlines()[0])
        for name, entry in SCENARIOS.items()
    ]
    return table(rows, head=("scenario", "engines", "what it does"))


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
            print(f"{outcome.scenario}, {outcome.engine}: {text}")
    print(f"{len(outcomes)} scenarios in {taken_s:.0f} s")
    return not any(outcome.broken for outcome in outcomes)


if __name__ == "__main__":
    main()
