"""What it costs the decisions of other workers that one worker attaches 10 MB to each trial.

One worker runs trials that end after some time, and attach the megabytes or not; each is better
than those before it, so that all are written. The other workers report as fast as they can, and
time each decision. Attaching and not attaching take turns within a run, since the load of a
machine changes from run to run.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import asha_bus as ab
from bench.peering.figures import percentile

SPACE = ab.Space(x=ab.uniform(0, 1))
#: A rung at each step of the first five doublings: all of these reports are decisions.
SCHEDULER = ab.ASHA(max_resource=32, reduction_factor=2)

#: For how long, in turns, trials attach and do not attach.
BLOCK_S = 0.5


class Objective:
    """Attaches in one worker, and times decisions in the others.

    ``folder``: where the workers write down what they do; ``megabytes``: what is attached.
    """

    def __init__(self, folder: Path, megabytes: int, trial_s: float) -> None:
        self.folder, self.megabytes, self.trial_s = folder, megabytes, trial_s

    def __call__(self, trial: ab.Trial) -> float | None:
        """One trial."""
        if self._is_attaching():
            time.sleep(self.trial_s)
            if _attaches():
                trial.attach("model", os.urandom(1 << 20) * self.megabytes)
            return -float(trial.id)
        took = []
        for step in (1, 2, 4, 8, 16, 32):
            is_beside, began = _attaches(), time.perf_counter()
            goes_on = trial.report(trial.params["x"], resource=step)
            took.append((is_beside, time.perf_counter() - began))
            if not goes_on:
                break
        with open(self.folder / f"{os.getpid()}.took", "a", encoding="ascii") as file:
            file.writelines(f"{is_beside:d} {seconds:.7f}\n" for is_beside, seconds in took)
        return None

    def _is_attaching(self) -> bool:
        """Whether this is the worker that attaches: the first one to ask."""
        place = self.folder / "attaching"
        try:
            with open(place, "x", encoding="ascii") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            return place.read_text() == str(os.getpid())
        return True


def _attaches() -> bool:
    """Whether trials attach now, by the clock that all processes share."""
    return int(time.monotonic() / BLOCK_S) % 2 == 1


def decisions(given: argparse.Namespace) -> tuple[list[float], list[float]]:
    """The seconds of each decision of the other workers, beside no attaching and beside it."""
    found: tuple[list[float], list[float]] = ([], [])
    with TemporaryDirectory(prefix="asha-bus-attach-") as name:
        folder = Path(name)
        ab.launch(
            Objective(folder, given.megabytes, given.trial_s),
            SPACE,
            scheduler=SCHEDULER,
            max_time=given.seconds,
            workers=given.workers,
            engine="local",
            artifacts=folder,
            monitor=None,
        )
        for path in folder.glob("*.took"):
            for line in path.read_text().splitlines():
                is_beside, seconds = line.split()
                found[int(is_beside)].append(float(seconds))
        (kept,) = folder.glob("asha-bus-*-kept/*/model")
        assert kept.stat().st_size == given.megabytes << 20
    return found


def main(given: argparse.Namespace) -> None:
    """Measure and print."""
    shares = {"p50": 0.5, "p99": 0.99}
    runs: list[tuple[list[float], list[float]]] = []
    for _ in range(given.repeats):
        runs.append(decisions(given))
        print(f"{'':12}" + _compared(*runs[-1], shares), flush=True)
    plain, beside = ([seconds for run in runs for seconds in run[which]] for which in (0, 1))
    print(f"{'all runs':12}" + _compared(plain, beside, shares))
    for name, share in shares.items():
        ratios = [_ratio(*run, share) for run in runs if all(run)]
        print(f"{name}: the median of {len(ratios)} runs' ratios is {median(ratios):.2f}")


def _compared(plain: list[float], beside: list[float], shares: dict[str, float]) -> str:
    """One line about decisions beside no attaching and beside it."""
    figures = ", ".join(
        f"{name} {(percentile(plain, share) or 0) * 1e6:.0f} and "
        f"{(percentile(beside, share) or 0) * 1e6:.0f} us"
        for name, share in shares.items()
    )
    return f"{len(plain):,} decisions without and {len(beside):,} with attaching: {figures}"


def _ratio(plain: list[float], beside: list[float], share: float) -> float:
    return (percentile(beside, share) or 0.0) / (percentile(plain, share) or 1.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=10.0, help="default: %(default)s")
    parser.add_argument("--megabytes", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--trial-s", type=float, default=0.2, help="default: %(default)s")
    parser.add_argument("--smoke", action="store_true", help="only show that it works")
    options = parser.parse_args()
    if options.smoke:
        options.repeats, options.seconds = 1, 2.0
    main(options)
