"""Trials of studies by hand, in a worker: values, attributes, and what they refuse."""

from __future__ import annotations

import json
import warnings
from types import SimpleNamespace
from typing import Any

import optuna
import pytest

import asha_bus as ab
from asha_bus.core.messages import PRUNE
from asha_bus.formats.wire import MAX_NAMED_CHARS, is_extras
from asha_bus.optuna.attributes import MAX_ATTRIBUTES, MAX_STEPS
from asha_bus.optuna.bus_trial import BusTrial
from asha_bus.optuna.worker_study import WorkerStudy


class Running(SimpleNamespace):
    """Stands for the trial of a worker; the searcher draws 0.25."""

    def draw(self, name: str, distribution: str) -> float:
        self.asked.append(name)
        return 0.25

    def use(self, named: Any) -> None:
        self.named.append(named)


@pytest.fixture
def running() -> Running:
    return Running(
        drawn=(), is_over=False, seed=7, asked=[], named=[], should_stop=False, stopped=None
    )


def a_trial(running: Any, **given: Any) -> BusTrial:
    settings: dict[str, Any] = {
        "number": 4,
        "fixed": {},
        "study": WorkerStudy("mine", optuna.study.StudyDirection.MAXIMIZE),
        "is_random": False,
        "asks": False,
        "known": {},
    }
    return BusTrial(running, **{**settings, **given})


def test_a_value_is_asked_for_once(running: Running) -> None:
    trial = a_trial(running)
    assert [0.25, 0.25] == [trial.suggest_float("x", 0, 1) for _ in range(2)]
    assert ["x"] == running.asked
    assert [("x", 0.25)] == [(name, number) for name, _, number in running.named]
    assert {"x": 0.25} == trial.params


def test_the_first_range_counts_within_a_trial(running: Running) -> None:
    trial = a_trial(running)
    trial.suggest_float("x", 0, 1)
    with pytest.warns(RuntimeWarning, match="'x' was suggested before in this trial"):
        assert 0.25 == trial.suggest_float("x", 0, 2)


def test_a_value_that_came_with_the_trial_is_used_for_the_same_distribution(
    running: Running,
) -> None:
    text = optuna.distributions.distribution_to_json(optuna.distributions.FloatDistribution(0, 1))
    running.drawn = (("x", text, 0.75), ("y", text, 0.75))
    trial = a_trial(running)
    assert 0.75 == trial.suggest_float("x", 0, 1)
    assert 0.25 == trial.suggest_float("y", 0, 0.5)
    assert ["y"] == running.asked


def test_the_only_value_needs_no_question(running: Running) -> None:
    trial = a_trial(running)
    assert 3 == trial.suggest_int("n", 3, 3)
    assert "a" == trial.suggest_categorical("c", ["a"])
    assert [] == running.asked


def test_an_enqueued_value_is_used_even_outside_the_range(running: Running) -> None:
    trial = a_trial(running, fixed={"x": 5.0})
    with pytest.warns(UserWarning, match="the enqueued value 5.0 of 'x' is outside"):
        assert 5.0 == trial.suggest_float("x", 0, 1)
    assert {"fixed_params": {"x": 5.0}} == trial.system_attrs


def test_suggesting_after_the_end_is_refused(running: Running) -> None:
    running.is_over = True
    with pytest.raises(ab.ObjectiveError, match="'x' was asked for after trial 4 had ended"):
        a_trial(running).suggest_float("x", 0, 1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: t.suggest_categorical("c", [object()]), ab.ObjectiveError, "cannot travel"),
        (lambda t: t.suggest_float("x", 2, 1), ValueError, "low"),
        (lambda t: t.suggest_float("", 0, 1), ab.ObjectiveError, "is not the name of a"),
        (
            lambda t: t.suggest_categorical("c", ["x" * MAX_NAMED_CHARS, "y"]),
            ab.ObjectiveError,
            "'c' is too much",
        ),
        (lambda t: t.report("no", 1), TypeError, "'no' of type str is not a number"),
        (lambda t: t.report(1.0, "no"), TypeError, "the step 'no' of type str"),
        (lambda t: t.report(1.0, -1), ValueError, "the step -1 is negative"),
        (lambda t: t.report(1.0, 2**63), ValueError, "the step 9223372036854775808 is larger"),
        (lambda t: t.suggest_float("\ud800", 0, 1), ab.ObjectiveError, "is not the name of a"),
        (lambda t: t.set_user_attr(3, 4), ab.ObjectiveError, "the name of an attribute must be"),
        (lambda t: t.set_constraint("c", 1.0), ab.ObjectiveError, "constraints are not"),
        (lambda t: t.set_system_attr("a", 1), ab.ObjectiveError, "use set_user_attr"),
        (lambda t: t.study.trials, ab.ObjectiveError, r"trial\.study\.trials: the study is in the"),
        (lambda t: t.suggest_float(PRUNE, 0, 1), ab.ObjectiveError, "other than '.prune.'"),
        (
            lambda t: [t.set_user_attr(f"a{n}", n) for n in range(MAX_ATTRIBUTES + 1)],
            ab.ObjectiveError,
            f"at most {MAX_ATTRIBUTES} user attributes",
        ),
    ],
)
def test_a_trial_refuses_in_words(running: Running, call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call(a_trial(running))


def test_a_trial_knows_the_direction_of_its_study(running: Running) -> None:
    study = a_trial(running).study
    assert ("mine", "MAXIMIZE") == (study.study_name, study.direction.name)
    assert [study.direction] == study.directions
    assert not hasattr(study, "__wrapped__")


def test_deprecated_names_still_suggest(running: Running) -> None:
    trial = a_trial(running)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert 0.25 == trial.suggest_uniform("u", 0, 1)
        assert 0.25 == trial.suggest_loguniform("l", 0.1, 1)
        assert 0.25 == trial.suggest_discrete_uniform("d", 0, 1, 0.25)
    assert {"u", "l", "d"} == set(trial.distributions)


def test_a_trial_that_leaves_out_steps_says_at_which_it_reports(running: Running) -> None:
    trial = a_trial(running)
    for step in range(3):
        trial.report(0.5, step)
    assert {"step": 2} == trial.extras
    for step in range(10, 2_010, 10):
        trial.report(-1.2345678901234567e-300, step)
    trial.report(0.5, 2**53)
    told = trial.extras["_steps"]
    assert is_extras(trial.extras)
    steps = [step for step, _ in json.loads(told)]
    assert steps == sorted(steps) and 0 == steps[0] and 1_500 < steps[-1]
    assert 20 <= len(steps) <= MAX_STEPS
