"""Monitors behind the dispatcher: told in order, and unable to hold up or break a run."""

from __future__ import annotations

import threading

import pytest
from support.monitors import INFO, LOGGER, RESULT, SNAPSHOT, TRIAL, Blocker, Recorder, snapshot_of
from support.results import make_result

from asha_bus import Monitor, RungRecord
from asha_bus.monitors import dispatch
from asha_bus.monitors.base import Assigned, Decided, Reported, TrialEnded, TrialEvent
from asha_bus.monitors.dispatch import Dispatcher

RECORD = RungRecord(0, 1, 0.5, 1, 1, 0.5, "continue")
HAPPENINGS: list[TrialEvent] = [
    Assigned(TRIAL),
    Reported(TRIAL, 1, 0.5),
    Decided(TRIAL, RECORD),
    TrialEnded(TRIAL),
]
METHODS = (
    "on_start",
    "on_assign",
    "on_report",
    "on_decision",
    "on_end",
    "on_refresh",
    "on_finish",
)


def threads_of_monitors() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("asha-bus-monitor-")]


def play(*monitors: Monitor) -> None:
    """A short run, to its end."""
    dispatcher = Dispatcher(monitors, LOGGER)
    dispatcher.start(INFO)
    dispatcher.update(HAPPENINGS, SNAPSHOT)
    dispatcher.finish(RESULT)
    assert [] == threads_of_monitors()


def test_a_monitor_is_notified_of_everything_in_order() -> None:
    monitors = [Recorder(), Recorder(), Recorder()]
    play(*monitors)
    for monitor in monitors:
        assert [
            ("on_start", INFO),
            ("on_assign", TRIAL),
            ("on_report", TRIAL, 1, 0.5),
            ("on_decision", TRIAL, RECORD),
            ("on_end", TRIAL),
            ("on_refresh", SNAPSHOT),
            ("on_finish", RESULT),
        ] == monitor.told


def test_a_monitor_may_leave_every_method_as_it_is() -> None:
    play(Monitor())


def test_the_threads_are_daemons_named_after_their_monitors() -> None:
    blocker = Blocker("on_start")
    dispatcher = Dispatcher([Recorder(blocker)], LOGGER)
    dispatcher.start(INFO)
    (thread,) = threads_of_monitors()
    assert ("asha-bus-monitor-Recorder", True) == (thread.name, thread.daemon)
    blocker.go.set()
    dispatcher.finish(None)
    assert not thread.is_alive()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt])
def test_an_exception_switches_off_its_monitor_alone(
    method: str, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def react(name: str) -> None:
        if name == method:
            raise kind("no luck")

    broken, sound = Recorder(react), Recorder()
    play(broken, sound)
    assert list(METHODS[: METHODS.index(method)]) == broken.names
    assert list(METHODS) == sound.names
    (logged,) = caplog.records
    assert "monitor Recorder failed and is switched off" == logged.getMessage()
    assert logged.exc_info is not None
    assert logged.exc_info[0] is kind


def test_a_monitor_that_is_switched_off_is_not_notified_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Mute(Recorder):
        def write(self, text: str) -> bool:
            raise OSError("no paper")

    mute = Mute()
    dispatcher = Dispatcher([mute], LOGGER)
    dispatcher.start(INFO)
    dispatcher.write("a line")
    dispatcher.write("another line")
    dispatcher.update(HAPPENINGS, SNAPSHOT)
    dispatcher.finish(RESULT)
    assert set(mute.names) <= {"on_start"}
    assert ["monitor Mute failed and is switched off"] == [r.getMessage() for r in caplog.records]


def test_a_blocked_monitor_delays_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatch, "_FINISH_S", 0.1)
    blocker = Blocker("on_assign")
    blocked, sound = Recorder(blocker), Recorder()
    dispatcher = Dispatcher([blocked, sound], LOGGER)
    dispatcher.start(INFO)
    dispatcher.update(HAPPENINGS, SNAPSHOT)
    assert blocker.is_there.wait(30)
    (thread, _) = threads_of_monitors()
    dispatcher.finish(RESULT)
    assert list(METHODS) == sound.names
    assert ["on_start"] == blocked.names
    (logged,) = caplog.records
    assert logged.getMessage() == (
        "monitor Recorder is still busy 0 s after the end of the run; no longer waiting"
    )
    blocker.go.set()  # it wakes up and finds what has happened
    thread.join(30)
    assert list(METHODS) == blocked.names


def test_a_busy_monitor_gets_the_newest_snapshot_only() -> None:
    blocker = Blocker("on_refresh")
    monitor = Recorder(blocker)
    dispatcher = Dispatcher([monitor], LOGGER)
    dispatcher.start(INFO)
    snapshots = [snapshot_of(make_result(), elapsed_s=float(number)) for number in range(5)]
    dispatcher.update([], snapshots[0])
    assert blocker.is_there.wait(30)
    for snapshot in snapshots[1:]:
        dispatcher.update(HAPPENINGS, snapshot)
    blocker.go.set()
    dispatcher.finish(None)
    shown = [told[1] for told in monitor.told if told[0] == "on_refresh"]
    assert [snapshots[0], snapshots[4]] == shown
    assert 4 == monitor.names.count("on_assign")


def test_events_a_busy_monitor_misses_are_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatch, "MOST_WAITING", 10)
    blocker = Blocker("on_start")
    busy = Recorder(blocker)
    dispatcher = Dispatcher([busy], LOGGER)
    dispatcher.start(INFO)
    assert blocker.is_there.wait(30)
    reports = [Reported(TRIAL, number, 0.5) for number in range(25)]
    for number in range(0, 25, 5):
        dispatcher.update(reports[number : number + 5], SNAPSHOT)
    blocker.go.set()
    dispatcher.finish(RESULT)
    assert list(range(10)) == [told[2] for told in busy.told if told[0] == "on_report"]
    assert ["on_refresh", "on_finish"] == busy.names[-2:]
    assert [
        "monitor Recorder is too slow, so some events are dropped; their number is logged at the "
        "end of the run",
        "monitor Recorder: 15 events were dropped",
    ] == [record.getMessage() for record in caplog.records]


def test_a_printed_line_goes_to_the_first_monitor_that_shows_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Printer(Monitor):
        def __init__(self, takes: bool) -> None:
            self.takes = takes
            self.lines: list[str] = []

        def write(self, text: str) -> bool:
            self.lines.append(text)
            return self.takes

    printers = [Printer(False), Printer(True), Printer(True)]
    Dispatcher([Monitor(), *printers], LOGGER).write("a line")
    assert [["a line"], ["a line"], []] == [printer.lines for printer in printers]
    assert "" == capsys.readouterr().out


def test_without_a_monitor_a_printed_line_goes_to_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dispatcher = Dispatcher([], LOGGER)
    dispatcher.start(INFO)
    dispatcher.update(HAPPENINGS, SNAPSHOT)
    dispatcher.write("a line")
    dispatcher.finish(RESULT)
    assert "a line\n" == capsys.readouterr().out
