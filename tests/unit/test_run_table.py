"""A run as lines of text: what they say, and that they fit."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from lib.results import QUIET_BUS, simulated
from support.monitors import INFO, snapshot_of
from support.results import make_result, make_trial

from asha_bus import Result, RungRecord, RungStanding, TrialRecord, TrialState
from asha_bus.core.events import RunSettings
from asha_bus.core.schedulers import Hyperband, PromotionASHA, Scheduler, SuccessiveHalving
from asha_bus.monitors.line import PlainLines, clock, failed_text, running_line
from asha_bus.monitors.screen import cut, print_text
from asha_bus.monitors.table import RungLines, run_table, sparkline


def entry(rung: int, metric: float, n: int, verdict: str, cutoff: float | None) -> RungRecord:
    return RungRecord(rung, 3.0**rung, metric, n, max(n // 3, 1), cutoff, verdict)


def running_result(**fields: object) -> Result:
    """Two trials stopped, one completed, one running."""
    return make_result(
        make_trial(0, TrialState.COMPLETED, 0.25, entry(0, 0.5, 1, "continue", 0.5), resource=9),
        make_trial(1, TrialState.STOPPED, 0.75, entry(0, 0.75, 2, "stop", 0.5)),
        make_trial(2, TrialState.STOPPED, 0.625, entry(0, 0.625, 3, "stop", 0.5)),
        make_trial(
            3,
            TrialState.RUNNING,
            0.375,
            entry(0, 0.4375, 4, "continue", 0.4375),
            entry(1, 0.375, 1, "continue", None),
            params={"x": 0.123456, "act": "relu"},
            end_time=None,
        ),
        elapsed_s=65.4,
        **fields,
    )


def test_a_table_shows_states_best_rungs_and_running_trials() -> None:
    assert [
        "my-run: min by ASHA(max_resource=81)",
        "3 of 20 trials done: 1 RUNNING, 1 COMPLETED, 2 STOPPED",
        "1:05 elapsed, 2 workers, 0.0459 trials/s, 0 reports/s",
        "best: trial 0, metric 0.25 at resource 9, x=0",
        "",
        "rung  resource  entries  went on  cutoff",
        "0            1        4        2  0.4375",
        "1            3        1        1       -",
        "",
        "running  resource  metric",
        "trial 3         3   0.375  x=0.1235, act='relu'",
    ] == run_table(INFO, running_result(), 2, width=80, height=24)


@pytest.mark.parametrize(("awaited", "said"), [(0, "2 workers, "), (3, "(waits for 3 more), ")])
def test_workers_that_are_still_to_come_are_counted(awaited: int, said: str) -> None:
    snapshot = replace(snapshot_of(running_result()), awaited=awaited)
    table = run_table(INFO, running_result(), 2, awaited=awaited, width=200, height=24)
    for line in (running_line(INFO, snapshot), table[2]):
        assert said in line
        assert bool(awaited) == ("waits for" in line)


def test_with_curves_the_leading_trials_are_drawn() -> None:
    lines = run_table(INFO, running_result(), 2, width=80, height=24, with_curves=True)
    leading = lines[lines.index("leading  resource  metric") :][:5]
    assert [
        "trial 0         9    0.25  █▁",
        "trial 3         3   0.375  █▁",
        "trial 2         1   0.625  ▁",
        "trial 1         1    0.75  ▁",
    ] == leading[1:]


def test_a_table_of_an_ended_run_names_the_reason() -> None:
    lines = run_table(INFO, running_result(reason="max_time"), None, width=80, height=24)
    assert "1:05 elapsed, ended by max_time, 0.0459 trials/s, 0 reports/s" == lines[2]


def test_a_table_without_a_trial() -> None:
    assert [
        "my-run: min by ASHA(max_resource=81)",
        "0 of 20 trials done",
        "0:00 elapsed, 0 workers",
        "best: none yet",
    ] == run_table(INFO, make_result(elapsed_s=0.0), 0, width=80, height=24, with_curves=True)


def test_rungs_of_several_brackets_are_distinguished() -> None:
    result = make_result(
        make_trial(0, TrialState.STOPPED, 0.5, entry(0, 0.5, 1, "continue", 0.5), bracket=0),
        make_trial(1, TrialState.STOPPED, 0.5, entry(0, 0.5, 1, "stop", 0.25), bracket=1),
    )
    lines = run_table(INFO, result, 0, width=80, height=24)
    assert [
        "0/0          1        1        1     0.5",
        "1/0          1        1        0    0.25",
    ] == (lines[6:8])


@pytest.mark.parametrize("height", range(1, 40))
@pytest.mark.parametrize("width", [1, 20, 79])
def test_a_table_fits(width: int, height: int) -> None:
    trials: list[TrialRecord] = []
    for number in range(60):
        rungs = [entry(rung, 0.5, number + 1, "continue", 0.5) for rung in range(12)]
        trials.append(make_trial(number, TrialState.RUNNING, math.nan, *rungs))
    result = make_result(*trials)
    lines = run_table(INFO, result, 2, width=width, height=height, with_curves=True)
    assert len(lines) <= height
    assert max(len(line) for line in lines) <= width
    if height >= 12 and width == 79:
        assert any(line.startswith("... and ") for line in lines)


def test_a_line_is_cut_by_columns_and_cannot_move_the_cursor() -> None:
    assert "漢字" == cut("漢字", 4)
    assert "漢" == cut("漢字", 3)
    assert "e\u0301e" == cut("e\u0301ee", 2)
    assert "a?[2Jb?" == cut("a\x1b[2Jb\n", 80)


def test_a_sparkline_shows_the_course_of_a_curve() -> None:
    assert "" == sparkline([])
    assert "▁▁" == sparkline([2.0, 2.0])
    assert "█▅▁" == sparkline([1.0, 0.5, math.nan, 0.0, math.inf])
    assert "▁" == sparkline([-1e308, 1e308])[:1]
    falling = sparkline([1000.0 - number for number in range(1000)], 8)
    assert "█▇▆▅▄▃▂▁" == falling


def test_a_time_is_shown_as_on_a_clock() -> None:
    assert ["0:00", "0:59", "1:00", "59:59", "1:00:00", "100:00:01"] == [
        clock(seconds) for seconds in (0.0, 59.9, 60.0, 3599.0, 3600.0, 360_001.0)
    ]


def test_plain_lines_come_now_and_then_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    lines = PlainLines(lambda: now)
    lines.on_start(INFO)
    for now in (100.5, 101.0, 129.9, 130.4, 130.5, 131.0):
        lines.on_refresh(snapshot_of(running_result(), elapsed_s=now - 100))
    lines.on_finish(running_result())
    assert [
        "my-run: started with at most 20 trials, 4 workers, journal run.journal, "
        "ASHA(max_resource=81), RandomSearch(), seed 7",
        "my-run: 3 of 20 trials done, 1 running, 0:30, 0.0987/s, 2 workers, best: trial 0, metric "
        "0.25 at resource 9, x=0",
        "my-run: 4 trials, 1:05, ended by max_trials, best: trial 0, metric 0.25 at resource 9, "
        "x=0",
    ] == capsys.readouterr().out.splitlines()


def test_a_parameter_of_several_lines_takes_one(capsys: pytest.CaptureFixture[str]) -> None:
    class Tall:
        def __repr__(self) -> str:
            return "Tall(\n    1,\n)"

    result = make_result(make_trial(0, params={"option": Tall()}))
    PlainLines().on_finish(result)
    assert capsys.readouterr().out.endswith(" at resource 1, option=Tall( 1, )\n")


def test_characters_that_stdout_cannot_encode_are_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    import io
    import sys

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    print_text("▁ok\n")
    assert b"?ok\n" == raw.getvalue()


# --- rungs that shrink ------------------------------------------------------------


def rungs_of(result: Result) -> list[str]:
    lines = run_table(INFO, result, 2, width=100, height=40)
    first = next(number for number, line in enumerate(lines) if line.startswith("rung"))
    return (
        lines[first : first + 1 + lines[first:].index("")] if "" in lines[first:] else lines[first:]
    )


def standing_result(*rungs: RungStanding, scheduler: Scheduler) -> Result:
    settings = RunSettings("run", scheduler, 7)
    return make_result(rungs=rungs, settings=settings)


def test_a_plan_shows_who_is_to_come_who_has_paused_and_who_went_on() -> None:
    result = standing_result(
        RungStanding(0, 0, 1, 5, 1, 0.25, 3, 8, 4),
        RungStanding(0, 1, 3, 0, 0, None, 0, 4, 1, True),
        scheduler=SuccessiveHalving([(1, 4), (2, 1)]),
    )
    assert [
        "rung  resource  entered  paused  went on  keeps  cutoff",
        "0            1   5 of 8       3        1      4    0.25  ███▒▒▒▒▒▒▒▒▒░░░·········",
        "1            3   0 of 4       -        0      1       -  ············",
    ] == rungs_of(result)


def test_plans_are_groups_of_lines() -> None:
    result = standing_result(
        RungStanding(0, 0, 1, 2, 1, 0.25, 0, 2, 1),
        RungStanding(0, 1, 3, 1, 1, 0.25, 0, 1, 1, True),
        RungStanding(1, 0, 3, 1, 0, None, 0, 1, 1, True),
        scheduler=Hyperband([(2, [(1, 1), (2, 1)]), (1, [(3, 1)])]),
    )
    assert [
        "rung    resource  entered  paused  went on  keeps  cutoff",
        "plan 0",
        "0              1   2 of 2       0        1      1    0.25  ████████████░░░░░░░░░░░░",
        "1              3   1 of 1       -        1      1    0.25  ████████████",
        "plan 1",
        "0              3   1 of 1       -        0      1       -  ░░░░░░░░░░░░",
    ] == rungs_of(result)


def test_promotions_have_no_end() -> None:
    result = standing_result(
        RungStanding(0, 0, 1, 4, 1, 0.5, 2), scheduler=PromotionASHA(max_resource=3)
    )
    assert (
        "0            1        4       2        1      -     0.5  ██████▒▒▒▒▒▒▒▒▒▒▒▒░░░░░░"
        == (rungs_of(result)[1])
    )


def test_residents_and_their_waits_are_shown() -> None:
    bus = replace(
        QUIET_BUS,
        residents={"a": 3, "b": 1},
        dropped_residents=2,
        promotion_wait_p50_s=1.25,
        promotion_wait_max_s=60.0,
    )
    scheduler = PromotionASHA(max_resource=3)
    result = make_result(rungs=[RungStanding(0, 0, 1, 4, 1, 0.5, 2)], bus=bus)
    result.settings = RunSettings("run", scheduler, 7)
    lines = run_table(INFO, result, 2, width=200, height=40)
    assert (
        "paused in memory: 4, at most 3 in one worker, 2 dropped; those promoted waited 1.25 s "
        "(median), 60 s (longest)" == lines[3]
    )
    result.bus = QUIET_BUS
    assert "paused in memory: 0" == run_table(INFO, result, 2, width=200, height=40)[3]


def test_the_rungs_of_a_simulated_run_shrink() -> None:
    result = simulated(27, scheduler=SuccessiveHalving.classic(27))
    assert ["27 of 27", "9 of 9", "3 of 3", "1 of 1"] == [
        " ".join(line.split()[2:5]) for line in rungs_of(result)[1:5]
    ]
    assert "  rung 0 at 1: 27 of 27 entered, 0 paused, 9 went on" in repr(result)
    assert "  rung 3 at 27: 1 of 1 entered, 1 kept" in repr(result)


def test_a_line_counts_paused_trials() -> None:
    states = {TrialState.PAUSED: 3, TrialState.FAILED: 1}
    assert ", 3 paused, 1 failed" == failed_text(states)


def test_where_there_is_no_terminal_the_rungs_stand_below_each_line() -> None:
    written: list[str] = []
    now = 0.0
    lines = RungLines(lambda: now, written.append)
    lines.on_start(INFO)
    assert 1 == len(written)
    result = simulated(27, scheduler=SuccessiveHalving.classic(27), until=8.0)
    lines.on_refresh(snapshot_of(result))
    assert 1 == len(written)  # it is not time yet
    now = 30.0
    lines.on_refresh(snapshot_of(result))
    line, *rungs = written[1:]
    assert line.startswith("my-run: ")
    assert rungs_of(result)[:5] == [one.removesuffix("\n") for one in rungs]
    lines.on_finish(make_result())
    assert len(written) == 1 + 6 + 1
    lines.on_finish(None)
    assert "my-run: ended with an error\n" == written[-1]
