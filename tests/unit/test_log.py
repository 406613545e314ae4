"""A trial's log: what is kept of it, and where it goes."""

from __future__ import annotations

from asha_bus.core import messages as m
from asha_bus.core.events import WorkerExited
from asha_bus.core.log import MAX_LOG_CHARS, TrialLog
from asha_bus.testing.simulator import Bench


def test_lines_are_kept_in_order_and_warnings_are_marked() -> None:
    log = TrialLog()
    log.add(1, "info", "first")
    log.add(1, "output", "second\nthird")
    log.add(1, "warning", "careful")
    assert "first\nsecond\nthird\nwarning: careful\n" == str(log)


def test_a_later_attempt_is_marked() -> None:
    log = TrialLog()
    log.add(1, "info", "first")
    log.add(2, "info", "again")
    log.add(2, "info", "and again")
    assert "first\n--- attempt 2 ---\nagain\nand again\n" == str(log)


def test_a_log_that_just_fits_is_kept_whole() -> None:
    log = TrialLog()
    text = "x" * (MAX_LOG_CHARS // 4 - 1)
    for _ in range(4):
        log.add(1, "output", text)
    assert 4 * f"{text}\n" == str(log)
    log.add(1, "output", "")
    assert "\n... 1 characters left out ...\n" in str(log)


def test_a_long_log_keeps_its_beginning_and_end() -> None:
    log = TrialLog()
    for number in range(20_000):
        log.add(1, "output", f"line {number:05}")
        assert len(log._head) + len(log._tail) <= 2 * MAX_LOG_CHARS
    head, middle, tail = str(log).partition(" characters left out ...\n")
    assert middle
    assert head.startswith("line 00000\nline 00001\n")
    assert tail.endswith("line 19998\nline 19999\n")
    assert 20_000 * 11 - MAX_LOG_CHARS == int(head.rpartition("... ")[2])
    assert len(str(log)) < MAX_LOG_CHARS + 100


def test_a_line_longer_than_the_log_is_cut() -> None:
    log = TrialLog()
    log.add(1, "output", "begin " + "x" * 5 * MAX_LOG_CHARS + " end")
    assert str(log).startswith("begin x")
    assert str(log).endswith("x end\n")
    assert len(str(log)) < MAX_LOG_CHARS + 100


# --- on the bus --------------------------------------------------------------


def test_lines_of_all_kinds_reach_the_trial_from_both_sockets() -> None:
    bench = Bench()
    bench.join("a")
    bench.send("a", m.Log(0, 1, "info", "logged"))
    bench.send("a" + m.HEARTBEAT_SUFFIX, m.Log(0, 1, "output", "printed"))
    bench.send("a", m.Log(0, 1, "warning", "careful"))
    assert "logged\nprinted\nwarning: careful\n" == str(bench.trial(0).log)
    # what was printed is seen elsewhere
    logged = [((1, 0), 0, "info", "logged"), ((2, 0), 0, "warning", "careful")]
    assert logged == list(bench.experiment.table.logs)


def test_a_trial_that_says_nothing_has_no_log() -> None:
    bench = Bench()
    bench.join("a")
    assert None is bench.trial(0).log


def test_lines_after_the_end_of_the_trial_are_kept() -> None:
    bench = Bench(max_trials=2)
    bench.join("a")
    bench.end("a", 0)
    bench.send("a" + m.HEARTBEAT_SUFFIX, m.Log(0, 1, "output", "closing"))
    assert "closing\n" == str(bench.trial(0).log)


def test_a_lost_attempt_keeps_its_lines() -> None:
    bench = Bench()
    bench.join("a")
    bench.send("a", m.Log(0, 1, "info", "before"))
    bench.handle(WorkerExited("slot of a"))
    bench.join("b")
    bench.send("b", m.Log(0, 2, "info", "after"))
    assert "before\n--- attempt 2 ---\nafter\n" == str(bench.trial(0).log)


def test_lines_of_no_trial_and_of_strangers_are_dropped() -> None:
    bench = Bench()
    bench.join("a")
    bench.send("a", m.Log(7, 1, "output", "whose?"))
    bench.send("stranger", m.Log(0, 1, "output", "who?"))
    assert None is bench.trial(0).log
