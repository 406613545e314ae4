"""Experiment and workers over a network that loses, doubles and reorders messages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.verdicts import (
    assert_every_answered_report_counted_once,
    assert_rungs_like_the_oracle,
    assert_the_journal_gives_the_state,
)
from support.world import Conditions, World

from asha_bus.core.events import Ended, RunSettings, StopRun
from asha_bus.core.experiment import Experiment
from asha_bus.core.schedulers import ASHA, NoStopping
from asha_bus.core.trial import FINAL, TrialState

S = TrialState
TRIALS = 16

CONDITIONS = st.builds(
    Conditions,
    seed=st.integers(0, 2**32),
    workers=st.integers(1, 5),
    loss=st.sampled_from([0.0, 0.1, 0.4]),
    doubled=st.sampled_from([0.0, 0.3]),
    delay_s=st.sampled_from([0.001, 0.3, 3.0]),
    deaths=st.integers(0, 6),
    silences=st.integers(0, 3),
    copies=st.integers(0, 2),
    leaves=st.integers(0, 3),
    false_alarms=st.integers(0, 2),
    fails_every=st.sampled_from([4, None]),
    ends_every=st.sampled_from([5, None]),
    stride=st.sampled_from([1, 1, 5]),
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


def run(conditions: Conditions, scheduler: Any, **settings: Any) -> World:
    world = World(conditions, settings_of(scheduler, **settings))
    world.run()
    return world


@given(CONDITIONS, SCHEDULERS)
def test_every_trial_ends_once_and_every_report_counts_once(
    conditions: Conditions, scheduler: Any
) -> None:
    world = run(conditions, scheduler)
    table = world.experiment.table
    [ended] = world.ended
    if ended.reason == "failed":  # chance let failing and lost trials end first
        assert table.states[S.COMPLETED] + table.states[S.STOPPED] == 0
    else:
        assert Ended("max_trials", "") == ended
        assert TRIALS == len(table)
    assert list(range(len(table))) == sorted(world.ledger.ended)
    assert all(trial.state in FINAL for trial in table.trials)
    assert_every_answered_report_counted_once(world)
    assert_rungs_like_the_oracle(world)


@given(CONDITIONS.map(lambda c: Conditions(c.seed, c.workers, c.loss, c.doubled, c.delay_s)))
def test_a_bad_network_alone_loses_no_trial(conditions: Conditions) -> None:
    # with a lease that outlasts it: every trial is run once, from its first attempt to its end
    world = run(conditions, ASHA(max_resource=9), lease_s=1_000.0)
    assert {1} == {trial.attempt for trial in world.experiment.table.trials}
    counters = world.experiment.counters
    assert (0, 0, TRIALS) == (counters.requeued, counters.fenced, counters.assigned)
    assert {S.COMPLETED, S.STOPPED} >= {trial.state for trial in world.experiment.table.trials}


@given(CONDITIONS, st.floats(0.0, 30.0), st.sampled_from(["max_time", "stop"]))
def test_an_end_at_any_time_ends_all_trials_and_all_workers(
    conditions: Conditions, at: float, how: str
) -> None:
    max_time_s = max(at, 0.001) if how == "max_time" else None
    world = World(conditions, settings_of(NoStopping(), max_trials=None, max_time_s=max_time_s))
    if how == "stop":
        world.later(at, lambda: world.happen(StopRun("stopped")))
    world.run()
    [ended] = world.ended
    assert ended.reason in ("failed", "stopped" if how == "stop" else "max_time")
    assert all(trial.state in FINAL for trial in world.experiment.table.trials)
    assert_every_answered_report_counted_once(world)


@given(CONDITIONS, SCHEDULERS)
def test_the_same_events_give_the_same_state(conditions: Conditions, scheduler: Any) -> None:
    world = run(conditions, scheduler)
    replayed = Experiment(world.experiment.settings, 0.0, lambda effect: None)
    replayed.start()
    for now, event in world.story:
        if event is None:
            replayed.tick(now)
        else:
            replayed.handle(event, now)
    assert repr(world.experiment.table.trials) == repr(replayed.table.trials)
    assert repr(world.experiment.roster.workers) == repr(replayed.roster.workers)
    assert world.experiment.counters == replayed.counters


@given(CONDITIONS, SCHEDULERS, st.integers(1, 6))
def test_a_bus_that_dies_loses_nothing(
    conditions: Conditions, scheduler: Any, crashes: int
) -> None:
    world = run(replace(conditions, crashes=crashes), scheduler)
    table = world.experiment.table
    assert len(world.ended) == 1
    assert list(range(len(table))) == sorted(world.ledger.ended)
    assert all(trial.state in FINAL for trial in table.trials)
    assert_every_answered_report_counted_once(world)
    assert_rungs_like_the_oracle(world)


@given(CONDITIONS, SCHEDULERS)
def test_the_journal_alone_gives_the_state(conditions: Conditions, scheduler: Any) -> None:
    world = run(conditions, scheduler)
    assert_the_journal_gives_the_state(world)


def test_trouble_does_happen_in_these_stories() -> None:
    conditions = Conditions(
        seed=3, workers=4, loss=0.2, doubled=0.3, delay_s=3.0, deaths=6, silences=3, copies=2,
        false_alarms=2, crashes=3,
    )  # fmt: skip
    world = run(conditions, ASHA(max_resource=9))
    assert world.crashes > 0
    counters = world.experiment.counters
    assert counters.requeued > 0
    assert counters.leases_expired > 0
    assert counters.fenced > 0
    assert counters.retried > 0


@given(CONDITIONS, SCHEDULERS, st.integers(0, 3), st.sampled_from([0.0, 1.0, 30.0]))
def test_a_slow_searcher_that_learns_loses_no_trial(
    conditions: Conditions, scheduler: Any, crashes: int, searcher_s: float
) -> None:
    conditions = replace(conditions, crashes=crashes, searcher_s=searcher_s)
    world = run(conditions, scheduler, learns=True, suggest_timeout_s=5.0)
    table = world.experiment.table
    assert all(trial.state in FINAL for trial in table.trials)
    if world.ended[0].reason == "max_trials":
        assert TRIALS == len(table)
    assert {trial.id for trial in table.trials} == world.observed
    assert_every_answered_report_counted_once(world)
    assert_rungs_like_the_oracle(world)
    assert_the_journal_gives_the_state(world)


@given(
    CONDITIONS,
    SCHEDULERS,
    st.integers(2, 5),
    st.integers(0, 2),
    st.integers(0, 3),
    st.booleans(),
)
def test_repeats_are_judged_by_their_mean(
    conditions: Conditions, scheduler: Any, repeats: int, retries: int, crashes: int, learns: bool
) -> None:
    conditions = replace(conditions, crashes=crashes)
    world = run(conditions, scheduler, repeats=repeats, retries=retries, learns=learns)
    table = world.experiment.table
    assert all(trial.state in FINAL for trial in table.trials)
    if world.ended[0].reason == "max_trials":
        assert TRIALS == len(table)
    for trial in table.trials:
        first = table[trial.configuration]
        assert (trial.id // repeats * repeats, trial.id % repeats) == (first.id, trial.repeat)
        assert (first.point, first.bracket) == (trial.point, trial.bracket)
        assert trial.failures <= retries
        if trial.state is S.FAILED:
            assert retries == trial.failures
    assert len(table) == len({trial.seed for trial in table.trials})
    assert_every_answered_report_counted_once(world)
    assert_rungs_like_the_oracle(world)
    assert_the_journal_gives_the_state(world)
