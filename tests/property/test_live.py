"""Whoever looks at a run now and then hears of everything that happened to its trials."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from property.test_lossy_link import CONDITIONS, SCHEDULERS, settings_of
from support.stories import OBJECTIVES

from asha_bus import Space, TrialRecord, uniform
from asha_bus.core.schedulers import PromotionASHA, Scheduler, SuccessiveHalving
from asha_bus.core.status import changes, status
from asha_bus.core.trial import FINAL
from asha_bus.monitors.base import Assigned, Decided, Reported, RunInfo, TrialEnded, TrialEvent
from asha_bus.monitors.live import Live
from asha_bus.testing.simulator import Conditions, Rough, Story

SPACE = Space(x=uniform(0, 1))
INFO = RunInfo("run", "min", 7, ("x",), "ASHA", 16, 0.0)


PAUSING = st.sampled_from(
    [PromotionASHA(max_resource=9), SuccessiveHalving([(1, 6), (2, 3), (6, 1)], max_resident=2)]
)


@given(CONDITIONS, OBJECTIVES, SCHEDULERS | PAUSING, st.integers(0, 3), st.integers(1, 30))
def test_every_trial_is_reported_from_start_to_end(
    conditions: Conditions,
    objective: Rough,
    scheduler: Scheduler,
    crashes: int,
    at_a_time: int,
) -> None:
    conditions = replace(conditions, crashes=crashes)
    run = Story(conditions, settings_of(scheduler), objective)
    told: list[TrialEvent] = []
    live = Live(INFO, SPACE, lambda: changes(run.experiment, at_a_time, at_a_time))
    run.look = lambda: told.extend(live.refresh())
    run.look()
    run.run()
    told += live.refresh(to_the_end=True)
    assert [] == live.refresh()

    expected = [TrialRecord.from_row(t.to_row(), SPACE) for t in run.experiment.table.trials]
    seen = live.snapshot(status(run.experiment, run.clock.now)).result().trials
    assert repr(expected) == repr(list(seen))
    stories: dict[int, list[TrialEvent]] = defaultdict(list)
    for event in told:
        stories[event.trial.id].append(event)
    assert {trial.id for trial in expected} == set(stories)
    for trial in expected:
        assert_is_told(trial, stories[trial.id])


def assert_is_told(trial: TrialRecord, story: list[TrialEvent]) -> None:
    began = [h for h in story if isinstance(h, Assigned)]
    assert bool(trial.attempts) == bool(began)
    assert sorted({h.trial.attempts for h in began}) == [h.trial.attempts for h in began]
    decided = [h.record for h in story if isinstance(h, Decided)]
    last = {record.rung: record for record in decided}  # after a pause a verdict may follow
    assert repr(list(trial.rungs)) == repr(list(last.values()))
    later = len(decided) - len(last)
    assert later <= sum(record.paused_n is not None for record in trial.rungs)
    ended = [h for h in story if isinstance(h, TrialEnded)]
    assert 1 == len(ended)
    assert ended[0] is story[-1]
    assert trial.state == ended[0].trial.state in FINAL
    reported = {(h.resource, repr(h.metric)) for h in story if isinstance(h, Reported)}
    assert {(record.resource, repr(record.metric)) for record in trial.rungs} <= reported
    if trial.metric is not None:
        assert repr(trial.metric) in {metric for _, metric in reported}
