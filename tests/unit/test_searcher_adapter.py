"""From a searcher to points: one for each trial, checked, never two for one."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pandas
import pytest
from support.plans import plan_for
from support.results import make_result, make_trial

import asha_bus as ab
from asha_bus.core.trial import RungRecord, Trial, TrialState
from asha_bus.searchers import Branch
from asha_bus.searchers.adapter import Search, SearcherAdapter

SPACE = ab.Space(x=ab.uniform(0, 1), act=ab.choice("relu", "tanh"))


class Steps:
    """Suggests x = 0.01 times the trial's number; no base class."""

    def __init__(self) -> None:
        self.asked: list[tuple[Branch, list[Any]]] = []
        self.observed: list[Any] = []

    def suggest(self, branch: Branch, history: Sequence[ab.TrialRecord]) -> Mapping[str, Any]:
        self.asked.append((branch, list(history)))
        return {"x": branch.trial * 0.01, "act": "tanh"}

    def observe(self, trial: ab.TrialRecord) -> None:
        self.observed.append(trial)


class Says:
    """Suggests whatever it is made with; a function is called."""

    def __init__(self, what: Any) -> None:
        self.what = what

    def suggest(self, branch: Branch, history: Sequence[ab.TrialRecord]) -> Any:
        return self.what(branch, history) if callable(self.what) else self.what


def suggestions(searcher: Any, space: ab.Space = SPACE, **search: Any) -> SearcherAdapter:
    return SearcherAdapter(Search(searcher, space, 7, "min", **search))


def row(number: int, point: tuple[float, ...], metric: float | None, **fields: Any) -> Any:
    """A trial as the bus tells it."""
    rungs = [] if metric is None else [RungRecord(0, 1, metric, 1, 1, metric, "continue")]
    given = {"state": TrialState.RUNNING, "attempt": 1, "metric": metric, "rungs": rungs}
    return Trial(number, point, 1, **{**given, **fields}).to_row()


def test_the_same_number_gets_the_same_point_however_often_it_is_asked_for() -> None:
    searcher = Steps()
    given = suggestions(searcher)
    assert ([(0.0, 1), (0.01, 1)], False) == given.points(0, 2)
    assert ([(0.01, 1), (0.02, 1)], False) == given.points(1, 2)
    assert [0, 1, 2] == [branch.trial for branch, _ in searcher.asked]


def test_the_history_has_what_was_suggested_and_what_came_of_it() -> None:
    searcher = Steps()
    given = suggestions(searcher)
    given.points(0, 2)
    given.observe(row(0, (0.0, 1), 0.5))
    given.points(2, 1)
    history = searcher.asked[-1][1]
    assert [(0, 0.5), (1, None)] == [(trial.id, trial.metric) for trial in history]
    assert TrialState.PENDING == history[1].state
    assert {"x": 0.01, "act": "tanh"} == history[1].params
    assert [0] == [trial.id for trial in searcher.observed]


def test_repeated_updates_are_observed_once() -> None:
    searcher = Steps()
    given = suggestions(searcher)
    for _ in range(2):
        given.observe(row(0, (0.5, 0), 0.5))
    assert 1 == len(searcher.observed)
    assert ([(0.5, 0)], False) == given.points(0, 1)  # of a run that is resumed
    assert [] == searcher.asked


def test_each_level_1_configuration_has_a_history_of_its_own() -> None:
    seen: list[tuple[int, int]] = []

    def suggest(branch: Branch, history: Sequence[ab.TrialRecord]) -> Mapping[str, Any]:
        seen.append((branch.number, len(history)))
        return {"x": 0}

    space = ab.Space(model=ab.grid("tree", "net"), x=ab.uniform(0, 1))
    points, _ = suggestions(Says(suggest), space).points(0, 6)
    assert [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)] == seen
    assert ["tree", "net"] * 3 == [space.resolve(point)["model"] for point in points]


def test_the_seed_of_a_suggestion_depends_on_the_run_and_the_trial_alone() -> None:
    first, again = Steps(), Steps()
    suggestions(first).points(0, 5)
    suggestions(again).points(4, 1)
    assert first.asked[4][0].seed == again.asked[0][0].seed
    assert 5 == len({branch.seed for branch, _ in first.asked})


def test_none_means_that_there_are_no_more() -> None:
    searcher = Says(lambda branch, history: {"x": 0, "act": "relu"} if branch.trial < 2 else None)
    given = suggestions(searcher)
    assert (2, True) == (len(given.points(0, 5)[0]), given.points(0, 5)[1])
    assert ([], True) == given.points(3, 1)


def _raises(branch: Branch, history: Any) -> Any:
    raise ZeroDivisionError("no history yet")


def _exits(branch: Branch, history: Any) -> Any:
    sys.exit(3)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (
            _raises,
            r"suggest\(\) of Says for trial 0 raised ZeroDivisionError: no history yet; it "
            r"must return a dict of parameters, or None to end the run:\nTraceback",
        ),
        (_exits, r"for trial 0 raised SystemExit: 3; it must return a dict of parameters"),
        ([0.5], r"suggest.. of Says must return a dict of parameters.* got \[0.5\]"),
        ({"x": 0.5}, "returned a configuration outside the space: act is missing; give it a value"),
        (
            {"x": 0.5, "act": "relu", "lr": 1},
            "outside the space: the space has no 'lr' .*; remove it",
        ),
        ({"x": 1.5, "act": "relu"}, "outside the space: x: 1.5 is outside 0 to 1; give a value"),
        ({"x": float("nan"), "act": "relu"}, "returned a configuration outside the space.*x"),
        ({"x": 0.5, "act": "gelu"}, "returned a configuration outside the space.*act.*gelu"),
    ],
)
def test_a_wrong_suggestion_is_reported(what: Any, words: str) -> None:
    with pytest.raises(ab.SearcherError, match=words):
        suggestions(Says(what)).points(0, 1)


def test_an_observe_that_raises_is_reported() -> None:
    class Deaf(Steps):
        def observe(self, trial: ab.TrialRecord) -> None:
            raise ValueError("cannot hear")

    with pytest.raises(
        ab.SearcherError,
        match=r"observe\(\) of Deaf for trial 0 raised ValueError: cannot hear; fix it, or",
    ):
        suggestions(Deaf()).observe(row(0, (0.5, 0), 0.5))


def test_a_condition_that_no_draw_meets_is_reported_for_its_trial() -> None:
    # the definition tries the first level-1 configurations, and not the last ones
    space = ab.Space(x=ab.uniform(0, 1), n=ab.grid(range(2_000))).where(lambda x, n: n < 1_500)
    words = "no draw is possible for trial 1500: where.*was true for none of 1000 draws.*; relax it"
    given = suggestions(ab.RandomSearch(), space)
    assert 1_500 == len(given.points(0, 1_500)[0])
    with pytest.raises(ab.SearcherError, match=words):
        given.points(1_500, 1)
    with pytest.raises(ab.SearcherError, match=words):
        given.fallback(1_500)


# --- initial and unique ------------------------------------------------------


def test_initial_configurations_come_first() -> None:
    initial = (SPACE.point_of({"x": 0.25, "act": "relu"}), SPACE.point_of({"x": 1, "act": "tanh"}))
    for searcher in (ab.RandomSearch(), Steps()):
        points, _ = suggestions(searcher, initial=initial).points(0, 4)
        assert list(initial) == points[:2]
    plain, _ = suggestions(ab.RandomSearch()).points(0, 4)
    assert plain[2:] == suggestions(ab.RandomSearch(), initial=initial).points(2, 2)[0]


def test_a_finite_space_begins_with_them_and_runs_each_point_once() -> None:
    space = ab.Space(a=ab.grid(0, 1, 2), b=ab.grid("x", "y"))
    initial = tuple(space.point_of(p) for p in ({"a": 1, "b": "y"}, {"a": 0, "b": "y"}))
    points, _ = suggestions(ab.RandomSearch(), space, initial=initial).points(0, 6)
    assert list(initial) == points[:2]
    assert {space.branch_of(point) for point in points} == set(range(6))


@pytest.mark.parametrize("unique", [False, True])
def test_a_repeated_initial_point_replaces_no_other_in_a_finite_space(unique: bool) -> None:
    space = ab.Space(a=ab.grid(0, 1, 2))
    plan = plan_for(lambda a: a, space, initial=[{"a": 2}, {"a": 2}], unique=unique)
    assert [(2,), (0,), (1,)] == SearcherAdapter(plan.search).points(0, 3)[0]


def test_no_searcher_is_asked_where_level_1_fixes_everything() -> None:
    searcher = Says(lambda branch, history: {"x": 0.5} if branch.number == 0 else 1 / 0)
    space = ab.Space(x=ab.uniform(0, 1)) + {"model": "baseline"} + {"model": ab.grid("a", "b")}
    points, _ = suggestions(searcher, space).points(0, 5)
    assert [(0, 0.5), (1,), (2, 0), (2, 1), (0, 0.5)] == points


# --- in place of a searcher that takes too long ------------------------------


def test_a_fallback_is_an_initial_point_or_a_level_1_configuration_or_a_draw() -> None:
    initial = (SPACE.point_of({"x": 0.25, "act": "relu"}),)
    given = suggestions(Says(None), initial=initial)
    drawn = ab.RandomSearch().draw(SPACE, 1, 7)
    assert (initial[0], drawn) == (given.fallback(0), given.fallback(1))
    grid = ab.Space(a=ab.grid(0, 1, 2))
    assert [2, 0, 1] == [
        point[0]
        for number in range(3)
        if (point := suggestions(Says(None), grid, initial=((2,),)).fallback(number)) is not None
    ]


def test_a_fallback_stands_whatever_the_searcher_suggests_later() -> None:
    here, there = (suggestions(Steps(), unique=True) for _ in range(2))
    fallback = here.fallback(0)
    assert fallback is not None
    (late,), _ = there.points(0, 1)
    assert late != fallback
    assert fallback == here.accept(0, late)
    there.give(0, fallback)
    assert ([fallback], False) == there.points(0, 1)
    assert late == here.accept(1, late)  # it is free again


def test_unique_also_holds_for_fallbacks_and_unreported_points() -> None:
    space = ab.Space(n=ab.randint(1, 4))
    given = suggestions(Says({"n": 1}), space, unique=True)
    fallbacks = [given.fallback(number) for number in range(2)]
    others = [given.accept(number, (1,)) for number in range(2, 4)]
    assert {(1,), (2,), (3,), (4,)} == {*fallbacks, *others}
    assert given.accept(4, (1,)) is given.fallback(4) is None


def test_a_suggestion_that_a_fallback_replaced_may_be_made_again() -> None:
    space = ab.Space(n=ab.randint(1, 3))
    given = suggestions(Says({"n": 1}), space, unique=True)
    given.points(0, 1)
    given.give(0, (2,))
    assert [(2,), (1,), (3,)] == given.points(0, 3)[0]


@pytest.mark.parametrize("searcher", [ab.RandomSearch(), Says({"n": 1})])
def test_unique_points_are_never_given_twice_and_have_an_end(searcher: Any) -> None:
    space = ab.Space(n=ab.randint(1, 3))
    points, is_last = suggestions(searcher, space, unique=True).points(0, 6)
    assert {(1,), (2,), (3,)} == set(points)
    assert (3, True) == (len(points), is_last)


def test_unique_draws_are_the_same_in_any_order_and_after_a_resume() -> None:
    space = ab.Space(n=ab.randint(1, 50))
    all_of_them, _ = suggestions(ab.RandomSearch(), space, unique=True).points(0, 40)
    later, _ = suggestions(ab.RandomSearch(), space, unique=True).points(30, 10)
    assert all_of_them[30:] == later
    assert 40 == len(set(all_of_them))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"x": 0.5}, "initial must be a list of configurations"),
        ([{"x": 0.5}], r"initial\[0\]: .*act"),
        ([{"x": 0.5, "act": "relu"}, {"x": 2, "act": "relu"}], r"initial\[1\]: .*x.*2"),
    ],
)
def test_a_wrong_initial_configuration_is_named(given: Any, words: str) -> None:
    with pytest.raises(ab.InvalidArgument, match=words):
        plan_for(lambda x, act: x, SPACE, max_trials=5, initial=given)


# --- history -----------------------------------------------------------------


def past(*metrics: float) -> ab.Result:
    trials = [
        make_trial(number, params={"x": 0.1 * number, "act": "relu"}, metric=metric)
        for number, metric in enumerate(metrics)
    ]
    return make_result(*trials)


def test_a_searcher_begins_with_what_came_of_earlier_runs() -> None:
    searcher = Steps()
    plan = plan_for(
        lambda x, act: x, SPACE, searcher=searcher, max_trials=5, history=past(0.5, 0.4)
    )
    given = SearcherAdapter(plan.search)
    given.points(0, 2)
    assert [[-2, -1], [-2, -1, 0]] == [[t.id for t in history] for _, history in searcher.asked]
    assert [0.5, 0.4] == [trial.metric for trial in searcher.asked[0][1]]


def test_a_table_of_a_result_serves_as_history() -> None:
    searcher = Steps()
    table = past(0.5, 0.4).to_pandas()
    plan = plan_for(lambda x, act: x, SPACE, searcher=searcher, max_trials=5, history=table)
    assert [(0.0, 0.5), (0.1, 0.4)] == [(trial.params["x"], trial.metric) for trial in plan.history]
    bare = table[["params.x", "params.act", "metric"]]
    plan = plan_for(lambda x, act: x, SPACE, searcher=searcher, max_trials=5, history=bare)
    assert [0.5, 0.4] == [trial.metric for trial in plan.history]


def test_history_that_does_not_fit_is_left_out_and_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mixed = past(0.5, 0.4, 0.3)
    mixed.trials[1].params["x"] = 7.0
    plan = plan_for(lambda x, act: x, SPACE, searcher=Steps(), max_trials=5, history=mixed)
    assert [0.5, 0.3] == [trial.metric for trial in plan.history]
    assert "1 of 3 trials of history do not fit into the space: x" in caplog.text


@pytest.mark.parametrize(
    ("searcher", "history", "words"),
    [
        (None, past(0.5), "history is for a searcher that learns"),
        (Steps(), [0.5], "history must be a Result"),
        (Steps(), pandas.DataFrame({"x": [1]}), "history needs a column 'metric'"),
        (
            Steps(),
            pandas.DataFrame({"params.lr": [1], "metric": [2]}),
            "history has no trial that fits into the space",
        ),
    ],
)
def test_a_history_that_cannot_be_used_is_reported(searcher: Any, history: Any, words: str) -> None:
    with pytest.raises(ab.InvalidArgument, match=words):
        plan_for(lambda x, act: x, SPACE, searcher=searcher, max_trials=5, history=history)


# --- repeats -------------------------------------------------------------------


def test_repeats_are_known_by_their_configuration() -> None:
    searcher = Steps()
    given = suggestions(searcher, repeats=3)
    points, _ = given.points(0, 2)
    given.observe(row(1, points[0], 0.5, repeat=1))
    given.observe(row(3, points[1], 0.25))
    given.points(2, 1)
    branch, history = searcher.asked[-1]
    assert 6 == branch.trial
    assert [(0, None), (1, 0.5), (3, 0.25)] == [(trial.id, trial.metric) for trial in history]
    assert [0, 0, 3] == [trial.configuration for trial in history]


def test_a_searcher_that_was_killed_gets_repeats_again() -> None:
    searcher = Steps()
    given = suggestions(searcher, repeats=2)
    given.give(0, (0.5, 0))
    given.give(1, (0.25, 1))
    given.observe(row(1, (0.5, 0), 0.5, repeat=1))
    assert ([(0.5, 0), (0.25, 1)], False) == given.points(0, 2)
    given.points(2, 1)
    assert [0, 1, 2] == [trial.id for trial in searcher.asked[-1][1]]


@pytest.mark.parametrize("searcher", [ab.RandomSearch(), Steps()])
def test_repeats_change_no_configuration(searcher: Any) -> None:
    once, thrice = (suggestions(searcher, repeats=repeats).points(0, 5) for repeats in (1, 3))
    if isinstance(searcher, ab.RandomSearch):
        assert once == thrice
    else:
        assert [branch.seed for branch, _ in searcher.asked[:5]] == [
            branch.seed for branch, _ in searcher.asked[5:]
        ]


def test_level_1_takes_turns_by_configuration() -> None:
    space = ab.Space(model=ab.grid("tree", "net"), x=ab.uniform(0, 1))
    points, _ = suggestions(ab.RandomSearch(), space, repeats=3).points(0, 4)
    assert ["tree", "net"] * 2 == [space.resolve(point)["model"] for point in points]


def test_unique_configurations_may_be_repeated() -> None:
    space = ab.Space(x=ab.choice(1, 2, 3))
    points, is_last = suggestions(ab.RandomSearch(), space, unique=True, repeats=2).points(0, 9)
    assert is_last
    assert [0, 1, 2] == sorted(point[0] for point in points)
