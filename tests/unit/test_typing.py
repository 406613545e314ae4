"""The public API as users write it: right uses pass a type checker, wrong ones are refused.

``scripts/check`` runs ``mypy --strict`` over this file, and an ignore that nothing needs is an
error there: mypy finds each mistake below. `launch` also finds most of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import asha_bus as ab


def train(x: float) -> Iterator[float]:
    yield x


def by_hand(trial: ab.Trial) -> None:
    trial.report(1.0)


class Mine:
    """A searcher that inherits from nothing."""

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> dict[str, float]:
        return {"x": float(len(history))}


SPACE = {"x": ab.uniform(0, 1)}


def right_uses(mode: str, table: object) -> None:
    """Never called: for the type checker."""
    result: ab.Result = ab.launch(train, SPACE, max_trials=5)
    run: ab.Run = ab.start(objective=train, space=ab.Space(SPACE), max_time=5)
    again: ab.Result = run.result()
    ab.launch(by_hand, SPACE, mode="max", scheduler=ab.ASHA(9), searcher=ab.TPE(), engine="local")
    ab.launch(train, SPACE, searcher=Mine(), history=result, initial=[{"x": 0.5}], unique=True)
    ab.launch(train, SPACE, journal="run", resume=True, bus=ab.BusOptions(sync="always", port=5))
    ab.launch(train, SPACE, journal=Path("run"), data={"table": np.zeros(5)}, page=8_080)
    ab.launch(train, SPACE, monitor=["text", ab.FileMonitor(os.devnull)], metrics_port=0)
    ab.launch(train, SPACE, monitor=None, stop_at=1, retries=2, repeats=3)
    best = ab.fmin(lambda x: x, SPACE, max_evals=5, trials=ab.SparkTrials(parallelism=2))
    ab.space_eval(SPACE, best)
    found = ab.dry_run(train, SPACE, n=2, quiet=True)
    print(found.problems, again.best)


def wrong_results() -> None:
    """Never called: for the type checker."""
    run: ab.Run = ab.launch(train, SPACE)  # type: ignore[assignment]
    result: ab.Result = ab.start(train, SPACE)  # type: ignore[assignment]
    run.stop("now")  # type: ignore[call-arg, arg-type]
    result.bets  # type: ignore[attr-defined]  # noqa: B018
    ab.dry_run(train, SPACE).problem  # type: ignore[attr-defined]  # noqa: B018


WRONG: list[tuple[Callable[[], object], str]] = [
    (
        lambda: ab.launch(train, SPACE, max_trial=5),  # type: ignore[call-arg]
        r"launch\(\) takes no 'max_trial'; did you mean 'max_trials'\?",
    ),
    (
        lambda: ab.start(train, SPACE, zebra=5),  # type: ignore[call-arg]
        r"start\(\) takes no 'zebra'; see help\(asha_bus.start\)$",
    ),
    (
        lambda: ab.launch(train, SPACE, block=False),  # type: ignore[call-arg]
        r"launch\(\) takes no 'block'; use launch\(...\) to wait for the result, start\(...\)",
    ),
    (
        lambda: ab.launch(5, SPACE),  # type: ignore[arg-type]
        "objective must be a function, got 5",
    ),
    (
        lambda: ab.launch(train, 5),  # type: ignore[arg-type]
        "space must be a Space or a dict of parameters, got 5",
    ),
    (
        lambda: ab.launch(train, SPACE, mode="minimize"),  # type: ignore[arg-type]
        "mode must be 'min' or 'max', got 'minimize'",
    ),
    (
        lambda: ab.launch(train, SPACE, engine="dask"),  # type: ignore[arg-type]
        "engine must be 'spark' or 'local', got 'dask'",
    ),
    (
        lambda: ab.start(train, SPACE, monitor="plots"),  # type: ignore[arg-type]
        "monitor must be one of 'progress', 'text'",
    ),
    (
        lambda: ab.launch(train, SPACE, max_trials="5"),  # type: ignore[arg-type]
        "max_trials must be a whole number of at least 1, got '5' of type str",
    ),
    (
        lambda: ab.start(train, SPACE, scheduler=ab.ASHA),  # type: ignore[arg-type]
        r"scheduler must be .* got the class ASHA: give ASHA\(...\)",
    ),
    (
        lambda: ab.launch(train, SPACE, searcher=ab.TPE),  # type: ignore[arg-type]
        r"searcher must be RandomSearch\(\), .* got the class TPE: give TPE\(...\)",
    ),
    (
        lambda: ab.launch(train, SPACE, bus={"port": 1}),  # type: ignore[arg-type]
        r"bus must be BusOptions\(...\), got {'port': 1}",
    ),
    (
        lambda: ab.launch(train, SPACE, data={1: 2}),  # type: ignore[dict-item]
        "data must be a dict of objects by the names",
    ),
    (
        lambda: ab.launch(train, SPACE, initial={"x": 0.5}),  # type: ignore[arg-type]
        "initial must be a list of configurations, got {'x': 0.5} of type dict",
    ),
    (
        lambda: ab.BusOptions(sync="sometimes"),  # type: ignore[arg-type]
        "sync must be 'interval', 'always' or 'never', got 'sometimes'",
    ),
    (
        lambda: ab.dry_run(train, SPACE, n="2"),  # type: ignore[arg-type]
        "n must be a whole number of at least 1, got '2' of type str",
    ),
    (
        lambda: ab.SparkTrials(parallelism="8"),  # type: ignore[arg-type]
        "parallelism must be a whole number or None, got '8' of type str",
    ),
    (
        lambda: ab.fmin(train, SPACE, max_evals="many"),  # type: ignore[arg-type]
        "max_evals must be a whole number above 0, got 'many'",
    ),
]


@pytest.mark.parametrize(("use", "message"), WRONG)
def test_type_errors_are_also_refused_before_a_run(use: Callable[[], object], message: str) -> None:
    with pytest.raises(ab.InvalidArgument, match=message):
        use()


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            lambda: ab.launch(train),  # type: ignore[call-arg]
            r"launch\(\): missing a required argument: 'space'",
        ),
        (
            lambda: ab.start(train, SPACE, "max"),  # type: ignore[call-arg]
            r"start\(\): only objective and space are positional; write scheduler=\.\.\.",
        ),
    ],
)
def test_a_missing_argument_is_named_with_the_function(
    use: Callable[[], object], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        use()


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(AttributeError):
        ab.lunch  # type: ignore[attr-defined]  # noqa: B018
