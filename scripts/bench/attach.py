"""What it costs the decisions of other workers that one worker attaches 10 MB to each trial.

One worker runs trials that end after some time, and attach the megabytes or not; each is better
than those before it, so that all are written. The other workers report as fast as they can, and
time each decision. Runs with and without attaching take turns.
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


class Objective:
    """Attaches in one worker, and times decisions in the others.

    ``folder``: where the workers write down what they do; ``megabytes``: what is attached, or 0.
    """

    def __init__(self, folder: Path, megabytes: int, trial_s: float) -> None:
        self.folder, self.megabytes, self.trial_s = folder, megabytes, trial_s

    def __call__(self, trial: ab.Trial) -> float | None:
        """One trial."""
        if self._is_attaching():
            time.sleep(self.trial_s)
            if self.megabytes:
                trial.attach("model", os.urandom(1 << 20) * self.megabytes)
            return -float(trial.id)
        took = []
        for step in (1, 2, 4, 8, 16, 32):
            began = time.perf_counter()
            goes_on = trial.report(trial.params["x"], resource=step)
            took.append(time.perf_counter() - began)
            if not goes_on:
                break
        with open(self.folder / f"{os.getpid()}.took", "a", encoding="ascii") as file:
            file.writelines(f"{seconds:.7f}\n" for seconds in took)
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


def decisions(megabytes: int, given: argparse.Namespace) -> tuple[list[float], int]:
    """The seconds of each decision of the other workers in one run, and the trials attached."""
    with TemporaryDirectory(prefix="asha-bus-attach-") as name:
        folder = Path(name)
        result = ab.launch(
            Objective(folder, megabytes, given.trial_s),
            SPACE,
            scheduler=SCHEDULER,
            max_time=given.seconds,
            workers=given.workers,
            engine="local",
            artifacts=folder,
            monitor=None,
        )
        files = folder.glob("*.took")
        took = [float(line) for path in files for line in path.read_text().splitlines()]
        kept = list(folder.glob("asha-bus-*-kept/*/model"))
        assert len(kept) == bool(megabytes), f"{len(kept)} files were kept"
        assert not kept or kept[0].stat().st_size == megabytes << 20
    return took, sum(one.metric is not None and one.metric < 0 for one in result.trials)


def main(given: argparse.Namespace) -> None:
    """Measure and print."""
    shares = {"p50": 0.5, "p99": 0.99}
    found: dict[tuple[int, str], list[float]] = {}
    for number in range(given.repeats):
        sizes = (0, given.megabytes)
        for megabytes in sizes if number % 2 else sizes[::-1]:
            took, ended = decisions(megabytes, given)
            for name, share in shares.items():
                found.setdefault((megabytes, name), []).append(percentile(took, share) or 0.0)
            p50, p99 = (found[megabytes, name][-1] * 1e6 for name in shares)
            print(
                f"{megabytes:3} MB at the end of {ended:4} trials: {len(took):7,} decisions of "
                f"others, p50 {p50:6.0f} us, p99 {p99:7.0f} us",
                flush=True,
            )
    for name in shares:
        plain, attached = found[0, name], found[given.megabytes, name]
        ratio = median(a / b for a, b in zip(attached, plain, strict=True))
        print(
            f"{name}: {median(plain) * 1e6:.0f} us without, {median(attached) * 1e6:.0f} us with; "
            f"the median of the {len(plain)} pairs' ratios is {ratio:.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=5.0, help="default: %(default)s")
    parser.add_argument("--megabytes", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--trial-s", type=float, default=0.2, help="default: %(default)s")
    parser.add_argument("--smoke", action="store_true", help="only show that it works")
    options = parser.parse_args()
    if options.smoke:
        options.repeats, options.seconds = 1, 2.0
    main(options)
