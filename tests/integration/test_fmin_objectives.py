"""What fmin gives an objective, beside hyperopt itself; and what becomes of one that fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hyperopt
import pytest
from hyperopt import hp, rand
from hyperopt.pyll import scope
from support import searchers
from support.fmin_objectives import Unpicklable, WritesThenFails, tells

import asha_bus as ab

_RATE = hp.uniform("rate", 0, 1)

#: The label ``rate`` stands in two options: hyperopt takes it where it is one expression.
UNION = hp.choice(
    "model",
    [
        {"kind": "svm", "rate": _RATE, "C": hp.lognormal("C", 0, 1)},
        {"kind": "forest", "rate": _RATE, "depth": hp.randint("depth", 1, 9)},
    ],
)

WHOLE = {
    "quniform": hp.quniform("d", 1, 10, 1),
    "int": scope.int(hp.quniform("i", 1, 10, 1)),
    "uniformint": hp.uniformint("u", 1, 10),
    "randint": hp.randint("r", 6),
    "randint of two": hp.randint("s", 3, 9),
}


def run(fn: Any, space: Any, trials: ab.Trials, **arguments: Any) -> Any:
    """`ab.fmin` by random search, quietly."""
    settings: dict[str, Any] = {"algo": rand.suggest, "verbose": False, "rstate": 7}
    return ab.fmin(fn, space, trials=trials, **{**settings, **arguments})


def got_of(result: dict[str, Any]) -> dict[str, Any]:
    """What `tells` was given."""
    return {name: part for name, part in result.items() if name not in ("loss", "status")}


# --- values ---------------------------------------------------------------------


@pytest.mark.parametrize("algo", [rand.suggest, None], ids=["random search", "TPE"])
def test_one_label_in_two_options(algo: Any) -> None:
    trials, again = ab.Trials(), ab.Trials()
    best = run(tells, UNION, trials, algo=algo, max_evals=30)
    for misc, result in zip(trials.miscs, trials.results, strict=True):
        raw = {label: values[0] for label, values in misc["vals"].items() if values}
        own = {0: {"C"}, 1: {"depth"}}[raw["model"]]
        assert {"model", "rate"} | own == set(raw)
        assert {"kind", "rate"} | own == set(got_of(result))
        assert got_of(tells(hyperopt.space_eval(UNION, raw))) == got_of(result)
    assert {0, 1} == set(trials.vals["model"])
    assert 30 == len(trials.vals["rate"]) == len(trials.vals["C"]) + len(trials.vals["depth"])
    assert best == run(tells, UNION, again, algo=algo, max_evals=30)
    assert (trials.vals, trials.losses()) == (again.vals, again.losses())


def test_one_label_in_two_options_by_launch() -> None:
    def curve(kind: str, rate: float, C: float = 0, depth: int = 0) -> Any:  # noqa: N803
        for epoch in range(1, 10):
            yield rate + C / 10 + depth / 10 + 1 / epoch

    settings: dict[str, Any] = {"engine": "local", "workers": 1, "monitor": None, "seed": 7}
    space = {"model": hp.uniform("x", 0, 1), "rest": UNION}

    def one(model: float, rest: Any) -> Any:
        yield from curve(**rest)

    first, second = (
        ab.launch(
            one, space, searcher=ab.TPE(), scheduler=ab.ASHA(9), max_trials=30, **settings
        ).trials
        for _ in range(2)
    )
    assert [t.params for t in first] == [t.params for t in second]
    assert [t.rungs for t in first] == [t.rungs for t in second]


def test_whole_numbers_are_those_of_hyperopt() -> None:
    ours = ab.Trials()
    best = run(tells, WHOLE, ours, max_evals=40)
    points = [{label: values[0] for label, values in m["vals"].items()} for m in ours.miscs]
    got: list[dict[str, Any]] = []

    def keeps(params: Any) -> float:
        got.append(got_of(tells(params)))
        return 0.0

    settings = {"algo": rand.suggest, "max_evals": 1, "verbose": False}
    hyperopt.fmin(keeps, WHOLE, points_to_evaluate=points, **settings)
    assert 41 == len(got)  # its max_evals come after these points
    assert got[:40] == [got_of(result) for result in ours.results]
    kinds = {name: text.partition(" ")[0] for name, text in got[0].items()}
    assert {**dict.fromkeys(WHOLE, "int"), "quniform": "float"} == kinds
    # what it returns is what the best one got
    winner = got_of(ours.best_trial["result"])
    assert winner == got_of(tells(ab.space_eval(WHOLE, best)))
    assert [float(text.partition(" ")[2]) for text in winner.values()] == [
        best[label] for label in ("i", "d", "r", "s", "u")
    ]


# --- failures -------------------------------------------------------------------

FAILURES = {
    ValueError: "ValueError: after writing",
    Unpicklable: "support.fmin_objectives.Unpicklable: after writing",
    SystemExit: "SystemExit: 3",
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failed_trial_is_not_repeated_and_the_others_continue(
    kind: type[BaseException], tmp_path: Path
) -> None:
    fn, trials = WritesThenFails(tmp_path / "lines", kind), ab.Trials()
    points = [{"x": 0.25}, {"x": 1.0}, {"x": 0.5}]
    best = run(
        fn,
        {"x": hp.uniform("x", -2, 2)},
        trials,
        max_evals=3,
        points_to_evaluate=points,
        catch_eval_exceptions=True,
    )
    assert {"x": 0.25} == best
    assert ["0.25", "1.0", "0.5"] == fn.path.read_text().split()
    assert [0, 2] == trials.tids  # as in hyperopt
    assert trials.result is not None
    states = [trial.state for trial in trials.result.trials]
    assert [ab.TrialState.COMPLETED, ab.TrialState.FAILED, ab.TrialState.COMPLETED] == states
    assert_told(kind, trials.result.trials[1])


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failing_objective_ends_the_run_by_default(
    kind: type[BaseException], tmp_path: Path
) -> None:
    fn, trials = WritesThenFails(tmp_path / "lines", kind), ab.Trials()
    points = [{"x": 0.25}, {"x": 1.0}]
    raises = kind if issubclass(kind, Exception) else ab.ObjectiveError
    with pytest.raises(raises) as raised:
        run(
            fn,
            {"x": hp.uniform("x", -2, 2)},
            trials,
            max_evals=10**6,
            points_to_evaluate=points,
        )
    told = raised.value if raises is ab.ObjectiveError else raised.value.__cause__
    assert "fn raised in trial 1 with {'x': 1.0}" in str(told)
    assert "pass catch_eval_exceptions=True to continue" in str(told)
    assert FAILURES[kind] in str(told)
    assert ["0.25", "1.0"] == fn.path.read_text().split()[:2]
    assert 1 == fn.path.read_text().split().count("1.0")
    assert trials.result is not None
    assert "stopped" == trials.result.reason
    assert_told(kind, trials.result.trials[1])


def assert_told(kind: type[BaseException], trial: ab.TrialRecord) -> None:
    """The trial has the type, the message and the traceback of what was raised, once."""
    assert (ab.TrialState.FAILED, 1) == (trial.state, trial.attempts)
    error = str(trial.error)
    assert error.startswith("Traceback (most recent call last):\n")
    assert "in _fail\n" in error
    assert error.rstrip().endswith(FAILURES[kind])


@pytest.mark.parametrize(
    ("searcher", "words"),
    [
        (searchers.Fails(), "suggest.. of Fails for trial 20 raised ArithmeticError: no m"),
        (
            searchers.Deaf(),
            "observe.. of Deaf for trial 0 raised ValueError: cannot hear",
        ),
        (
            searchers.Says({"x": 2, "act": "relu"}),
            "of Says returned a configuration outside the space: x: 2",
        ),
    ],
)
def test_a_searcher_that_fails_is_an_error_of_fmin(searcher: Any, words: str) -> None:
    trials = ab.Trials()
    space = {"x": ab.uniform(0, 1), "act": ab.choice("relu", "tanh")}
    with pytest.raises(ab.SearcherError, match=words):
        run(lambda params: params["x"], space, trials, algo=searcher, max_evals=40)
    if not isinstance(searcher, searchers.Says):
        assert trials.result is not None
        assert 0 < len(trials) <= 20
