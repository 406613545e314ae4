"""The simulator: how fast it is, and how near a real run is to its simulation.

A local run with sleeping objectives is simulated from its own journal, with the curves and
the times that are recorded there: rungs are the same where the order is, with one worker,
and the run takes as long.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asha_bus as ab
from asha_bus.core.schedulers import Scheduler
from asha_bus.results.tables import table
from asha_bus.simulation.command import SPACE, curve


def sleeping(x: float, unit_s: float) -> Iterator[float]:
    """An objective whose unit of resource takes some time."""
    done = 0
    while True:
        time.sleep(unit_s * (0.5 + x))
        done += 1
        yield x + 1 / done


def agree(trials: int, unit_s: float, workers: int, scheduler: Scheduler) -> list[str]:
    """Run for real, simulate that, and compare."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "run.journal"
        real = ab.launch(
            sleeping,
            {"x": ab.uniform(0, 1)},
            scheduler=scheduler,
            max_trials=trials,
            seed=3,
            engine="local",
            workers=workers,
            journal=journal,
            monitor=None,
            data={"unit_s": unit_s},
        )
        title = f"{type(scheduler).__name__}, {workers} worker{'s' * (workers > 1)}"
        real_s = elapsed_s(real)
        try:
            simulated = ab.simulate(journal)
        except ab.InvalidArgument as error:
            # two trials arrived at about the same time, and one goes on that was stopped
            return [title, f"{real_s:.2f} s", "-", "-", f"no: {error}"]
    same = [one.rungs for one in real.trials] == [one.rungs for one in simulated.result.trials]
    off = simulated.elapsed_s / real_s - 1
    return [
        title,
        f"{real_s:.2f} s",
        f"{simulated.elapsed_s:.2f} s",
        f"{off:+.1%}",
        "yes" if same else "no",
    ]


def elapsed_s(result: ab.Result) -> float:
    """Seconds from the start of the bus to the end of the last trial."""
    assert result.settings is not None
    return max(trial.end_time or 0.0 for trial in result.trials) - result.settings.epoch


def speed(workers: int, trials: int) -> list[str]:
    """Simulate continuous ASHA, and count."""
    began_s, began = time.process_time(), time.monotonic()
    run = ab.simulate(
        curve,
        SPACE,
        scheduler=ab.ASHA(256, reduction_factor=4),
        workers=workers,
        max_trials=trials,
        step_s=10.0,
    )
    cpu_s = time.process_time() - began_s
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        f"{workers:,} workers, {trials:,} trials",
        f"{run.decisions:,}",
        f"{cpu_s:.1f} s",
        f"{time.monotonic() - began:.1f} s",
        f"{run.decisions / cpu_s:,.0f}",
        f"{run.busy_share:.2%}",
        f"{peak:,.0f} MiB",
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="only show that it works")
    smoke = parser.parse_args().smoke
    sizes = [(10, 2_000)] if smoke else [(100, 50_000), (10_000, 1_000_000)]
    head = ["ASHA", "decisions", "processor", "wall", "decisions/s", "busy", "memory"]
    print(table([speed(*size) for size in sizes], head=head), flush=True)
    trials, unit_s = (9, 0.02) if smoke else (60, 0.1)
    rows = [
        agree(trials, unit_s, workers, scheduler)
        for workers in (1, 2)
        for scheduler in (ab.ASHA(9), ab.PromotionASHA(9), ab.NoStopping(9))
    ]
    print("\n" + table(rows, head=["run", "real", "simulated", "off by", "same rungs"]))


if __name__ == "__main__":
    main()
