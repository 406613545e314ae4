"""A trial's states, and the table of all trials."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from asha_bus.core.errors import LocalProtocolError
from asha_bus.core.messages import Report
from asha_bus.core.trial import FINAL, TRANSITIONS, RungRecord, Trial, TrialState
from asha_bus.core.trials import TrialTable, is_better, standing

S = TrialState


def entered(rung: int, resource: float, verdict: str = "continue") -> RungRecord:
    return RungRecord(rung, resource, 0.5, n=1, keep=1, cutoff=0.5, verdict=verdict)


@pytest.mark.parametrize("after", TrialState)
@pytest.mark.parametrize("before", TrialState)
def test_a_trial_moves_along_the_table_only(before: TrialState, after: TrialState) -> None:
    trial, table = Trial(4, (), 0, state=before), TrialTable("min")
    if after in TRANSITIONS[before]:
        table.move(trial, after)
        assert after is trial.state
    else:
        with pytest.raises(LocalProtocolError, match=f"trial 4 cannot go from {before} to {after}"):
            table.move(trial, after)
        assert before is trial.state


def test_nothing_leaves_a_final_state() -> None:
    assert {S.COMPLETED, S.STOPPED, S.CANCELLED, S.FAILED, S.LOST} == FINAL


def test_a_state_prints_as_its_name() -> None:
    assert "COMPLETED" == str(S.COMPLETED) == S.COMPLETED.value == f"{S.COMPLETED}"
    assert S("LOST") is S.LOST


@pytest.mark.parametrize(
    ("metric", "than", "mode", "expected"),
    [
        (0.1, 0.2, "min", True),
        (0.2, 0.1, "min", False),
        (0.2, 0.1, "max", True),
        (0.1, 0.1, "min", False),
        (0.1, 0.1, "max", False),
        (0.1, None, "max", True),
        (0.1, math.nan, "min", True),
        (9e9, math.inf, "min", True),
        (-9e9, -math.inf, "max", True),
        (0.0, -math.inf, "min", True),
        (None, None, "min", False),
        (None, 0.1, "min", False),
        (math.nan, None, "min", False),
        (-math.inf, 0.1, "min", False),
        (math.inf, 0.1, "max", False),
    ],
)
def test_only_finite_metrics_can_be_best(
    metric: float | None, than: float | None, mode: str, expected: bool
) -> None:
    assert expected is is_better(metric, than, mode)


def completed(metric: float) -> Trial:
    return Trial(0, (), 0, state=S.COMPLETED, metric=metric)


def running(metric: float | None, *resources: float) -> Trial:
    rungs = tuple(entered(k, resource) for k, resource in enumerate(resources))
    return Trial(1, (), 0, state=S.RUNNING, metric=metric, rungs=rungs)


@pytest.mark.parametrize(
    ("trial", "leader", "expected"),
    [
        (running(0.5), None, True),
        (running(None), None, False),
        (running(math.nan, 1), None, False),
        (running(0.9, 1, 3), running(0.1, 1), True),  # it got further
        (running(0.1, 1), running(0.9, 1, 3), False),
        (running(0.1, 1), running(0.2, 1), True),  # as far, and better
        (running(0.2, 1), running(0.2, 1), False),  # a tie stays with the earlier
        (completed(0.9), running(0.1, 1, 3), True),
        (running(0.1, 1, 3), completed(0.9), False),
        (completed(math.nan), running(0.1, 1), False),
        (Trial(2, (), 0, state=S.FAILED, metric=0.1, rungs=(entered(0, 1),)), None, False),
        (Trial(2, (), 0, state=S.LOST, metric=0.1, rungs=(entered(0, 1),)), None, False),
    ],
)
def test_the_leading_configuration(trial: Trial, leader: Trial | None, expected: bool) -> None:
    ours, theirs = standing([trial]), standing([leader] if leader else [])
    assert expected is (ours is not None and ours.leads(theirs, "min"))


@pytest.fixture
def table() -> TrialTable:
    return TrialTable("min")


def begin(table: TrialTable, worker: str = "w") -> Trial:
    trial = add(table)
    table.run(trial, worker, 0.0)
    return trial


def add(table: TrialTable) -> Trial:
    trial = Trial(len(table), (1.0,), 5)
    table.add(trial, 0.5)
    return trial


def note(
    table: TrialTable,
    trial: Trial,
    resource: float,
    metric: float,
    best: float | None,
    at: float | None = None,
) -> None:
    """The trial reports."""
    report = Report(1, trial.id, trial.attempt, resource, metric, best, {}, 0.0, at)
    table.note(trial, report, resource, metric)


def test_the_best_metric_is_known_with_its_resource(table: TrialTable) -> None:
    trial = begin(table)
    note(table, trial, 3, 0.5, 0.4, 2)
    note(table, trial, 9, 0.3, 0.3, 9)
    assert (0.3, 9) == (trial.best_metric, trial.best_resource)


def test_the_resource_of_the_best_metric_is_found_in_old_journals(table: TrialTable) -> None:
    trial = begin(table)
    found = []
    # without a finite metric; at this report; before it; between two reports, so not known
    for resource, metric, best in (
        (1, math.nan, None),
        (3, 0.5, 0.5),
        (9, 0.6, 0.5),
        (27, 0.4, 0.3),
    ):
        note(table, trial, resource, metric, best)
        found.append(trial.best_resource)
    assert [None, 3, 3, None] == found


def test_without_a_best_metric_there_is_no_resource_of_it(table: TrialTable) -> None:
    trial = begin(table)
    note(table, trial, 3, math.nan, None, 2)
    assert (None, None) == (trial.best_metric, trial.best_resource)


def test_trials_are_counted(table: TrialTable) -> None:
    assert [0.5, 0.5, 0.5] == [add(table).start_time for _ in range(3)]
    assert (3, 3) == (len(table), table.states[S.PENDING])
    table.run(table[1], "w", 0.0)
    assert (2, 1) == (table.states[S.PENDING], table.states[S.RUNNING])


def test_finished_and_failed_trials_are_counted(table: TrialTable) -> None:
    for state in (S.COMPLETED, S.STOPPED, S.CANCELLED, S.FAILED, S.LOST):
        table.finish(begin(table), state, 3.0)
    begin(table)
    assert (5, 2) == (table.finished, table.failed)
    assert 3.0 == table[0].end_time
    assert None is table[5].end_time


def test_a_new_attempt_starts_from_nothing_but_keeps_its_rungs(table: TrialTable) -> None:
    trial = begin(table)
    note(table, trial, 3, 0.5, 0.4, 2)
    assert (0.4, 2) == (trial.best_metric, trial.best_resource)
    trial.extras = {"epoch": 3}
    trial.rungs += (entered(0, 1),)
    table.requeue(trial)
    assert [0] == list(table.queue)
    table.queue.clear()
    table.run(trial, "another", 0.0)
    assert (2, "another", 1) == (trial.attempt, trial.worker, len(trial.rungs))
    assert (0, None, {}) == (trial.resource, trial.metric, trial.extras)
    assert (None, None) == (trial.best_metric, trial.best_resource)


def test_the_queue_is_cancelled_whole(table: TrialTable) -> None:
    for _ in range(3):
        table.requeue(begin(table))
    table.cancel_queue(9.0)
    assert 3 == table.states[S.CANCELLED]
    assert not table.queue
    table.validate()


def fail(table: TrialTable, trial: Trial) -> None:
    table.finish(trial, S.FAILED, 1.0)


def begin_anew(table: TrialTable, trial: Trial) -> None:
    table.requeue(trial)
    table.run(trial, "another", 0.0)


@pytest.mark.parametrize("happens", [fail, begin_anew])
def test_a_leader_with_nothing_to_show_hands_the_lead_on(
    table: TrialTable, happens: Callable[[TrialTable, Trial], None]
) -> None:
    trials = [begin(table) for _ in range(3)]
    for trial, metric in zip(trials, (0.3, 0.1, 0.2), strict=True):
        note(table, trial, 1, metric, metric)
        trial.rungs += (entered(0, 1),)
        table.consider(trial)
    assert trials[1] is table.leader
    happens(table, trials[1])
    assert trials[2] is table.leader


def _state_not_counted(table: TrialTable) -> None:
    table[0].state = S.STOPPED


def _stopped_in_between(table: TrialTable) -> None:
    table[0].rungs = (entered(0, 1, "stop"), entered(1, 3))


def _stopped_yet_running(table: TrialTable) -> None:
    table[0].rungs = (entered(0, 1, "stop"),)


def _queued_yet_running(table: TrialTable) -> None:
    table.queue.append(0)


def _ended_yet_running(table: TrialTable) -> None:
    table[0].end_time = 1.0


@pytest.mark.parametrize(
    "spoil",
    [
        _state_not_counted,
        _stopped_in_between,
        _stopped_yet_running,
        _queued_yet_running,
        _ended_yet_running,
    ],
)
def test_validate_finds_a_broken_table(
    table: TrialTable, spoil: Callable[[TrialTable], None]
) -> None:
    begin(table)
    table.validate()
    spoil(table)
    with pytest.raises(AssertionError):
        table.validate()
