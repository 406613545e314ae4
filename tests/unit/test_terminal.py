"""The table that is drawn in its place: what is on the screen in the end."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import pytest
from support.monitors import INFO, snapshot_of
from support.results import make_result, make_trial
from support.screen import Screen

from asha_bus import Result, TrialState
from asha_bus.monitors import terminal
from asha_bus.monitors.terminal import TerminalTable

ROWS, COLUMNS = 12, 60


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """The screen that tables are drawn on."""
    screen = Screen(ROWS, COLUMNS)

    def size(fallback: object = None) -> os.terminal_size:  # pytest also asks
        return os.terminal_size((screen.columns, screen.rows))

    monkeypatch.setattr(terminal, "print_text", screen.feed)
    monkeypatch.setattr(shutil, "get_terminal_size", size)
    return screen


def result_of(done: int, running: int = 1) -> Result:
    trials = [make_trial(number) for number in range(done)]
    trials += [make_trial(done + number, TrialState.RUNNING) for number in range(running)]
    return make_result(*trials)


class Eager(TerminalTable):
    """Is redrawn whenever it may be."""

    every_s = 0.0


def begun() -> TerminalTable:
    table = Eager(clock=lambda: 0.0)
    table.on_start(INFO)
    return table


def heads(screen: Screen) -> list[int]:
    """The rows on which a table begins."""
    return [row for row, line in enumerate(screen.lines) if line.startswith("my-run: ")]


def test_the_table_is_drawn_in_its_place_and_stays(screen: Screen) -> None:
    table = begun()
    for done in range(5):
        table.on_refresh(snapshot_of(result_of(done)))
        assert [1] == heads(screen)
        assert f"{done} of 20 trials done" in screen.lines[2]
    table.on_finish(result_of(5, 0))
    assert [0] == heads(screen)
    assert "5 of 20 trials done: 5 COMPLETED" == screen.lines[1]
    assert "ended by max_trials" in screen.lines[2]
    assert "" == screen.lines[-1]
    assert 5 == len(screen.lines)


def test_prints_stand_above_the_table_whole_and_in_order(screen: Screen) -> None:
    table = begun()
    printed = []
    for number in range(100):
        if number % 10 == 0:
            table.on_refresh(snapshot_of(result_of(number // 10, running=number % 7)))
        printed.append(f"line {number} " + "x" * (number % COLUMNS))
        assert table.write(printed[-1])
    table.on_finish(result_of(10, 0))
    (row,) = heads(screen)
    assert printed == rejoined(screen.lines[:row])


def rejoined(lines: list[str]) -> list[str]:
    """Lines that the screen has wrapped, in one piece again."""
    joined: list[str] = []
    for line in lines:
        if line.startswith("line "):
            joined.append(line)
        else:
            joined[-1] += line
    return joined


def test_a_log_in_between_stays_and_the_table_moves_down(screen: Screen) -> None:
    table = begun()
    table.on_refresh(snapshot_of(result_of(1)))
    screen.feed("a warning\n")
    table.on_refresh(snapshot_of(result_of(2)))
    assert ["a warning", ""] == screen.lines[:2]
    assert [2] == heads(screen)


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (5, 20), (2, 10), (1, 1)])
def test_the_table_keeps_to_the_terminal_s_size(screen: Screen, rows: int, columns: int) -> None:
    screen.rows, screen.columns = rows, columns
    table = begun()
    for done in range(3):
        table.on_refresh(snapshot_of(result_of(done, running=30)))
        if rows > 1:
            assert len(screen.lines) <= rows
            assert 0 == screen.top
    table.on_finish(result_of(5, 0))


def test_a_print_after_the_terminal_became_smaller_finds_the_table_fitting(
    screen: Screen,
) -> None:
    table = begun()
    table.on_refresh(snapshot_of(result_of(1, running=5)))
    screen.rows, screen.columns = 5, 20
    for number in range(20):
        assert table.write(f"line {number}")
    assert [f"line {number}" for number in range(20)] == screen.lines[-25:-5]
    assert [len(screen.lines) - 4] == heads(screen)


def test_nothing_is_shown_for_others_before_the_first_drawing_and_after_the_last(
    screen: Screen,
) -> None:
    table = begun()
    assert not table.write("too early")
    table.on_refresh(snapshot_of(result_of(1)))
    assert table.write("in time")
    table.on_finish(None)
    assert not table.write("too late")
    assert "in time" == screen.lines[0]
    assert [1] == heads(screen)


@pytest.mark.parametrize(
    ("takes_s", "expected"), [(0.0, [0.0, 1.0, 2.0, 3.0]), (0.3, [0.0, 3.0]), (4.0, [0.0])]
)
def test_drawing_takes_a_tenth_of_the_time_at_most(
    screen: Screen, takes_s: float, expected: list[float]
) -> None:
    now = 0.0
    drawn = []
    table = TerminalTable(clock=lambda: now)
    table.on_start(INFO)

    def result() -> Result:
        nonlocal now
        drawn.append(now)
        now += takes_s
        return result_of(1)

    snapshot = replace(snapshot_of(result_of(1)), result=result)
    for tick in range(8):
        now = max(now, tick / 2)
        table.on_refresh(snapshot)
    assert expected == drawn


def test_curves_that_were_seen_are_there_at_the_end(screen: Screen) -> None:
    table = TerminalTable(with_curves=True)
    table.on_start(INFO)
    reports = ((1.0, 0.5), (2.0, 0.25), (3.0, 1.0))
    live = make_result(make_trial(0, TrialState.RUNNING, 0.0, resource=4, reports=reports))
    table.on_refresh(snapshot_of(live))
    table.on_finish(make_result(make_trial(0, metric=0.0, resource=5), make_trial(1, metric=0.5)))
    leading = screen.lines.index("leading  resource  metric")
    assert ["trial 0         5       0  ▅▃█▁", "trial 1         1     0.5  ▁"] == (
        screen.lines[leading + 1 : leading + 3]
    )
