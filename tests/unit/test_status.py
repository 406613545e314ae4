"""How a run stands: its rungs, its workers, its queues, and what changed."""

from __future__ import annotations

import pytest

from asha_bus.core import messages as m
from asha_bus.core.events import Received
from asha_bus.core.roster import MISSED_HEARTBEATS
from asha_bus.core.schedulers import ASHA, NoStopping, PromotionASHA, SuccessiveHalving
from asha_bus.core.status import PausingFigures, Queues, changes, status
from asha_bus.core.trial import TrialState
from asha_bus.testing.simulator import Bench


def numbers(bench: Bench) -> list[int]:
    """The trials that changed since the last call."""
    rows, _, has_more = changes(bench.experiment, 100, 100)
    assert not has_more
    return sorted(row.id for row in rows)


def test_rungs_stand_there_from_the_start() -> None:
    bench = Bench(scheduler=ASHA(max_resource=9, brackets=2))
    expected = [(0, 0, 1, 0, 0, None), (0, 1, 3, 0, 0, None), (1, 1, 3, 0, 0, None)]
    assert expected == [rung[:6] for rung in status(bench.experiment, 0.0).rungs]


def test_a_rung_shows_its_entries_continuations_and_the_cutoff_in_the_users_sign() -> None:
    bench = Bench(mode="max")
    bench.join("a", "b", "c")
    for name, number, metric in (("a", 0, 5.0), ("b", 1, 7.0), ("c", 2, 6.0)):
        bench.report(name, number, 1, metric)
    assert (0, 0, 1, 3, 2, 7.0) == status(bench.experiment, 0.0).rungs[0][:6]


def test_a_rung_of_numbers_that_are_none_has_no_cutoff() -> None:
    bench = Bench()
    bench.join("a")
    bench.report("a", 0, 1, float("nan"))
    assert (0, 0, 1, 1, 0, None) == status(bench.experiment, 0.0).rungs[0][:6]


def test_no_rungs_are_no_error() -> None:
    assert [] == status(Bench(scheduler=NoStopping()).experiment, 0.0).rungs


def test_workers_are_counted_by_what_they_do() -> None:
    bench = Bench(supplied=False, lease_s=1_000.0, heartbeat_s=1.0)
    bench.hello("idle")
    bench.hello("waiting")
    bench.ask("waiting")
    now = status(bench.experiment, bench.now)
    assert {"running": 0, "waiting": 1, "idle": 1, "silent": 0} == now.workers_by_state
    assert Queues(requeued=0, suggestions=0, undrawn=50 + 500, waiting_workers=1) == now.queues
    bench.supply()
    bench.wait(MISSED_HEARTBEATS * 1.0)
    bench.heartbeat("waiting")
    later = status(bench.experiment, bench.now)
    assert {"running": 1, "waiting": 0, "idle": 0, "silent": 1} == later.workers_by_state
    assert pytest.approx(MISSED_HEARTBEATS * 1.0) == later.silence_s
    assert (2, 0) == (later.joined, later.left)


def test_resource_is_spent_by_all_attempts_and_saved_by_those_stopped() -> None:
    bench = Bench(scheduler=ASHA(max_resource=9))
    bench.join("a", "b")
    bench.report("b", 1, 1, 0.1)
    bench.report("a", 0, 1, 0.9)
    now = status(bench.experiment, 0.0)
    assert (2.0, 8.0) == (now.spent, now.saved)
    bench.report("b", 1, 3, 0.1)
    assert 4.0 == status(bench.experiment, 0.0).spent


def test_whoever_looks_first_gets_all_trials_and_then_those_that_changed() -> None:
    bench = Bench()
    bench.join("a", "b")
    assert [0, 1] == numbers(bench)
    assert [] == numbers(bench)
    bench.report("b", 1, 1, 0.1)
    assert [1] == numbers(bench)
    bench.report("a", 0, 1, 0.9)  # is stopped, and the next one begins
    assert [0, 2] == numbers(bench)


def test_many_changes_are_sent_in_parts() -> None:
    bench = Bench()
    bench.join("a", "b", "c")
    told: list[int] = []
    for left in (True, True, False):
        rows, _, has_more = changes(bench.experiment, 1, 1)
        assert left == has_more
        told += [row.id for row in rows]
    assert [0, 1, 2] == sorted(told)


def test_a_status_changes_nothing_and_is_not_changed_by_what_follows() -> None:
    bench = Bench()
    bench.join("a", "b")
    bench.send("a", m.Log(0, 1, "info", "hello"))
    before = status(bench.experiment, bench.now)
    assert before == status(bench.experiment, bench.now)
    assert [((1, 0), 0, "info", "hello")] == list(bench.experiment.table.logs)
    bench.report("a", 0, 1, 0.9)
    assert (0, 2) == (before.counters.reports, before.states[TrialState.RUNNING])
    assert 1 == status(bench.experiment, bench.now).counters.reports


def test_lines_are_given_from_a_place_on() -> None:
    bench = Bench()
    bench.join("a")
    bench.send("a", m.Log(0, 1, "info", "hello"))
    bench.send("a", m.Log(0, 1, "warning", "mind"))
    hello, mind = ((1, 0), 0, "info", "hello"), ((2, 0), 0, "warning", "mind")
    table = bench.experiment.table
    assert [hello, mind] == table.logs_after((0, 0)) == table.logs_after((0, 0))
    assert [mind] == table.logs_after((1, 0))
    assert [] == table.logs_after((2, 0))


def test_a_line_that_the_journal_does_not_keep_leaves_the_places_of_the_others() -> None:
    bench = Bench()
    bench.join("a")
    kept = [bench.send("a", m.Log(0, 1, "info", "x" * 10_000)) for _ in range(10)]
    places = [line.place for line in bench.experiment.table.logs]
    assert 10 == len(kept) == len(set(places))
    assert sorted(places) == places
    events = [record.event for record in bench.records]
    journaled = [e for e in events if isinstance(e, Received) and isinstance(e.message, m.Log)]
    assert len(journaled) == places[-1][0] < 10


def test_a_row_has_its_trials_values_in_the_order_of_its_fields() -> None:
    bench = Bench()
    bench.join("a", "b")
    bench.report("b", 1, 1, 0.1)
    trial = bench.trial(1)
    renamed = {"state": trial.state.value, "attempts": trial.attempt}
    for name, value in trial.to_row()._asdict().items():
        assert renamed.get(name, getattr(trial, name, None)) == value, name


# --- paused trials ----------------------------------------------------------------


def test_a_rung_of_a_plan_shows_who_is_to_come_who_waits_and_who_went_on() -> None:
    bench = Bench(scheduler=SuccessiveHalving([(1, 2), (2, 1)]), max_trials=4)
    bench.join("a", "b")
    first, last = status(bench.experiment, 0.0).rungs
    assert (0, 0, 1, 0, 0, None, 0, 4, 2, False) == first
    assert (0, 1, 3, 0, 0, None, 0, 2, 1, True) == last
    bench.report("a", 0, 1, 0.5)  # pauses, and worker a begins trial 2
    bench.report("b", 1, 1, 0.25)
    first, last = status(bench.experiment, 0.0).rungs
    assert (0, 0, 1, 2, 0, 0.5, 2, 4, 2, False) == first
    bench.report("a", 2, 1, 0.75)
    bench.report("b", 3, 1, 0.125)  # 3 and 1 continue, 2 was stopped at once, 0 now
    first, last = status(bench.experiment, 0.0).rungs
    assert (0, 0, 1, 4, 2, 0.25, 0, 4, 2, False) == first
    assert (0, 1, 3, 0, 0, None, 0, 2, 1, True) == last
    bench.report("b", 3, 3, 0.0625)
    first, last = status(bench.experiment, 0.0).rungs
    assert (0, 1, 3, 1, 1, 0.0625, 0, 2, 1, True) == last


def test_a_plan_without_a_number_of_configurations_expects_any_number() -> None:
    bench = Bench(scheduler=SuccessiveHalving([(1, 2), (2, 1)]))
    assert [None, 2] == [rung.expected for rung in status(bench.experiment, 0.0).rungs]


def test_promotions_show_who_waits() -> None:
    bench = Bench(scheduler=PromotionASHA(max_resource=9), max_trials=9)
    bench.join("a")
    for number, metric in ((0, 0.5), (1, 0.75)):
        bench.report("a", number, 1, metric)
    assert (0, 0, 1, 2, 0, None, 2, None, None, False) == status(bench.experiment, 0.0).rungs[0]
    bench.report("a", 2, 1, 0.875)  # now trial 0 is one of three
    assert (0, 0, 1, 3, 1, 0.5, 2, None, None, False) == status(bench.experiment, 0.0).rungs[0]


def test_residents_are_counted_by_worker_with_their_waits() -> None:
    bench = Bench(scheduler=PromotionASHA(max_resource=9, max_resident=2), max_trials=9)
    bench.join("a", "b")
    assert 0 == status(bench.experiment, bench.now).pausing.residents
    bench.report("b", 1, 1, 0.125)
    bench.report("b", 2, 1, 0.25)  # worker b has trials 1 and 2, and trains 3
    bench.report("a", 0, 1, 0.5)  # 1 is promoted, and waits for b
    now = status(bench.experiment, bench.now).pausing
    assert ({"b": 2, "a": 1}, 3, 2, 0, 1) == now[:5]
    bench.now += 100.0
    bench.report("b", 3, 1, 0.75)  # one too many: 3 is dropped, and b resumes 1
    now = status(bench.experiment, bench.now).pausing
    assert ({"b": 1, "a": 1}, 2, 2, 1, 0) == now[:5]
    assert pytest.approx(100.0, rel=0.03) == now.wait_p50_s
    assert 100.0 == now.wait_max_s


def test_without_pauses_there_are_no_figures_of_them() -> None:
    bench = Bench()
    bench.join("a")
    assert PausingFigures() == status(bench.experiment, 0.0).pausing
