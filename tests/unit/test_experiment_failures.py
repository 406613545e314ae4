"""The experiment: how many failures end a run, and workers that give up their trial."""

from __future__ import annotations

from typing import Any

import pytest

from asha_bus.core import messages as m
from asha_bus.core.ending import AT_STOP
from asha_bus.core.events import Ended, StopRun, WorkerExited
from asha_bus.core.schedulers import ASHA
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import Bench

S = TrialState
BEATS_OF_A = "a" + m.HEARTBEAT_SUFFIX


def fail(bench: Bench, trial: int, name: str = "a") -> m.ToWorker | None:
    return bench.end(name, trial, "failed", metric=None, error=f"Traceback\nerror {trial}")


def one_that_went_well(**settings: Any) -> Bench:
    """A bench whose trial 0 is done, so that not all have failed."""
    bench = Bench(max_trials=20, **settings)
    bench.join("a")
    bench.end("a", 0)
    return bench


def test_one_failure_more_than_max_failures_ends_the_run() -> None:
    bench = one_that_went_well(max_failures=2)
    bench.now = 1.0
    fail(bench, 1)
    fail(bench, 2)
    assert None is bench.ended
    assert m.Done(6, "failed") == fail(bench, 3)
    message = (
        "3 trials failed or were lost, more than max_failures=2; the first was trial 1:\n"
        "Traceback\nerror 1"
    )
    assert Ended("failed", message) == bench.ended


def test_max_failures_0_allows_no_failure() -> None:
    bench = one_that_went_well(max_failures=0)
    fail(bench, 1)
    assert bench.ended is not None
    assert "1 trials failed or were lost, more than max_failures=0" in bench.ended.message


def test_lost_trials_count_among_the_failures_and_lost_attempts_do_not() -> None:
    bench = one_that_went_well(max_failures=0, max_attempts=2)
    bench.handle(WorkerExited("slot of a"))
    bench.join("b")
    assert (None, 2) == (bench.ended, bench.trial(1).attempt)
    bench.handle(WorkerExited("slot of b"))
    assert bench.ended is not None
    assert "failed" == bench.ended.reason
    assert "lost with its worker 2 times" in bench.ended.message


def test_fail_fast_ends_the_run_at_the_first_failure() -> None:
    bench = one_that_went_well(fail_fast=True)
    bench.join("b")
    fail(bench, 1)
    assert None is bench.ended  # another trial is running
    assert [AT_STOP] == bench.take("b" + m.HEARTBEAT_SUFFIX)
    bench.end("b", 2, "interrupted", metric=None)
    message = "trial 1 failed, which ends the run since fail_fast=True:\nTraceback\nerror 1"
    assert Ended("failed", message) == bench.ended
    assert [S.COMPLETED, S.FAILED, S.CANCELLED] == bench.states()


@pytest.mark.parametrize("limit", [{"fail_fast": True}, {"max_failures": 0}])
def test_a_failure_in_the_last_trial_is_the_reason(limit: dict[str, Any]) -> None:
    bench = Bench(max_trials=2, **limit)
    bench.join("a")
    bench.end("a", 0)
    fail(bench, 1)
    assert bench.ended is not None
    assert "failed" == bench.ended.reason


def test_max_failures_takes_the_place_of_the_rule_of_the_first_trials() -> None:
    bench = Bench(max_trials=100, max_failures=7)
    bench.join("a")
    for number in range(7):
        fail(bench, number)
    assert None is bench.ended
    fail(bench, 7)
    assert bench.ended is not None
    assert "8 trials failed or were lost, more than max_failures=7" in bench.ended.message


# --- a trial that its worker gives up ----------------------------------------


def trial_hung(bench: Bench, trial: int, attempt: int = 1, seq: int = 1) -> list[m.ToWorker]:
    """Worker ``a`` gives its trial up; what comes back on its heartbeat socket."""
    answer = bench.send(BEATS_OF_A, m.TrialHung(seq, trial, attempt, "TrialTimeout"))
    return [answer] if answer is not None else []


def test_the_trial_that_came_after_one_that_hangs_in_its_clean_up_is_not_to_blame() -> None:
    bench = Bench(scheduler=ASHA(max_resource=9), max_trials=9, max_attempts=1, trial_timeout_s=9.0)
    bench.join("b", "a")
    bench.report("b", 0, 1, 0.1)
    answer = bench.report("a", 1, 1, 0.5)
    assert isinstance(answer, m.Stop) and answer.next is not None
    following = answer.next.trial
    for _ in range(2):  # it repeats itself until it is answered
        assert [m.Pong(1)] == trial_hung(bench, 1)
    bench.handle(WorkerExited("slot of a"))
    assert S.PENDING is bench.states()[following]
    trial = bench.trial(following)
    assert 0 == trial.attempt - trial.forgiven


def test_the_limit_travels_with_the_welcome() -> None:
    welcome = Bench(trial_timeout_s=30.0).hello("a")
    assert isinstance(welcome, m.Welcome)
    assert 30.0 == welcome.trial_timeout_s


def test_a_trial_given_up_has_failed_and_is_not_run_again() -> None:
    bench = Bench(max_trials=2, trial_timeout_s=30.0)
    bench.join("a")
    assert [m.Pong(1)] == trial_hung(bench, 0)
    assert [m.Pong(1)] == trial_hung(bench, 0)  # the answer was lost
    assert (S.FAILED, "TrialTimeout") == (bench.trial(0).state, bench.trial(0).error)
    bench.handle(WorkerExited("slot of a"))
    bench.join("b")
    assert [S.FAILED, S.RUNNING] == bench.states()
    assert 0 == bench.experiment.counters.requeued


def test_a_hung_trial_that_ends_after_all_brings_the_next_trial() -> None:
    bench = Bench(max_trials=2, trial_timeout_s=30.0)
    bench.join("a")
    trial_hung(bench, 0)
    answer = bench.end("a", 0, "failed", metric=None, error="late")
    assert isinstance(answer, m.Assign)
    assert "TrialTimeout" == bench.trial(0).error
    assert [S.FAILED, S.RUNNING] == bench.states()


def test_a_trial_no_longer_held_cannot_be_given_up() -> None:
    bench = Bench(trial_timeout_s=30.0)
    bench.join("a")
    assert [m.Pong(1)] == trial_hung(bench, 0, attempt=2)
    assert [m.Pong(2)] == trial_hung(bench, 7, seq=2)
    assert None is bench.send("stranger/b", m.TrialHung(3, 0, 1, "no"))
    assert [S.RUNNING] == bench.states()


def test_the_last_trial_given_up_ends_the_run() -> None:
    bench = Bench(max_trials=1, trial_timeout_s=30.0)
    bench.join("a")
    trial_hung(bench, 0)
    assert Ended("max_trials", "") == bench.ended


# --- retries -------------------------------------------------------------------


def test_an_attempt_that_failed_is_restarted() -> None:
    bench = Bench(max_trials=2, retries=2, max_attempts=1)
    bench.join("a")
    answer = fail(bench, 0)
    assert isinstance(answer, m.Assign)
    assert (0, 2) == (answer.assignment.trial, answer.assignment.attempt)
    assert bench.trial(0).seed == answer.assignment.seed
    bench.end("a", 0, "failed", metric=None, error="again", attempt=2)
    bench.end("a", 0, attempt=3)
    trial = bench.trial(0)
    assert (S.COMPLETED, 3, None) == (trial.state, trial.attempt, trial.error)
    assert (2, 0) == (bench.experiment.counters.failed_attempts, bench.experiment.counters.requeued)


def test_it_has_failed_when_there_are_no_retries_left() -> None:
    bench = one_that_went_well(retries=1, max_failures=0)
    fail(bench, 1)
    assert (S.RUNNING, None) == (bench.trial(1).state, bench.ended)
    bench.end("a", 1, "failed", metric=None, error="the last", attempt=2)
    assert (S.FAILED, "the last") == (bench.trial(1).state, bench.trial(1).error)
    assert bench.ended is not None


def test_the_error_of_the_attempt_is_kept() -> None:
    bench = Bench(max_trials=2, retries=1)
    bench.join("a")
    fail(bench, 0)
    words = "attempt 1 failed, and the trial is restarted:\nTraceback\nerror 0"
    assert [((1, 0), 0, "warning", words)] == list(bench.experiment.table.logs)
    assert f"warning: {words}\n" == str(bench.trial(0).log)


def test_lost_attempts_are_counted_apart_from_failed_ones() -> None:
    bench = Bench(max_trials=1, retries=1, max_attempts=2)
    bench.join("a")
    fail(bench, 0)
    bench.handle(WorkerExited("slot of a"))
    bench.join("b")
    assert (S.RUNNING, 3) == (bench.trial(0).state, bench.trial(0).attempt)
    bench.handle(WorkerExited("slot of b"))
    assert S.LOST is bench.trial(0).state


def test_a_trial_its_worker_gave_up_is_restarted_by_another() -> None:
    bench = Bench(max_trials=1, retries=1, trial_timeout_s=30.0)
    bench.join("a")
    bench.send(BEATS_OF_A, m.TrialHung(1, 0, 1, "too long"))
    assert S.PENDING is bench.trial(0).state
    bench.join("b")
    bench.end("b", 0, attempt=2)
    assert S.COMPLETED is bench.trial(0).state


def test_nothing_is_restarted_after_the_end_of_the_run() -> None:
    bench = Bench(max_trials=5, retries=3)
    bench.join("a")
    bench.handle(StopRun("stopped"))
    fail(bench, 0)
    assert S.FAILED is bench.trial(0).state
    assert bench.ended is not None


def test_the_first_five_fail_with_all_their_retries_before_they_end_the_run() -> None:
    bench = Bench(max_trials=20, retries=1)
    bench.join("a")
    for number in range(5):
        assert None is bench.ended
        fail(bench, number)
        bench.end("a", number, "failed", metric=None, error="no", attempt=2)
    head = "the first 5 trials that ended all failed, beginning with trial 0"
    why = "pass max_failures to continue in spite of failures"
    assert Ended("failed", f"{head}; {why}:\nno") == bench.ended
