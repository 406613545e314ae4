"""hyperopt's TPE as a searcher: what it learns, and what it does with trials that still run."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from random import Random
from statistics import median
from typing import Any

import pytest
from support.results import make_trial

import asha_bus as ab
from asha_bus.core.trial import RungRecord, TrialState
from asha_bus.results.records import TrialRecord
from asha_bus.searchers.axes import drawn
from asha_bus.searchers.base import Branch
from asha_bus.searchers.outcomes import Outcomes
from asha_bus.searchers.tpe import MAX_GIVEN, TPE, _selected

S = TrialState
SPACE = ab.Space(x=ab.uniform(0, 1), n=ab.randint(1, 100), act=ab.choice("relu", "tanh"))


def branch_of(trial: int, space: ab.Space = SPACE, mode: str = "min", number: int = 0) -> Branch:
    return Branch(number, space, mode, trial, seed=1_000 + trial)


def at(number: int, point: tuple[float, ...], metric: float | None, state: S = S.COMPLETED) -> Any:
    return make_trial(number, state, metric, point=point, params={})


def drawn_history(
    loss: Callable[..., float], count: int = 60, space: ab.Space = SPACE
) -> list[TrialRecord]:
    """Trials that were drawn at random and ran to their end."""
    points = [drawn(branch_of(number, space), number) for number in range(count)]
    return [at(i, point, loss(**space.resolve(point))) for i, point in enumerate(points)]


def bowl(x: float, n: int, act: str) -> float:
    return (x - 0.3) ** 2 + abs(n - 70) / 100 + 0.2 * (act == "relu")


def suggested(
    history: Sequence[TrialRecord], count: int, searcher: TPE | None = None, **branch: Any
) -> list[dict[str, Any]]:
    """SearcherAdapter after ``history``, each for itself."""
    tpe = searcher or TPE()
    branches = [branch_of(len(history) + i, **branch) for i in range(count)]
    return [one.space.resolve(tpe.suggest(one, history)) for one in branches]


def test_the_first_ones_are_drawn_at_random() -> None:
    history = drawn_history(bowl, 19)
    branch = branch_of(19)
    assert drawn(branch, branch.seed) == TPE().suggest(branch, history)
    assert drawn(branch, branch.seed) != TPE(n_startup=19).suggest(branch, history)
    assert TPE(seed=1).suggest(branch, []) != TPE(seed=2).suggest(branch, [])


def test_it_suggests_what_is_near_the_good_ones() -> None:
    found = suggested(drawn_history(bowl), 40)
    assert median(abs(params["x"] - 0.3) for params in found) < 0.15  # at random: 0.25
    assert median(abs(params["n"] - 70) for params in found) < 15  # at random: 26
    assert sum(params["act"] == "tanh" for params in found) > 28


def test_the_greatest_is_the_best_where_that_is_the_mode() -> None:
    history = drawn_history(lambda **params: -bowl(**params))
    assert suggested(drawn_history(bowl), 5) == suggested(history, 5, mode="max")
    assert suggested(drawn_history(bowl), 5) != suggested(history, 5)


def test_eight_that_are_asked_for_at_the_same_time_keep_apart() -> None:
    space = ab.Space(x=ab.uniform(0, 1))
    history = drawn_history(lambda x: abs(x - 0.5), space=space)
    tpe, points = TPE(random_share=0), []
    for number in range(60, 68):
        points.append(tpe.suggest(branch_of(number, space), history))
        history.append(at(number, points[-1], None, S.PENDING))
    assert 8 == len(set(points))
    # without knowing of each other they crowd together
    alone = [tpe.suggest(branch_of(number, space), history[:60]) for number in range(60, 68)]
    assert closest(points) > closest(alone)


def closest(points: list[tuple[float, ...]]) -> float:
    """How far each is from its nearest neighbour, in the middle."""
    return median(min(abs(a[0] - b[0]) for b in points if b is not a) for a in points)


def test_a_place_where_trials_run_or_failed_is_avoided() -> None:
    history = drawn_history(bowl)
    before = median(abs(params["x"] - 0.3) for params in suggested(history, 40))
    for state in (S.RUNNING, S.FAILED):
        crowd = [at(60 + i, (0.3 + i / 1_000, 70, 1), None, state) for i in range(40)]
        after = median(abs(params["x"] - 0.3) for params in suggested(history + crowd, 40))
        assert after > before


def test_it_learns_from_the_highest_rung_with_enough_trials() -> None:
    space = ab.Space(x=ab.uniform(0, 1))
    low = [_stopped(i, (i + 0.5) / 60, (i + 0.5) / 60) for i in range(60)]  # small x at rung 0
    high = [_stopped(60 + i, (i + 0.5) / 30, 0.5, 1 - (i + 0.5) / 30) for i in range(30)]
    assert median(params["x"] for params in suggested(low, 30, space=space)) < 0.3
    assert median(params["x"] for params in suggested(low + high, 30, space=space)) > 0.7


def test_tpe_suggests_near_the_trials_that_were_not_stopped() -> None:
    space = ab.Space(x=ab.uniform(0, 1))
    stopped = [_stopped(i, (i + 0.5) / 60, 0.9) for i in range(60)]
    survivors = [_stopped(60 + i, 0.2 + i / 200, 0.1, 0.1 + i / 200) for i in range(10)]
    found = suggested(stopped + survivors, 40, TPE(random_share=0), space=space)
    assert median(abs(params["x"] - 0.2) for params in found) < 0.2  # at random: 0.3


def test_some_are_drawn_at_random_all_the_same() -> None:
    history = drawn_history(bowl)
    for share, least, most in ((0.0, 0, 0), (0.25, 30, 70), (1.0, 200, 200)):
        tpe, branches = TPE(random_share=share), [branch_of(number) for number in range(60, 260)]
        same = [drawn(one, one.seed) == tpe.suggest(one, history) for one in branches]
        assert least <= sum(same) <= most


def _stopped(number: int, x: float, *metrics: float) -> TrialRecord:
    rungs = [RungRecord(k, 3**k, metric, 1, 1, None, "") for k, metric in enumerate(metrics)]
    return make_trial(number, S.STOPPED, metrics[-1], *rungs, point=(x,), params={})


def test_it_draws_at_random_where_nothing_succeeded() -> None:
    history = [at(i, (i / 60, 1, 0), None, S.FAILED) for i in range(60)]
    branch = branch_of(60)
    assert drawn(branch, branch.seed) == TPE().suggest(branch, history)


def test_a_level_1_configuration_learns_from_its_own_trials_only() -> None:
    space = ab.Space(side=ab.grid("left", "right"), x=ab.uniform(0, 1))
    tpe = TPE()
    for number, target in ((0, 0.1), (1, 0.9)):
        points = [drawn(branch_of(i, space, number=number), i) for i in range(60)]
        history = [at(i, point, abs(point[1] - target)) for i, point in enumerate(points)]
        found = suggested(history, 20, tpe, space=space, number=number)
        assert median(abs(params["x"] - target) for params in found) < 0.2


def test_hyperopt_gets_the_best_and_the_latest_of_many() -> None:
    losses = [(make_trial(i), float(i)) for i in range(3_000)]
    open_ones = [make_trial(3_000, S.RUNNING, None)]
    given = _selected(Outcomes(losses, [make_trial(3_001, S.FAILED, None)], open_ones))
    assert MAX_GIVEN == len(given) == len({trial.id for trial, _ in given})
    best = 100
    latest = MAX_GIVEN - best
    assert {*range(best), *range(3_002 - latest, 3_002)} == {trial.id for trial, _ in given}
    assert {3_000: math.inf, 3_001: math.inf} == {t.id: m for t, m in given if m == math.inf}


def test_it_is_the_same_for_the_same_seed_and_history() -> None:
    history = drawn_history(bowl)
    assert suggested(history, 3) == suggested(history, 3)
    assert suggested(history, 3, TPE(seed=1)) == suggested(history, 3, TPE(seed=1))
    assert suggested(history, 3, TPE(seed=1)) != suggested(history, 3, TPE(seed=2))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_startup": -1}, "n_startup must be a whole number of at least 0, got -1"),
        ({"n_startup": 2.5}, "n_startup must be a whole number of at least 0, got 2.5"),
        ({"n_candidates": 0}, "n_candidates must be a whole number of at least 1, got 0"),
        ({"gamma": 0}, "gamma must be a number above 0, got 0"),
        ({"gamma": math.nan}, "gamma must be a number above 0, got nan"),
        ({"prior_weight": "1"}, "prior_weight must be a number above 0, got '1'"),
        ({"random_share": 1.5}, "random_share must be a number from 0 to 1, got 1.5"),
        ({"seed": True}, "seed must be a whole number of at least 0, got True"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ab.InvalidArgument, match=words):
        TPE(**arguments)


def test_without_hyperopt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("asha_bus.searchers.tpe")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r"TPE needs hyperopt: pip install 'asha-bus\[hyperopt\]'"
    ):
        TPE()


def test_where_level_1_fixes_everything_there_is_nothing_to_model() -> None:
    space = ab.Space(x=ab.grid(1, 2)) + ab.Space(y=ab.uniform(0, 1))
    for number in range(2):
        branch = branch_of(number, space, number=number)
        assert space.draw_point(Random(0), number) == TPE(n_startup=0).suggest(branch, [])
