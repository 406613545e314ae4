"""The pure half of a worker: what it asks, and what it makes of answers."""

from __future__ import annotations

import math

import pytest

from asha_bus.core import messages as m
from asha_bus.core.errors import LocalProtocolError, ObjectiveError
from asha_bus.core.worker import MAX_ERROR_CHARS, TELEMETRY_EVERY_S, TELEMETRY_MOST, Worker, cut


def make_assignment(
    trial: int = 0, attempt: int = 1, next_resource: float | None = 3
) -> m.Assignment:
    return m.Assignment(trial, attempt, (0.5,), 99, next_resource)


def joined(mode: str = "min", stop_at: float | None = None) -> Worker:
    worker = Worker(run="run", slot="0.1", host="host", pid=7, now=0.0)
    assert m.Hello(1, "run", "0.1", "host", 7) == worker.hello()
    worker.receive(m.Welcome(1, 2.5, mode, stop_at, None, 1))
    return worker


def busy(
    next_resource: float | None = 3, mode: str = "min", stop_at: float | None = None
) -> Worker:
    """A worker that has begun trial 0."""
    worker = joined(mode, stop_at)
    assert m.Next(2, 0.0) == worker.next(0.0)
    worker.receive(m.Assign(2, make_assignment(next_resource=next_resource)))
    worker.begin()
    return worker


def report(worker: Worker, metric: float, resource: float | None = None) -> m.Request | None:
    return worker.report(metric, resource, {}, 0.0)


def test_the_welcome_says_how_to_work() -> None:
    worker = joined(mode="max", stop_at=0.9)
    assert ("max", 0.9, 2.5) == (worker.mode, worker.stop_at, worker.heartbeat_s)


def test_reports_are_counted_and_only_a_rung_is_asked_for() -> None:
    worker = busy(next_resource=3)
    assert [None, None] == [report(worker, 0.5), report(worker, 0.4)]
    assert m.Report(3, 0, 1, 3, 0.45, 0.4, {}, 0.0, 2) == report(worker, 0.45)


def test_going_on_asks_at_the_next_rung() -> None:
    worker = busy(next_resource=1)
    report(worker, 0.5)
    assert m.Continue(3, 3) == worker.receive(m.Continue(3, 3))
    assert None is report(worker, 0.4)
    assert isinstance(report(worker, 0.3), m.Report)


def test_without_a_rung_ahead_nothing_is_asked() -> None:
    worker = busy(next_resource=None)
    assert [None] * 100 == [report(worker, 0.5) for _ in range(100)]


@pytest.mark.parametrize("resource", [3, 3.0, 10, 1e6, 3 - 1e-13])
def test_a_resource_at_or_beyond_the_rung_is_asked_for(resource: float) -> None:
    request = report(busy(next_resource=3), 0.5, resource)
    assert isinstance(request, m.Report)
    assert resource == request.resource


def test_counting_goes_on_from_a_resource_given_by_hand() -> None:
    worker = busy(next_resource=None)
    report(worker, 0.5, 2.5)
    report(worker, 0.4)
    assert worker.attempt is not None
    assert 3.5 == worker.attempt.resource


def test_a_repeated_resource_keeps_the_first_report() -> None:
    worker = busy(next_resource=None)
    report(worker, 0.9, 2)
    assert None is report(worker, 0.1, 2)
    assert worker.attempt is not None
    assert (2, 0.9, 0.9) == (
        worker.attempt.resource,
        worker.attempt.metric,
        worker.attempt.best_metric,
    )


def test_a_smaller_resource_is_an_error() -> None:
    worker = busy(next_resource=None)
    report(worker, 0.5, 200)
    with pytest.raises(ObjectiveError, match=r"report\(resource=198\) after resource 200"):
        report(worker, 0.4, 198)
    assert worker.attempt is not None
    assert 200 == worker.attempt.resource


@pytest.mark.parametrize("resource", [-1, -1e-9, math.nan, math.inf])
def test_a_resource_is_a_finite_number_and_not_below_zero(resource: float) -> None:
    with pytest.raises(ObjectiveError, match=rf"report\(resource={resource!r}\): a resource is"):
        report(busy(), 0.5, resource)


def resources(worker: Worker) -> list[float]:
    batch = worker.last_telemetry(0.0)
    return [resource for resource, _ in batch.reports] if batch else []


@pytest.mark.parametrize(
    ("given", "counted"),
    [
        ([0, 1, 2], [1, 2, 3]),
        ([0.0, 0.5, 1.5], [1.0, 1.5, 2.5]),
        ([0, 10, 20], [1, 11, 21]),
        ([0, None, 2, None], [1, 2, 3, 4]),
        ([1, 2, 3], [1, 2, 3]),
        ([0.5, 1], [0.5, 1]),
        ([None, 2, None], [1, 2, 3]),
    ],
)
def test_after_a_first_report_at_zero_a_step_counts_as_one_more_than_its_number(
    given: list[float | None], counted: list[float]
) -> None:
    worker = busy(next_resource=None)
    for resource in given:
        report(worker, 0.5, resource)
    assert counted == resources(worker)


def test_a_step_from_zero_is_asked_for_at_the_rung_that_it_completes() -> None:
    worker = busy(next_resource=3)
    assert [None, None] == [report(worker, 0.5, 0), report(worker, 0.5, 1)]
    request = report(worker, 0.5, 2)
    assert isinstance(request, m.Report)
    assert 3 == request.resource


def test_a_repeated_step_zero_keeps_the_first_report() -> None:
    worker = busy(next_resource=None)
    assert [None, None] == [report(worker, 0.9, 0), report(worker, 0.1, 0)]
    assert worker.attempt is not None
    assert (1, 0.9) == (worker.attempt.resource, worker.attempt.metric)


def test_an_error_about_steps_from_zero_names_them_as_they_were_given() -> None:
    worker = busy(next_resource=None)
    for step in (0, 5):
        report(worker, 0.5, step)
    with pytest.raises(ObjectiveError, match=r"report\(resource=4\) after resource 5"):
        report(worker, 0.5, 4)


def test_a_resource_of_zero_after_another_report_is_an_error() -> None:
    worker = busy(next_resource=None)
    report(worker, 0.5)
    with pytest.raises(ObjectiveError, match=r"report\(resource=0\) after resource 1"):
        report(worker, 0.5, 0)


def test_each_attempt_decides_by_its_own_first_report_where_it_counts_from() -> None:
    worker = busy(next_resource=None)
    report(worker, 0.5, 0)
    worker.end("failed", "no", 0.0)
    worker.receive(m.Assign(3, make_assignment(attempt=2, next_resource=None)))
    worker.begin()
    report(worker, 0.5, 1)
    assert [1] == resources(worker)


@pytest.mark.parametrize(
    ("mode", "best"), [("min", 0.2), ("max", 0.7)], ids=["the lowest", "the highest"]
)
def test_the_best_metric_is_kept_and_never_one_that_is_not_finite(mode: str, best: float) -> None:
    worker = busy(next_resource=7, mode=mode)
    for metric in (math.nan, 0.5, 0.2, -math.inf, 0.7, math.inf):
        report(worker, metric)
    request = report(worker, 0.6)
    assert isinstance(request, m.Report)
    assert (0.6, best) == (request.metric, request.best_metric)
    assert {0.2: 3, 0.7: 5}[best] == request.best_resource


@pytest.mark.parametrize(
    ("mode", "metric", "asks"),
    [
        ("min", 0.1, True),
        ("min", 0.09, True),
        ("min", 0.2, False),
        ("min", -math.inf, False),
        ("min", math.nan, False),
        ("max", 0.1, True),
        ("max", 0.2, True),
        ("max", 0.09, False),
    ],
)
def test_reaching_the_target_is_asked_for_between_rungs(
    mode: str, metric: float, asks: bool
) -> None:
    request = report(busy(next_resource=None, mode=mode, stop_at=0.1), metric)
    assert asks is isinstance(request, m.Report)


def test_at_the_end_of_the_run_the_next_report_is_asked_for() -> None:
    worker = busy(next_resource=None)
    report(worker, 0.5)
    worker.must_ask = True
    assert isinstance(report(worker, 0.5), m.Report)


def test_a_trial_that_is_to_ask_does_so_once() -> None:
    worker = busy(next_resource=None)
    worker.receive(m.Ask(0, 1))
    assert isinstance(report(worker, 0.5), m.Report)
    worker.receive(m.Continue(3, None))
    assert None is report(worker, 0.5)
    worker.receive(m.Ask(0, 2))  # another attempt
    assert None is report(worker, 0.5)


def test_an_answer_that_was_sent_before_cancels_no_order_to_ask() -> None:
    worker = busy(next_resource=1)
    report(worker, 0.5)
    worker.receive(m.Ask(0, 1))  # it comes over another connection, and so may overtake
    worker.receive(m.Continue(3, 9))
    assert isinstance(report(worker, 0.5), m.Report)


def test_an_order_to_ask_may_come_before_its_trial() -> None:
    worker = busy(next_resource=1)
    report(worker, 0.5)
    worker.receive(m.Ask(4, 1))
    worker.receive(m.Stop(3, "stopped", make_assignment(trial=4, next_resource=None)))
    worker.abandon()
    worker.begin()
    assert isinstance(report(worker, 0.5), m.Report)


def test_a_stop_brings_the_next_trial() -> None:
    worker = busy(next_resource=1)
    report(worker, 0.5)
    following = make_assignment(trial=4)
    worker.receive(m.Stop(3, "stopped", following))
    assert worker.attempt is not None
    assert "stopped" == worker.attempt.stopped
    assert None is report(worker, 0.4)  # the objective did not look
    with pytest.raises(LocalProtocolError, match="no trial to begin"):
        worker.begin()
    worker.abandon()
    assert following == worker.begin().assignment


def test_a_stop_without_a_trial_means_to_ask() -> None:
    worker = busy(next_resource=1)
    report(worker, 0.5)
    worker.receive(m.Stop(3, "ended", None))
    worker.abandon()
    assert (None, None) == (worker.attempt, worker.upcoming)
    assert m.Next(4, 5.0) == worker.next(5.0)
    worker.receive(m.Done(4, "max_time"))
    assert "max_time" == worker.done


def test_an_end_reports_the_last_position_and_its_answer_brings_the_next() -> None:
    worker = busy(next_resource=None)
    worker.report(0.5, None, {"epoch": 1}, 0.0)
    expected = m.End(3, 0, 1, 1, 0.5, 0.5, {"epoch": 1}, "completed", None, 0.0, 1)
    assert expected == worker.end("completed", None, 0.0)
    worker.receive(m.Assign(3, make_assignment(trial=1)))
    assert 1 == worker.begin().assignment.trial


def test_a_trial_that_was_not_stopped_cannot_just_be_left() -> None:
    with pytest.raises(LocalProtocolError, match="its end must be told"):
        busy().abandon()


def test_only_one_request_is_open_at_a_time() -> None:
    worker = busy(next_resource=1)
    report(worker, 0.5)
    with pytest.raises(LocalProtocolError, match="still unanswered"):
        worker.end("completed", None, 0.0)


@pytest.mark.parametrize(
    "message", [m.Continue(2, 9), m.Assign(2, make_assignment(5)), m.Interrupt(1, 2), m.Pong(0)]
)
def test_an_answer_to_another_request_is_ignored(message: m.ToWorker) -> None:
    worker = busy(next_resource=1)
    report(worker, 0.5)  # seq 3
    assert None is worker.receive(message)
    assert worker.attempt is not None
    assert (1, None, None) == (
        worker.attempt.next_resource,
        worker.upcoming,
        worker.attempt.stopped,
    )
    assert m.Continue(3, 9) == worker.receive(m.Continue(3, 9))
    assert None is worker.receive(m.Continue(3, 9))  # a copy of the answer


def test_waiting_is_no_answer_yet() -> None:
    worker = joined()
    worker.next(0.0)
    assert None is worker.receive(m.Wait(2))
    assert isinstance(worker.receive(m.Assign(2, make_assignment())), m.Assign)


def test_a_refusal_is_an_answer() -> None:
    worker = Worker(run="run", slot="0", host="host", pid=7, now=0.0)
    worker.hello()
    assert m.Refused(1, "no") == worker.receive(m.Refused(1, "no"))


def test_reports_between_rungs_leave_together_after_a_while() -> None:
    worker = busy(next_resource=None)
    report(worker, 0.5)
    assert m.Reports(0, 1, 0.5, 1, ((1, 0.5),), {}, 1) == worker.telemetry(0.0)
    report(worker, 0.4)
    assert None is worker.telemetry(TELEMETRY_EVERY_S / 2)
    report(worker, 0.6)
    expected = m.Reports(0, 1, 0.4, 2, ((2, 0.4), (3, 0.6)), {}, 2)
    assert expected == worker.telemetry(TELEMETRY_EVERY_S)
    assert None is worker.telemetry(100.0)


def test_too_many_reports_between_rungs_are_thinned_out() -> None:
    worker = busy(next_resource=None)
    for _ in range(TELEMETRY_MOST + 10):
        report(worker, 0.5)
    telemetry = worker.telemetry(0.0)
    assert telemetry is not None
    assert TELEMETRY_MOST + 10 == telemetry.total
    *even, last = [resource for resource, _ in telemetry.reports]
    assert list(range(1, TELEMETRY_MOST + 10, 2)) == even
    assert TELEMETRY_MOST + 10 == last
    report(worker, 0.5)
    assert 1 == next(filter(None, [worker.last_telemetry(0.0)])).total


def test_numeric_extras_travel_with_the_reports() -> None:
    worker = busy(next_resource=None)
    for extras in ({"lr": 0.5, "note": "a"}, {}, {"lr": 2, "ok": True, "loss": 0.25}):
        worker.report(0.5, None, extras, 0.0)
    telemetry = worker.last_telemetry(0.0)
    assert telemetry is not None
    assert {"lr": (0.5, None, 2), "loss": (None, None, 0.25)} == telemetry.extras


def test_a_short_trial_sends_its_reports() -> None:
    worker = busy(next_resource=None)
    worker.enter_objective(0.0)
    report(worker, 0.5)
    assert m.Reports(0, 1, 0.5, 1, ((1, 0.5),), {}, 1) == worker.last_telemetry(1e-6)


def test_reports_of_an_ended_trial_are_not_sent_for_the_next() -> None:
    worker = busy(next_resource=None)
    report(worker, 0.5)
    worker.end("completed", None, 0.0)
    worker.receive(m.Assign(3, make_assignment(trial=1)))
    worker.begin()
    assert None is worker.telemetry(100.0)


def test_time_outside_objectives_is_idle() -> None:
    worker = joined()
    assert m.Next(2, 4.0) == worker.next(4.0)
    worker.receive(m.Assign(2, make_assignment(next_resource=1)))
    worker.begin()
    worker.enter_objective(5.0)
    request = worker.report(0.5, None, {}, 20.0)
    assert isinstance(request, m.Report)
    assert 5.0 == request.idle_s
    worker.leave_objective(20.0)
    worker.receive(m.Continue(3, None))
    worker.enter_objective(21.0)
    worker.leave_objective(30.0)
    request = worker.end("completed", None, 31.0)
    assert isinstance(request, m.End)
    assert 7.0 == request.idle_s


def test_a_long_traceback_keeps_its_beginning_and_its_end() -> None:
    worker = busy(next_resource=None)
    text = "begin" + "x" * MAX_ERROR_CHARS + "end"
    request = worker.end("failed", text, 0.0)
    assert isinstance(request, m.End)
    assert request.error is not None
    assert request.error.startswith("beginxxx")
    assert request.error.endswith("xxxend")
    assert "8 characters left out" in request.error
    assert len(request.error) < MAX_ERROR_CHARS + 100


def test_a_short_text_is_not_cut() -> None:
    assert "abc" == cut("abc", 3)
    assert "a\n... 1 characters left out ...\nc" == cut("abc", 2)


def test_a_report_without_a_trial_is_a_local_error() -> None:
    with pytest.raises(LocalProtocolError, match="holds no trial"):
        report(joined(), 0.5)
