"""Samplers of Optuna as searchers: what their study is asked and told."""

from __future__ import annotations

import importlib
import math
from statistics import median
from typing import Any

import optuna
import pytest
from support.results import make_trial

import asha_bus as ab
from asha_bus.core.trial import RungRecord, TrialState
from asha_bus.results.records import TrialRecord
from asha_bus.searchers.axes import drawn
from asha_bus.searchers.base import Branch
from asha_bus.searchers.optuna import OptunaSearcher

S = TrialState
SPACE = ab.Space(x=ab.uniform(0, 1))
OPTUNA = optuna.trial.TrialState


def branch_of(trial: int, space: ab.Space = SPACE, mode: str = "min", number: int = 0) -> Branch:
    return Branch(number, space, mode, trial, seed=1_000 + trial)


class Watched(optuna.samplers.RandomSampler):
    """Keeps the study that it is asked about; a copy shares what it keeps."""

    def __init__(self) -> None:
        super().__init__(seed=1)
        self.studies: list[optuna.Study] = []

    def __deepcopy__(self, memo: object) -> Watched:
        return self

    def before_trial(self, study: optuna.Study, trial: Any) -> None:
        self.studies.append(study)

    @property
    def trials(self) -> list[Any]:
        """The study's, as it knows them."""
        return self.studies[-1].get_trials()


def trial(number: int, x: float, state: S, *metrics: float) -> TrialRecord:
    """One whose metrics are those at resources 1, 3, 9; of a completed one the last is the end."""
    at_rungs = metrics[:-1] if state is S.COMPLETED else metrics
    rungs = [RungRecord(k, 3**k, metric, 1, 1, None, "") for k, metric in enumerate(at_rungs)]
    metric = metrics[-1] if metrics else None
    return make_trial(number, state, metric, *rungs, point=(x,), params={})


def test_optuna_knows_each_trial_as_it_ended() -> None:
    sampler = Watched()
    history = [
        trial(0, 0.0, S.COMPLETED, 0.9, 0.8, 0.7),
        trial(1, 0.1, S.STOPPED, 0.6, 0.5),
        trial(2, 0.2, S.RUNNING, 0.4),
        trial(3, 0.3, S.PENDING),
        trial(4, 0.4, S.FAILED, 0.3),
        trial(5, 0.5, S.LOST),
        trial(6, 0.6, S.COMPLETED, math.nan),
        trial(7, 0.7, S.STOPPED, 0.2, math.inf),
        trial(8, 0.8, S.CANCELLED, 0.1),
        trial(9, 0.9, S.CANCELLED),
    ]
    OptunaSearcher(sampler).suggest(branch_of(10), history)
    known = sampler.trials
    assert [t / 10 for t in range(10)] == [one.params["x"] for one in known[:10]]
    running, fail, pruned = OPTUNA.RUNNING, OPTUNA.FAIL, OPTUNA.PRUNED
    expected = [OPTUNA.COMPLETE, pruned, running, running, fail, fail, fail, fail, pruned, fail]
    assert [*expected, running] == [one.state for one in known]
    assert (0.7, 0.5, 0.1) == tuple(known[i].value for i in (0, 1, 8))
    assert {1_000: 0.9, 3_000: 0.8} == known[0].intermediate_values
    assert {1_000: 0.4} == known[2].intermediate_values


def test_its_own_suggestions_are_recognized_and_updated_report_by_report() -> None:
    sampler = Watched()
    searcher = OptunaSearcher(sampler)
    point = searcher.suggest(branch_of(0), [])
    assert point is not None
    for record in (
        trial(0, point[0], S.PENDING),
        trial(0, point[0], S.RUNNING, 0.5),
        trial(0, point[0], S.RUNNING, 0.5, 0.4),
        trial(0, point[0], S.COMPLETED, 0.5, 0.4, 0.3),
        trial(0, point[0], S.COMPLETED, 0.5, 0.4, 0.3),
    ):
        searcher.suggest(branch_of(1), [record])
    first = sampler.trials[0]
    assert (point[0], 0.3) == (first.params["x"], first.value)
    assert {1_000: 0.5, 3_000: 0.4} == first.intermediate_values


def test_a_fallback_replaces_the_suggestion_in_the_study() -> None:
    sampler = Watched()
    searcher = OptunaSearcher(sampler)
    searcher.suggest(branch_of(0), [])
    searcher.suggest(branch_of(1), [trial(0, 0.125, S.COMPLETED, 0.5)])
    assert [OPTUNA.FAIL, OPTUNA.COMPLETE, OPTUNA.RUNNING] == [one.state for one in sampler.trials]
    assert 0.125 == sampler.trials[1].params["x"]


def test_the_direction_is_that_of_the_mode() -> None:
    for mode, direction in (("min", "MINIMIZE"), ("max", "MAXIMIZE")):
        sampler = Watched()
        OptunaSearcher(sampler).suggest(branch_of(0, mode=mode), [])
        assert direction == sampler.studies[0].direction.name


def test_parameters_have_their_own_distributions_where_optuna_has_them() -> None:
    space = ab.Space(
        real=ab.uniform(-1, 1),
        log=ab.loguniform(1e-3, 1),
        whole=ab.randint(1, 9, q=4),
        whole_log=ab.randint(1, 64, log=True),
        act=ab.choice("relu", "tanh"),
        size=ab.ordinal("s", "m", "l"),
        bell=ab.normal(0, 1),
        steps=ab.uniform(0.1, 1, q=0.2),
        steps_log=ab.loguniform(1, 100, q=3),
        model=ab.choice({"depth": ab.randint(1, 3)}, {"rate": ab.uniform(0, 1)}),
    )
    sampler = Watched()
    point = OptunaSearcher(sampler).suggest(branch_of(0, space), [])
    assert point is not None
    params = space.resolve(point)
    asked = sampler.trials[0]
    floats, ints = optuna.distributions.FloatDistribution, optuna.distributions.IntDistribution
    expected = {
        "real": floats(-1, 1),
        "log": floats(1e-3, 1, log=True),
        "whole": ints(1, 9, step=4),
        "whole_log": ints(1, 64, log=True),
        "act": optuna.distributions.CategoricalDistribution((0, 1)),
        "size": ints(0, 2),
        "bell": floats(0, 1),
        "steps": floats(0.1, 0.9, step=0.2),
        "steps_log": floats(0, 1),
        "model": optuna.distributions.CategoricalDistribution((0, 1)),
    }
    inner = "model:0.depth" if "depth" in params["model"] else "model:1.rate"
    assert {*expected, inner} == set(asked.distributions)
    assert expected == {name: asked.distributions[name] for name in expected}
    assert params["real"] == asked.params["real"]
    assert params["act"] == ("relu", "tanh")[asked.params["act"]]


@pytest.mark.filterwarnings("ignore:BruteForceSampler is experimental")
def test_a_sampler_that_goes_through_a_list_tries_each_step_of_a_range() -> None:
    space = ab.Space(x=ab.uniform(0.1, 1, q=0.2), n=ab.uniform(0, 4, q=2))
    searcher = OptunaSearcher(optuna.samplers.BruteForceSampler(seed=1))
    history: list[ab.TrialRecord] = []
    while (point := searcher.suggest(branch_of(len(history), space), history)) is not None:
        assert point == space.checked(point, 0)
        history.append(make_trial(len(history), S.COMPLETED, 0.5, point=point))
        assert len(history) <= 15
    steps = {0.1, 0.3, 0.5, 0.7, 0.9}
    assert {(x, n) for x in steps for n in (0, 2, 4)} == {trial.point for trial in history}


def test_the_default_learns_and_depends_on_seed_and_history_alone() -> None:
    history = [
        trial(i, point[0], S.COMPLETED, abs(point[0] - 0.3))
        for i in range(30)
        for point in [drawn(branch_of(i), i)]
    ]

    def found() -> list[float]:
        searcher, points = OptunaSearcher(), []
        for number in range(30, 50):
            point = searcher.suggest(branch_of(number), history)
            assert point is not None
            points.append(point[0])
        return points

    assert median(abs(x - 0.3) for x in found()) < 0.15  # at random: 0.25
    assert found() == found()
    assert 20 == len(set(found()))


def test_a_sampler_with_a_seed_keeps_it_and_each_level_1_configuration_has_a_copy() -> None:
    space = ab.Space(fold=ab.grid(1, 2), x=ab.uniform(0, 1))
    searcher = OptunaSearcher(optuna.samplers.RandomSampler(seed=3))
    first, second = (searcher.suggest(branch_of(n, space, number=n), []) for n in (0, 1))
    assert first is not None
    assert second is not None
    assert first[1] == second[1]
    assert first[1] != (searcher.suggest(branch_of(2, space), []) or (0, first[1]))[1]


def test_a_sampler_that_has_no_more_ends_it() -> None:
    searcher = OptunaSearcher(optuna.samplers.GridSampler({"x": [0.25, 0.5]}, seed=0))
    history: list[TrialRecord] = []
    for number in range(2):
        point = searcher.suggest(branch_of(number), history)
        assert point is not None
        history.append(trial(number, point[0], S.COMPLETED, 0.5))
    assert [0.25, 0.5] == sorted(record.point[0] for record in history)
    assert searcher.suggest(branch_of(2), history) is None


def test_a_sampler_that_never_meets_the_condition_is_replaced_by_a_draw() -> None:
    space = ab.Space(x=ab.uniform(0, 1)).where(lambda x: x > 0.5)
    stubborn = optuna.samplers.GridSampler({"x": [0.25]}, seed=0)
    point = OptunaSearcher(stubborn).suggest(branch_of(0, space), [])
    assert point is not None
    assert point[0] > 0.5


@pytest.mark.parametrize("sampler", [3, "tpe", optuna.samplers.TPESampler, object()])
def test_an_object_that_is_not_a_sampler_is_refused(sampler: Any) -> None:
    with pytest.raises(ab.InvalidArgument, match="sampler must be a sampler of Optuna"):
        OptunaSearcher(sampler)


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("asha_bus.searchers.optuna")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs Optuna: pip install 'asha-bus\[optuna\]'"):
        OptunaSearcher()
