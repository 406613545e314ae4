"""Searchers that learn, in their own process beside real runs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import objectives, searchers
from support.processes import children_of, unreaped_of, wait_until

import asha_bus as ab
from asha_bus.driver import searcher_process
from asha_bus.searchers.adapter import Search, SearcherAdapter

SPACE = ab.Space(x=ab.uniform(0, 1), act=ab.choice("relu", "tanh"))
ASHA = ab.ASHA(max_resource=9)

#: The command line of a searcher's process has it.
PROCESS = searcher_process.__name__
#: Those of a searcher, a bus and a worker have it.
OURS = "asha_bus."


def run(
    searcher: Any,
    objective: Any = objectives.tilted,
    space: Any = SPACE,
    launch: Any = ab.launch,
    **arguments: Any,
):
    """Launch on two local workers, quietly."""
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7, "scheduler": ASHA}
    return launch(objective, space, searcher=searcher, **{**settings, **arguments})


@pytest.mark.parametrize(
    "searcher",
    [ab.TPE(n_startup=10), ab.OptunaSearcher(), searchers.Nearby()],
    ids=lambda searcher: type(searcher).__name__,
)
def test_trials_have_the_points_the_searcher_suggests(searcher: Any) -> None:
    result = run(searcher, max_trials=60)
    assert ("max_trials", 60) == (result.reason, len(result.trials))
    assert 0 == result.bus.fallbacks
    assert {"relu", "tanh"} == {trial.params["act"] for trial in result.trials}
    told = SearcherAdapter(Search(searcher, SPACE, 7, "min"))
    assert not {trial.point for trial in result.trials} & {told.fallback(n) for n in range(60)}


def test_it_knows_what_came_of_its_suggestions() -> None:
    result = run(searchers.Counts(), max_trials=60)
    known = [1_000 * trial.params["x"] for trial in result.trials]
    assert sorted(known) == known
    # it is asked when a trial is given out: those that run then, and the one asked for
    assert all(number - 5 <= ended <= number for number, ended in enumerate(known))


def test_trials_of_50_ms_a_step_are_tpes_own() -> None:
    def steady(x: float, act: str) -> Iterator[float]:
        for step in range(1, 4):
            time.sleep(0.05)
            yield abs(x - 0.2) + 1 / step

    result = run(ab.TPE(n_startup=5), steady, scheduler=ab.ASHA(max_resource=3), max_trials=40)
    assert 0 == result.bus.fallbacks
    # the same searcher, told the same in the same order, would have suggested each of them
    told = SearcherAdapter(Search(ab.TPE(n_startup=5), SPACE, 7, "min"))
    drawn = [told.fallback(trial.id) for trial in result.trials]
    assert not {trial.point for trial in result.trials} & set(drawn)


def test_another_process_takes_the_place_of_one_that_is_killed() -> None:
    run_ = run(searchers.Counts(), objectives.slow_slope_of, max_trials=60, launch=ab.start)
    wait_until(lambda: run_.status()["states"]["STOPPED"] >= 15)
    [searcher] = children_of(os.getpid(), PROCESS)
    os.kill(searcher, signal.SIGKILL)
    wait_until(lambda: children_of(os.getpid(), PROCESS) not in ([searcher], []))
    result = run_.result()
    assert ("max_trials", 60) == (result.reason, len(result.trials))
    assert 0 == result.bus.fallbacks
    assert result.trials[-1].params["x"] >= 0.055  # it knew what the one before had been told
    wait_until(lambda: not children_of(os.getpid(), PROCESS))


def test_a_slow_searcher_is_replaced_by_random_draws_that_are_counted() -> None:
    bus = ab.BusOptions(suggest_timeout_s=0.2)
    result = run(searchers.Drowsy(), max_trials=20, bus=bus, workers=1)
    assert ("max_trials", 20) == (result.reason, len(result.trials))
    own = [trial for trial in result.trials if trial.params["x"] == 0.5]
    assert 0 < result.bus.fallbacks == 20 - len(own)
    assert result.bus.suggest_waits >= result.bus.fallbacks


def test_an_exhausted_searcher_ends_the_run() -> None:
    result = run(searchers.Few(), max_trials=50)
    assert ("exhausted", 7) == (result.reason, len(result.trials))
    assert [number / 7 for number in range(7)] == [trial.params["x"] for trial in result.trials]


def test_a_searcher_that_raises_ends_the_run_with_its_results_so_far() -> None:
    result = run(searchers.Fails(), max_trials=50)
    assert "failed" == result.reason
    words = "suggest() of Fails for trial 20 raised ArithmeticError: no more ideas; it must"
    assert words in result.message
    assert words in repr(result)
    assert 0 < len(result.trials) <= 20
    assert not children_of(os.getpid(), OURS)


def test_an_observe_that_raises_ends_the_run_with_what_there_is() -> None:
    result = run(searchers.Deaf(), max_trials=50)
    assert "failed" == result.reason
    assert "observe() of Deaf for trial 0 raised ValueError: cannot hear" in result.message
    assert 0 < len(result.trials) < 50
    assert not children_of(os.getpid(), OURS)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"y": 0.5},
            "suggest.. of Says returned a configuration outside the space: the space has no 'y'",
        ),
        ({"x": 2, "act": "tanh"}, "outside the space: x: 2.0 is outside 0 to 1; give a value"),
        (ArithmeticError, "suggest.. of Says for trial 0 raised ArithmeticError: .*; it m"),
        (SystemExit, "suggest.. of Says for trial 0 raised SystemExit: "),
    ],
)
def test_an_invalid_first_suggestion_leaves_no_process(given: Any, words: str) -> None:
    with pytest.raises(ab.SearcherError, match=words):
        run(searchers.Says(given), max_trials=5)
    assert not children_of(os.getpid(), OURS)


@pytest.mark.slow
def test_one_that_ends_its_process_again_and_again_is_given_up() -> None:
    before = unreaped_of(os.getpid())
    with pytest.raises(ab.SearcherError, match="ended with status 3, 6 times in a row .*: it was"):
        run(searchers.Dies(), max_trials=5)
    assert not children_of(os.getpid(), OURS)
    assert set(unreaped_of(os.getpid())) <= set(before)


def test_one_that_dies_again_and_again_after_some_progress_ends_nothing() -> None:
    result = run(searchers.DiesEveryThird(), max_trials=40)
    assert ("max_trials", 40) == (result.reason, len(result.trials))
    assert not children_of(os.getpid(), OURS)


def test_a_condition_that_holds_of_no_draw_ends_the_run_with_what_there_is() -> None:
    space = ab.Space(x=ab.uniform(0, 1), n=ab.grid(range(1_200)))
    narrow = space.where(lambda x, n: n < 1_100)
    result = run(ab.RandomSearch(), lambda x, n: x, narrow, scheduler=None, max_trials=1_200)
    assert "failed" == result.reason
    assert "no draw is possible for trial 1100: where(): " in result.message
    assert "was true for none of 1000 draws" in result.message
    assert 0 < len(result.trials) <= 1_100


def test_a_searcher_that_cannot_be_pickled_is_refused_at_launch() -> None:
    searcher = searchers.Nearby()
    searcher.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(ab.SearcherError, match="make what it holds when suggest.. is first called"):
        run(searcher, max_trials=5)


def test_a_resumed_run_keeps_its_history(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    first = run(searchers.Counts(), max_trials=40, journal=journal)
    result = run(searchers.Counts(), max_trials=60, journal=journal, resume=True)
    assert ("max_trials", 60) == (result.reason, len(result.trials))
    assert [t.params for t in first.trials] == [t.params for t in result.trials[:40]]
    assert all(trial.params["x"] >= 0.04 for trial in result.trials[43:])


@pytest.mark.parametrize("searcher", [ab.TPE(n_startup=10), ab.OptunaSearcher()])
def test_tpe_and_optuna_continue_a_resumed_run(searcher: Any, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    first = run(searcher, max_trials=30, journal=journal)
    result = run(searcher, max_trials=40, journal=journal, resume=True)
    assert ("max_trials", 40, 0) == (result.reason, len(result.trials), result.bus.fallbacks)
    assert [t.params for t in first.trials] == [t.params for t in result.trials[:30]]


def test_a_run_resumed_without_a_seed_draws_what_it_would_have_drawn(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    whole = run(ab.RandomSearch(), max_trials=20)
    run(ab.RandomSearch(), max_trials=10, journal=journal)
    result = run(ab.RandomSearch(), max_trials=20, journal=journal, resume=True, seed=None)
    assert [t.params for t in whole.trials] == [t.params for t in result.trials]


def test_a_searcher_that_cannot_be_unpickled_is_an_error() -> None:
    with pytest.raises(ab.SearcherError, match="cannot be read in its own process: .*elsewhere"):
        run(searchers.Unreadable(), max_trials=5)


def test_no_point_is_tried_twice_if_the_searcher_is_too_slow() -> None:
    space = ab.Space(x=ab.randint(1, 6), act=ab.choice("relu", "tanh"))
    bus = ab.BusOptions(suggest_timeout_s=0.05)
    result = run(searchers.OneOnly(), objectives.tilted, space, unique=True, max_time=60, bus=bus)
    assert ("exhausted", 12) == (result.reason, len({trial.point for trial in result.trials}))
    assert 12 == len(result.trials)
    assert result.bus.fallbacks > 0


def test_a_union_may_have_members_that_leave_nothing_to_the_searcher() -> None:
    space = ab.Space(x=ab.uniform(0, 1), act="relu") + ab.Space(x=0.5, act=ab.grid("tanh", "elu"))
    result = run(ab.TPE(n_startup=2), objectives.tilted, space, max_trials=15)
    assert ("max_trials", "") == (result.reason, result.message)
    assert [5, 5, 5] == [branch.trials for branch in result.by_branch()]
