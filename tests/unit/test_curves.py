"""Reports between rungs: seen once by whoever looks on, kept where that was asked for."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from asha_bus.core import curves as module
from asha_bus.core import messages as m
from asha_bus.core.curve import MAX_NAMES, Curve
from asha_bus.core.curve import MAX_POINTS as MAX_CURVE
from asha_bus.core.curves import MAX_POINTS, Curves
from asha_bus.core.events import WorkerExited
from asha_bus.core.status import changes
from asha_bus.core.trial import Trial
from asha_bus.testing.simulator import Bench


def trial(number: int = 0) -> Trial:
    return Trial(number, (0.0,), 1, attempt=1)


def reports(first: int, count: int) -> tuple[tuple[float, float], ...]:
    return tuple((float(k), -float(k)) for k in range(first, first + count))


def add(
    curves: Curves,
    one: Trial,
    points: tuple[tuple[float, float], ...],
    **extras: tuple[float | None, ...],
) -> m.Reports | None:
    message = m.Reports(one.id, one.attempt, None, len(points), points, extras)
    curves.add(one, message)
    return curves.choose(one, message)


def test_nothing_is_held_for_nobody() -> None:
    curves = Curves(kept=False)
    one = trial()
    add(curves, one, reports(1, 3))
    assert [] == curves.take(10)
    assert [] == one.curve


def test_reports_after_the_first_look_are_returned_once_in_order() -> None:
    curves = Curves(kept=False)
    curves.take(1)
    add(curves, trial(5), reports(1, 3))
    assert [(5, 1, 1.0, -1.0), (5, 1, 2.0, -2.0)] == curves.take(2)
    assert [(5, 1, 3.0, -3.0)] == curves.take(2)
    assert [] == curves.take(2)


def test_the_oldest_are_left_out_and_counted_where_nobody_looks() -> None:
    curves = Curves(kept=False)
    curves.take(1)
    add(curves, trial(), reports(1, MAX_POINTS))
    assert 0 == curves.dropped
    add(curves, trial(), reports(MAX_POINTS + 1, 7))
    assert 7 == curves.dropped
    assert (0, 1, 8.0, -8.0) == curves.take(1)[0]


def test_a_kept_curve_is_thinned_out_beyond_its_length() -> None:
    curves = Curves(kept=True)
    one = trial()
    add(curves, one, reports(1, MAX_CURVE))
    assert MAX_CURVE == len(one.curve)
    add(curves, one, reports(MAX_CURVE + 1, 1))
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


def test_the_points_do_not_depend_on_the_batches() -> None:
    rng = Random(7)
    for most in (1, 3, 25, 200):
        found = []
        for _ in range(5):
            curve, at = Curve(), 0
            while at < 1_000:
                batch = reports(at + 1, min(rng.choice((1, 2, 7, 60)), 1_000 - at))
                chosen = curve.choose(len(batch), most)
                curve.keep([batch[place] for place in chosen], {}, most)
                curve.skip(len(batch) - 1 - chosen[-1] if chosen else len(batch))
                at += len(batch)
            found.append(curve.points())
        assert found == found[:1] * 5
        assert 0 < len(found[0]) <= most
        assert (
            {found[0][1][0] - found[0][0][0]} == {b[0] - a[0] for a, b in pairwise(found[0])}
            if most > 1
            else True
        )


def test_what_is_written_down_gives_the_same_curve_and_count() -> None:
    live, read = Curves(kept=True), Curves(kept=True)
    one, again = trial(), trial()
    count = 0
    for number in range(40):
        part = add(live, one, reports(1 + 30 * number, 30), lr=(0.5,) * 30)
        if part is not None:
            read.keep(again, part)
            count += part.total
    assert one.curve == again.curve
    assert one.extra_curves == again.extra_curves
    assert 1_200 - 30 < count <= 1_200


def test_extras_have_curves_where_they_had_values() -> None:
    curves = Curves(kept=True)
    one = trial()
    add(curves, one, reports(1, 2))
    add(curves, one, reports(3, 3), lr=(0.5, None), loss=(1, 2, 3))
    add(curves, one, reports(6, 1), **{f"more-{number}": (0.0,) for number in range(MAX_NAMES)})
    assert [(3.0, 0.5)] == one.extra_curves["lr"]
    assert [(3.0, 1.0), (4.0, 2.0), (5.0, 3.0)] == one.extra_curves["loss"]
    assert MAX_NAMES == len(one.extra_curves)
    assert 6 == len(one.curve)


def test_a_run_holds_no_more_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 1_000)
    curves = Curves(kept=True)
    trials = [trial(number) for number in range(2_000)]
    for one in trials:
        add(curves, one, reports(1, 8))
        curves.fit(trials)
    kept = sum(len(one.curve) for one in trials)
    assert kept <= 1_000
    assert 0 == curves.most
    trials = trials[:100]
    curves = Curves(kept=True)
    for one in trials:
        one.kept = None
        add(curves, one, reports(1, 100))
        curves.fit(trials)
    assert {12} == {curves.most}
    assert {7} == {len(one.curve) for one in trials}


def test_a_new_attempt_begins_a_new_curve() -> None:
    bench = Bench(curves=True)
    bench.join("w")
    bench.send("w", m.Reports(0, 1, 0.5, 1, ((0.5, 0.7),), {}))
    bench.handle(WorkerExited("slot of w"))
    bench.join("v")
    assert [] == bench.trial(0).curve
    bench.send("v", m.Reports(0, 2, 0.5, 3, ((0.25, 0.7),), {"lr": (1.0,)}))
    assert ([(0.25, 0.7)], {"lr": [(0.25, 1.0)]}) == (
        bench.trial(0).curve,
        bench.trial(0).extra_curves,
    )
    assert 4 == bench.experiment.counters.reports
