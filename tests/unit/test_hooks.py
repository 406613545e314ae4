"""Functions that stop trials and runs: when they are asked, and what becomes of their answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.plans import plan_for

import asha_bus as ab
from asha_bus.core import messages as m
from asha_bus.core.budget import AT_EACH_REPORT
from asha_bus.core.checks import ELSEWHERE
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.events import Resumed, StopTrial, WorkerExited
from asha_bus.core.trial import RungRecord, Trial, TrialRow, TrialState
from asha_bus.driver.hook_client import make_hooks
from asha_bus.driver.hook_process import News
from asha_bus.formats.pipe import Observe, Standing
from asha_bus.searchers.hooks import HookError, Hooks, Questions
from asha_bus.testing.simulator import Bench

SPACE = ab.Space(x=ab.uniform(0, 1))


def row(number: int = 0, rungs: int = 1, state: str = "RUNNING", metric: float = 0.5) -> TrialRow:
    records = tuple(RungRecord(n, 3**n, metric, 1, 1, metric, "continue") for n in range(rungs))
    trial = Trial(number, (0.25,), 1, state=TrialState(state), rungs=records)
    trial.metric, trial.resource = metric, 3**rungs
    return trial.to_row()


def standing(**counts: int) -> Standing:
    states = {TrialState(name): count for name, count in counts.items()}
    return Standing(2.5, states, row(), 12.0, 3)


# --- the questions ---------------------------------------------------------------


def test_a_trial_is_asked_about_once_for_each_rung() -> None:
    seen: list[ab.TrialRecord] = []

    def stop_trial(history: ab.TrialRecord) -> bool:
        seen.append(history)
        return len(history.rungs) == 3

    questions = Questions(Hooks(SPACE, stop_trial))
    assert questions.stops_trial(row(rungs=1)) is False
    assert questions.stops_trial(row(rungs=1)) is None  # a new bus tells everything again
    assert not questions.stops_trial(row(1, rungs=1))
    assert questions.stops_trial(row(rungs=3))
    assert questions.stops_trial(row(rungs=4)) is None  # that was said
    assert questions.stops_trial(row(2, rungs=2, state="STOPPED")) is None
    assert [(0, 1), (1, 1), (0, 3)] == [(trial.id, len(trial.rungs)) for trial in seen]
    assert {"x": 0.25} == seen[0].params


def test_a_paused_trial_is_asked_about() -> None:
    assert Questions(Hooks(SPACE, lambda history: True)).stops_trial(row(state="PAUSED"))


def test_the_summary_tells_how_the_run_stands() -> None:
    seen: list[ab.RunSummary] = []

    def stop_run(summary: ab.RunSummary) -> bool:
        seen.append(summary)
        return summary.ended > 1

    questions = Questions(Hooks(SPACE, stop_run=stop_run))
    assert not questions.stops_run(standing(RUNNING=2, COMPLETED=1))
    assert questions.stops_run(standing(RUNNING=2, COMPLETED=1, STOPPED=1))
    assert questions.stops_run(standing(COMPLETED=9)) is None  # that was said
    states = {TrialState.RUNNING: 2, TrialState.COMPLETED: 1}
    assert ab.RunSummary(2.5, states, 0.5, {"x": 0.25}, 12.0, 3) == seen[0]
    assert 2 == len(seen)


def test_a_run_without_a_best_trial_has_a_summary() -> None:
    seen: list[Any] = []

    def stop_run(summary: ab.RunSummary) -> bool:
        seen.append(summary)
        return False

    questions = Questions(Hooks(SPACE, stop_run=stop_run))
    questions.stops_run(Standing(0.1, {TrialState.RUNNING: 1}, None, 0.0, 1))
    assert (None, None) == (seen[0].best_metric, seen[0].best_params)


@pytest.mark.parametrize("verdict", [np.True_, 1, True])
def test_a_verdict_may_be_any_truth(verdict: Any) -> None:
    assert True is Questions(Hooks(SPACE, lambda history: verdict)).stops_trial(row())


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (lambda history: None, "stop_trial for trial 7 must return True or False, got None"),
        (lambda history: "no", "stop_trial for trial 7 must return True or False, got 'no'"),
        (lambda history: 1 / 0, r"stop_trial for trial 7 raised ZeroDivisionError: .*\n.*lambda"),
        (lambda history: exit(1), "stop_trial for trial 7 raised SystemExit: 1; fix it"),
        (lambda history: np.ones(2), "stop_trial for trial 7 raised ValueError"),
    ],
)
def test_what_is_no_verdict_names_the_hook(verdict: Callable[..., Any], words: str) -> None:
    with pytest.raises(HookError, match=f"(?s){words}"):
        Questions(Hooks(SPACE, verdict)).stops_trial(row(7))


def test_only_the_latest_news_are_asked_about() -> None:
    news = News()
    for frame in (
        Observe(row(0, rungs=1)),
        Observe(row(1, rungs=1)),
        standing(RUNNING=1),
        Observe(row(0, rungs=2)),
        standing(RUNNING=2),
    ):
        news.add(frame)
    found = iter(news)
    assert standing(RUNNING=2) == next(found)
    assert [row(0, rungs=2), row(1, rungs=1)] == [next(found), next(found)]


# --- the arguments ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["stop_trial", "stop_run"])
def test_a_hook_must_be_a_function(name: str) -> None:
    given: dict[str, Any] = {name: 5}
    with pytest.raises(InvalidArgument, match=f"{name} must be a function that gets a .*, got 5"):
        plan_for(max_trials=3, **given)
    given[name] = bool
    plan = plan_for(max_trials=3, **given)
    assert (name, True) == (plan.hooks.names, plan.settings.hooks)
    assert not plan_for(max_trials=3).settings.hooks


@pytest.mark.parametrize("name", ["stop_trial", "stop_run"])
def test_a_hook_that_cannot_be_pickled_is_refused(name: str) -> None:
    def dumps(value: object) -> bytes:
        if value is not None:
            raise TypeError("it holds a lock")
        return b""

    with pytest.raises(InvalidArgument, match=f"{name} cannot be sent to .*it holds a lock"):
        make_hooks(Hooks(SPACE, **{name: bool}), dumps)
    assert make_hooks(Hooks(SPACE), dumps) is None


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("callbacks", "stop_run"), ("early_stop_fn", "stop_run"), ("stop", "stop_trial")],
)
def test_the_names_of_other_tuners_lead_to_hooks(theirs: str, ours: str) -> None:
    assert ours == ELSEWHERE[theirs]
    with pytest.raises(InvalidArgument, match=f"takes no '{theirs}'; use {ours}"):
        ab.launch(lambda x: x, SPACE, **{theirs: bool})  # type: ignore[arg-type]


def test_a_dry_run_says_that_hooks_are_for_a_launch() -> None:
    for name in ("stop_trial", "stop_run"):
        with pytest.raises(InvalidArgument, match=f"takes no '{name}'; use launch.*, since a dry"):
            ab.dry_run(lambda x: x, SPACE, **{name: bool})  # type: ignore[arg-type]


def test_fmin_has_its_own_name_for_the_end_of_a_run() -> None:
    with pytest.raises(InvalidArgument, match="takes no 'stop_run'; use early_stop_fn"):
        ab.fmin(lambda x: x, SPACE, max_evals=3, stop_run=bool)


# --- what the core tells ---------------------------------------------------------


def test_hooks_hear_of_each_rung_and_end_at_once() -> None:
    bench = Bench(max_trials=4, hooks=True)
    bench.join("a")
    assert [] == bench.observed
    bench.report("a", 0, 1, 0.5)
    assert [0] == bench.observed
    bench.report("a", 0, 2, 0.5)  # no rung
    assert [0] == bench.observed
    bench.end("a", 0)
    assert [0, 0] == bench.observed


def test_a_resumed_run_may_have_hooks_that_it_had_not_before() -> None:
    bench = Bench(max_trials=4)
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    bench.handle(Resumed(replace(bench.experiment.settings, hooks=True)))
    bench.experiment.restart(bench.now, {}, {})
    bench.carry_out()
    assert {0} == set(bench.observed)
    bench.observed.clear()
    bench.handle(Resumed(replace(bench.experiment.settings, hooks=False)))
    bench.join("b")
    bench.report("b", 0, 3, 0.5, attempt=2)
    assert [] == bench.observed


def test_a_trial_that_is_to_stop_asks_at_once_in_its_next_attempt() -> None:
    bench = Bench(max_trials=1)
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    bench.handle(StopTrial(0))
    bench.handle(WorkerExited("slot of a"))
    bench.hello("b")
    answer = bench.ask("b")
    assert isinstance(answer, m.Assign)
    assert AT_EACH_REPORT == answer.assignment.next_resource
    assert isinstance(bench.report("b", 0, 0.5, 0.9, attempt=2), m.Stop)
    assert [TrialState.STOPPED] == bench.states()


def test_the_end_of_a_trial_makes_a_late_verdict_nothing() -> None:
    bench = Bench(max_trials=1)
    bench.join("a")
    bench.end("a", 0)
    before = len(bench.records)
    bench.handle(StopTrial(0))
    assert before == len(bench.records)
