"""What a result warns of, and what its text, its page and its last line make of that."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from lib.results import QUIET_BUS
from support.monitors import INFO, snapshot_of
from support.results import make_result, make_trial

import asha_bus as ab
from asha_bus import Space, TrialState
from asha_bus.core import messages as m
from asha_bus.core.events import Resumed, RunSettings, StopRun
from asha_bus.core.failures import MAX_KINDS, Repeated
from asha_bus.core.status import status
from asha_bus.formats.named import BY_NAME
from asha_bus.monitors.line import first_line, last_line, running_text
from asha_bus.monitors.progress import postfix
from asha_bus.page.document import summary_document
from asha_bus.testing.simulator import Bench

SETTINGS = RunSettings(run="r", scheduler=ab.ASHA(81, min_resource=27), seed=1)
TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n'
RAISED = (
    f"error while the stopped trial was ending:\n{TRACEBACK}IndexError: index {{}} out of range"
)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"space": Space(x=3)}, "the space has no parameter, so every trial is the same"),
        ({"settings": SETTINGS}, "has judged nothing: 1 trial completed and did not reach its"),
        ({"settings": replace(SETTINGS, scheduler=ab.NoStopping())}, None),
        ({"bus": replace(QUIET_BUS, fallbacks=3)}, "3 configurations were drawn at random, since"),
        (
            {"bus": replace(QUIET_BUS, fallbacks=3), "space": Space({BY_NAME: ab.uniform(0, 1)})},
            "3 trials began without values, and asked for each of them by its name, since the",
        ),
        ({"bus": replace(QUIET_BUS, requeued=1)}, "1 attempt was lost with a worker"),
        ({"trial_warnings": [Repeated(2, "no", 1)]}, "trial 2: no"),
        ({"trial_warnings": [Repeated(2, "no", 9)]}, "trial 2: no (8 more like this)"),
    ],
)  # fmt: skip
def test_a_result_warns(fields: dict[str, Any], expected: str | None) -> None:
    quiet = {"bus": replace(QUIET_BUS, fallbacks=0, requeued=0, decisions=0)}
    result = make_result(make_trial(0, params={}, point=()), **{**quiet, **fields})
    found = result.warnings
    assert (0 if expected is None else 1) == len(found)
    assert all((expected or "") in text for text in found)
    assert all(f"\n  warning: {text}" in repr(result) for text in found)
    assert list(found) == summary_document(result)["warnings"]


PLAN = ab.SuccessiveHalving([(4, 2), (8, 1)])
AT_4 = ab.RungRecord(0, 4, 0.5, 2, 2, 0.5, "continue")
AT_12 = ab.RungRecord(1, 12, 0.5, 1, 1, 0.5, "complete")


@pytest.mark.parametrize(
    ("rungs", "expected"),
    [
        (((AT_4,), (AT_4,)), "2 trials went on after their last rung and ended by themselves"),
        (((AT_4,), (AT_4, AT_12)), None),
        (((), (AT_4,)), "1 trial went on after its last rung and ended by itself"),
    ],
)
def test_a_plan_whose_last_rungs_nobody_reached(
    rungs: tuple[tuple[ab.RungRecord, ...], ...], expected: str | None
) -> None:
    trials = [make_trial(n, TrialState.COMPLETED, 0.5, *of) for n, of in enumerate(rungs)]
    bus = replace(QUIET_BUS, fallbacks=0, requeued=0, decisions=2)
    found = make_result(*trials, bus=bus, settings=replace(SETTINGS, scheduler=PLAN)).warnings
    assert (expected is None) == (not found)
    if expected is not None:
        assert expected in found[0]
        assert "its plans go to resource 12" in found[0]


def test_a_plan_that_judged_nothing_names_its_first_rung() -> None:
    bus = replace(QUIET_BUS, fallbacks=0, requeued=0, decisions=0)
    (found,) = make_result(
        make_trial(0), bus=bus, settings=replace(SETTINGS, scheduler=PLAN)
    ).warnings
    assert "or let its first rung come sooner" in found


def test_a_result_names_a_plan_without_a_winner() -> None:
    def curve(trial: Any, resource: float) -> float:
        return math.nan if trial.id < 4 and (resource > 1 or trial.id == 3) else 0.5

    plans = ab.Hyperband([(4, [(1, 2), (2, 1)]), (2, [(1, 1), (1, 1)])])
    run = ab.simulate(curve, {"x": ab.uniform(0, 1)}, scheduler=plans, max_trials=6)
    told = ("plan 0 has no winner: of its 4 trials, 3 ended with nan, 1 stopped",)
    assert told == run.result.warnings
    alone = ab.SuccessiveHalving([(1, 2), (2, 1)])
    run = ab.simulate(curve, {"x": ab.uniform(0, 1)}, scheduler=alone, max_trials=4)
    assert told == run.result.warnings
    run = ab.simulate(curve, {"x": ab.uniform(0, 1)}, scheduler=alone, max_trials=4, max_time=1.5)
    assert "max_time" == run.result.reason and () == run.result.warnings


def warn(bench: Bench, worker: str, trial: int, text: str) -> None:
    bench.ask(worker)
    bench.send(worker, m.Log(trial, 1, "warning", text))


def test_warnings_of_one_kind_are_logged_once_and_counted() -> None:
    bench = Bench(max_trials=100)
    bench.join("a")
    for number in range(4):
        warn(bench, "a", 0, RAISED.format(number))
    (line,) = bench.experiment.table.logs
    assert RAISED.format(0) == line.text
    now = status(bench.experiment, bench.now)
    said = "error while the stopped trial was ending: IndexError: index 0 out of range"
    assert (Repeated(0, said, 4),) == now.warnings


def test_warnings_of_too_many_kinds_are_one_more() -> None:
    bench = Bench(max_trials=100)
    bench.join("a")
    for number in range(2 * MAX_KINDS):
        warn(bench, "a", 0, "x" * (number + 1))
    times = [one.times for one in bench.experiment.table.warnings.values()]
    assert [1] * MAX_KINDS + [MAX_KINDS] == times


def test_a_resumed_run_logs_each_kind_again_and_counts_on() -> None:
    bench = Bench(max_trials=100)
    bench.join("a")
    warn(bench, "a", 0, "hm")
    table = bench.experiment.table
    bench.handle(Resumed(bench.settings))
    bench.join("a")
    warn(bench, "a", 0, "hm")
    assert 1 == len(table.logs)
    assert [2] == [one.times for one in table.warnings.values()]


def test_a_line_without_a_best_says_why_at_the_end() -> None:
    nothing = make_result(make_trial(0, metric=math.nan))
    assert last_line(nothing).endswith(
        "best: none, since no trial has a usable metric: the only one ended with nan"
    )
    assert "0 running, best -" == postfix(snapshot_of(nothing))


def test_trials_that_were_told_to_stop_are_not_called_running() -> None:
    bench = Bench(max_trials=9)
    bench.join("a")
    bench.ask("a")
    assert not status(bench.experiment, bench.now).is_ending
    bench.handle(StopRun("stopped"))
    assert status(bench.experiment, bench.now).is_ending
    snapshot = snapshot_of(make_result(make_trial(0, TrialState.RUNNING)))
    assert "1 running" == running_text(snapshot)
    assert "1 stopping" == running_text(replace(snapshot, is_ending=True))
    assert "0 running" == running_text(replace(snapshot_of(make_result()), is_ending=True))


def test_a_resumed_run_says_so() -> None:
    resumed = replace(INFO, resumed=12)
    assert first_line(INFO).startswith("my-run: started with at most 20 trials, 4 workers, ")
    assert first_line(resumed).startswith("my-run: resumed: 12 of 20 trials done, 4 workers, jo")
    endless = replace(resumed, max_trials=None)
    assert first_line(endless).startswith("my-run: resumed: 12 trials done, 4 workers")
