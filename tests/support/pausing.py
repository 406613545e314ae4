"""Trials that pause, run by the worker's own code in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import asha_bus as ab
from asha_bus.testing.simulator import Bench

PLAN = ab.SuccessiveHalving([(4, 5), (2, 2), (6, 1)])
SHORT = ab.SuccessiveHalving([(1, 1), (1, 1)])


def warnings_of(bench: Bench) -> list[tuple[int, str]]:
    """The warnings in the logs of the trials."""
    return [
        (trial.id, text)
        for trial in bench.experiment.table.trials
        for text in str(trial.log or "").split("warning: ")[1:]
    ]


def generator_that(act: Callable[[float, int], None]) -> Callable[[float], Iterator[float]]:
    """A generator that calls ``act`` before each report; a smaller x is better."""

    def objective(x: float) -> Iterator[float]:
        for step in range(1, 100):
            act(x, step)
            yield x

    return objective


def trial_that(act: Callable[[float, int], None]) -> Callable[[ab.Trial], None]:
    """The same by hand."""

    def objective(trial: ab.Trial) -> None:
        for step in trial:
            act(trial.params["x"], step + 1)
            trial.report(trial.params["x"])

    return objective


BOTH = pytest.mark.parametrize("made_by", [generator_that, trial_that])
