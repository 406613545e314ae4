"""The contract of searchers, as a test suite that the tests of a searcher inherit."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Mapping
from typing import Any

import cloudpickle

from asha_bus.core.messages import Point
from asha_bus.core.space import (
    Space,
    choice,
    func,
    grid,
    lognormal,
    loguniform,
    normal,
    ordinal,
    randint,
    uniform,
)
from asha_bus.core.trial import RungRecord, Trial, TrialRow, TrialState
from asha_bus.searchers.adapter import Search, SearcherAdapter


def _ascending(a: float, b: float) -> bool:
    return a <= b


#: Spaces with every kind of parameter and nesting, conditions, unions and level-1 configurations.
SPACES: dict[str, Space] = {
    "numbers": Space(
        plain=uniform(-1, 1),
        steps=uniform(0, 1, q=0.25),
        log=loguniform(1e-5, 1),
        log_steps=loguniform(1, 100, q=3),
        whole=randint(-5, 5),
        whole_steps=randint(1, 99, q=7),
        whole_log=randint(1, 4096, log=True),
        normal=normal(10, 2),
        normal_steps=normal(0, 3, q=1),
        lognormal=lognormal(0, 1),
        lognormal_steps=lognormal(0, 1, q=0.5),
    ),
    "options": Space(
        plain=choice("relu", "tanh", None),
        ordered=ordinal("small", "medium", "large"),
        objects=choice(len, [1, 2], {"a": 1}, (1, 2)),
        equals=choice(1, 1.0, True),
    ),
    "nested": Space(
        layers=[randint(8, 32), randint(8, 32)],
        optimizer={"name": "sgd", "rates": (uniform(0, 1), loguniform(1e-4, 1))},
    ),
    "one value each": Space(a=uniform(2, 2), b=randint(3, 3), c=choice("only"), d=uniform(0, 1)),
    "extremes": Space(a=uniform(-1e308, 1e308), b=loguniform(1e-300, 1e300)),
    "computed": Space(x=uniform(0, 1), double=func(operator.mul, 2, randint(1, 4))),
    "sub-spaces": Space(
        model=choice(
            "none",
            {"kind": "tree", "depth": randint(1, 9)},
            {"kind": "net", "lr": loguniform(1e-4, 1), "drop": choice(None, {"p": uniform(0, 1)})},
        ),
        x=uniform(0, 1),
    ),
    "level 1": Space(fold=grid(1, 2, 3), x=uniform(0, 1), n=randint(1, 9)),
    "union": Space(model="svm", c=loguniform(1e-3, 1e3))
    + Space(model="tree", depth=grid(2, 4), leaves=randint(2, 99)),
    "condition": Space(a=uniform(0, 1), b=uniform(0, 1)).where(_ascending),
}

#: The course of a trial: the metrics at its rungs, and its state after them.
Story = tuple[tuple[float, ...], TrialState]

#: Trials that reach at least the lowest rung; smaller metrics are better.
USUAL: tuple[Story, ...] = (
    ((0.9,), TrialState.STOPPED),
    ((0.5, 0.4), TrialState.STOPPED),
    ((0.7, 0.6, 0.5), TrialState.COMPLETED),
    ((0.8,), TrialState.STOPPED),
    ((0.4, 0.3, 0.1), TrialState.COMPLETED),
)

#: Every possible outcome of a trial.
EVERYTHING: tuple[Story, ...] = (
    *USUAL,
    ((), TrialState.PENDING),
    ((), TrialState.RUNNING),
    ((0.6,), TrialState.RUNNING),
    ((0.4,), TrialState.PAUSED),
    ((), TrialState.FAILED),
    ((0.5, 0.5), TrialState.FAILED),
    ((), TrialState.LOST),
    ((0.3,), TrialState.LOST),
    ((), TrialState.CANCELLED),
    ((0.2, 0.2), TrialState.CANCELLED),
    ((math.nan,), TrialState.STOPPED),
    ((0.5, math.inf), TrialState.STOPPED),
    ((-math.inf,), TrialState.STOPPED),
    ((0.1, 0.1, math.nan), TrialState.COMPLETED),
)

#: Only outcomes from which a model cannot learn.
ALL_BAD: tuple[Story, ...] = (
    ((), TrialState.FAILED),
    ((math.nan,), TrialState.STOPPED),
    ((), TrialState.LOST),
)


class SearcherContract:
    """Tests that every searcher must pass; inherit this class in a test module of pytest.

    Each test simulates short runs over all of `spaces`, in this process and without an
    objective. A failure names the space.

    Attributes:
        spaces: The spaces by name. For a searcher that supports only some spaces, override it
            with these.
        trials: The number of trials in a simulated run (default 25).

    Example:
        >>> class TestMySearcher(SearcherContract):
        ...     def make(self):
        ...         return MySearcher()
    """

    spaces: Mapping[str, Space] = SPACES

    trials = 25

    def make(self) -> Any:
        """Make a searcher to test.

        Returns:
            A new searcher, made with the same arguments each time.
        """
        raise NotImplementedError(f"{type(self).__name__} must define make()")

    def test_suggestions_are_in_the_space(self) -> None:
        """Each suggestion is in the level-1 configuration that it was requested for."""
        for name, space in self.spaces.items():
            for mode in ("min", "max"):
                assert self._play(space, mode=mode), f"{name}: the searcher suggested nothing"

    def test_the_same_seed_and_history_give_the_same(self) -> None:
        """Two searchers with the same requests and results suggest the same."""
        for name, space in self.spaces.items():
            first, again = (self._play(space, seed=2**31) for _ in range(2))
            assert first == again, f"{name}: the second run differs"

    def test_whatever_becomes_of_trials_it_goes_on(self) -> None:
        """It keeps suggesting when trials fail, are lost, never end, or report NaN or infinity."""
        for name, space in self.spaces.items():
            assert self._play(space, EVERYTHING), f"{name}: the searcher suggested nothing"

    def test_it_goes_on_where_nothing_succeeds(self) -> None:
        """It keeps suggesting when all trials fail, as may happen at the start of a run."""
        for name, space in self.spaces.items():
            assert self._play(space, ALL_BAD), f"{name}: the searcher suggested nothing"

    def test_many_may_be_asked_for_before_anything_is_known(self) -> None:
        """It suggests for as many workers at the same time as there are trials."""
        for name, space in self.spaces.items():
            points = self._play(space, workers=self.trials)
            assert points, f"{name}: the searcher suggested nothing"

    def test_it_can_be_sent_to_its_process(self) -> None:
        """cloudpickle can pickle it, before the first suggestion and later."""
        for name, space in self.spaces.items():
            searcher = self.make()
            copy = cloudpickle.loads(cloudpickle.dumps(searcher))
            points = self._play(space, searcher=searcher)
            again = self._play(space, searcher=copy)
            assert points == again, f"{name}: its copy makes other suggestions"
            cloudpickle.dumps(searcher)

    def test_it_goes_on_with_the_trials_of_another(self) -> None:
        """It continues from trials of another searcher, as in a resumed run."""
        for name, space in self.spaces.items():
            known = self._play(space, EVERYTHING)
            given = SearcherAdapter(Search(self.make(), space, 0, "min"))
            for number, point in enumerate(known):
                given.give(number, point)
            for number, point in enumerate(known):
                for row in _rows(number, point, EVERYTHING):
                    given.observe(row)
            found, is_over = given.points(len(known), 1)
            assert found or is_over, f"{name}: no suggestion for trial {len(known)}"

    def _play(
        self,
        space: Space,
        stories: tuple[Story, ...] = USUAL,
        mode: str = "min",
        *,
        seed: int = 0,
        workers: int = 4,
        searcher: Any = None,
    ) -> list[Point]:
        """The points of a simulated run, whose trials follow ``stories`` in turn."""
        given = SearcherAdapter(Search(searcher or self.make(), space, seed, mode))
        points: list[Point] = []
        for number in range(self.trials):
            found, _ = given.points(number, 1)
            if not found:
                break  # there are no more points
            points += found
            space.checked(found[0], number % space.branches)
            if number >= workers:
                for row in _rows(number - workers, points[number - workers], stories):
                    given.observe(row)
        return points


def _rows(number: int, point: Point, stories: tuple[Story, ...]) -> Iterator[TrialRow]:
    """The rows that the bus sends during a trial."""
    metrics, state = stories[number % len(stories)]
    trial = Trial(number, point, seed=number, attempt=1, worker="worker")
    if state is TrialState.PENDING:
        return
    trial.state = TrialState.RUNNING
    for rung, metric in enumerate(metrics):
        is_last = rung == len(metrics) - 1
        trial.metric, trial.resource = metric, 3**rung
        if math.isfinite(metric):
            trial.best_metric = min(metric, trial.best_metric or metric)
        if is_last and state is TrialState.COMPLETED:
            break  # there is no rung at the maximum resource
        goes_on = not (is_last and state is TrialState.STOPPED)
        verdict = "continue" if goes_on else "stop"
        if is_last and state is TrialState.PAUSED:
            verdict = "pause"
        cutoff = metric if math.isfinite(metric) else None
        trial.rungs += (RungRecord(rung, 3**rung, metric, number, 1, cutoff, verdict),)
        if not is_last:
            yield trial.to_row()
    trial.state = state
    yield trial.to_row()
