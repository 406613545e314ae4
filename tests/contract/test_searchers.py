"""Our own searchers, and some that a user might write, keep the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import optuna
import pytest

import asha_bus as ab
from asha_bus.testing import SearcherContract


class TestRandomSearch(SearcherContract):
    def make(self) -> Any:
        return ab.RandomSearch()


class TestTPE(SearcherContract):
    def make(self) -> Any:
        return ab.TPE(n_startup=5)


class TestTPEWithASeedOfItsOwn(SearcherContract):
    trials = 15

    def make(self) -> Any:
        return ab.TPE(n_startup=5, seed=3)


class TestOptuna(SearcherContract):
    def make(self) -> Any:
        return ab.OptunaSearcher()


class TestAnySamplerOfOptuna(SearcherContract):
    trials = 15

    def make(self) -> Any:
        return ab.OptunaSearcher(optuna.samplers.NSGAIISampler(population_size=4, seed=1))


class Nearby:
    """A user's own, without a base class and without observe: near the best one so far."""

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> Any:
        random = Random(branch.seed)
        done = [t for t in history if t.metric is not None and t.metric == t.metric]
        if done and random.random() < 0.3:
            sign = 1 if branch.mode == "min" else -1
            return min(done, key=lambda trial: sign * (trial.metric or 0)).point
        return branch.space.draw_point(random, branch.number)


class TestAnObjectOfTheUsers(SearcherContract):
    def make(self) -> Any:
        return Nearby()


class Outside:
    """Suggests what is in few spaces."""

    def suggest(
        self, branch: ab.Branch, history: Sequence[ab.TrialRecord]
    ) -> Mapping[str, Any] | None:
        return {"x": 0.5}


class Moody:
    """Suggests what depends on how often it was asked, wherever."""

    asked = 0

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> Any:
        Moody.asked += 1
        return branch.space.draw_point(Random(Moody.asked), branch.number)


class Fragile(Nearby):
    """Breaks where a trial has no metric, and cannot be pickled."""

    def __init__(self) -> None:
        self.lines = (line for line in [""])

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> Any:
        for trial in history:
            if trial.state is ab.TrialState.FAILED:
                assert trial.metric is not None
        return super().suggest(branch, history)


class Silent:
    """Has no suggestion at all."""

    def suggest(self, branch: ab.Branch, history: Sequence[ab.TrialRecord]) -> None:
        return None


class TestASearcherForOneSpace(SearcherContract):
    spaces = {"x alone": ab.Space(x=ab.uniform(0, 1))}  # noqa: RUF012 - as users write it

    def make(self) -> Any:
        return Outside()


@pytest.mark.parametrize(
    ("make", "broken", "words"),
    [
        (Outside, "test_suggestions_are_in_the_space", "outside the space"),
        (Moody, "test_the_same_seed_and_history_give_the_same", "the second run differs"),
        (Fragile, "test_whatever_becomes_of_trials_it_goes_on", "AssertionError"),
        (Fragile, "test_it_can_be_sent_to_its_process", "pickle"),
        (Silent, "test_it_goes_on_where_nothing_succeeds", "the searcher suggested nothing"),
    ],
)
def test_the_contract_finds_what_is_wrong(make: Any, broken: str, words: str) -> None:
    class Broken(SearcherContract):
        def make(self) -> Any:
            return make()

    with pytest.raises((AssertionError, TypeError, ab.SearcherError), match=words):
        getattr(Broken(), broken)()
