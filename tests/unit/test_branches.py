"""A sweep by its level-1 configurations."""

from __future__ import annotations

import math
from random import Random
from typing import Any

from support.results import make_result, make_trial

from asha_bus import Result, Space, TrialState, choice, grid, randint, uniform

SVM = Space(model="svm", kernel=grid("rbf", "poly"), C=uniform(0, 1), epochs=9)
grid_of_sizes = grid("small", "large")
TREE = Space(model="tree", depth=uniform(0, 8, q=1), epochs=9).sample(2, seed=3)


def of(space: Space, *trials: tuple[int, float | None], **fields: Any) -> Result:
    """The result of trials, each a branch and a metric."""
    made = []
    for number, (branch, metric) in enumerate(trials):
        point = space.draw_point(Random(number), branch)
        given = {"params": space.resolve(point), "point": point, **fields}
        made.append(make_trial(number, TrialState.COMPLETED, metric, **given))
    return make_result(*made, space=space)


def test_each_branch_has_its_best_trial() -> None:
    result = of(SVM + TREE, (0, 3.0), (1, 2.0), (3, 1.0), (0, 2.5), (1, math.nan))
    found = result.by_branch()
    assert [(0, 2, 2.5), (1, 2, 2.0), (3, 1, 1.0)] == [
        (one.number, one.trials, one.best_metric) for one in found
    ]
    assert result.best is found[2].best
    assert {"model": "svm", "kernel": "rbf", "epochs": 9} == found[0].fixed
    assert {"C": result.trials[3].params["C"]} == found[0].best_params
    assert result.trials[2].params == found[2].fixed  # all of it was sampled
    assert {} == found[2].best_params


def test_a_branch_without_a_usable_metric() -> None:
    [only] = of(SVM, (1, None)).by_branch()
    assert (None, None, {}) == (only.best, only.best_metric, only.best_params)


def test_the_table_shows_what_differs() -> None:
    lines = repr(of(SVM + TREE, (0, 3.0), (1, 0.123456789), (2, None)).by_branch()).splitlines()
    assert ["branch", "model", "kernel", "depth", "trials", "metric", "best", "params"] == (
        lines[0].split()
    )
    assert 5 == len(lines)
    assert ["1", "svm", "poly", "1", "0.123457"] == lines[3].split()[:5]
    assert lines[3].split()[5].startswith("C=0.")
    assert ["2", "tree"] == lines[4].split()[:2]


def test_a_space_without_level_1_is_one_branch() -> None:
    result = of(Space(x=uniform(0, 1), y=choice("a", None), n=3), (0, 2.0), (0, 1.0))
    [only] = result.by_branch()
    assert ({"n": 3}, 2, 1.0) == (only.fixed, only.trials, only.best_metric)
    assert ["branch", "n", "trials"] == repr(result.by_branch()).split()[:3]


def test_values_level_1_fixes_in_part_are_shown() -> None:
    space = Space(
        model=grid({"name": "svm", "C": uniform(0, 1)}, ("tree", grid_of_sizes)),
        net={"act": grid_of_sizes, "units": [randint(1, 3), 7]},
        seed=choice(1, 2),
    )
    found = of(space, (0, 1.0), (3, None)).by_branch()
    assert {
        "model": {"name": "svm", "C": space.parameters["model:0.C"]},
        "net": {"act": "small", "units": [space.parameters["net.units[0]"], 7]},
    } == found[0].fixed
    assert ("tree", "large") == found[1].fixed["model"]
    assert {"model", "net", "seed"} == set(found[0].best_params)
    lines = repr(found).splitlines()
    assert "{'name': 'svm', 'C': uniform(0.0, 1.0)}" in lines[2]
    assert "('tree', 'large')" in lines[3]


def test_a_text_of_several_lines_stays_in_its_row() -> None:
    result = of(Space(text=grid("one\ntwo", "three"), x=uniform(0, 1)), (0, 2.0), (1, 1.0))
    assert 4 == len(repr(result.by_branch()).splitlines())
    assert "one two" in repr(result.by_branch())
    assert 4 == len(repr(result.by_configuration()).splitlines())


def test_by_branch_of_a_run_without_trials() -> None:
    assert () == make_result().by_branch()
    assert "branch  trials  metric  best params" == repr(make_result().by_branch()).split("\n")[0]


def test_the_greatest_where_that_is_better() -> None:
    result = of(SVM, (0, 1.0), (0, 2.0))
    result.mode = "max"
    assert 2.0 == result.by_branch()[0].best_metric
