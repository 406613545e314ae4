"""The experiment: how trials are given out, judged and ended."""

from __future__ import annotations

import math

import pytest

from asha_bus.core import messages as m
from asha_bus.core.events import RequestSuggestions, Suggested
from asha_bus.core.schedulers import ASHA, NoStopping
from asha_bus.core.trial import TrialState
from asha_bus.core.trials import MAX_LOG_LINES
from asha_bus.testing.simulator import RUN, Bench

S = TrialState


def assignment(answer: m.ToWorker | None) -> m.Assignment:
    """The trial that came with an answer."""
    found = answer.next if isinstance(answer, m.Stop) else None
    found = answer.assignment if isinstance(answer, m.Assign) else found
    assert found is not None
    return found


def test_a_worker_is_welcomed_and_gets_the_first_trial() -> None:
    bench = Bench(mode="max", stop_at=0.9, heartbeat_s=2.0)
    assert m.Welcome(1, 2.0, "max", 0.9, None, 1) == bench.hello("a")
    answer = bench.ask("a")
    seed = bench.trial(0).seed
    assert m.Assign(2, m.Assignment(0, 1, (0.0,), seed, 1)) == answer
    assert [S.RUNNING] == bench.states()


def test_trials_are_given_out_in_order() -> None:
    bench = Bench()
    bench.join("a", "b", "c")
    assert ["a", "b", "c"] == [bench.trial(number).worker for number in range(3)]


def test_seeds_of_trials_differ_and_follow_the_runs() -> None:
    first, second = Bench(), Bench()
    for bench in (first, second):
        bench.join("a", "b", "c")
    seeds = [trial.seed for trial in first.experiment.table.trials]
    assert 3 == len(set(seeds))
    assert all(0 <= seed < 2**32 for seed in seeds)  # what numpy takes
    assert seeds == [trial.seed for trial in second.experiment.table.trials]


def test_a_trial_may_go_on_to_the_next_rung() -> None:
    bench = Bench()
    bench.join("a")
    assert m.Continue(3, 3) == bench.report("a", trial=0, resource=1, metric=0.5)
    assert (1, 0.5) == (bench.trial(0).resource, bench.trial(0).metric)
    assert [S.RUNNING] == bench.states()
    assert ["continue"] == [record.verdict for record in bench.trial(0).rungs]


def test_a_stop_carries_the_next_trial() -> None:
    bench = Bench()
    bench.join("a", "b")
    bench.report("a", trial=0, resource=1, metric=0.1)
    answer = bench.report("b", trial=1, resource=1, metric=0.9)
    assert m.Stop(3, "stopped", m.Assignment(2, 1, (2.0,), bench.trial(2).seed, 1)) == answer
    assert [S.RUNNING, S.STOPPED, S.RUNNING] == bench.states()


def test_reaching_max_resource_completes_the_trial() -> None:
    bench = Bench(scheduler=ASHA(max_resource=3))
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    answer = bench.report("a", 0, 3, 0.4)
    assert isinstance(answer, m.Stop)
    assert ("completed", 1) == (answer.why, assignment(answer).trial)
    assert (S.COMPLETED, 0.4, 3) == (
        bench.trial(0).state,
        bench.trial(0).metric,
        bench.trial(0).resource,
    )


def test_without_a_trial_to_give_the_worker_waits() -> None:
    bench = Bench(supplied=False)
    bench.hello("a")
    assert m.Wait(2) == bench.ask("a")
    bench.hello("b")
    assert m.Wait(2) == bench.ask("b")
    bench.supply()
    # the real answers follow with the same seq, in the order of asking
    assert [0] == [assignment(answer).trial for answer in bench.take("a") if answer[0] == 2]
    assert [1] == [assignment(answer).trial for answer in bench.take("b") if answer[0] == 2]


def test_a_waiting_worker_that_asks_again_waits_on() -> None:
    bench = Bench(supplied=False)
    bench.hello("a")
    bench.ask("a")
    assert m.Wait(2) == bench.send("a", m.Next(2, 0.0))
    bench.supply()
    assert 1 == len(bench.take("a"))


def test_a_repeated_request_gets_the_recorded_answer() -> None:
    bench = Bench()
    bench.join("a", "b")
    bench.report("a", 0, 1, 0.1)
    report = m.Report(3, 1, 1, 1, 0.9, 0.9, {}, 0.0)
    answer = bench.send("b", report)
    before = repr(bench.experiment.table.trials)
    assert [answer, answer] == [bench.send("b", report), bench.send("b", report)]
    assert before == repr(bench.experiment.table.trials)
    counters = bench.experiment.counters
    assert (2, 2, 2, 3) == (
        counters.decisions,
        counters.reports,
        counters.retried,
        counters.assigned,
    )


def test_an_old_copy_of_a_request_is_left_alone() -> None:
    bench = Bench()
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    assert None is bench.send("a", m.Next(2, 0.0))
    assert 1 == len(bench.states())


def test_a_repeated_hello_is_welcomed_again_and_changes_nothing() -> None:
    bench = Bench()
    bench.join("a")
    hello = m.Hello(1, RUN, "slot of a", "host", 1)
    assert isinstance(bench.send("a", hello), m.Welcome)
    assert (1, [S.RUNNING]) == (len(bench.experiment.roster.workers), bench.states())
    assert isinstance(bench.report("a", 0, 1, 0.5), m.Continue)


def test_a_worker_of_another_run_is_refused() -> None:
    bench = Bench()
    answer = bench.hello("a", run="another-run")
    assert m.Refused(1, "this bus serves another run than another-run") == answer
    assert (1, 0) == (bench.experiment.counters.refused, len(bench.experiment.roster.workers))


@pytest.mark.parametrize(
    "request_",
    [
        m.Next(5, 0.0),
        m.Report(5, 0, 1, 1, 0.5, 0.5, {}, 0.0),
        m.End(5, 0, 1, 1, 0.5, 0.5, {}, "completed", None, 0.0),
    ],
)
def test_a_stranger_is_refused(request_: m.Request) -> None:
    bench = Bench()
    bench.join("a")
    assert m.Refused(5, "unknown worker: it must say HELLO first") == bench.send("x", request_)
    assert [S.RUNNING] == bench.states()


@pytest.mark.parametrize(
    "message",
    [m.Telemetry(0, 1, 0.1, ((1, 0.1),)), m.Log(0, 1, "info", "x"), m.Heartbeat({}), m.Leave({})],
)
def test_a_strangers_one_way_messages_are_ignored(message: m.OneWay) -> None:
    bench = Bench()
    bench.join("a")
    assert None is bench.send("x", message)
    assert (None, 0) == (bench.trial(0).metric, len(bench.experiment.table.logs))


def test_anybody_may_ping() -> None:
    assert m.Pong(3) == Bench().send("x", m.Ping(3))


def test_reports_between_rungs_move_the_trial() -> None:
    bench = Bench(scheduler=NoStopping())
    bench.join("a")
    bench.send("a", m.Telemetry(0, 1, 0.3, ((1, 0.5), (2, 0.3), (3, 0.4))))
    trial = bench.trial(0)
    assert (3, 0.4, 0.3, 3) == (
        trial.resource,
        trial.metric,
        trial.best_metric,
        bench.experiment.counters.reports,
    )


@pytest.mark.parametrize(
    "late", [m.Telemetry(0, 1, 0.1, ((2, 0.1),)), m.Telemetry(0, 2, 0.1, ((8, 0.1),))]
)
def test_late_or_foreign_reports_between_rungs_move_nothing(late: m.Telemetry) -> None:
    bench = Bench()
    bench.join("a")
    bench.report("a", 0, 3, 0.5)
    bench.send("a", late)
    assert (3, 0.5, 0.5) == (
        bench.trial(0).resource,
        bench.trial(0).metric,
        bench.trial(0).best_metric,
    )


def test_late_reports_of_a_stopped_trial_change_nothing() -> None:
    bench = Bench()
    bench.join("a", "b")
    bench.report("a", 0, 1, 0.1)
    bench.report("b", 1, 1, 0.9)
    before = repr(bench.trial(1))
    for step in range(2, 9):
        bench.send("b", m.Telemetry(1, 1, 0.0, ((step, 0.0),)))
    # and a report, as if it had not read the answer, is turned away
    assert m.Stop(4, "fenced", None) == bench.report("b", trial=1, resource=3, metric=0.0)
    assert before == repr(bench.trial(1))
    assert (2, 1) == (bench.experiment.counters.decisions, bench.experiment.counters.fenced)


def test_extras_stay_with_the_trial() -> None:
    bench = Bench()
    bench.join("a")
    bench.send("a", m.Report(3, 0, 1, 1, 0.5, 0.5, {"accuracy": 0.8}, 0.0))
    assert {"accuracy": 0.8} == bench.trial(0).extras


@pytest.mark.parametrize("metric", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_stops_the_trial_and_is_kept(metric: float) -> None:
    bench = Bench()
    bench.join("a")
    answer = bench.report("a", 0, 1, metric)
    assert isinstance(answer, m.Stop)
    assert ("stopped", str(metric)) == (answer.why, str(bench.trial(0).metric))


def test_an_end_by_itself_completes_the_trial_and_brings_the_next() -> None:
    bench = Bench()
    bench.join("a")
    assert 1 == assignment(bench.end("a", 0, metric=0.3)).trial
    assert (S.COMPLETED, 0.3) == (bench.trial(0).state, bench.trial(0).metric)


def test_a_failure_keeps_its_traceback_and_brings_the_next_trial() -> None:
    bench = Bench()
    bench.join("a")
    answer = bench.end("a", 0, "failed", metric=None, error="ValueError: no")
    assert 1 == assignment(answer).trial
    assert (S.FAILED, "ValueError: no", None) == (
        bench.trial(0).state,
        bench.trial(0).error,
        bench.trial(0).metric,
    )


def test_lines_that_objectives_log_are_kept_up_to_a_limit() -> None:
    bench = Bench()
    bench.join("a")
    for number in range(MAX_LOG_LINES + 1):
        bench.send("a", m.Log(0, 1, "info", str(number)))
    assert ((2, 0), 0, "info", "1") == bench.experiment.table.logs[0]
    assert MAX_LOG_LINES == len(bench.experiment.table.logs)


def test_unrequested_points_are_kept() -> None:
    bench = Bench(supplied=False, max_trials=3)
    assert RequestSuggestions(0, 3) == bench.draws.pop()
    bench.handle(Suggested(0, ((0.1,),)))
    bench.handle(Suggested(1, ((0.2,), (0.3,))))
    bench.join("a", "b", "c")
    assert [(0.1,), (0.2,), (0.3,)] == [t.point for t in bench.experiment.table.trials]


def test_brackets_are_drawn_when_trials_are_given_out() -> None:
    brackets = []
    for _ in range(2):
        bench = Bench(scheduler=ASHA(max_resource=27, brackets=3))
        bench.join(*map(str, range(40)))
        brackets.append([trial.bracket for trial in bench.experiment.table.trials])
    assert {0, 1, 2} == set(brackets[0])
    assert brackets[0] == brackets[1]
