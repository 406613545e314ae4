"""Runs in virtual time: the same arguments give the same run, and nothing is lost without loss."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from math import inf
from pathlib import Path

import pytest

from asha_bus.core.attempt import Attempt
from asha_bus.core.events import Ended, RunSettings, StopRun
from asha_bus.core.schedulers import ASHA, NoStopping
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import (
    Clock,
    Conditions,
    FixedPoints,
    Rough,
    Simulation,
    Step,
    Story,
    check,
)

S = TrialState


def settings_of(scheduler: ASHA | NoStopping, **settings: object) -> RunSettings:
    return RunSettings("run", scheduler, 7, **{"max_trials": 12, **settings})  # type: ignore[arg-type]


def steady(attempt: Attempt) -> Iterator[Step]:
    """A second for each unit of resource."""
    while True:
        yield Step(1.0, float(attempt.assignment.trial))


def test_actions_of_the_same_moment_come_in_the_order_of_their_planning() -> None:
    clock = Clock()
    seen: list[str] = []
    for name, seconds in (("late", 2.0), ("first", 1.0), ("second", 1.0)):
        clock.later(seconds, partial(seen.append, name))
    while clock.next_at < inf:
        clock.advance()
    assert ["first", "second", "late"] == seen
    assert 2.0 == clock.now


def test_time_passes_by_the_objective_alone() -> None:
    run = Simulation(settings_of(NoStopping(max_resource=5)), steady, FixedPoints(), workers=3)
    run.run()
    assert Ended("max_trials", "") == run.ended
    trials = run.experiment.table.trials
    assert [S.COMPLETED] * 12 == [trial.state for trial in trials]
    assert [5.0] * 3 + [10.0] * 3 + [15.0] * 3 + [20.0] * 3 == [trial.end_time for trial in trials]
    counters = run.experiment.counters
    assert (12, 0, 0) == (counters.assigned, counters.retried, counters.requeued)


def test_a_run_can_be_looked_at_on_its_way() -> None:
    run = Simulation(settings_of(NoStopping(max_resource=5)), steady, FixedPoints(), workers=3)
    run.run(until=7.5)
    assert run.ended is None
    assert 6 == len(run.experiment.table)
    assert 7.0 == run.clock.now
    run.run()
    assert 12 == run.experiment.table.finished


def test_an_objective_may_return_raise_and_work_without_a_report() -> None:
    def objective(attempt: Attempt) -> Iterator[Step]:
        yield Step(1.0, 0.5)
        yield Step(1.0)
        if attempt.assignment.trial % 2:
            raise ValueError("no")

    run = Simulation(settings_of(NoStopping()), objective, FixedPoints(), workers=2)
    run.run()
    trials = run.experiment.table.trials
    assert {(S.COMPLETED, 1), (S.FAILED, 1)} == {(trial.state, trial.resource) for trial in trials}
    for trial in trials:
        assert (trial.id % 2 == 1) is (trial.state is S.FAILED)
        if trial.error is not None:
            lines = trial.error.splitlines()
            assert "Traceback (most recent call last):" == lines[0]
            assert "in objective" in lines[1]  # where the objective raised, and nothing of ours
            assert "ValueError: no" == lines[-1]
    assert 12.0 == run.clock.now


def test_an_objective_that_ignores_its_stop_is_interrupted() -> None:
    def deaf(attempt: Attempt) -> Iterator[Step]:
        yield Step(1e6, 0.5)

    run = Simulation(settings_of(NoStopping(max_resource=5)), deaf, FixedPoints(), workers=2)
    run.clock.later(10.0, lambda: run.handle(StopRun("stopped")))
    run.run()
    assert Ended("stopped", "") == run.ended
    assert {S.CANCELLED} == {trial.state for trial in run.experiment.table.trials}
    assert run.clock.now < 1e6


def test_the_same_conditions_give_the_same_story() -> None:
    conditions = Conditions(3, 4, 0.2, 0.3, 1.0, 3, 1, 1, 1, 1, 2)
    first, again, other = (
        Story(one, settings_of(ASHA(max_resource=9)), Rough(seed))
        for one, seed in ((conditions, 3), (conditions, 3), (Conditions(4, 4, 0.2), 4))
    )
    for story in (first, again, other):
        story.run()
        check(story)
    assert first.journal == again.journal
    assert repr(first.events) == repr(again.events)  # NaN is not NaN
    assert first.journal != other.journal


def test_a_dead_searcher_is_seen_to_be_dead() -> None:
    settings = settings_of(ASHA(max_resource=9), learns=True, suggest_timeout_s=5.0)
    story = Story(Conditions(searcher_s=inf), settings)
    story.run()
    check(story)
    assert {(0.25,)} == {trial.point for trial in story.experiment.table.trials}
    assert 12 == story.experiment.counters.fallbacks


def test_a_story_fails_where_a_report_is_counted_twice() -> None:
    story = Story(Conditions(), settings_of(ASHA(max_resource=9)))
    story.run()
    request, reply = next(pair for pair in story.ledger.answered if hasattr(pair[0], "metric"))
    with pytest.raises(AssertionError, match="a report was counted twice"):
        story.ledger.judge(request)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="a repeated request got another answer"):
        story.ledger.answer("worker 0", reply._replace(seq=1))
    story.ledger.judged.pop()
    with pytest.raises(AssertionError):
        check(story)


def test_it_needs_neither_pytest_nor_hypothesis(tmp_path: Path) -> None:
    code = (
        "import sys; import asha_bus.testing.simulator; "
        "assert not {'pytest', 'hypothesis', 'zmq', 'pyspark'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=60)
