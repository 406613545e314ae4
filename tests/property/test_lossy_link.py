"""Experiment and workers over a network that loses, doubles and reorders messages."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.stories import OBJECTIVES, troubles

from asha_bus.core.events import Ended, RunSettings, StopRun
from asha_bus.core.experiment import Experiment
from asha_bus.core.schedulers import ASHA, NoStopping
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import Conditions, Rough, Story, check
from asha_bus.testing.simulator.checks import assert_the_journal_gives_the_state

S = TrialState
TRIALS = 16

CONDITIONS = troubles()
#: Nothing happens but that processes stand still, each of them for less than it may be silent.
ONLY_PAUSES = st.builds(
    Conditions,
    seed=st.integers(0, 2**32),
    workers=st.integers(1, 5),
    delay_s=st.sampled_from([0.001, 0.3]),
    pauses=st.integers(0, 12),
    bus_pauses=st.integers(0, 3),
    common_pauses=st.integers(0, 3),
    crashes=st.integers(0, 3),
)
SCHEDULERS = st.sampled_from(
    [
        ASHA(max_resource=9),
        ASHA(max_resource=9, reduction_factor=2, brackets=2, quorum=2),
        NoStopping(max_resource=5),
    ]
)


def settings_of(scheduler: Any, **settings: Any) -> RunSettings:
    given = {"max_trials": TRIALS, "lease_s": 10.0, "heartbeat_s": 2.0, "curves": True, **settings}
    return RunSettings(run="run", scheduler=scheduler, seed=7, **given)


def run(conditions: Conditions, objective: Rough, scheduler: Any, **settings: Any) -> Story:
    story = Story(conditions, settings_of(scheduler, **settings), objective)
    story.run()
    check(story)
    return story


@given(CONDITIONS, OBJECTIVES, SCHEDULERS)
def test_every_trial_ends_once_and_every_report_counts_once(
    conditions: Conditions, objective: Rough, scheduler: Any
) -> None:
    story = run(conditions, objective, scheduler)
    table = story.experiment.table
    if story.ended != Ended("max_trials", ""):  # chance let failing and lost trials end first
        assert story.ended is not None
        assert "failed" == story.ended.reason
        assert table.states[S.COMPLETED] + table.states[S.STOPPED] == 0
    else:
        assert TRIALS == len(table)


@given(CONDITIONS.map(lambda c: Conditions(c.seed, c.workers, c.loss, c.doubled, c.delay_s)))
def test_a_bad_network_alone_loses_no_trial(conditions: Conditions) -> None:
    # with a lease that outlasts it: every trial is run once, from its first attempt to its end
    story = run(conditions, Rough(conditions.seed), ASHA(max_resource=9), lease_s=1_000.0)
    assert {1} == {trial.attempt for trial in story.experiment.table.trials}
    counters = story.experiment.counters
    assert (0, 0, TRIALS) == (counters.requeued, counters.fenced, counters.assigned)
    assert {S.COMPLETED, S.STOPPED} >= {trial.state for trial in story.experiment.table.trials}


@given(ONLY_PAUSES, SCHEDULERS, st.integers(1, 3))
def test_pauses_lose_no_trial(conditions: Conditions, scheduler: Any, max_attempts: int) -> None:
    story = run(conditions, Rough(conditions.seed), scheduler, max_attempts=max_attempts)
    assert {S.COMPLETED, S.STOPPED} >= {trial.state for trial in story.experiment.table.trials}
    assert {worker.name for worker in story.experiment.roster.workers.values()} == set(
        story.workers
    )


@given(ONLY_PAUSES, SCHEDULERS)
def test_pauses_of_the_bus_or_of_all_cost_nothing(conditions: Conditions, scheduler: Any) -> None:
    conditions = replace(conditions, pauses=0)
    story = run(conditions, Rough(conditions.seed), scheduler)
    assert {1} == {trial.attempt for trial in story.experiment.table.trials}
    counters = story.experiment.counters
    assert (0, 0, 0) == (counters.requeued, counters.fenced, counters.leases_expired)


def test_workers_do_return_and_are_forgiven_in_these_stories() -> None:
    conditions = Conditions(seed=19, workers=4, pauses=12, crashes=2)
    story = run(conditions, Rough(conditions.seed), ASHA(max_resource=9), max_trials=60)
    assert any(trial.pauses for trial in story.experiment.table.trials)
    assert story.experiment.counters.leases_expired > story.experiment.counters.requeued


@given(CONDITIONS, OBJECTIVES, st.floats(0.0, 30.0), st.sampled_from(["max_time", "stop"]))
def test_an_end_at_any_time_ends_all_trials_and_all_workers(
    conditions: Conditions, objective: Rough, at: float, how: str
) -> None:
    max_time_s = max(at, 0.001) if how == "max_time" else None
    settings = settings_of(NoStopping(), max_trials=None, max_time_s=max_time_s)
    story = Story(conditions, settings, objective)
    if how == "stop":
        story.clock.later(at, lambda: story.handle(StopRun("stopped")))
    story.run()
    check(story)
    assert story.ended is not None
    assert story.ended.reason in ("failed", "stopped" if how == "stop" else "max_time")


@given(CONDITIONS, OBJECTIVES, SCHEDULERS)
def test_the_same_events_give_the_same_state(
    conditions: Conditions, objective: Rough, scheduler: Any
) -> None:
    story = run(conditions, objective, scheduler)
    replayed = Experiment(story.experiment.settings, 0.0, lambda effect: None)
    replayed.start()
    for now, event in story.events:
        if event is None:
            replayed.tick(now)
        else:
            replayed.handle(event, now)
    assert repr(story.experiment.table.trials) == repr(replayed.table.trials)
    assert repr(story.experiment.roster.workers) == repr(replayed.roster.workers)
    assert story.experiment.counters == replayed.counters


@given(CONDITIONS, OBJECTIVES, SCHEDULERS, st.integers(1, 6))
def test_a_bus_that_dies_loses_nothing(
    conditions: Conditions, objective: Rough, scheduler: Any, crashes: int
) -> None:
    story = run(replace(conditions, crashes=crashes), objective, scheduler)
    assert story.ended is not None
    assert len(story.experiment.table) == len(story.ledger.ended)


@given(CONDITIONS, OBJECTIVES, SCHEDULERS)
def test_the_journal_alone_gives_the_state(
    conditions: Conditions, objective: Rough, scheduler: Any
) -> None:
    story = run(conditions, objective, scheduler)
    assert_the_journal_gives_the_state(story)


def test_trouble_does_happen_in_these_stories() -> None:
    conditions = Conditions(
        seed=3, workers=4, loss=0.2, doubled=0.3, delay_s=3.0, deaths=6, silences=3, copies=2,
        false_alarms=2, crashes=3,
    )  # fmt: skip
    story = run(conditions, Rough(conditions.seed), ASHA(max_resource=9))
    assert story.crashes > 0
    counters = story.experiment.counters
    assert counters.requeued > 0
    assert counters.leases_expired > 0
    assert counters.fenced > 0
    assert counters.retried > 0


@given(
    CONDITIONS, OBJECTIVES, SCHEDULERS, st.integers(0, 3), st.sampled_from([0.05, 1.0, 30.0, inf])
)
def test_a_slow_searcher_that_learns_loses_no_trial(
    conditions: Conditions, objective: Rough, scheduler: Any, crashes: int, searcher_s: float
) -> None:
    conditions = replace(conditions, crashes=crashes, searcher_s=searcher_s)
    story = run(conditions, objective, scheduler, learns=True, suggest_timeout_s=5.0)
    table = story.experiment.table
    if story.ended == Ended("max_trials", ""):
        assert TRIALS == len(table)
    assert {trial.id for trial in table.trials} == set(story.observed)


@given(
    CONDITIONS,
    OBJECTIVES,
    SCHEDULERS,
    st.integers(2, 5),
    st.integers(0, 2),
    st.integers(0, 3),
    st.booleans(),
)
def test_repeats_are_judged_by_their_mean(
    conditions: Conditions,
    objective: Rough,
    scheduler: Any,
    repeats: int,
    retries: int,
    crashes: int,
    learns: bool,
) -> None:
    conditions = replace(conditions, crashes=crashes)
    story = run(conditions, objective, scheduler, repeats=repeats, retries=retries, learns=learns)
    table = story.experiment.table
    if story.ended == Ended("max_trials", ""):
        assert TRIALS == len(table)
    for trial in table.trials:
        first = table[trial.configuration]
        assert (trial.id // repeats * repeats, trial.id % repeats) == (first.id, trial.repeat)
        assert (first.point, first.bracket) == (trial.point, trial.bracket)
        assert trial.failures <= retries
        if trial.state is S.FAILED:
            assert retries == trial.failures
    assert len(table) == len({trial.seed for trial in table.trials})
