"""Reports between rungs: seen once by whoever looks on, kept where that was asked for."""

from __future__ import annotations

from asha_bus.core import messages as m
from asha_bus.core.curves import MAX_CURVE, MAX_POINTS, Curves
from asha_bus.core.status import changes
from asha_bus.core.trial import Trial
from asha_bus.testing.simulator import Bench


def trial(number: int = 0) -> Trial:
    return Trial(number, (0.0,), 1, attempt=1)


def reports(first: int, count: int) -> tuple[tuple[float, float], ...]:
    return tuple((float(k), -float(k)) for k in range(first, first + count))


def test_no_reports_are_held_without_a_reader() -> None:
    curves = Curves(kept=False)
    one = trial()
    curves.add(one, reports(1, 3))
    assert [] == curves.take(10)
    assert [] == one.curve


def test_reports_after_the_first_look_are_returned_once_in_order() -> None:
    curves = Curves(kept=False)
    curves.take(1)
    curves.add(trial(5), reports(1, 3))
    assert [(5, 1, 1.0, -1.0), (5, 1, 2.0, -2.0)] == curves.take(2)
    assert [(5, 1, 3.0, -3.0)] == curves.take(2)
    assert [] == curves.take(2)


def test_the_oldest_are_left_out_and_counted_where_nobody_looks() -> None:
    curves = Curves(kept=False)
    curves.take(1)
    curves.add(trial(), reports(1, MAX_POINTS))
    assert 0 == curves.dropped
    curves.add(trial(), reports(MAX_POINTS + 1, 7))
    assert 7 == curves.dropped
    assert (0, 1, 8.0, -8.0) == curves.take(1)[0]


def test_a_kept_curve_is_thinned_out_beyond_its_length() -> None:
    curves = Curves(kept=True)
    one = trial()
    curves.add(one, reports(1, MAX_CURVE))
    assert MAX_CURVE == len(one.curve)
    curves.add(one, reports(MAX_CURVE + 1, 1))
    assert MAX_CURVE // 2 + 1 == len(one.curve)
    assert ((1.0, -1.0), (MAX_CURVE + 1, -MAX_CURVE - 1)) == (one.curve[0], one.curve[-1])


def test_a_run_keeps_them_only_where_that_was_asked_for() -> None:
    for kept in (False, True):
        bench = Bench(curves=kept)
        bench.join("w")
        before = len(bench.records)
        bench.send("w", m.Telemetry(0, 1, 0.5, ((0.5, 0.7), (0.7, 0.5))))
        assert ([(0.5, 0.7), (0.7, 0.5)] if kept else []) == bench.trial(0).curve
        assert int(kept) == len(bench.records) - before


def test_the_last_reports_of_a_trial_count_when_they_come_after_its_end() -> None:
    bench = Bench(curves=True)
    changes(bench.experiment, 1, 1)
    bench.join("a", "b")
    bench.report("b", 1, 1, 0.1)
    bench.report("a", 0, 1, 0.9)
    assert "STOPPED" == bench.trial(0).state
    bench.send("a", m.Telemetry(0, 1, 0.5, ((0.5, 0.8),)))
    assert [(0.5, 0.8)] == bench.trial(0).curve
    assert (1, 0.9) == (bench.trial(0).resource, bench.trial(0).metric)
    assert 3 == bench.experiment.counters.reports


def test_those_of_another_worker_or_attempt_do_not_count() -> None:
    bench = Bench(curves=True)
    bench.join("a", "b")
    for sender, number, attempt in (("b", 0, 1), ("a", 0, 2), ("a", 99, 1)):
        bench.send(sender, m.Telemetry(number, attempt, 0.5, ((0.5, 0.8),)))
    assert [] == bench.trial(0).curve
    assert 0 == bench.experiment.counters.reports
