"""The experiment: how a run ends."""

from __future__ import annotations

import pytest

from asha_bus.core import messages as m
from asha_bus.core.ending import AT_MAX_TIME, AT_STOP, FIRST_FAILURES, LAST_WORD_S
from asha_bus.core.events import Ended, JournalFailed, RequestSuggestions, StopRun, WorkerExited
from asha_bus.core.schedulers import NoStopping
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import Bench

S = TrialState
BEATS_OF_A = "a" + m.HEARTBEAT_SUFFIX


def test_a_run_ends_when_max_trials_are_done() -> None:
    bench = Bench(max_trials=2)
    bench.join("a", "b")
    bench.end("a", 0)
    assert None is bench.ended
    # nothing is left to give, but the last trial may come back: the worker waits
    assert m.Stop(3, "stopped", None) == bench.report("b", 1, 1, float("nan"))
    assert Ended("max_trials", "") == bench.ended
    assert [m.Done(3, "max_trials")] == bench.take("a")
    assert m.Done(4, "max_trials") == bench.ask("b")


def test_a_finite_space_that_is_done_is_exhausted() -> None:
    bench = Bench(max_trials=1, limit_reason="exhausted")
    bench.join("a")
    bench.end("a", 0)
    assert Ended("exhausted", "") == bench.ended


def test_no_more_points_are_drawn_than_trials_are_run() -> None:
    bench = Bench(max_trials=2, supplied=False)
    assert [RequestSuggestions(0, 2)] == bench.draws
    bench.supply()
    bench.join("a", "b")
    bench.hello("c")
    assert m.Wait(2) == bench.ask("c")
    assert [] == bench.draws


def test_after_max_time_running_trials_are_cancelled_at_their_next_report() -> None:
    bench = Bench(max_time_s=10.0, max_trials=5)
    bench.join("a", "b")
    bench.report("a", 0, 1, 0.5)
    bench.wait(9.5)
    assert [] == bench.take(BEATS_OF_A)
    bench.wait(0.5)
    assert [AT_MAX_TIME] == bench.take(BEATS_OF_A)
    assert m.Stop(4, "ended", None) == bench.report("a", 0, 2, 0.4)
    assert None is bench.ended
    assert m.Done(3, "max_time") == bench.end("b", 1, "interrupted", metric=None)
    assert Ended("max_time", "") == bench.ended
    assert [S.CANCELLED, S.CANCELLED] == bench.states()
    # what it got to stays with it
    assert (2, 0.4, 1) == (
        bench.trial(0).resource,
        bench.trial(0).metric,
        len(bench.trial(0).rungs),
    )


def test_the_deadline_is_the_end_of_max_time_then_the_give_up() -> None:
    bench = Bench(max_time_s=10.0)
    assert 10.0 == bench.experiment.next_deadline()
    bench.join("a")
    bench.wait(10.0)
    assert 10.0 + AT_MAX_TIME.exit_s + LAST_WORD_S == bench.experiment.next_deadline()


def test_a_report_that_completes_or_is_stopped_after_the_end_counts_as_such() -> None:
    bench = Bench()
    bench.join("a", "b")
    bench.report("a", 0, 1, 0.5)
    bench.handle(StopRun("stopped"))
    assert m.Stop(4, "completed", None) == bench.report("a", 0, 9, 0.4)
    assert m.Stop(3, "stopped", None) == bench.report("b", 1, 1, 0.9)
    assert [S.COMPLETED, S.STOPPED] == bench.states()
    assert Ended("stopped", "") == bench.ended


def test_no_trial_begins_after_the_end() -> None:
    bench = Bench(max_time_s=10.0)
    bench.join("a")
    bench.wait(10.0)
    bench.hello("b")
    assert m.Done(2, "max_time") == bench.ask("b")


def test_waiting_workers_are_notified_of_the_end() -> None:
    bench = Bench(supplied=False)
    bench.hello("a")
    bench.ask("a")
    bench.handle(StopRun("stopped"))
    assert [m.Done(2, "stopped")] == bench.take("a")
    assert Ended("stopped", "") == bench.ended


def test_waiting_workers_are_notified_when_max_time_ends() -> None:
    bench = Bench(supplied=False, max_time_s=10.0)
    bench.hello("a")
    bench.ask("a")
    bench.wait(10.0)
    assert [m.Done(2, "max_time")] == bench.take("a")


def test_stop_now_ends_the_run_at_once() -> None:
    bench = Bench()
    bench.join("a")
    bench.handle(StopRun("stopped", "by the user"))
    assert [AT_STOP] == bench.take(BEATS_OF_A)
    assert [AT_STOP] == bench.heartbeat("a")  # whoever missed it hears it again
    bench.end("a", 0, "interrupted", metric=None)
    assert Ended("stopped", "by the user") == bench.ended
    assert [m.Pong(0)] == bench.heartbeat("a")


def test_a_silent_worker_is_given_up() -> None:
    bench = Bench()
    bench.join("a")
    bench.handle(StopRun("stopped"))
    bench.wait(AT_STOP.exit_s)
    assert None is bench.ended
    bench.wait(LAST_WORD_S)
    assert Ended("stopped", "") == bench.ended
    assert [S.CANCELLED] == bench.states()
    # its late word changes nothing
    assert m.Stop(3, "fenced", None) == bench.report("a", 0, 1, 0.5)
    assert m.Done(4, "stopped") == bench.end("a", 0)
    assert (None, ()) == (bench.trial(0).metric, bench.trial(0).rungs)


def test_a_worker_presumed_dead_is_ended() -> None:
    bench = Bench(scheduler=NoStopping())
    bench.join("a")
    bench.handle(WorkerExited("slot of a"))
    bench.handle(StopRun("stopped"))
    assert bench.ended is not None
    assert [AT_STOP] == bench.heartbeat("a")
    assert m.Stop(3, "fenced", None) == bench.report("a", 0, 1, 0.5)
    assert [m.Pong(0)] == bench.heartbeat("a")


def test_a_stop_after_max_time_ends_the_run_at_once_and_keeps_the_reason() -> None:
    bench = Bench(max_time_s=10.0)
    bench.join("a")
    bench.wait(10.0)
    bench.take(BEATS_OF_A)
    bench.handle(StopRun("stopped"))
    assert [AT_STOP] == bench.take(BEATS_OF_A)
    bench.wait(AT_STOP.exit_s + LAST_WORD_S)
    assert Ended("max_time", "") == bench.ended


def test_a_second_end_never_gives_more_time() -> None:
    bench = Bench(max_time_s=10.0)
    bench.join("a")
    bench.wait(10.0)
    bench.wait(4.9)
    bench.handle(StopRun("stopped"))
    bench.wait(AT_MAX_TIME.exit_s + LAST_WORD_S - 4.9)
    assert Ended("max_time", "") == bench.ended


def test_a_worker_lost_after_the_end_is_waited_for_no_more() -> None:
    bench = Bench()
    bench.join("a")
    bench.handle(StopRun("stopped"))
    bench.handle(WorkerExited("slot of a"))
    assert ([S.CANCELLED], Ended("stopped", "")) == (bench.states(), bench.ended)


def test_a_trial_that_waits_for_a_worker_is_cancelled() -> None:
    bench = Bench()
    bench.join("a")
    bench.handle(WorkerExited("slot of a"))
    bench.handle(StopRun("stopped"))
    assert ([S.CANCELLED], Ended("stopped", "")) == (bench.states(), bench.ended)


def test_a_copy_of_a_worker_is_let_in_after_the_end_to_hear_of_it() -> None:
    bench = Bench(max_trials=1)
    assert isinstance(bench.hello("a", slot="s"), m.Welcome)
    bench.ask("a")
    bench.end("a", 0)
    assert isinstance(bench.hello("copy", slot="s"), m.Welcome)
    assert m.Done(2, "max_trials") == bench.ask("copy")


@pytest.mark.parametrize(
    ("mode", "metric", "reached"),
    [
        ("min", 0.1, True),
        ("min", 0.05, True),
        ("min", 0.11, False),
        ("min", float("nan"), False),
        ("min", -float("inf"), False),
        ("max", 0.1, True),
        ("max", 0.2, True),
        ("max", 0.09, False),
        ("max", float("inf"), False),
    ],
)
def test_a_report_that_reaches_the_target_ends_the_run(
    mode: str, metric: float, reached: bool
) -> None:
    bench = Bench(mode=mode, stop_at=0.1)
    bench.join("a", "b")
    answer = bench.report("a", 0, 1, metric)
    if not reached:
        assert [] == bench.take("b" + m.HEARTBEAT_SUFFIX)
        return
    assert m.Stop(3, "completed", None) == answer
    assert [S.COMPLETED, S.RUNNING] == bench.states()
    assert [AT_STOP] == bench.take("b" + m.HEARTBEAT_SUFFIX)
    bench.end("b", 1, "interrupted", metric=None)
    assert Ended("stop_at", "") == bench.ended


def test_a_second_trial_at_the_target_completes_too_and_the_run_ends() -> None:
    bench = Bench(stop_at=0.1)
    bench.join("a", "b")
    bench.report("a", 0, 1, 0.1)
    assert None is bench.ended
    bench.report("b", 1, 1, 0.05)
    assert [S.COMPLETED, S.COMPLETED] == bench.states()
    assert Ended("stop_at", "") == bench.ended


def test_a_trial_that_ends_at_the_target_ends_the_run() -> None:
    bench = Bench(scheduler=NoStopping(), stop_at=0.1)
    bench.join("a")
    assert m.Done(3, "stop_at") == bench.end("a", 0, metric=0.1)
    assert ([S.COMPLETED], Ended("stop_at", "")) == (bench.states(), bench.ended)


def test_a_failed_trial_reaches_no_target() -> None:
    bench = Bench(scheduler=NoStopping(), stop_at=0.1)
    bench.join("a")
    bench.end("a", 0, "failed", metric=0.1, error="no")
    assert None is bench.ended


def fail(bench: Bench, *trials: int) -> None:
    for trial in trials:
        bench.end("a", trial, "failed", metric=None, error=f"error {trial}")


def test_a_run_whose_first_trials_all_fail_is_ended() -> None:
    bench = Bench(max_trials=100)
    bench.join("a")
    fail(bench, *range(FIRST_FAILURES - 1))
    assert None is bench.ended
    fail(bench, FIRST_FAILURES - 1)
    head = f"the first {FIRST_FAILURES} trials that ended all failed, beginning with trial 0"
    why = "pass max_failures to continue in spite of failures"
    assert Ended("failed", f"{head}; {why}:\nerror 0") == bench.ended
    assert FIRST_FAILURES == len(bench.states())


def test_one_success_among_the_first_trials_continues_the_run() -> None:
    bench = Bench(max_trials=100)
    bench.join("a")
    bench.end("a", 0)
    fail(bench, *range(1, 50))
    assert None is bench.ended


def test_all_trials_failing_is_the_end_of_a_short_run() -> None:
    bench = Bench(max_trials=2)
    bench.join("a")
    fail(bench, 0, 1)
    assert Ended("max_trials", "") == bench.ended


def test_lost_trials_count_as_failed() -> None:
    bench = Bench(max_attempts=1)
    for number in range(FIRST_FAILURES):
        bench.join(str(number))
        bench.handle(WorkerExited(f"slot of {number}"))
    assert bench.ended is not None
    assert "failed" == bench.ended.reason


def test_the_busy_window_closes_when_the_last_trial_is_given_out() -> None:
    bench = Bench(max_trials=2)
    bench.join("a")
    bench.now = 30.0
    assert None is bench.experiment.assignments.busy_window
    end = m.End(3, 0, 1, 1, 0.5, 0.5, {}, "completed", None, 2.5)
    bench.send("a", end)
    assert (2.5, 30.0) == bench.experiment.assignments.busy_window
    bench.now = 50.0
    bench.send("a", m.End(4, 1, 1, 1, 0.5, 0.5, {}, "completed", None, 9.0))
    assert (2.5, 30.0) == bench.experiment.assignments.busy_window


def test_without_a_journal_workers_are_sent_home_and_nothing_is_promised() -> None:
    bench = Bench(supplied=False)
    bench.supply()
    bench.join("a", "b", "c")
    before = len(bench.records)
    bench.handle(JournalFailed("the disk is full"))
    assert [AT_STOP] == bench.take(BEATS_OF_A)
    assert m.Stop(3, "ended", None) == bench.report("a", 0, 1, 0.5)
    assert m.Done(3, "failed") == bench.end("b", 1)
    assert m.Done(4, "failed") == bench.ask("b")
    # nobody learns of what would be forgotten, whatever arrives
    assert None is bench.hello("d")
    assert m.Done(2, "failed") == bench.ask("d")
    assert (m.Pong(1), None) == (bench.send("e", m.Ping(1)), bench.send("a", m.Leave({})))
    assert [] == bench.heartbeat("d")
    assert [AT_STOP, AT_STOP] == bench.heartbeat("c")  # the first one may be lost
    assert [S.CANCELLED, S.RUNNING, S.RUNNING] == bench.states()  # who left has none
    assert before == len(bench.records)


def test_without_a_journal_the_run_fails_when_its_trials_had_their_time() -> None:
    bench = Bench()
    bench.join("a")
    bench.handle(JournalFailed("the disk is full"))
    bench.wait(AT_STOP.exit_s)
    assert None is bench.ended
    bench.wait(LAST_WORD_S)
    assert Ended("failed", "the disk is full") == bench.ended
    assert [S.CANCELLED] == bench.states()


def test_after_a_journal_failure_a_waiting_worker_ends_at_its_next_request() -> None:
    bench = Bench(supplied=False)
    bench.hello("a")
    assert m.Wait(2) == bench.ask("a")
    bench.handle(JournalFailed("the disk is full"))
    assert Ended("failed", "the disk is full") == bench.ended
    assert [] == bench.take("a")
    assert m.Done(2, "failed") == bench.send("a", m.Next(2, 0.0))
