"""Five ways to stop or pause poor trials early, and the epochs that each trains.

Run it with a name, such as ``plans.py hyperband``, or without one for all. A paused trial
stays in the memory of its worker: nothing is saved or loaded.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asha_bus as ab

SPACE = ab.Space(lr=ab.loguniform(1e-3, 1), momentum=ab.uniform(0, 0.95))


def train(lr: float, momentum: float, epochs: str, epoch_s: float) -> Iterator[float]:
    """Gradient descent on a narrow valley; adds a byte to the file ``epochs`` for each epoch."""
    x, y, dx, dy = 3.0, 1.0, 0.0, 0.0
    while True:
        time.sleep(epoch_s)
        dx, dy = momentum * dx - lr * 0.2 * x, momentum * dy - lr * 2 * y
        x, y = x + dx, y + dy
        with open(epochs, "ab") as file:
            file.write(b".")
        yield 0.1 * x * x + y * y


def halving(**launch: Any) -> ab.Result:
    """Eight configurations: 4 epochs for all, 2 more for the best five, 6 more for two."""
    plan = [(4, 5), (2, 2), (6, 1)]
    return ab.launch(train, SPACE, scheduler=ab.SuccessiveHalving(plan, n=8), **launch)


def classic(**launch: Any) -> ab.Result:
    """Successive halving as in the paper: of 8 configurations one of 2 continues each time."""
    return ab.launch(train, SPACE, scheduler=ab.SuccessiveHalving.classic(8, 1, 2), **launch)


def one_rung(**launch: Any) -> ab.Result:
    """Two epochs for each of 16 configurations; the best one wins."""
    return ab.launch(
        train, SPACE, scheduler=ab.SuccessiveHalving([(2, 1)]), max_trials=16, **launch
    )


def hyperband(**launch: Any) -> ab.Result:
    """Three plans side by side for 24 configurations, from eager to patient."""
    plans = [
        (12, [(1, 4), (2, 2), (6, 1)]),
        (8, [(3, 3), (6, 1)]),
        (4, [(9, 1)]),
    ]
    return ab.launch(train, SPACE, scheduler=ab.Hyperband(plans), **launch)


def asha(**launch: Any) -> ab.Result:
    """ASHA, where nobody waits: each of 40 trials is stopped or not when it reports.

    Nothing is stopped in the first 3 epochs.
    """
    scheduler = ab.ASHA(max_resource=27, warmup=3)
    return ab.launch(train, SPACE, scheduler=scheduler, max_trials=40, **launch)


PLANS = {plan.__name__: plan for plan in (halving, classic, one_rung, hyperband, asha)}


def main() -> None:
    """Run the plan that was named, or all, and print what each has trained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", nargs="?", choices=PLANS, help="default: all of them")
    parser.add_argument("--smoke", action="store_true", help="without the pause in each epoch")
    given = parser.parse_args()
    for name in [given.plan] if given.plan else PLANS:
        with tempfile.TemporaryDirectory() as folder:
            epochs = Path(folder) / "epochs"
            result = PLANS[name](
                engine="local",
                monitor="rungs",
                seed=1,
                data={"epochs": str(epochs), "epoch_s": 0.0 if given.smoke else 0.2},
            )
            trained = epochs.stat().st_size
        assert result.best is not None
        print(
            f"{name}: {len(result.trials)} trials, {trained} epochs, best {result.best.metric:.4g}"
        )


if __name__ == "__main__":
    main()
