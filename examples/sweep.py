"""Compare two families of models in one launch, and find the best parameters of each.

Each family has a grid over one parameter, random values of another, and TPE over the rest, in
each of the 16 combinations. Poor trials are stopped early. ``--smoke`` takes seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

import asha_bus as ab

linear = (
    ab.Space(family="linear", loss=ab.grid("hinge", "log_loss"))  # grid: both are run
    * ab.Space(l1_ratio=ab.uniform(0, 1)).sample(4)  # random: four values, all are run
    * ab.Space(alpha=ab.loguniform(1e-6, 1e-1), eta0=ab.loguniform(1e-3, 1))  # by the searcher
)
forest = (
    ab.Space(family="forest", max_depth=ab.grid(4, 16))
    * ab.Space(max_features=ab.uniform(0.05, 0.5)).sample(4)
    * ab.Space(min_samples_leaf=ab.randint(1, 20, log=True), criterion=ab.choice("gini", "entropy"))
)


def train(family: str, split: list[Any], **params: Any) -> Iterator[float]:
    """The error on held-out digits after each epoch, or after every five trees."""
    train_x, test_x, train_y, test_y = split
    if family == "linear":
        linear_model = SGDClassifier(
            penalty="elasticnet", learning_rate="adaptive", random_state=0, **params
        )
        for _ in range(27):
            linear_model.partial_fit(train_x, train_y, classes=range(10))
            yield 1 - linear_model.score(test_x, test_y)
    else:
        forest_model = RandomForestClassifier(warm_start=True, random_state=0, **params)
        for step in range(27):
            forest_model.set_params(n_estimators=5 * (step + 1))
            forest_model.fit(train_x, train_y)
            yield 1 - forest_model.score(test_x, test_y)


def main() -> None:
    """Run the sweep, and print a row for each of its combinations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few trials, on this machine")
    smoke = parser.parse_args().smoke
    data, target = load_digits(return_X_y=True)
    result = ab.launch(
        train,
        linear + forest,
        searcher=ab.TPE(n_startup=6),
        scheduler=ab.ASHA(max_resource=27),
        max_trials=32 if smoke else 480,
        engine="local" if smoke else "spark",
        data={"split": train_test_split(data / 16, target, random_state=0)},
        seed=1,
    )
    print(result.by_branch())
    assert result.best is not None
    print(f"\nthe best: {result.best.metric:.4f} with {result.best.params}")


if __name__ == "__main__":
    main()
