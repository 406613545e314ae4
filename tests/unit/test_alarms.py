"""What a launch warns of while it goes on."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from support.plans import plan_for

from asha_bus.core.failures import Repeated, count_warning, gist, kind
from asha_bus.core.status import status
from asha_bus.launching import alarms as module
from asha_bus.launching.alarms import Alarms
from asha_bus.testing.simulator import Bench

LOGGER = logging.getLogger("asha_bus.my-run")


def test_nobody_has_joined_counts_from_this_launch(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = replace(status(Bench().experiment, 0.0), elapsed_s=66.0, joined=4, joined_now=0)
    alarms = Alarms(plan_for(max_trials=1), LOGGER, lambda: "2 local workers", lambda first: [])
    alarms.check(resumed)
    assert [] == caplog.messages
    monkeypatch.setattr(module, "NO_WORKER_S", 0.0)
    alarms.check(resumed)
    alarms.check(resumed)
    assert ["no worker has joined for 0 s; are there free slots for 2 local workers?"] == (
        caplog.messages
    )


def test_time_in_which_the_driver_stood_still_does_not_count(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    nobody = status(Bench().experiment, 0.0)
    alarms = Alarms(plan_for(max_trials=1), LOGGER, lambda: "2 local workers", lambda first: [])
    for _ in range(20):
        clock.now += 0.5
        alarms.check(nobody)
    clock.now += 3_600  # the lid was closed
    alarms.check(nobody)
    assert [] == caplog.messages
    for _ in range(10):
        clock.now += 0.5
        alarms.check(nobody)
    assert ["no worker has joined for 16 s"] == [text.partition(";")[0] for text in caplog.messages]


def test_a_worker_of_this_launch_is_enough(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NO_WORKER_S", 0.0)
    bench = Bench()
    bench.join("w")
    alarms = Alarms(plan_for(max_trials=1), LOGGER, lambda: "", lambda first: [])
    alarms.check(status(bench.experiment, bench.now))
    assert [] == caplog.messages


TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n'
GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "a.py", line 1, in f
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +---------------- 2 ----------------
    | TypeError: 2
    +------------------------------------
"""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (f"{TRACEBACK}KeyError: 'x'\n", "KeyError: 'x'"),
        (f"{TRACEBACK}ValueError: a\nb\n\nc\n", "ValueError: a ... c"),
        (f"{TRACEBACK}KeyError: 1\n\nDuring handling\n\n{TRACEBACK}OSError: 2", "OSError: 2"),
        (GROUP, "TypeError: 2"),
        ("lost 3 times\nsee its output", "lost 3 times ... see its output"),
        (f"{TRACEBACK}ValueError: \x1b[31mred", "ValueError: ?[31mred"),
        (f"{TRACEBACK}ValueError: {'x' * 1000}", f"ValueError: {'x' * 288}..."),
        ("", "no error is known"),
        (None, "no error is known"),
    ],
)  # fmt: skip
def test_an_error_comes_down_to_a_line(error: str | None, expected: str) -> None:
    assert expected == gist(error)


def test_trials_that_were_lost_are_of_one_kind() -> None:
    assert kind("LOST", "the last one being a") == kind("LOST", "the last one being b")
    assert kind("FAILED", "KeyError: a") != kind("FAILED", "KeyError: b")


def test_failures_that_differ_in_numbers_are_of_one_kind() -> None:
    first, second = (f"{TRACEBACK}IndexError: index {n} at 0x{n:x} of 1.5e-{n}" for n in (17, 254))
    assert kind("FAILED", first) == kind("FAILED", second)


def test_a_longer_number_in_a_long_message_makes_no_other_kind() -> None:
    errors = [f"ValueError: alpha={alpha} {'in a long text ' * 30}" for alpha in ("0.5", "0.00397")]
    assert kind("FAILED", errors[0]) == kind("FAILED", errors[1])
    warned: dict[str, Repeated] = {}
    for number, error in enumerate(errors):
        count_warning(warned, number, error)
    assert [2] == [one.times for one in warned.values()]


def test_a_bus_tells_the_first_of_each_kind() -> None:
    bench = Bench(max_trials=100, max_failures=50)
    bench.join("a")
    for number in range(30):
        bench.end("a", number, "failed", metric=None, error=f"ValueError: {'x' * (number // 2)}")
    assert tuple(range(0, 20, 2)) == status(bench.experiment, bench.now).failures
